//! Answers as gRPC has them: HTTP 200, and a status of its own in trailers, or in the header where
//! there is no message.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use sealgate_keys::grpc::{MEDIA_TYPE, MESSAGE_HEADER};

use super::frame;
use crate::refusal::Refusal;

/// Turns what a handler answered, or what refused the request before, into an answer of gRPC.
pub(super) async fn answered(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let status = parts.status;
    parts.status = StatusCode::OK;
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    // Answers are in memory as a whole: nothing is waited for.
    if let (StatusCode::OK, Ok(body)) = (status, body.collect().await) {
        let framed = Full::from(frame::framed(&body.to_bytes()));
        let trailers = HeaderMap::from_iter([(STATUS, HeaderValue::from_static("0"))]);
        let body = framed.with_trailers(async move { Some(Ok(trailers)) });
        return Response::from_parts(parts, Body::new(body));
    }
    let refusal = parts.extensions.get::<Refusal>().copied();
    let code = match refusal {
        Some(Refusal::FrameCompressed) => {
            parts.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            UNIMPLEMENTED
        }
        _ => code(status),
    };
    parts.headers.insert(STATUS, code.into());
    let workers = parts.headers.remove(MESSAGE_HEADER).map(|text| text.as_bytes().to_vec());
    let sentence = workers.or_else(|| refusal.map(|refusal| refusal.sentence().into_bytes()));
    let escaped = HeaderValue::try_from(escaped(&sentence.unwrap_or_default()));
    if let Ok(sentence) = escaped {
        parts.headers.insert(HeaderName::from_static(MESSAGE_HEADER), sentence);
    }
    Response::from_parts(parts, Body::empty())
}

/// The status that says of gRPC what `status` says of HTTP.
const fn code(status: StatusCode) -> u16 {
    match status.as_u16() {
        400 | 415 => INVALID_ARGUMENT,
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        404 => NOT_FOUND,
        405 => UNIMPLEMENTED,
        408 => DEADLINE_EXCEEDED,
        412 => FAILED_PRECONDITION,
        413 | 429 => RESOURCE_EXHAUSTED,
        503 => UNAVAILABLE,
        _ => INTERNAL,
    }
}

/// Percent-encoding, as the protocol asks of its messages: all but printable ASCII.
fn escaped(text: &[u8]) -> String {
    let escape = |byte: &u8| match byte {
        b' '..=b'~' if *byte != b'%' => char::from(*byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.iter().map(escape).collect()
}

const INVALID_ARGUMENT: u16 = 3;
const DEADLINE_EXCEEDED: u16 = 4;
const NOT_FOUND: u16 = 5;
const PERMISSION_DENIED: u16 = 7;
const RESOURCE_EXHAUSTED: u16 = 8;
const FAILED_PRECONDITION: u16 = 9;
const UNIMPLEMENTED: u16 = 12;
const INTERNAL: u16 = 13;
const UNAVAILABLE: u16 = 14;
const UNAUTHENTICATED: u16 = 16;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::request_id::RequestId;

    async fn refused(refusal: Refusal) -> Response<Body> {
        answered(refusal.response(RequestId::fresh().unwrap())).await
    }

    fn field<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[tokio::test]
    async fn an_answer_is_one_frame_and_a_status_behind_it() {
        let response = answered(Response::new(Body::from("abc"))).await;
        assert_eq!(field(&response, "content-type"), "application/grpc");
        assert!(response.headers().get(STATUS).is_none(), "it stands behind the message");
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap().get(STATUS).unwrap(), "0");
        assert_eq!(&body.to_bytes()[..], b"\0\0\0\0\x03abc");
    }

    #[tokio::test]
    async fn each_refusal_has_the_status_that_clients_know() {
        use sealgate_policies::TokenRefusal;
        for (refusal, code) in [
            (Refusal::Token(TokenRefusal::Missing), "16"),
            (Refusal::Forbidden, "7"),
            (Refusal::NotFound, "5"),
            (Refusal::MethodNotAllowed, "12"),
            (Refusal::Frame, "3"),
            (Refusal::FrameCompressed, "12"),
            (Refusal::BodyTooLarge, "8"),
            (Refusal::Overloaded { retry_after_s: 1 }, "14"),
            (Refusal::WorkerUnavailable, "14"),
            (Refusal::Internal, "13"),
        ] {
            let response = refused(refusal).await;
            assert_eq!(
                (response.status(), field(&response, "grpc-status")),
                (StatusCode::OK, code)
            );
            assert_eq!(field(&response, "grpc-message"), refusal.sentence(), "{refusal:?}");
            assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
        }
    }

    #[tokio::test]
    async fn a_compressed_message_is_told_what_is_taken() {
        let response = refused(Refusal::FrameCompressed).await;
        assert_eq!(field(&response, "grpc-accept-encoding"), "identity");
    }

    #[test]
    fn a_sentence_is_escaped_as_the_protocol_asks() {
        assert_eq!(escaped("50 % of `größe`\n".as_bytes()), "50 %25 of `gr%C3%B6%C3%9Fe`%0A");
    }
}
