//! The outputs a V2 request asks for: there is one, and asking for it is optional.

use super::Refusal;
use super::reader::Reader;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Reads the list of outputs; each must be the model's.
pub(super) struct Outputs<'r, 'a>(pub(super) &'r mut Reader<'a>);

impl<'de> DeserializeSeed<'de> for Outputs<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Outputs<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of outputs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Output(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

struct Output<'r, 'a>(&'r mut Reader<'a>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum OutputMember {
    Name,
    #[serde(other)]
    Unknown,
}

impl<'de> DeserializeSeed<'de> for Output<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Output<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a requested output")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reader = self.0;
        let mut name = false;
        while let Some(member) = map.next_key()? {
            match member {
                OutputMember::Name => {
                    reader.enter(&mut name, "name")?;
                    if map.next_value::<String>()? != reader.interface.output {
                        let output = reader.interface.output.to_owned();
                        return Err(reader.refuse(Refusal::OutputUnknown { output }));
                    }
                }
                OutputMember::Unknown => map.next_value_seed(reader.skip())?,
            }
        }
        if name { Ok(()) } else { Err(reader.refuse(Refusal::MemberMissing { member: "name" })) }
    }
}
