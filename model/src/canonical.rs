//! One way to write a manifest: keys sorted, no space, numbers in their shortest form.
//!
//! Keys are sorted here and not by `serde_json`: its `preserve_order` feature is switched on for
//! the whole program as soon as any crate asks for it.

use serde::Serialize;
use serde_json::{Map, Value};

/// `value` as canonical JSON.
pub(crate) fn to_string<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string(&sorted(serde_json::to_value(value)?))
}

/// The same value with the keys of every object in byte order, whichever map `serde_json` uses.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = map.into_iter().collect();
            entries.sort_by(|(left, _), (right, _)| left.cmp(right));
            let mut ordered = Map::new();
            for (key, value) in entries {
                ordered.insert(key, sorted(value));
            }
            Value::Object(ordered)
        }
        other => other,
    }
}

/// A 32-bit float in its shortest decimal form that reads back as the same float.
///
/// JSON values hold 64-bit floats, and 0.1 widened to 64 bits is 0.10000000149011612: the way
/// there and back leads over the decimal text instead.
#[derive(Clone, Copy)]
struct Shortest(f32);

impl Serialize for Shortest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let wide: f64 = self.0.to_string().parse().map_err(serde::ser::Error::custom)?;
        serializer.serialize_f64(wide)
    }
}

impl<'de> serde::Deserialize<'de> for Shortest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wide = f64::deserialize(deserializer)?;
        wide.to_string().parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// For `#[serde(with)]` on an `f32`.
pub(crate) mod float {
    use super::Shortest;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &f32, s: S) -> Result<S::Ok, S::Error> {
        Shortest(*value).serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f32, D::Error> {
        Ok(Shortest::deserialize(d)?.0)
    }
}

/// For `#[serde(with)]` on an `Option<[f32; 2]>`.
pub(crate) mod pair {
    use super::Shortest;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S>(value: &Option<[f32; 2]>, s: S) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
    {
        value.map(|pair| pair.map(Shortest)).serialize(s)
    }

    pub(crate) fn deserialize<'de, D>(d: D) -> Result<Option<[f32; 2]>, D::Error>
    where
        D: Deserializer<'de>,
    {
        let pair = Option::<[Shortest; 2]>::deserialize(d)?;
        Ok(pair.map(|pair| pair.map(|number| number.0)))
    }
}

/// For `#[serde(with)]` on a `Vec<f32>`.
pub(crate) mod list {
    use super::Shortest;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(values: &[f32], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(values.iter().copied().map(Shortest))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<f32>, D::Error> {
        let numbers = Vec::<Shortest>::deserialize(d)?;
        Ok(numbers.into_iter().map(|number| number.0).collect())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::{Shortest, to_string};
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_at_every_depth() {
        let value = json!({"b": [{"z": 1, "a": 2}], "a": {"d": 1, "c": 2}});
        assert_eq!(to_string(&value).unwrap(), r#"{"a":{"c":2,"d":1},"b":[{"a":2,"z":1}]}"#);
    }

    #[test]
    fn a_float_is_written_with_the_digits_a_person_would_write() {
        assert_eq!(to_string(&Shortest(0.1)).unwrap(), "0.1");
        assert_eq!(to_string(&Shortest(0.006_399)).unwrap(), "0.006399");
    }

    proptest! {
        #[test]
        fn every_finite_float_reads_back_bit_for_bit(bits in any::<u32>()) {
            let value = f32::from_bits(bits);
            prop_assume!(value.is_finite());
            let text = to_string(&Shortest(value)).unwrap();
            let back: Shortest = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(back.0.to_bits(), bits, "{}", text);
        }
    }
}
