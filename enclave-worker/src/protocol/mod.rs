//! What a request says and how an answer is said: bytes to [`Rows`] and scores to bytes.
//!
//! All decoding of request bodies happens here and nowhere else, for both modes. Everything is a
//! pure function over bytes. Two ways of asking are known: the Open Inference Protocol V2 over REST
//! with JSON tensors, and `/invocations`:
//!
//! ```
//! use sealgate_worker::protocol::{InnerRequest, Interface, Route, decode, encode_answer};
//!
//! let features = ["age".to_owned(), "dose".to_owned()];
//! let interface = Interface {
//!     model: "triage", version: "3", input: "x", output: "probability", features: &features,
//! };
//! let request = InnerRequest {
//!     method: "POST", path: "/invocations", headers: &[], body: br#"{"x":[61, 0.5]}"#,
//! };
//! let route = Route::parse(request.method, request.path)?;
//! route.agree(interface.model, interface.version)?;
//! let decoded = decode(&route, &request, &interface, 32)?;
//! assert_eq!(decoded.rows.count(), 1);
//! let answer = encode_answer(&decoded.reply, &interface, &[0.25])?;
//! assert_eq!(answer, br#"{"result":0.25}"#);
//! # Ok::<(), sealgate_worker::protocol::Refusal>(())
//! ```
//!
//! What is absent: no [`Refusal`] holds a value or a text of the client's, so none can repeat one.
//! Which place was wrong is said by row, feature and the model's own names. Members that the protocol
//! does not know are skipped, with bounded depth; those it knows may stand once.

mod answer;
mod data;
mod infer;
mod input;
mod interface;
mod invocations;
mod metadata;
mod outputs;
mod reader;
mod refusal;
mod request;
mod route;

pub use answer::{ReplyShape, encode_answer};
pub use interface::Interface;
pub use metadata::{encode_metadata, encode_ready};
pub use refusal::{Place, Refusal};
pub use request::InnerRequest;
pub use route::Route;

use sealgate_model::Rows;

/// A request that was understood.
pub struct Decoded {
    /// What the model is asked about.
    pub rows: Rows,
    /// How the answer must be said.
    pub reply: ReplyShape,
}

/// Reads the body of a scoring request; `rows_max` is what the grant reserved.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn decode(
    route: &Route,
    request: &InnerRequest<'_>,
    interface: &Interface<'_>,
    rows_max: usize,
) -> Result<Decoded, Refusal> {
    request.refuse_encodings()?;
    match route {
        Route::Infer { .. } => infer::decode(request.body, interface, rows_max),
        Route::Invocations => invocations::decode(request.body, interface, rows_max),
        Route::Metadata { .. } | Route::Ready { .. } => Err(Refusal::RouteUnknown),
    }
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    pub(super) type Decode = fn(&[u8], &Interface<'_>, usize) -> Result<Decoded, Refusal>;

    /// Reads a body for a model of two features, with room for four rows.
    pub(super) fn attempt(decode: Decode, body: &[u8]) -> Result<Decoded, Refusal> {
        let features = ["age".to_owned(), "dose".to_owned()];
        decode(body, &interface(&features), 4)
    }

    pub(super) fn interface(features: &[String]) -> Interface<'_> {
        Interface { model: "triage", version: "3", input: "x", output: "probability", features }
    }

    pub(super) fn decoded(decode: Decode, body: &str) -> Decoded {
        attempt(decode, body.as_bytes()).unwrap()
    }

    pub(super) fn refused(decode: Decode, body: &str) -> Refusal {
        attempt(decode, body.as_bytes()).err().unwrap()
    }

    #[test]
    fn a_question_without_numbers_has_no_body_to_decode() {
        let route = Route::parse("GET", "/v2/models/triage").unwrap();
        let request =
            InnerRequest { method: "GET", path: "/v2/models/triage", headers: &[], body: b"{}" };
        let refusal = decode(&route, &request, &interface(&[]), 4).err();
        assert_eq!(refusal, Some(Refusal::RouteUnknown));
    }
}
