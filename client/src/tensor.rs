//! The tensors of requests and answers, in JSON or behind it.

use std::fmt;

use sealgate_keys::CommittedTensor;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// One tensor of a V2 body, as 32-bit floats. Holds rows or scores: it cannot be printed.
///
/// ```compile_fail
/// fn print(tensor: sealgate_client::Tensor) {
///     println!("{tensor:?}");
/// }
/// ```
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Its dimensions.
    pub shape: Vec<u64>,
    /// Row by row; wiped when dropped.
    pub values: Zeroizing<Vec<f32>>,
}

impl Tensor {
    /// The one input of a request; none when the body holds anything else.
    pub(crate) fn of_request((json, behind): (&[u8], Option<&[u8]>)) -> Option<Self> {
        #[derive(Deserialize)]
        struct Request {
            inputs: [Written; 1],
        }
        let Request { inputs: [tensor] } = serde_json::from_slice(json).ok()?;
        tensor.read(behind)
    }

    /// The one output of an answer; none when the body holds anything else.
    pub(crate) fn of_answer((json, behind): (&[u8], Option<&[u8]>)) -> Option<Self> {
        #[derive(Deserialize)]
        struct Answer {
            outputs: [Written; 1],
        }
        let Answer { outputs: [tensor] } = serde_json::from_slice(json).ok()?;
        tensor.read(behind)
    }

    pub(crate) fn committed(&self) -> CommittedTensor<'_> {
        CommittedTensor { name: &self.name, shape: &self.shape, values: &self.values }
    }
}

/// A tensor as it stands in JSON.
#[derive(Deserialize)]
struct Written {
    name: String,
    shape: Vec<u64>,
    #[serde(default)]
    datatype: String,
    #[serde(default)]
    data: Option<Flat>,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Default, Deserialize)]
struct Parameters {
    binary_data_size: Option<usize>,
}

impl Written {
    /// With its numbers, which stand in one of the two places.
    fn read(self, behind: Option<&[u8]>) -> Option<Tensor> {
        let Self { name, shape, datatype, data, parameters } = self;
        let values = match (data, parameters.binary_data_size, behind) {
            (Some(Flat(values)), None, None) => values,
            (None, Some(size), Some(bytes)) if datatype == "FP32" && size == bytes.len() => {
                let (numbers, rest) = bytes.as_chunks::<4>();
                if !rest.is_empty() {
                    return None;
                }
                Zeroizing::new(numbers.iter().map(|le| f32::from_le_bytes(*le)).collect())
            }
            _ => return None,
        };
        Some(Tensor { name, shape, values })
    }
}

struct Flat(Zeroizing<Vec<f32>>);

impl<'de> Deserialize<'de> for Flat {
    /// Numbers in rows or in one list, each through 64 bits, as the worker reads them.
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let mut values = Zeroizing::new(Vec::new());
        json.deserialize_seq(Numbers { into: &mut values, depth: 0 })?;
        Ok(Self(values))
    }
}
struct Numbers<'a> {
    into: &'a mut Vec<f32>,
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Numbers<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Numbers<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("numbers")
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.into.push(value as f32);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.into.push(value as f64 as f32);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.into.push(value as f64 as f32);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if self.depth > 1 {
            return Err(serde::de::Error::custom("too deep"));
        }
        let depth = self.depth + 1;
        while seq.next_element_seed(Numbers { into: &mut *self.into, depth })?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Tensor;

    fn request(data: &str) -> Option<(String, Vec<u64>, Vec<f32>)> {
        let body = format!(
            r#"{{"id":"7","inputs":[{{"datatype":"FP32","name":"x","shape":[2,2],"data":{data}}}]}}"#
        );
        let tensor = Tensor::of_request((body.as_bytes(), None))?;
        Some((tensor.name.clone(), tensor.shape.clone(), tensor.values.to_vec()))
    }

    #[test]
    fn flat_and_nested_data_are_the_same_tensor() {
        let expected = Some(("x".to_owned(), vec![2, 2], vec![1.0, -2.0, 0.1, 4e10]));
        assert_eq!(request("[1,-2,0.1,4e10]"), expected);
        assert_eq!(request("[[1,-2],[0.1,4e10]]"), expected);
    }

    #[test]
    fn what_is_not_one_tensor_of_numbers_is_none() {
        for data in ["[[[1]]]", "[\"1\"]", "[null]", "1", "{}", "[1"] {
            assert_eq!(request(data), None, "{data}");
        }
        assert!(Tensor::of_request((br#"{"inputs":[]}"#, None)).is_none());
        assert!(Tensor::of_answer((br#"{"result":0.5}"#, None)).is_none());
    }

    #[test]
    fn a_tensor_behind_the_json_is_read_where_its_size_and_datatype_say_so() {
        let answer = |datatype: &str, size: usize, behind: &[u8]| {
            let json = format!(
                r#"{{"outputs":[{{"name":"p","shape":[1,2],"datatype":"{datatype}","parameters":{{"binary_data_size":{size}}}}}]}}"#
            );
            let tensor = Tensor::of_answer((json.as_bytes(), Some(behind)))?;
            Some(tensor.values.to_vec())
        };
        let behind = [0.25f32.to_le_bytes(), 0.5f32.to_le_bytes()].concat();
        assert_eq!(answer("FP32", 8, &behind), Some(vec![0.25, 0.5]));
        assert_eq!(answer("FP64", 8, &behind), None);
        assert_eq!(answer("FP32", 4, &behind), None);
        assert_eq!(answer("FP32", 7, &behind[..7]), None);
    }
}
