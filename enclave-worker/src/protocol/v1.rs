//! `POST /v1/models/M:predict`, as TF-Serving and KServe have it.
//!
//! By rows `{"instances": [[61, 0.5], ..]}` or `{"instances": [{"age": 61, "dose": 0.5}, ..]}`; by
//! columns `{"inputs": [[61, 0.5], ..]}` or `{"inputs": {"age": [61, ..], "dose": [0.5, ..]}}`. The
//! tensor's own name stands for all features in either. One form, not both; other members, such as
//! `signature_name`, are skipped.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::assemble::Assembly;
use super::data::{Data, Item};
use super::input::Seen;
use super::numbers::{Columns, Found};
use super::reader::Reader;
use super::{Decoded, Interface, Refusal, ReplyShape};

pub(super) fn decode(
    body: &[u8],
    interface: &Interface<'_>,
    rows_max: usize,
) -> Result<Decoded, Refusal> {
    let mut reader = Reader::new(body, 0, interface, rows_max);
    let mut json = serde_json::Deserializer::from_slice(body);
    let outcome =
        Body(&mut reader).deserialize(&mut json).and_then(|sent| json.end().map(|()| sent));
    let sent = reader.conclude(body, outcome)?;
    let Sent { parts, reply } = sent.ok_or(Refusal::InstancesOrInputs)?;
    let rows = Assembly { interface, rows_max, numbers: &mut reader.numbers }.listed(&parts)?;
    Ok(Decoded { rows, reply })
}

/// The rows as they came, and the form of the answer.
struct Sent {
    parts: Vec<(Columns, Found)>,
    reply: ReplyShape,
}

struct Body<'r, 'a>(&'r mut Reader<'a>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Member {
    Instances,
    Inputs,
    #[serde(other)]
    Unknown,
}

impl<'de> DeserializeSeed<'de> for Body<'_, '_> {
    type Value = Option<Sent>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Body<'_, '_> {
    type Value = Option<Sent>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a request to predict")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let reader = self.0;
        let mut sent = None;
        let [mut instances, mut inputs] = [false; 2];
        while let Some(member) = map.next_key()? {
            let found = match member {
                Member::Instances => {
                    reader.enter(&mut instances, "instances")?;
                    reader.numbers.begin(Some(Columns::All));
                    map.next_value_seed(Instances(&mut *reader))?;
                    let parts = vec![(Columns::All, reader.numbers.found())];
                    Sent { parts, reply: ReplyShape::Predictions }
                }
                Member::Inputs => {
                    reader.enter(&mut inputs, "inputs")?;
                    let parts = map.next_value_seed(Tensors(&mut *reader))?;
                    Sent { parts, reply: ReplyShape::Outputs }
                }
                Member::Unknown => {
                    map.next_value_seed(reader.skip())?;
                    continue;
                }
            };
            if sent.replace(found).is_some() {
                return Err(reader.refuse(Refusal::InstancesOrInputs));
            }
        }
        Ok(sent)
    }
}

/// A list of rows: each a list, an object by feature, or a number where a row holds one.
struct Instances<'r, 'a>(&'r mut Reader<'a>);

impl<'de> DeserializeSeed<'de> for Instances<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Instances<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of instances")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let reader = self.0;
        reader.numbers.enter();
        while seq.next_element_seed(Instance(&mut *reader))?.is_some() {}
        reader.numbers.leave();
        Ok(())
    }
}

/// One row. What is no object is read like a row of any other tensor.
struct Instance<'r, 'a>(&'r mut Reader<'a>);

