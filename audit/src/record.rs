//! A record's body: canonical JSON (RFC 8785) around one event.
//!
//! `{"boot":…,"event":{…},"n":…,"salt":…,"time_us":…,"type":…}`. The salt makes every body, and
//! so every leaf of the tree, unguessable: a proof for one record confirms no guess about another.

use crate::error::AppendError;
use crate::event::Event;
use crate::request::RequestId;
use crate::text::Text;
use serde::Deserialize;
use std::cell::RefCell;
use std::io::Write as _;

/// A record as it is read back.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Record {
    /// Names one run of a gateway: 128 random bits in hex.
    pub boot: Text,
    /// The running number in the log, which is the index of the leaf.
    pub n: u64,
    /// 128 random bits in hex.
    pub salt: Text,
    /// When it happened, in microseconds of Unix time, by the gateway's clock.
    pub time_us: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

impl Record {
    /// Reads a body.
    pub fn parse(body: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(body)
    }
}

/// A body that waits for its number, which only the writer knows.
pub(crate) struct Draft {
    bytes: Vec<u8>,
    number_at: usize,
    pub(crate) time_us: u64,
    /// The request that this decides on.
    pub(crate) decides: Option<RequestId>,
    /// Whether it stays when its segment is dropped.
    pub(crate) is_kept: bool,
}

impl Draft {
    /// Serialises `event` with a fresh salt, in the thread of the caller.
    pub(crate) fn new(event: &Event, boot: &str, time_us: u64) -> Result<Self, AppendError> {
        let mut salted = [0; 32];
        hex::encode_to_slice(salt()?, &mut salted).map_err(|_| AppendError::NoRandomness)?;
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        for part in [&br#"{"boot":""#[..], boot.as_bytes(), br#"","event":"#] {
            bytes.extend_from_slice(part);
        }
        event.write(&mut bytes).map_err(|_| AppendError::NotSerialisable)?;
        bytes.extend_from_slice(br#","n":"#);
        let number_at = bytes.len();
        for part in [&br#","salt":""#[..], &salted[..], br#"","time_us":"#] {
            bytes.extend_from_slice(part);
        }
        let _ = write!(bytes, "{time_us}");
        for part in [&br#","type":""#[..], event.kind().as_bytes(), br#""}"#] {
            bytes.extend_from_slice(part);
        }
        if bytes.len() + NUMBER_BYTES_MAX > BODY_BYTES_MAX {
            return Err(AppendError::TooLarge);
        }
        let decides = match event {
            Event::Decision(decision) => RequestId::parse(decision.request_id.as_str()),
            _ => None,
        };
        let is_kept = matches!(event, Event::LogStarted(_) | Event::KeyRotated(_));
        Ok(Self { bytes, number_at, time_us, decides, is_kept })
    }

    /// No body made of this draft is longer, whatever its number.
    pub(crate) fn bytes_max(&self) -> usize {
        self.bytes.len() + NUMBER_BYTES_MAX
    }

    /// Appends the body with number `n` to `out`.
    pub(crate) fn write(&self, n: u64, out: &mut Vec<u8>) {
        let (before, after) = self.bytes.split_at(self.number_at);
        out.extend_from_slice(before);
        let _ = write!(out, "{n}");
        out.extend_from_slice(after);
    }
}

/// The longest body of a record.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// 16 bytes from the operating system. One draw costs about as much as the rest of a record, so
/// each thread fetches a page of them at a time.
fn salt() -> Result<[u8; 16], AppendError> {
    thread_local! {
        static SALTS: RefCell<Vec<[u8; 16]>> = const { RefCell::new(Vec::new()) };
    }
    SALTS.with_borrow_mut(|salts| {
        if salts.is_empty() {
            let mut drawn = [[0; 16]; 64];
            getrandom::fill(drawn.as_flattened_mut()).map_err(|_| AppendError::NoRandomness)?;
            salts.extend_from_slice(&drawn);
        }
        salts.pop().ok_or(AppendError::NoRandomness)
    })
}

const USUAL_BYTES: usize = 1024;
/// Digits of the largest `u64`.
const NUMBER_BYTES_MAX: usize = 20;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::event::samples;
    use serde_json::Value;
    use std::collections::{BTreeMap, HashSet};

    fn body(event: &Event) -> Vec<u8> {
        let mut out = Vec::new();
        let boot = "0123456789abcdef0123456789abcdef";
        Draft::new(event, boot, 1_795_000_000_000_000).unwrap().write(7, &mut out);
        out
    }

    /// RFC 8785 by explicit sorting, for a document of strings, integers, arrays and objects.
    fn canonical(value: &Value) -> String {
        match value {
            Value::Object(map) => {
                let sorted: BTreeMap<Vec<u16>, _> =
                    map.iter().map(|(k, v)| (k.encode_utf16().collect(), (k, v))).collect();
                let fields: Vec<_> = sorted
                    .values()
                    .map(|(k, v)| format!("{}:{}", Value::from(k.as_str()), canonical(v)))
                    .collect();
                format!("{{{}}}", fields.join(","))
            }
            Value::Array(items) => {
                let items: Vec<_> = items.iter().map(canonical).collect();
                format!("[{}]", items.join(","))
            }
            Value::Number(number) => {
                let number = number.as_u64().unwrap();
                assert!(number < 1 << 53, "not exact in every reader: {number}");
                number.to_string()
            }
            other => other.to_string(),
        }
    }

    #[test]
    fn every_event_is_written_in_canonical_order() {
        for event in samples::all() {
            let body = String::from_utf8(body(&event)).unwrap();
            let value: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body, canonical(&value));
        }
    }

    #[test]
    fn every_event_reads_back_as_it_was() {
        for event in samples::all() {
            assert_eq!(Record::parse(&body(&event)).unwrap().event, event);
        }
    }

    #[test]
    fn no_two_bodies_of_one_event_are_equal() {
        let event = samples::all().pop().unwrap();
        let bodies: HashSet<_> = (0..1000).map(|_| body(&event)).collect();
        assert_eq!(bodies.len(), 1000);
    }

    #[test]
    fn a_body_beyond_the_limit_is_refused() {
        let mut decision = samples::decision("s".into());
        decision.inputs.groups = (0..64).map(|_| "\u{1}".repeat(256)).collect();
        let event = Event::Decision(Box::new(decision));
        assert!(matches!(Draft::new(&event, "", 0), Err(AppendError::TooLarge)));
    }
}
