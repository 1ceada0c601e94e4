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
    /// The first value of a header field; names are compared without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let field = self.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        field.map(|(_, value)| *value)
    }

    /// Refuses bodies that are not plain JSON. A missing or unusual Content-Type is no reason:
    /// tritonclient sends none.
    pub(super) fn refuse_encodings(&self) -> Result<(), Refusal> {
        let plain =
            |value: &str| value.trim().is_empty() || value.trim().eq_ignore_ascii_case("identity");
        if self.header("content-encoding").is_some_and(|value| !plain(value)) {
            return Err(Refusal::EncodingUnsupported);
        }
        if self.header("inference-header-content-length").is_some() {
            return Err(Refusal::BinaryUnsupported);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(headers: &[(&str, &str)]) -> Option<Refusal> {
        InnerRequest { method: "POST", path: "/", headers, body: b"" }.refuse_encodings().err()
    }

    #[test]
    fn a_missing_content_type_is_no_fault() {
        assert_eq!(refusal(&[]), None);
    }

    #[test]
    fn identity_is_no_encoding() {
        assert_eq!(refusal(&[("content-encoding", "identity")]), None);
    }

    #[test]
    fn a_compressed_body_is_refused_by_name() {
        assert_eq!(refusal(&[("Content-Encoding", "gzip")]), Some(Refusal::EncodingUnsupported));
    }

    #[test]
    fn binary_tensors_are_refused_by_name() {
        let headers = [("Inference-Header-Content-Length", "0")];
        assert_eq!(refusal(&headers), Some(Refusal::BinaryUnsupported));
    }
}
