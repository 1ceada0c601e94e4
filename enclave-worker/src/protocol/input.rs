//! The inputs of a V2 request: one tensor with all features, or a column for each of them.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::data::Data;
use super::datatype::Datatype;
use super::numbers::{Columns, Found};
use super::parameters::{Known, Parameters};
use super::reader::Reader;
use super::{Interface, Refusal};

/// An input tensor as it was described.
pub(super) struct Input<'b> {
    pub(super) columns: Columns,
    pub(super) shape: Vec<u64>,
    pub(super) datatype: Datatype,
    pub(super) numbers: Source<'b>,
}

/// Where an input's numbers are.
pub(super) enum Source<'b> {
    /// They stood in the JSON, or in the message.
    Read(Found),
    /// In so many bytes behind the JSON, after those of the inputs before it.
    Behind(usize),
    /// In these bytes.
    Bytes(&'b [u8]),
}

/// Reads the list of inputs; no two hold the same feature.
pub(super) struct Inputs<'r, 'a>(pub(super) &'r mut Reader<'a>);

impl<'de> DeserializeSeed<'de> for Inputs<'_, '_> {
    type Value = Vec<Input<'static>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Inputs<'_, '_> {
    type Value = Vec<Input<'static>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of inputs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let reader = self.0;
        let mut seen = Seen::default();
        let mut inputs = Vec::new();
        while let Some(input) =
            seq.next_element_seed(Member { reader: &mut *reader, at: inputs.len() })?
        {
            let step = seen.once(input.columns, reader.interface);
            reader.note(step)?;
            inputs.push(input);
        }
        Ok(inputs)
    }
}

/// Which features have come. There are never more inputs than features.
#[derive(Default)]
pub(super) struct Seen {
    all: bool,
    columns: Vec<bool>,
}

impl Seen {
    pub(super) fn once(
        &mut self,
        columns: Columns,
        interface: &Interface<'_>,
    ) -> Result<(), Refusal> {
        let name = columns.name(interface).to_owned();
        self.columns.resize(interface.features.len(), false);
        let again = match columns {
            Columns::All => self.columns.contains(&true) || std::mem::replace(&mut self.all, true),
            Columns::One(feature) => {
                let seen = self.columns.get_mut(feature);
                self.all || seen.is_none_or(|seen| std::mem::replace(seen, true))
            }
        };
        if again { Err(Refusal::InputRepeated { input: name }) } else { Ok(()) }
    }
}

impl Columns {
    /// What an input of this name holds; `likely` is the feature to look at first.
    pub(super) fn named(
        name: &str,
        likely: usize,
        interface: &Interface<'_>,
    ) -> Result<Self, Refusal> {
        let features = interface.features;
        if name == interface.input {
            return Ok(Self::All);
        }
        if features.get(likely).is_some_and(|feature| feature == name) {
            return Ok(Self::One(likely));
        }
        let feature = features.iter().position(|feature| feature == name);
        let unknown = || Refusal::InputUnknown { input: interface.input.to_owned() };
        feature.map(Self::One).ok_or_else(unknown)
    }

    /// The model's name for it.
    pub(super) fn name<'a>(self, interface: &Interface<'a>) -> &'a str {
        match self {
            Self::All => interface.input,
            Self::One(feature) => interface.features.get(feature).map_or("", String::as_str),
        }
    }
}

/// One input, the `at`th.
struct Member<'r, 'a> {
    reader: &'r mut Reader<'a>,
    at: usize,
}

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

impl<'de> DeserializeSeed<'de> for Member<'_, '_> {
    type Value = Input<'static>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Member<'_, '_> {
    type Value = Input<'static>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an input tensor")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self { reader, at } = self;
        let [mut name, mut shape, mut datatype, mut parameters, mut data] = [false; 5];
        let (mut columns, mut dimensions, mut kind) = (None, Vec::new(), None);
        let mut known = Known::default();
        reader.numbers.begin(None);
        while let Some(member) = map.next_key()? {
            match member {
                InputMember::Name => {
                    reader.enter(&mut name, "name")?;
                    let found = Columns::named(&map.next_value::<String>()?, at, reader.interface);
                    let found = reader.note(found)?;
                    let step = reader.numbers.name(found);
                    reader.note(step)?;
                    columns = Some(found);
                }
                InputMember::Shape => {
                    reader.enter(&mut shape, "shape")?;
                    dimensions = map.next_value()?;
                }
                InputMember::Datatype => {
                    reader.enter(&mut datatype, "datatype")?;
                    let found = Datatype::parse(&map.next_value::<String>()?);
                    kind = Some(reader.note(found.ok_or(Refusal::DatatypeUnsupported))?);
                }
                InputMember::Parameters => {
                    reader.enter(&mut parameters, "parameters")?;
                    known = map.next_value_seed(Parameters(&mut *reader))?;
                }
                InputMember::Data => {
                    reader.enter(&mut data, "data")?;
                    map.next_value_seed(Data(&mut *reader))?;
                }
                InputMember::Unknown => map.next_value_seed(reader.skip())?,
            }
        }
        let missing = |member| Refusal::MemberMissing { member };
        let columns = reader.note(columns.ok_or(missing("name")))?;
        if !shape {
            return Err(reader.refuse(missing("shape")));
        }
        let datatype = reader.note(kind.ok_or(missing("datatype")))?;
        let numbers = match (known.binary_data_size, data) {
            (None, true) => Source::Read(reader.numbers.found()),
            (Some(bytes), false) => Source::Behind(bytes),
            (None, false) => return Err(reader.refuse(missing("data"))),
            (Some(_), true) => {
                let input = columns.name(reader.interface).to_owned();
                return Err(reader.refuse(Refusal::BinaryAndData { input }));
            }
        };
        Ok(Input { columns, shape: dimensions, datatype, numbers })
    }
}
