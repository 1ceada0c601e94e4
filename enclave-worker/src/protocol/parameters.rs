//! `parameters`, of a request, an input or an output: three are known, the rest is skipped.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};

use super::Refusal;
use super::reader::Reader;

/// Reads one list of parameters.
pub(super) struct Parameters<'r, 'a>(pub(super) &'r mut Reader<'a>);

/// Those that are known.
#[derive(Default)]
pub(super) struct Known {
    /// Of an input: how many bytes it takes behind the JSON.
    pub(super) binary_data_size: Option<usize>,
    /// Of an output: whether it is wanted as bytes.
    pub(super) binary_data: Option<bool>,
    /// Of a request: whether outputs that do not say so are.
    pub(super) binary_data_output: Option<bool>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Name {
    BinaryDataSize,
    BinaryData,
    BinaryDataOutput,
    Classification,
    SharedMemoryRegion,
    #[serde(other)]
    Unknown,
}

impl<'de> DeserializeSeed<'de> for Parameters<'_, '_> {
    type Value = Known;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Known, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Parameters<'_, '_> {
    type Value = Known;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("parameters")
    }

    fn visit_unit<E>(self) -> Result<Known, E> {
        Ok(Known::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Known, A::Error> {
        let reader = self.0;
        let mut known = Known::default();
        let [mut size, mut data, mut output] = [false; 3];
        while let Some(name) = map.next_key()? {
            match name {
                Name::BinaryDataSize => {
                    reader.enter(&mut size, "binary_data_size")?;
                    known.binary_data_size = Some(map.next_value()?);
                }
                Name::BinaryData => {
                    reader.enter(&mut data, "binary_data")?;
                    known.binary_data = Some(map.next_value()?);
                }
                Name::BinaryDataOutput => {
                    reader.enter(&mut output, "binary_data_output")?;
                    known.binary_data_output = Some(map.next_value()?);
                }
                // Their absence would change what the answer means.
                Name::Classification => {
                    let parameter = "classification";
                    return Err(reader.refuse(Refusal::ParameterUnsupported { parameter }));
                }
                Name::SharedMemoryRegion => {
                    let parameter = "shared_memory_region";
                    return Err(reader.refuse(Refusal::ParameterUnsupported { parameter }));
                }
                Name::Unknown => map.next_value_seed(reader.skip())?,
            }
        }
        Ok(known)
    }
}
