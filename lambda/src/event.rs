//! What comes in.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::proxy::refusal::Refusal;
use crate::proxy::{HttpRequest, Version};

/// An event, by the one member that tells its kind.
pub(crate) enum Event<'a> {
    /// `{"x": ..}`: the whole event is the body of a scoring request, which the worker's decoder
    /// reads. Also everything else that is none of the kinds below, for the decoder to refuse.
    Plain(&'a [u8]),
    /// `{"message/ohttp-req": "<base64>", "rows": n}`
    Sealed {
        request: Vec<u8>,
        /// The most rows that the client says are inside.
        rows: Option<u32>,
    },
    /// `{"attestation": {"nonce": "<64 hex>"}}`
    Attestation([u8; 32]),
    /// A request over HTTP, as API Gateway and function URLs hand it on; its refusal is a response, too.
    Http(Version, Result<HttpRequest, Refusal>),
}

/// Of each kind the member that only it has; what stands in them is not looked at here.
#[derive(Deserialize)]
struct Marks<'a> {
    #[serde(borrow, rename = "requestContext")]
    http: Option<&'a RawValue>,
    /// Of proxy events alone, and not of all.
    #[serde(borrow)]
    version: Option<&'a RawValue>,
    #[serde(borrow, rename = "message/ohttp-req")]
    sealed: Option<&'a RawValue>,
    #[serde(borrow)]
    attestation: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedEvent {
    #[serde(rename = "message/ohttp-req")]
    request: String,
    rows: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AttestationEvent {
    attestation: Question,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    nonce: String,
}

impl<'a> Event<'a> {
    /// Tells what an event is. Rows are not read.
    pub(crate) fn read(event: &'a [u8]) -> Result<Self, Refusal> {
        if event.len() > EVENT_BYTES_MAX {
            return Err(Refusal::EventTooLarge);
        }
        // Of a list serde would make a struct, too.
        if event.trim_ascii_start().first() != Some(&b'{') {
            return Ok(Self::Plain(event));
        }
        let marks: Marks<'_> = malformed(serde_json::from_slice(event))?;
        match (marks.http, marks.sealed, marks.attestation) {
            (None, None, None) => Ok(Self::Plain(event)),
            (Some(_), None, None) => {
                let version = Version::of(marks.version.map(RawValue::get));
                Ok(Self::Http(version, HttpRequest::read(event, version)))
            }
            (None, Some(_), None) => sealed(event),
            (None, None, Some(_)) => attestation(event),
            _ => Err(Refusal::EventAmbiguous),
        }
    }
}

fn sealed(event: &[u8]) -> Result<Event<'_>, Refusal> {
    let SealedEvent { request, rows } = malformed(serde_json::from_slice(event))?;
    let request = crate::proxy::unbase64(&request).ok_or(Refusal::EventMalformed)?;
    Ok(Event::Sealed { request, rows })
}

fn attestation(event: &[u8]) -> Result<Event<'_>, Refusal> {
    let AttestationEvent { attestation } = malformed(serde_json::from_slice(event))?;
    nonce(&attestation.nonce).map(Event::Attestation).ok_or(Refusal::EventMalformed)
}

/// 64 hexadecimal digits.
pub(crate) fn nonce(text: &str) -> Option<[u8; 32]> {
    let mut nonce = [0; 32];
    hex::decode_to_slice(text, &mut nonce).ok().map(|()| nonce)
}

/// What the parser says may hold a piece of the event.
pub(crate) fn malformed<T>(read: serde_json::Result<T>) -> Result<T, Refusal> {
    read.map_err(|_| Refusal::EventMalformed)
}

/// Lambda passes on 6 MB of a synchronous event.
const EVENT_BYTES_MAX: usize = 8 << 20;
