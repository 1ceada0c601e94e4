//! What a request says and how an answer is said: bytes to [`Rows`] and scores to bytes.
//!
//! All decoding of request bodies happens here and nowhere else, for both modes. Everything is a
//! pure function over bytes. Known are the Open Inference Protocol V2, over REST with tensors in JSON
//! or in binary and over gRPC, V1 as TF-Serving and KServe have it, and `/invocations`; bodies over REST
//! may be compressed:
//!
//! ```
//! use sealgate_worker::protocol::{InnerRequest, Interface, Route, decode, encode_answer};
//!
//! let features = ["age".to_owned(), "dose".to_owned()];
//! let interface = Interface {
//!     model: "triage", version: "3", digest: "", input: "x", output: "probability",
//!     features: &features, width: 1, classes: &[],
//! };
//! let request = InnerRequest {
//!     method: "POST", path: "/invocations", headers: &[], body: br#"{"x":[61, 0.5]}"#,
//! };
//! let route = Route::parse(request.method, request.path)?;
//! route.agree(request.body, interface.model, interface.version)?;
//! let decoded = decode(&route, &request, &interface, 32)?;
//! assert_eq!(decoded.rows.count(), 1);
//! let answer = encode_answer(&decoded.reply, &interface, &[0.25])?;
//! assert_eq!(answer.body, br#"{"result":0.25}"#);
//! # Ok::<(), sealgate_worker::protocol::Refusal>(())
//! ```
//!
//! What is absent: no [`Refusal`] holds a value or a text of the client's, so none can repeat one.
//! Which place was wrong is said by row, feature and the model's own names. Members that the protocol
//! does not know are skipped, with bounded depth; those it knows may stand once.

mod answer;
mod assemble;
mod data;
mod datatype;
mod encoding;
mod grpc;
mod infer;
mod input;
mod interface;
mod invocations;
mod metadata;
mod numbers;
mod outputs;
mod parameters;
mod reader;
mod refusal;
mod request;
mod route;
mod v1;

pub use answer::{Answer, ReplyShape, encode_answer};
pub use interface::Interface;
pub use metadata::encode_description;
pub use outputs::Wanted;
pub use refusal::{Place, Refusal};
pub use request::InnerRequest;
pub use route::{Method, Question, Route};

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
    let unpacked = encoding::unpacked(
        request.encoding()?,
        request.body,
        unpacked_bytes_max(interface, rows_max),
    )?;
    let body = unpacked.as_ref().map_or(request.body, |body| body.as_slice());
    let json_bytes = request.json_bytes(body.len())?;
    match (route.question, json_bytes) {
        (Question::Infer, Some(0)) => infer::decode_raw(body, interface, rows_max),
        (Question::Infer, _) => {
            let split = body.split_at_checked(json_bytes.unwrap_or(body.len()));
            let (json, binary) = split.ok_or(Refusal::HeaderLength)?;
            infer::decode_parts(json, binary, interface, rows_max)
        }
        (_, Some(_)) => Err(Refusal::BinaryUnsupported),
        (Question::Invocations, None) => invocations::decode(body, interface, rows_max),
        (Question::Predict, None) => v1::decode(body, interface, rows_max),
        (Question::Grpc(Method::Infer), None) => grpc::decode(body, interface, rows_max),
        _ => Err(Refusal::RouteUnknown),
    }
}

/// More than so many rows take in any form: what unpacks to more was packed to do harm.
fn unpacked_bytes_max(interface: &Interface<'_>, rows_max: usize) -> usize {
    let numbers = rows_max.saturating_mul(interface.features.len());
    numbers.saturating_mul(NUMBER_BYTES_MAX).saturating_add(HEAD_BYTES_MAX).min(UNPACKED_BYTES_MAX)
}

/// A number in text with all its digits, its comma and some white space.
const NUMBER_BYTES_MAX: usize = 64;
/// Names, shapes and parameters, for a column each.
const HEAD_BYTES_MAX: usize = 1 << 20;
/// As large as the largest body that a gateway may be set to take.
const UNPACKED_BYTES_MAX: usize = 32 << 20;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod v2_tests;
#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    /// Of the artifact that [`interface`] speaks of.
    pub(super) const DIGEST: &str =
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    pub(super) type Decode = fn(&[u8], &Interface<'_>, usize) -> Result<Decoded, Refusal>;

    /// Reads a body for a model of two features, with room for four rows.
    pub(super) fn attempt(decode: Decode, body: &[u8]) -> Result<Decoded, Refusal> {
        let features = ["age".to_owned(), "dose".to_owned()];
        decode(body, &interface(&features), 4)
    }

    pub(super) fn interface(features: &[String]) -> Interface<'_> {
        Interface {
            model: "triage",
            version: "3",
            digest: DIGEST,
            input: "x",
            output: "probability",
            features,
            width: 1,
            classes: &[],
        }
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
