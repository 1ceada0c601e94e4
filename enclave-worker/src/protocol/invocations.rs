//! `POST /invocations`: `{"x": [..]}` for one row, `{"x": [[..], ..]}` for several.
//!
//! The form is ours and has one member, so any other is a mistake worth telling.

use super::assemble::Assembly;
use super::data::Data;
use super::numbers::Columns;
use super::reader::Reader;
use super::{Decoded, Interface, Refusal, ReplyShape};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use std::fmt;

pub(super) fn decode(
    body: &[u8],
    interface: &Interface<'_>,
    rows_max: usize,
) -> Result<Decoded, Refusal> {
    let mut reader = Reader::new(body, 0, interface, rows_max);
    reader.numbers.begin(Some(Columns::All));
    let mut json = serde_json::Deserializer::from_slice(body);
    let outcome =
        Body(&mut reader).deserialize(&mut json).and_then(|found| json.end().map(|()| found));
    if !reader.conclude(body, outcome)? {
        return Err(Refusal::InputMissing { input: interface.input.to_owned() });
    }
    let numbers = &mut reader.numbers;
    let (rows, is_one) = Assembly { interface, rows_max, numbers }.as_sent()?;
    let reply = if is_one { ReplyShape::One } else { ReplyShape::Many };
    Ok(Decoded { rows, reply })
}

/// Says whether the input was there.
struct Body<'r, 'a>(&'r mut Reader<'a>);

impl<'de> DeserializeSeed<'de> for Body<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Body<'_, '_> {
    type Value = bool;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object with the input")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let reader = self.0;
        let mut seen = false;
        while let Some(member) = map.next_key::<String>()? {
            if member != reader.interface.input {
                let input = reader.interface.input.to_owned();
                return Err(reader.refuse(Refusal::InputUnknown { input }));
            }
            reader.enter(&mut seen, reader.interface.input)?;
            map.next_value_seed(Data(&mut *reader))?;
        }
        Ok(seen)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::super::tests::{decoded, refused};
    use super::*;

    #[test]
    fn one_row_without_an_outer_list_asks_for_one_result() {
        let decoded = decoded(decode, r#"{"x":[1,2.5]}"#);
        assert_eq!(decoded.rows.values(), [1.0, 2.5]);
        assert!(matches!(decoded.reply, ReplyShape::One));
    }

    #[test]
    fn a_list_of_rows_asks_for_a_list_of_results() {
        let decoded = decoded(decode, r#"{"x":[[1,2.5]]}"#);
        assert_eq!(decoded.rows.count(), 1);
        assert!(matches!(decoded.reply, ReplyShape::Many));
    }

    #[test]
    fn each_mistake_has_its_own_code() {
        for (body, code) in [
            ("", "body_not_json"),
            ("7", "body_not_json"),
            (r#"{"x":[1,2]"#, "body_not_json"),
            (r#"{"x":[1,2]}7"#, "body_not_json"),
            ("{}", "input_missing"),
            (r#"{"X":[1,2]}"#, "input_unknown"),
            (r#"{"x":[1,2],"y":1}"#, "input_unknown"),
            (r#"{"x":[1,2],"x":[1,2]}"#, "member_repeated"),
            (r#"{"x":7}"#, "member_invalid"),
            (r#"{"x":[]}"#, "no_rows"),
            (r#"{"x":[1]}"#, "row_length"),
            (r#"{"x":[1,2,3,4]}"#, "row_length"),
            (r#"{"x":[[1,2],[]]}"#, "row_length"),
            (r#"{"x":[[1,2],[1,2],[1,2],[1,2],[1,2]]}"#, "too_many_rows"),
            (r#"{"x":[1,"2"]}"#, "not_a_number"),
            (r#"{"x":[1,NaN]}"#, "not_finite"),
        ] {
            assert_eq!(refused(decode, body).code(), code, "{body}");
        }
    }
}
