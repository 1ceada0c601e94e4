//! The one input tensor of a V2 request.

use super::Refusal;
use super::data::Data;
use super::reader::Reader;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Reads the list of inputs; gives the shape of the one in it, or nothing for an empty list.
pub(super) struct Inputs<'r, 'a>(pub(super) &'r mut Reader<'a>);

impl<'de> DeserializeSeed<'de> for Inputs<'_, '_> {
    type Value = Option<Vec<u64>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Inputs<'_, '_> {
    type Value = Option<Vec<u64>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of inputs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let shape = seq.next_element_seed(Input(&mut *self.0))?;
        if seq.next_element_seed(self.0.skip())?.is_some() {
            let input = self.0.interface.input.to_owned();
            return Err(self.0.refuse(Refusal::InputUnknown { input }));
        }
        Ok(shape)
    }
}

struct Input<'r, 'a>(&'r mut Reader<'a>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum InputMember {
    Name,
    Shape,
    Datatype,
    Parameters,
    Data,
    #[serde(other)]
    Unknown,
}

impl<'de> DeserializeSeed<'de> for Input<'_, '_> {
    type Value = Vec<u64>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Vec<u64>, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Input<'_, '_> {
    type Value = Vec<u64>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an input tensor")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<u64>, A::Error> {
        let reader = self.0;
        let [mut name, mut shape, mut datatype, mut parameters, mut data] = [false; 5];
        let mut dimensions = Vec::new();
        while let Some(member) = map.next_key()? {
            match member {
                InputMember::Name => {
                    reader.enter(&mut name, "name")?;
                    if map.next_value::<String>()? != reader.interface.input {
                        let input = reader.interface.input.to_owned();
                        return Err(reader.refuse(Refusal::InputUnknown { input }));
                    }
                }
                InputMember::Shape => {
                    reader.enter(&mut shape, "shape")?;
                    dimensions = map.next_value()?;
                }
                InputMember::Datatype => {
                    reader.enter(&mut datatype, "datatype")?;
                    if !DATATYPES.contains(&map.next_value::<String>()?.as_str()) {
                        return Err(reader.refuse(Refusal::DatatypeUnsupported));
                    }
                }
                InputMember::Parameters => {
                    reader.enter(&mut parameters, "parameters")?;
                    map.next_value_seed(reader.skip())?;
                }
                InputMember::Data => {
                    reader.enter(&mut data, "data")?;
                    map.next_value_seed(Data(&mut *reader))?;
                }
                InputMember::Unknown => map.next_value_seed(reader.skip())?,
            }
        }
        let needed = [(name, "name"), (shape, "shape"), (datatype, "datatype"), (data, "data")];
        match needed.iter().find(|(seen, _)| !seen) {
            Some((_, member)) => Err(reader.refuse(Refusal::MemberMissing { member })),
            None => Ok(dimensions),
        }
    }
}

/// In JSON both are decimal text; what does not fit 32 bits is refused number by number.
const DATATYPES: [&str; 2] = ["FP32", "FP64"];
