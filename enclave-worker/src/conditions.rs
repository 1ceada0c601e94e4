//! What a client may demand inside the message it seals: the model it means, and a time.
//! A function demands the time itself.

use std::time::{Duration, SystemTime};

use sealgate_keys::ohttp::REQUEST_TYPE;
use sealgate_keys::{InnerRequest, Mode};
use sealgate_model::Digest;

use crate::protocol::Refusal;

/// Checks `if-match`, that nothing sealed is nested inside and, where a client sealed it, `date`:
/// in the open, anything on the way may have set that field.
pub(crate) fn check(request: &InnerRequest, model: &Digest, mode: Mode) -> Result<(), Refusal> {
    let present = |name: &str| request.headers.iter().any(|(own, _)| own == name);
    if request.header("content-type").is_some_and(|kind| kind.eq_ignore_ascii_case(REQUEST_TYPE)) {
        return Err(Refusal::Nested);
    }
    // RFC 9110, section 13.1.1: the entity tag of a model is its digest.
    if present("if-match") && !request.header("if-match").is_some_and(|tag| names(tag, model)) {
        return Err(Refusal::ModelPinned);
    }
    // RFC 9458, section 6.5.2: a late first delivery is seen by the client's own clock.
    let dated = mode == Mode::ClientSealed && present("date");
    if dated && !request.header("date").is_some_and(is_near) {
        return Err(Refusal::DateFar { seconds: DATE_SECONDS });
    }
    Ok(())
}

/// The time that stands inside, where there must be one: by it a memory of what was opened may forget.
pub(crate) fn dated(request: &InnerRequest) -> Result<SystemTime, Refusal> {
    let date = request.header("date").ok_or(Refusal::DateMissing)?;
    httpdate::parse_http_date(date).map_err(|_| Refusal::DateFar { seconds: DATE_SECONDS })
}

fn names(tag: &str, model: &Digest) -> bool {
    if tag == "*" {
        return true;
    }
    let tag = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    tag == Some(hex::encode(model.as_bytes()).as_str())
}

fn is_near(date: &str) -> bool {
    let Ok(date) = httpdate::parse_http_date(date) else { return false };
    let now = SystemTime::now();
    let apart = now.duration_since(date).or_else(|_| date.duration_since(now));
    apart.is_ok_and(|apart| apart <= Duration::from_secs(DATE_SECONDS))
}

/// How far a date inside may be from the own clock.
pub(crate) const DATE_SECONDS: u64 = 300;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use sealgate_keys::Cleartext;

    use super::*;

    fn verdict_in(mode: Mode, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec()));
        let request = InnerRequest {
            method: "POST".into(),
            path: "/invocations".into(),
            headers: headers.collect(),
            body: Cleartext::new(vec![]),
        };
        check(&request, &Digest::of(b"model"), mode)
    }

    fn verdict(headers: &[(&str, &str)]) -> Result<(), Refusal> {
        verdict_in(Mode::ClientSealed, headers)
    }

    #[test]
    fn a_pinned_model_is_the_models_digest_and_nothing_else() {
        let digest = hex::encode(Digest::of(b"model").as_bytes());
        let quoted = format!("\"{digest}\"");
        assert_eq!(verdict(&[("if-match", &quoted)]), Ok(()));
        let other = format!("\"{}\"", "0".repeat(64));
        assert_eq!(verdict(&[("if-match", "*")]), Ok(()));
        for wrong in [other.as_str(), &digest, "", "\""] {
            assert_eq!(verdict(&[("if-match", wrong)]), Err(Refusal::ModelPinned), "{wrong}");
        }
        let twice = [("if-match", quoted.as_str()), ("if-match", quoted.as_str())];
        assert_eq!(verdict(&twice), Err(Refusal::ModelPinned));
    }

    #[test]
    fn a_date_must_be_near_if_there_is_one() {
        let now = httpdate::fmt_http_date(SystemTime::now());
        assert_eq!(verdict(&[("date", &now)]), Ok(()));
        let old = httpdate::fmt_http_date(SystemTime::now() - Duration::from_secs(400));
        for wrong in [old.as_str(), "yesterday", ""] {
            let refused = verdict(&[("date", wrong)]);
            assert_eq!(refused, Err(Refusal::DateFar { seconds: 300 }), "{wrong}");
            assert_eq!(verdict_in(Mode::GatewaySealed, &[("date", wrong)]), Ok(()), "{wrong}");
        }
    }

    #[test]
    fn nothing_sealed_is_nested() {
        assert_eq!(verdict(&[("content-type", "Message/OHTTP-req")]), Err(Refusal::Nested));
    }
}
