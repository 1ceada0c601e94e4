//! The tensors of the client's own requests and answers, as receipts commit to them.

use std::fmt;

use sealgate_keys::CommittedTensor;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// One tensor of a V2 body in JSON.
#[derive(Deserialize)]
pub(crate) struct Tensor {
    name: String,
    shape: Vec<u64>,
    #[serde(deserialize_with = "flat")]
    data: Zeroizing<Vec<f32>>,
}

impl Tensor {
    /// The one input of a request; none when the body holds anything else.
    pub(crate) fn of_request(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Request {
            inputs: [Tensor; 1],
        }
        let Request { inputs: [tensor] } = serde_json::from_slice(body).ok()?;
        Some(tensor)
    }

    /// The one output of an answer; none when the body holds anything else.
    pub(crate) fn of_answer(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Answer {
            outputs: [Tensor; 1],
        }
        let Answer { outputs: [tensor] } = serde_json::from_slice(body).ok()?;
        Some(tensor)
    }

    pub(crate) fn committed(&self) -> CommittedTensor<'_> {
        CommittedTensor { name: &self.name, shape: &self.shape, values: &self.data }
    }
}

/// Numbers in rows or in one list, each through 64 bits, as the worker reads them.
fn flat<'de, D: Deserializer<'de>>(json: D) -> Result<Zeroizing<Vec<f32>>, D::Error> {
    let mut values = Zeroizing::new(Vec::new());
    json.deserialize_seq(Numbers { into: &mut values, depth: 0 })?;
    Ok(values)
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
        let tensor = Tensor::of_request(body.as_bytes())?;
        Some((tensor.name.clone(), tensor.shape.clone(), tensor.data.to_vec()))
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
        assert!(Tensor::of_request(br#"{"inputs":[]}"#).is_none());
        assert!(Tensor::of_answer(br#"{"result":0.5}"#).is_none());
    }
}
