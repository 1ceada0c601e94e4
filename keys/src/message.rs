use std::io::Cursor;

use bhttp::{Message, StatusCode};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::KeyError;
use crate::grpc::MESSAGE_HEADER;

/// Bytes that somebody sealed and we opened: wiped on drop, never printed.
///
/// ```compile_fail
/// println!("{:?}", sealgate_keys::Cleartext::new(vec![1]));
/// ```
/// ```compile_fail
/// let copy = sealgate_keys::Cleartext::new(vec![1]).clone();
/// ```
/// ```compile_fail
/// fn loggable<T: std::fmt::Display>(_: T) {}
/// loggable(sealgate_keys::Cleartext::new(vec![1]));
/// ```
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Cleartext(Vec<u8>);

impl Cleartext {
    /// Takes the bytes over.
    #[must_use]
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for the next step on their way.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Gives the bytes to whoever they are for: the client's TLS connection, or the decoder.
    #[must_use]
    pub fn into_public(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

/// What is sealed on the way in: a binary HTTP request (RFC 9292, known length), zero-padded to a
/// length [`bucket`].
pub struct InnerRequest {
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// Header fields, lower case; only those that [`inner_header`] carries.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body as the client sent it.
    pub body: Cleartext,
}

/// What is sealed on the way out: a binary HTTP response, padded likewise.
pub struct InnerAnswer {
    /// The status.
    pub status: u16,
    /// The body's media type.
    pub content_type: String,
    /// Further header fields, lower case: the receipt, and where binary tensors begin.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Cleartext,
}

/// Header field of an answer: the worker's signed receipt, one line.
pub const RECEIPT_HEADER: &str = "sealgate-receipt";
/// Header field of a gateway-sealed answer: the key of the receipt's commitments, in base64.
pub const COMMITMENT_KEY_HEADER: &str = "sealgate-commitment-key";
/// Header field of a request and of an answer with binary tensors: how many bytes of the body are
/// JSON.
pub const JSON_BYTES_HEADER: &str = "inference-header-content-length";

/// What becomes of a header field of an inner request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InnerHeader {
    /// The worker reads it.
    Carried,
    /// Common libraries add it; it means nothing here.
    Ignored,
    /// It must not be inside. `Authorization` and `Sealgate-*` above all: the worker decides by
    /// the grant alone.
    Refused,
}

/// What becomes of the inner header field `name`, lower case. The gateway seals only those that
/// are carried.
#[must_use]
pub fn inner_header(name: &str) -> InnerHeader {
    match name {
        "accept" | "content-encoding" | "content-type" | "date" | "if-match"
        | JSON_BYTES_HEADER => InnerHeader::Carried,
        "accept-encoding" | "accept-language" | "content-length" | "host" | "user-agent" => {
            InnerHeader::Ignored
        }
        _ => InnerHeader::Refused,
    }
}

/// The length class of `bytes`: the next power of two from 1 KiB up.
#[must_use]
pub const fn bucket(bytes: usize) -> usize {
    if bytes <= 1024 { 1024 } else { bytes.next_power_of_two() }
}

impl InnerRequest {
    /// The padded bytes to seal.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] when a part does not fit RFC 9292.
    pub fn encode(&self) -> Result<Cleartext, KeyError> {
        let mut message = Message::request(
            self.method.clone().into(),
            b"https".to_vec(),
            Vec::new(),
            self.path.clone().into(),
        );
        for (name, value) in &self.headers {
            message.put_header(name.as_str(), value.as_slice());
        }
        message.write_content(self.body.expose());
        padded(&message, 0)
    }

