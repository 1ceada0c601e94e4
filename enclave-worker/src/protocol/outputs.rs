//! The outputs that a V2 request asks for. None asked for means the model's own.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::interface::LABEL;
use super::parameters::{Known, Parameters};
use super::reader::Reader;
use super::{Interface, Refusal};

/// An output as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which.
    pub(super) output: Which,
    /// As bytes behind the JSON; as the request says where nothing is said here.
    pub(super) binary: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// The model's own.
    Scores,
    /// The class of each row, as text.
    Label,
}

impl Wanted {
    /// The model's own output, which nobody asked for by name.
    pub(super) const SCORES: Self = Self { output: Which::Scores, binary: None };

    /// The output of this name.
    pub(super) fn named(name: &str, interface: &Interface<'_>) -> Result<Self, Refusal> {
        let output = match name {
            _ if name == interface.output => Which::Scores,
            LABEL if !interface.classes.is_empty() => Which::Label,
            _ => return Err(Refusal::OutputUnknown { output: interface.output.to_owned() }),
        };
        Ok(Self { output, binary: None })
    }

    /// One more output, unless it is there.
    pub(super) fn add(
        self,
        wanted: &mut Vec<Self>,
        interface: &Interface<'_>,
    ) -> Result<(), Refusal> {
        if wanted.iter().any(|other| other.output == self.output) {
            let output = match self.output {
                Which::Scores => interface.output,
                Which::Label => LABEL,
            };
            return Err(Refusal::OutputRepeated { output: output.to_owned() });
        }
        wanted.push(self);
        Ok(())
    }
}

/// Reads the list of outputs; each must be one of the model's, and stand once.
pub(super) struct Outputs<'r, 'a>(pub(super) &'r mut Reader<'a>);

impl<'de> DeserializeSeed<'de> for Outputs<'_, '_> {
    type Value = Vec<Wanted>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Outputs<'_, '_> {
    type Value = Vec<Wanted>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of outputs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut wanted = Vec::new();
        while let Some(output) = seq.next_element_seed(Output(&mut *self.0))? {
            let step = output.add(&mut wanted, self.0.interface);
            self.0.note(step)?;
        }
        Ok(wanted)
    }
}

struct Output<'r, 'a>(&'r mut Reader<'a>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum OutputMember {
    Name,
    Parameters,
    #[serde(other)]
    Unknown,
}

impl<'de> DeserializeSeed<'de> for Output<'_, '_> {
    type Value = Wanted;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Wanted, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Output<'_, '_> {
    type Value = Wanted;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a requested output")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Wanted, A::Error> {
        let reader = self.0;
        let [mut name, mut parameters] = [false; 2];
        let (mut wanted, mut known) = (Wanted::SCORES, Known::default());
        while let Some(member) = map.next_key()? {
            match member {
                OutputMember::Name => {
                    reader.enter(&mut name, "name")?;
                    let step = Wanted::named(&map.next_value::<String>()?, reader.interface);
                    wanted = reader.note(step)?;
                }
                OutputMember::Parameters => {
                    reader.enter(&mut parameters, "parameters")?;
                    known = map.next_value_seed(Parameters(&mut *reader))?;
                }
                OutputMember::Unknown => map.next_value_seed(reader.skip())?,
            }
        }
        if !name {
            return Err(reader.refuse(Refusal::MemberMissing { member: "name" }));
        }
        Ok(Wanted { binary: known.binary_data, ..wanted })
    }
}
