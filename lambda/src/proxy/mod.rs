//! Requests and responses over HTTP, as API Gateway's proxy events of both versions hold them.

mod answer;
pub(crate) mod refusal;
mod request;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub(crate) use self::answer::Answer;
pub(crate) use self::request::{HttpRequest, ROWS};

/// The form of proxy events and of their responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    First,
    Second,
    Unknown,
}

impl Version {
    /// By the member `version`, which the first may not have.
    pub(crate) fn of(written: Option<&str>) -> Self {
        match written {
            None | Some(r#""1.0""#) => Self::First,
            Some(r#""2.0""#) => Self::Second,
            Some(_) => Self::Unknown,
        }
    }
}

pub(crate) fn unbase64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