    /// Reads what was opened.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for anything but one padded request without header fields that
    /// [`inner_header`] refuses, and without a trailer.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        let message = unpadded(bytes)?;
        let control = message.control();
        let (Some(method), Some(path)) = (control.method(), control.path()) else {
            return Err(MALFORMED);
        };
        let mut headers = Vec::with_capacity(message.header().len());
        for field in message.header().iter() {
            let name = text(field.name())?;
            match inner_header(&name) {
                InnerHeader::Carried => headers.push((name, field.value().to_vec())),
                InnerHeader::Ignored => {}
                InnerHeader::Refused => return Err(MALFORMED),
            }
        }
        Ok(Self {
            method: text(method)?,
            path: text(path)?,
            headers,
            body: Cleartext::new(message.content().to_vec()),
        })
    }

    /// The value of a header field that is text and stands once.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(n, _)| n == name);
        let (_, value) = values.next()?;
        if values.next().is_some() { None } else { std::str::from_utf8(value).ok() }
    }
}

impl InnerAnswer {
    /// The bytes to seal, padded to the bucket of their length, or of `bytes_min` if that is more.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] when the status is none of HTTP's final ones.
    pub fn encode(&self, bytes_min: usize) -> Result<Cleartext, KeyError> {
        if !(200..600).contains(&self.status) {
            return Err(MALFORMED);
        }
        let mut message =
            Message::response(StatusCode::try_from(self.status).map_err(|_| MALFORMED)?);
        message.put_header("content-type", self.content_type.as_str());
        for (name, value) in &self.headers {
            message.put_header(name.as_str(), value.as_str());
        }
        message.write_content(self.body.expose());
        padded(&message, bytes_min)
    }

    /// Reads what was opened.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for anything but one padded final response.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        let message = unpadded(bytes)?;
        let status = message.control().status().ok_or(MALFORMED)?.code();
        let mut content_type = None;
        let mut headers = Vec::new();
        for field in message.header().iter() {
            let (name, value) = (text(field.name())?, text(field.value())?);
            match name.as_str() {
                "content-type" => content_type = Some(value),
                RECEIPT_HEADER | COMMITMENT_KEY_HEADER | JSON_BYTES_HEADER | MESSAGE_HEADER => {
                    headers.push((name, value))
                }
                // Another server's fields are not ours to pass on.
                _ => {}
            }
        }
        Ok(Self {
            status,
            content_type: content_type.ok_or(MALFORMED)?,
            headers,
            body: Cleartext::new(message.content().to_vec()),
        })
    }
}

impl InnerAnswer {
    /// The value of a header field.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

const MALFORMED: KeyError = KeyError::Malformed("binary HTTP message");

fn padded(message: &Message, bytes_min: usize) -> Result<Cleartext, KeyError> {
    let room = bucket((message.content().len() + HEAD_BYTES).max(bytes_min));
    let mut bytes = Vec::with_capacity(room);
    message.write_bhttp(bhttp::Mode::KnownLength, &mut bytes).map_err(|_| MALFORMED)?;
    bytes.resize(bucket(bytes.len().max(bytes_min)), 0);
    Ok(Cleartext::new(bytes))
}

/// A usual head with a receipt; a longer one costs a second allocation.
const HEAD_BYTES: usize = 1200;

/// RFC 9292, section 3.8: padding is zero bytes after the message; anything else is not ours.
fn unpadded(bytes: &[u8]) -> Result<Message, KeyError> {
    // The framing indicator: 0 and 1 are the known-length request and response.
    if !matches!(bytes.first(), Some(0 | 1)) {
        return Err(MALFORMED);
    }
    let mut cursor = Cursor::new(bytes);
    let message = Message::read_bhttp(&mut cursor).map_err(|_| MALFORMED)?;
    let end = usize::try_from(cursor.position()).map_err(|_| MALFORMED)?;
    let padding = bytes.get(end..).unwrap_or_default();
    let plain = message.trailer().is_empty() && message.informational().is_empty();
    if padding.iter().any(|&b| b != 0) || !plain {
        return Err(MALFORMED);
    }
    Ok(message)
}

fn text(bytes: &[u8]) -> Result<String, KeyError> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| MALFORMED)
}
