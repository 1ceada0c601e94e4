//! What is refused before, or instead of, the worker's own refusals.

use sealgate_keys::ohttp::KEY_PROBLEM;
use sealgate_worker::function::FunctionError;
use serde::Serialize;

use super::Answer;

/// Why an event has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the event is larger than Lambda passes on")]
    EventTooLarge,
    #[error("the event is not of the kind that its members tell")]
    EventMalformed,
    #[error("the event has members of more than one kind")]
    EventAmbiguous,
    #[error("a header field that is read here stands twice")]
    HeaderRepeated,
    #[error("`sealgate-rows` must be one number")]
    Rows,
    #[error("a sealed request comes by `POST`")]
    MethodNotAllowed,
    #[error("`/v1/attestation` takes `nonce`, 64 hexadecimal digits, and `model`, each once")]
    AttestationQuery,
    #[error("this function opens what is sealed for it and answers nothing else")]
    SealedOnly,
    #[error("this function has no key that opens the request: fetch its keys and seal anew")]
    OhttpKey,
    #[error("the function could not answer")]
    Internal,
}

impl From<FunctionError> for Refusal {
    fn from(error: FunctionError) -> Self {
        match error {
            FunctionError::NotOpened(_) | FunctionError::KeysEnded => Self::OhttpKey,
            other => {
                tracing::error!(error = %other, "an event has no answer");
                Self::Internal
            }
        }
    }
}

impl Refusal {
    pub(crate) fn answer(self) -> Answer {
        let (status, title, code) = self.words();
        let sentence = self.to_string();
        let kind = if self == Self::OhttpKey { KEY_PROBLEM } else { "about:blank" };
        let problem = Problem { error: &sentence, kind, title, status, code };
        // Texts and a number cannot fail to serialise; if they did, the status still tells.
        let body = serde_json::to_vec(&problem).unwrap_or_else(|_| b"{}".to_vec());
        Answer { status, content_type: PROBLEM_TYPE.to_owned(), headers: Vec::new(), body }
    }

    const fn words(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::EventTooLarge => (413, "Content Too Large", "event_too_large"),
            Self::EventMalformed => (400, "Bad Request", "event_malformed"),
            Self::EventAmbiguous => (400, "Bad Request", "event_ambiguous"),
            Self::HeaderRepeated => (400, "Bad Request", "header_repeated"),
            Self::Rows => (400, "Bad Request", "rows"),
            Self::MethodNotAllowed => (405, "Method Not Allowed", "method_not_allowed"),
            Self::AttestationQuery => (400, "Bad Request", "attestation_query"),
            Self::SealedOnly => (403, "Forbidden", "sealed_only"),
            Self::OhttpKey => (400, "Bad Request", "ohttp_key"),
            Self::Internal => (500, "Internal Server Error", "internal"),
        }
    }
}

/// RFC 9457, with the member that clients of the Open Inference Protocol look for.
#[derive(Serialize)]
struct Problem<'a> {
    error: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    title: &'a str,
    status: u16,
    code: &'a str,
}

const PROBLEM_TYPE: &str = "application/problem+json";
