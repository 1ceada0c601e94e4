use std::io::Cursor;

use bhttp::{Message, StatusCode};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::KeyError;

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
    /// Header fields, lower case; only those that [`inner_header_allowed`] names.
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
    /// The body.
    pub body: Cleartext,
}

/// Whether a header field of the outer request may enter the inner one. `Authorization` and
/// `Sealgate-*` never do: the worker decides by the grant alone.
#[must_use]
pub fn inner_header_allowed(name: &str) -> bool {
    matches!(
        name,
        "accept" | "content-encoding" | "content-type" | "inference-header-content-length"
    )
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
        padded(&message)
    }

    /// Reads what was opened.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for anything but one padded request with allowed header fields and
    /// no trailer.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        let message = unpadded(bytes)?;
        let control = message.control();
        let (Some(method), Some(path)) = (control.method(), control.path()) else {
            return Err(MALFORMED);
        };
        let mut headers = Vec::with_capacity(message.header().len());
        for field in message.header().iter() {
            let name = text(field.name())?;
            if !inner_header_allowed(&name) {
                return Err(MALFORMED);
            }
            headers.push((name, field.value().to_vec()));
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
    /// The padded bytes to seal.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] when the status is none of HTTP's final ones.
    pub fn encode(&self) -> Result<Cleartext, KeyError> {
        if !(200..600).contains(&self.status) {
            return Err(MALFORMED);
        }
        let mut message =
            Message::response(StatusCode::try_from(self.status).map_err(|_| MALFORMED)?);
        message.put_header("content-type", self.content_type.as_str());
        message.write_content(self.body.expose());
        padded(&message)
    }

    /// Reads what was opened.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for anything but one padded final response.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        let message = unpadded(bytes)?;
        let status = message.control().status().ok_or(MALFORMED)?.code();
        let content_type = message.header().get(b"content-type").ok_or(MALFORMED)?;
        Ok(Self {
            status,
            content_type: text(content_type)?,
            body: Cleartext::new(message.content().to_vec()),
        })
    }
}

const MALFORMED: KeyError = KeyError::Malformed("binary HTTP message");

fn padded(message: &Message) -> Result<Cleartext, KeyError> {
    let mut bytes = Vec::with_capacity(bucket(message.content().len() + 256));
    message.write_bhttp(bhttp::Mode::KnownLength, &mut bytes).map_err(|_| MALFORMED)?;
    bytes.resize(bucket(bytes.len()), 0);
    Ok(Cleartext::new(bytes))
}

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
