//! The message that was inside the seal.

use super::Refusal;

/// A request as it came out of the binary HTTP message.
#[derive(Clone, Copy)]
pub struct InnerRequest<'a> {
    /// The method, as sent.
    pub method: &'a str,
    /// The path, as sent, with its query if it has one.
    pub path: &'a str,
    /// Names and values of the header fields, in order.
    pub headers: &'a [(&'a str, &'a str)],
    /// The content.
    pub body: &'a [u8],
}

impl<'a> InnerRequest<'a> {
    /// The value of a header field, which may stand once; names are compared without case.
    ///
    /// # Errors
    /// `twice`, if it stands twice: two readers may believe different ones.
    fn header(&self, name: &str, twice: Refusal) -> Result<Option<&'a str>, Refusal> {
        let mut fields = self.headers.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        match (fields.next(), fields.next()) {
            (_, Some(_)) => Err(twice),
            (field, None) => Ok(field.map(|(_, value)| *value)),
        }
    }

    /// How the body is packed. A missing or unusual Content-Type is no matter: tritonclient sends
    /// none.
    pub(super) fn encoding(&self) -> Result<Option<&'a str>, Refusal> {
        self.header("content-encoding", Refusal::EncodingUnsupported)
    }

    /// How many bytes of the unpacked body are JSON, where binary tensors stand behind it.
    pub(super) fn json_bytes(&self, body_bytes: usize) -> Result<Option<usize>, Refusal> {
        let Some(value) = self.header("inference-header-content-length", Refusal::HeaderLength)?
        else {
            return Ok(None);
        };
        let digits = Some(value).filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()));
        let length = digits.and_then(|digits| digits.parse().ok());
        length.filter(|length| *length <= body_bytes).map(Some).ok_or(Refusal::HeaderLength)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(headers: &'a [(&'a str, &'a str)]) -> InnerRequest<'a> {
        InnerRequest { method: "POST", path: "/", headers, body: b"" }
    }

    #[test]
    fn a_field_that_stands_twice_is_refused() {
        let twice = [("Content-Encoding", "gzip"), ("content-encoding", "gzip")];
        assert_eq!(request(&twice).encoding(), Err(Refusal::EncodingUnsupported));
        let name = "inference-header-content-length";
        assert_eq!(request(&[(name, "1"), (name, "1")]).json_bytes(9), Err(Refusal::HeaderLength));
    }

    #[test]
    fn the_length_of_the_json_is_a_number_within_the_body() {
        let length = |value| request(&[("Inference-Header-Content-Length", value)]).json_bytes(9);
        assert_eq!(length("0"), Ok(Some(0)));
        assert_eq!(length("9"), Ok(Some(9)));
        for wrong in ["10", "", "-1", "+1", "1.0", " 1", "99999999999999999999999"] {
            assert_eq!(length(wrong), Err(Refusal::HeaderLength), "{wrong}");
        }
        assert_eq!(request(&[]).json_bytes(9), Ok(None));
    }
}