impl<'de> DeserializeSeed<'de> for Instance<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Instance<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an instance")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reader = self.0;
        let step = reader.numbers.begin_row();
        reader.note(step)?;
        let features = reader.interface.features.len();
        let mut row = Row { values: Zeroizing::new(vec![None; features]), at: 0 };
        while let Some(name) = map.next_key::<String>()? {
            let columns = Columns::named(&name, row.at, reader.interface);
            match reader.note(columns)? {
                // `{"x": [61, 0.5]}`: the row under the tensor's own name, and nothing beside it.
                Columns::All if row.is_empty() => {
                    map.next_value_seed(Values(&mut *reader))?;
                    if map.next_key::<de::IgnoredAny>()?.is_some() {
                        let input = reader.interface.input.to_owned();
                        return Err(reader.refuse(Refusal::InputRepeated { input }));
                    }
                    let step = reader.numbers.end_row();
                    return reader.note(step);
                }
                columns @ Columns::All => {
                    let input = columns.name(reader.interface).to_owned();
                    return Err(reader.refuse(Refusal::InputRepeated { input }));
                }
                Columns::One(feature) => {
                    let value = map.next_value_seed(One { reader: &mut *reader, feature })?;
                    let step = row.set(feature, value, reader.interface);
                    reader.note(step)?;
                }
            }
        }
        for (value, feature) in row.values.iter().zip(reader.interface.features) {
            let value = value.ok_or_else(|| Refusal::InputMissing { input: feature.clone() });
            let step = value.and_then(|value| reader.numbers.push_f64(value));
            reader.note(step)?;
        }
        let step = reader.numbers.end_row();
        reader.note(step)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        Item(self.0).visit_seq(seq)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        Item(self.0).visit_f64(value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        Item(self.0).visit_u64(value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        Item(self.0).visit_i64(value)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        Item(self.0).visit_bool(value)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        Item(self.0).visit_str(value)
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Item(self.0).visit_unit()
    }
}

/// A row that comes feature by feature, in any order.
struct Row {
    values: Zeroizing<Vec<Option<f64>>>,
    /// The feature that is likely to come next.
    at: usize,
}

impl Row {
    fn is_empty(&self) -> bool {
        self.values.iter().all(Option::is_none)
    }

    fn set(
        &mut self,
        feature: usize,
        value: f64,
        interface: &Interface<'_>,
    ) -> Result<(), Refusal> {
        self.at = feature + 1;
        match self.values.get_mut(feature) {
            Some(place @ None) => {
                *place = Some(value);
                Ok(())
            }
            _ => {
                let input = Columns::One(feature).name(interface).to_owned();
                Err(Refusal::InputRepeated { input })
            }
        }
    }
}

/// The numbers of a row that has begun.
struct Values<'r, 'a>(&'r mut Reader<'a>);

