//! What a verifier reads of a record: its number, time and type, without parsing the rest.
//!
//! Canonical JSON puts these at the end of every body, always spelled the same, so they are read
//! backwards from there in a few dozen nanoseconds. The signed tree vouches for the rest.

use crate::event::{DECISION, KEY_ROTATED, LOG_STARTED};
use crate::request::RequestId;
use memchr::memmem;
use std::sync::LazyLock;

/// The end of a body: `"n":…,"salt":"…","time_us":…,"type":"…"}`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Head<'a> {
    pub(crate) n: u64,
    pub(crate) time_us: u64,
    pub(crate) kind: &'a str,
    event: &'a [u8],
}

impl<'a> Head<'a> {
    /// Reads the end of a body; nothing if it does not end as every record does.
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        let rest = body.strip_suffix(b"\"}")?;
        let (rest, kind) = cut(rest, |byte| byte.is_ascii_lowercase() || byte == b'_');
        let (rest, time_us) =
            cut(rest.strip_suffix(b",\"type\":\"")?, |byte| byte.is_ascii_digit());
        let rest = rest.strip_suffix(b",\"time_us\":")?.strip_suffix(b"\"")?;
        let (rest, salt) = cut(rest, |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let (rest, n) = cut(rest.strip_suffix(b",\"salt\":\"")?, |byte| byte.is_ascii_digit());
        let event = rest.strip_suffix(b",\"n\":")?;
        let well = salt.len() == SALT_BYTES && event.starts_with(b"{\"boot\":\"");
        let kind = str::from_utf8(kind).ok().filter(|_| well)?;
        Some(Self { n: decimal(n)?, time_us: decimal(time_us)?, kind, event })
    }

    /// The request that the record is about, if it is about one.
    ///
    /// In a string the quotes would be escaped, so this is found only where it is a field.
    pub(crate) fn request_id(&self) -> Option<RequestId> {
        let at = REQUEST_ID.find(self.event)? + REQUEST_ID.needle().len();
        RequestId::of_hex(self.event.get(at..)?.split_first_chunk()?.0)
    }

    /// The request that it decides on.
    pub(crate) fn decides(&self) -> Option<RequestId> {
        if self.kind == DECISION { self.request_id() } else { None }
    }

    /// Whether it stays when its segment is dropped.
    pub(crate) fn is_kept(&self) -> bool {
        matches!(self.kind, LOG_STARTED | KEY_ROTATED)
    }

    /// Whether a decision lets a model work, which must have an outcome.
    pub(crate) fn allows_work(&self) -> bool {
        // The first and the last field of a decision.
        let action = self.event.get(BOOT_BYTES..).unwrap_or_default();
        self.kind == DECISION
            && action.starts_with(b"{\"action\":\"infer\",")
            && self.event.ends_with(b",\"verdict\":\"allow\"}")
    }
}

/// The longest end of `bytes` that is made of such bytes, and what stands before it.
fn cut(bytes: &[u8], is: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().rposition(|byte| !is(*byte)).map_or(0, |last| last + 1);
    bytes.split_at(end)
}

/// Digits without a leading zero.
fn decimal(digits: &[u8]) -> Option<u64> {
    let canonical = digits == b"0" || !digits.starts_with(b"0");
    str::from_utf8(digits).ok().filter(|_| canonical)?.parse().ok()
}

/// Searches for the field that names a request, made ready once.
static REQUEST_ID: LazyLock<memmem::Finder<'static>> =
    LazyLock::new(|| memmem::Finder::new(b"\"request_id\":\""));
const SALT_BYTES: usize = 32;
/// What stands before the event: `{"boot":"…","event":`.
const BOOT_BYTES: usize = 9 + 32 + 10;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::event::{Event, samples};
    use crate::record::{Draft, Record};

    fn body(event: &Event, n: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let boot = "0123456789abcdef0123456789abcdef";
        Draft::new(event, boot, 1_795_000_000_000_000).unwrap().write(n, &mut out);
        out
    }

    #[test]
    fn every_record_says_the_same_backwards() {
        for event in samples::all() {
            for n in [0, 7, u64::MAX] {
                let body = body(&event, n);
                let record: serde_json::Value = serde_json::from_slice(&body).unwrap();
                let head = Head::parse(&body).unwrap();
                assert_eq!((head.n, head.kind), (n, record["type"].as_str().unwrap()));
                assert_eq!(head.time_us, Record::parse(&body).unwrap().time_us);
                let id = record["event"]["request_id"].as_str().and_then(RequestId::parse);
                assert_eq!(head.request_id(), id);
                let works = (&record["event"]["action"], &record["event"]["verdict"]);
                assert_eq!(head.allows_work(), works == (&"infer".into(), &"allow".into()));
            }
        }
    }

    #[test]
    fn a_record_that_speaks_of_other_records_says_only_what_it_is() {
        let forged = r#"","request_id":"00000000000000000000000000000000","verdict":"allow","action":"infer","#;
        let forged = format!("{forged}{}", r#""n":9,"salt":"","time_us":1,"type":"decision"}"#);
        let stopped = Event::Stopped(crate::Stopped { why: forged.as_str().into() });
        let body = body(&stopped, 3);
        let head = Head::parse(&body).unwrap();
        assert_eq!((head.n, head.kind), (3, "stopped"));
        assert_eq!((head.request_id(), head.allows_work()), (None, false));
    }

    #[test]
    fn what_does_not_end_as_a_record_is_none() {
        let whole = body(&samples::all().remove(2), 5);
        for end in 0..whole.len() {
            assert_eq!(Head::parse(&whole[..end]), None, "cut at {end}");
        }
        for (from, to) in [
            (",\"n\":5,", ",\"n\":05,"),
            (",\"n\":5,", ",\"n\":+5,"),
            (",\"n\":5,", ",\"n\":,"),
            (",\"n\":5,", ",\"n\":99999999999999999999,"),
            ("\"type\":\"s", "\"type\":\"S"),
            ("{\"boot\"", "{\"root\""),
            ("time_us\":1", "time_us\":-"),
        ] {
            let text = String::from_utf8(whole.clone()).unwrap();
            assert!(text.contains(from), "{from}");
            assert_eq!(Head::parse(text.replace(from, to).as_bytes()), None, "{to}");
        }
    }
}
