//! What is asked: a body of the Open Inference Protocol V2.

use bytes::Bytes;
use serde::Serialize;

/// A request, in JSON or with a tensor of 32-bit floats behind its JSON. Holds rows: it cannot be
/// printed.
///
/// ```
/// use sealgate_client::Body;
///
/// let rows = [0.5, 1.5, 0.25, 2.0];
/// let body = Body::binary("x", [2, 2], &rows).expect("two rows of two");
/// let json: Body = r#"{"inputs":[..]}"#.into();
/// ```
///
/// ```compile_fail
/// fn print(body: sealgate_client::Body) {
///     println!("{body:?}");
/// }
/// ```
pub struct Body {
    bytes: Bytes,
    /// How much of it is JSON, where a tensor follows.
    json_bytes: Option<usize>,
}

impl Body {
    /// Rows as the tensor `input`, four bytes to a number: shorter than text, and sooner written and
    /// read. The answer comes in the same form. None when `shape` is not that of `values`.
    #[must_use]
    pub fn binary(input: &str, shape: [usize; 2], values: &[f32]) -> Option<Self> {
        let [rows, width] = shape;
        let size = values.len().checked_mul(FLOAT_BYTES)?;
        if rows.checked_mul(width) != Some(values.len()) {
            return None;
        }
        let tensor = Tensor {
            name: input,
            shape,
            datatype: "FP32",
            parameters: Size { binary_data_size: size },
        };
        let parameters = Wanted { binary_data_output: true };
        let mut bytes = serde_json::to_vec(&Request { inputs: [tensor], parameters }).ok()?;
        let json_bytes = Some(bytes.len());
        bytes.reserve_exact(size);
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        Some(Self { bytes: bytes.into(), json_bytes })
    }

    pub(crate) const fn content_type(&self) -> &'static str {
        match self.json_bytes {
            None => "application/json",
            Some(_) => "application/octet-stream",
        }
    }

    /// What `Inference-Header-Content-Length` says.
    #[must_use]
    pub const fn json_bytes(&self) -> Option<usize> {
        self.json_bytes
    }

    /// What goes over the wire.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

/// Cuts a body where its JSON ends, if it is known to end before the body does.
pub(crate) fn split(body: &[u8], json_bytes: Option<usize>) -> (&[u8], Option<&[u8]>) {
    match json_bytes.and_then(|bytes| body.split_at_checked(bytes)) {
        Some((json, behind)) => (json, Some(behind)),
        None => (body, None),
    }
}

impl From<Bytes> for Body {
    /// In JSON.
    fn from(bytes: Bytes) -> Self {
        Self { bytes, json_bytes: None }
    }
}

impl From<Vec<u8>> for Body {
    /// In JSON.
    fn from(json: Vec<u8>) -> Self {
        Bytes::from(json).into()
    }
}

impl From<&'static str> for Body {
    /// In JSON.
    fn from(json: &'static str) -> Self {
        Bytes::from(json).into()
    }
}

#[derive(Serialize)]
struct Request<'a> {
    inputs: [Tensor<'a>; 1],
    parameters: Wanted,
}

#[derive(Serialize)]
struct Tensor<'a> {
    name: &'a str,
    shape: [usize; 2],
    datatype: &'static str,
    parameters: Size,
}

#[derive(Serialize)]
struct Size {
    binary_data_size: usize,
}

#[derive(Serialize)]
struct Wanted {
    binary_data_output: bool,
}

const FLOAT_BYTES: usize = 4;

#[cfg(test)]
mod tests {
    use super::{Body, split};

    #[test]
    fn rows_stand_behind_the_json_that_describes_them() {
        let body = Body::binary("x", [1, 2], &[1.0, -2.5]);
        let Some(body) = body else { unreachable!("two numbers are a row of two") };
        let json = concat!(
            r#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"#,
            r#""binary_data_size":8}}],"parameters":{"binary_data_output":true}}"#
        );
        assert_eq!(body.json_bytes(), Some(json.len()));
        let behind = [1.0f32.to_le_bytes(), (-2.5f32).to_le_bytes()].concat();
        assert_eq!(split(&body.bytes, body.json_bytes), (json.as_bytes(), Some(&behind[..])));
        assert_eq!(body.into_bytes(), [json.as_bytes(), &behind].concat());
    }

    #[test]
    fn a_shape_that_is_not_that_of_the_numbers_is_none() {
        for shape in [[1, 1], [2, 2], [0, 2], [usize::MAX, 2]] {
            assert!(Body::binary("x", shape, &[1.0, 2.0]).is_none(), "{shape:?}");
        }
    }
}