impl<'de> DeserializeSeed<'de> for Values<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Values<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Item(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

/// One number of one feature, or a list that holds it.
struct One<'r, 'a> {
    reader: &'r mut Reader<'a>,
    feature: usize,
}

impl One<'_, '_> {
    fn no_number<E: de::Error>(self) -> E {
        let place = self.reader.numbers.place_at(self.feature);
        self.reader.refuse(Refusal::NotANumber { place })
    }
}

impl<'de> DeserializeSeed<'de> for One<'_, '_> {
    type Value = f64;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<f64, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for One<'_, '_> {
    type Value = f64;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a number")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<f64, E> {
        Ok(value)
    }

    #[expect(clippy::cast_precision_loss, reason = "a 32-bit float is even coarser")]
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "a 32-bit float is even coarser")]
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<f64, A::Error> {
        let Self { reader, feature } = self;
        let value = seq.next_element::<f64>()?;
        match (value, seq.next_element::<de::IgnoredAny>()?) {
            (Some(value), None) => Ok(value),
            _ => Err(Self { reader, feature }.no_number()),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<f64, A::Error> {
        Err(self.no_number())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<f64, E> {
        Err(self.no_number())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<f64, E> {
        Err(self.no_number())
    }

    fn visit_unit<E: de::Error>(self) -> Result<f64, E> {
        Err(self.no_number())
    }
}

/// `inputs`: a tensor alone, or tensors by name.
struct Tensors<'r, 'a>(&'r mut Reader<'a>);

impl<'de> DeserializeSeed<'de> for Tensors<'_, '_> {
    type Value = Vec<(Columns, Found)>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tensors<'_, '_> {
    type Value = Vec<(Columns, Found)>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a tensor, or tensors by name")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        let reader = self.0;
        reader.numbers.begin(Some(Columns::All));
        Data(&mut *reader).visit_seq(seq)?;
        Ok(vec![(Columns::All, reader.numbers.found())])
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let reader = self.0;
        let mut seen = Seen::default();
        let mut parts = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let columns = Columns::named(&name, parts.len(), reader.interface);
            let columns = reader.note(columns)?;
            let step = seen.once(columns, reader.interface);
            reader.note(step)?;
            reader.numbers.begin(Some(columns));
            map.next_value_seed(Data(&mut *reader))?;
            parts.push((columns, reader.numbers.found()));
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::super::tests::{attempt, decoded, refused};
    use super::*;

    const FORMS: [&str; 7] = [
        r#"{"instances":[[61,0.5],[40,2]]}"#,
        r#"{"signature_name":"s","instances":[{"age":61,"dose":0.5},{"dose":2,"age":[40]}]}"#,
        r#"{"instances":[{"x":[61,0.5]},[40,2]]}"#,
        r#"{"inputs":[[61,0.5],[40,2]]}"#,
        r#"{"inputs":{"x":[[61,0.5],[40,2]]}}"#,
        r#"{"inputs":{"dose":[0.5,2],"age":[[61],[40]]}}"#,
        r#"{"inputs":{"age":[61,40],"dose":[0.5,2]}, "later":{"a":[1]}}"#,
    ];

    #[test]
    fn all_forms_are_the_same_rows() {
        for body in FORMS {
            assert_eq!(decoded(decode, body).rows.values(), [61.0, 0.5, 40.0, 2.0], "{body}");
        }
    }

    #[test]
    fn rows_are_answered_with_predictions_and_columns_with_outputs() {
        for body in FORMS {
            let by_rows = body.contains("instances");
            let reply = decoded(decode, body).reply;
            assert_eq!(matches!(reply, ReplyShape::Predictions), by_rows, "{body}");
            assert_eq!(matches!(reply, ReplyShape::Outputs), !by_rows, "{body}");
        }
    }

    #[test]
    fn a_model_of_one_feature_takes_bare_numbers() {
        let features = ["age".to_owned()];
        let interface = super::super::tests::interface(&features);
        for body in [r#"{"instances":[1,2,3]}"#, r#"{"inputs":[[1],[2],[3]]}"#] {
            let rows = decode(body.as_bytes(), &interface, 4).unwrap().rows;
            assert_eq!((rows.count(), rows.values()), (3, &[1.0, 2.0, 3.0][..]));
        }
    }

    #[test]
    fn each_mistake_has_its_own_code() {
        for (body, code) in [
            ("", "body_not_json"),
            ("{}", "instances_or_inputs"),
            (r#"{"instances":[[1,2]],"inputs":[[1,2]]}"#, "instances_or_inputs"),
            (r#"{"instances":[[1,2]],"instances":[[1,2]]}"#, "member_repeated"),
            (r#"{"instances":{}}"#, "member_invalid"),
            (r#"{"instances":[]}"#, "no_rows"),
            (r#"{"instances":[1,2]}"#, "shape_mismatch"),
            (r#"{"instances":[[1,2],3]}"#, "shape_mismatch"),
            (r#"{"instances":[[1,2],[3]]}"#, "row_length"),
            (r#"{"instances":[[1,2],[1,2],[1,2],[1,2],[1,2]]}"#, "too_many_rows"),
            (r#"{"instances":[[1,true]]}"#, "not_a_number"),
            (r#"{"instances":[{"age":1}]}"#, "input_missing"),
            (r#"{"instances":[{"age":1,"age":2}]}"#, "input_repeated"),
            (r#"{"instances":[{"age":1,"weight":2}]}"#, "input_unknown"),
            (r#"{"instances":[{"x":[1,2],"age":1}]}"#, "input_repeated"),
            (r#"{"instances":[{"age":1,"x":[1,2]}]}"#, "input_repeated"),
            (r#"{"instances":[{"age":1,"dose":"2"}]}"#, "not_a_number"),
            (r#"{"instances":[{"age":1,"dose":[1,2]}]}"#, "not_a_number"),
            (r#"{"instances":[{"age":1,"dose":1e39}]}"#, "not_finite"),
            (r#"{"instances":[{"x":[1]}]}"#, "row_length"),
            (r#"{"instances":[{"x":[[1,2]]}]}"#, "shape_mismatch"),
            (r#"{"inputs":{}}"#, "no_rows"),
            (r#"{"inputs":{"age":[1,2],"dose":[1]}}"#, "shape_mismatch"),
            (r#"{"inputs":{"age":[1,2]}}"#, "input_missing"),
            (r#"{"inputs":{"x":[1,2]}}"#, "shape_mismatch"),
            (r#"{"inputs":{"x":[[1,2]],"age":[1]}}"#, "input_repeated"),
            (r#"{"inputs":{"age":[1,2,3,4,5],"dose":[1]}}"#, "too_many_rows"),
        ] {
            assert_eq!(refused(decode, body).code(), code, "{body}");
        }
        assert!(attempt(decode, b"\xff").is_err());
    }
}
