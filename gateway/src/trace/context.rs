//! W3C Trace Context: reading `traceparent`, and writing our own.

use axum::http::{HeaderMap, HeaderValue};

use super::TRACEPARENT;

/// A request's place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The caller's span, if the caller has one.
    pub parent_id: Option<[u8; 8]>,
    /// The request's own.
    pub span_id: [u8; 8],
    /// Whether its span is told.
    pub is_sampled: bool,
}

/// What a caller says of its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    is_sampled: bool,
}

impl Context {
    /// What the one `traceparent` says, if it is well formed; who sends something else begins no
    /// trace and breaks none.
    pub(super) fn parent(headers: &HeaderMap) -> Option<Parent> {
        let mut fields = headers.get_all(TRACEPARENT).iter();
        let (field, None) = (fields.next()?, fields.next()) else { return None };
        parse(field.as_bytes())
    }

    /// A span of its own below the caller's, or in a trace of its own. The caller's flag can have a
    /// request left out; it cannot have it told more often than `sample_ratio` says. `None` without
    /// randomness.
    pub(super) fn below(parent: Option<Parent>, sample_ratio: f64) -> Option<Self> {
        let mut random = [0; 28];
        getrandom::fill(&mut random).ok()?;
        let (fresh, rest) = random.split_first_chunk::<16>()?;
        let (span_id, draw) = rest.split_first_chunk::<8>()?;
        let draw = f64::from(u32::from_le_bytes(*draw.first_chunk()?)) / f64::from(u32::MAX);
        Some(Self {
            trace_id: parent.map_or(*fresh, |parent| parent.trace_id),
            parent_id: parent.map(|parent| parent.span_id),
            span_id: *span_id,
            is_sampled: parent.is_none_or(|parent| parent.is_sampled) && draw < sample_ratio,
        })
    }

    /// `traceparent`, as version 00 writes it.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        let (trace, span) = (hex::encode(self.trace_id), hex::encode(self.span_id));
        let text = format!("00-{trace}-{span}-{:02x}", u8::from(self.is_sampled));
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }
}

/// `version-traceid-parentid-flags`, in lower-case hexadecimal. What a version after 00 adds at the
/// end is not looked at (section 3.2.4).
fn parse(field: &[u8]) -> Option<Parent> {
    let (head, more) = field.split_first_chunk::<LENGTH>()?;
    let [version, trace, span, flags] = parts(head)?;
    let [version] = hex::<1>(version)?;
    let may_go_on = version != 0 && more.first() == Some(&b'-');
    if version == 0xff || !(more.is_empty() || may_go_on) {
        return None;
    }
    let (trace_id, span_id, [flags]) = (hex::<16>(trace)?, hex::<8>(span)?, hex::<1>(flags)?);
    if trace_id == [0; 16] || span_id == [0; 8] {
        return None;
    }
    Some(Parent { trace_id, span_id, is_sampled: flags & SAMPLED != 0 })
}

/// The four parts, if hyphens stand between them.
fn parts(head: &[u8; LENGTH]) -> Option<[&[u8]; 4]> {
    let mut parts = head.split(|&byte| byte == b'-');
    let four = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(four)
}

fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let is_lower = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if !text.iter().all(is_lower) {
        return None;
    }
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

const LENGTH: usize = 55;
const SAMPLED: u8 = 1;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(fields: &[&str]) -> HeaderMap {
        let fields =
            fields.iter().map(|field| (TRACEPARENT, HeaderValue::from_str(field).unwrap()));
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn the_standards_example_is_read_and_written() {
        let parent = Context::parent(&headers(&[GOOD])).unwrap();
        assert_eq!(hex::encode(parent.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(hex::encode(parent.span_id), "00f067aa0ba902b7");
        assert!(parent.is_sampled);
        let own = Context::below(Some(parent), 1.0).unwrap();
        let written = Context::parent(&headers(&[own.header().to_str().unwrap()])).unwrap();
        assert_eq!((written.trace_id, written.span_id), (parent.trace_id, own.span_id));
        assert_ne!(own.span_id, parent.span_id);
        assert_eq!(own.parent_id, Some(parent.span_id));
    }

    #[test]
    fn a_later_version_may_say_more_and_this_one_may_not() {
        for (field, is_read) in [
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes", true),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff", true),
        ] {
            assert_eq!(Context::parent(&headers(&[field])).is_some(), is_read, "{field}");
        }
    }

    #[test]
    fn what_is_malformed_is_no_parent() {
        let mut bad: Vec<String> =
            (0..GOOD.len()).map(|length| GOOD[..length].to_owned()).collect();
        for at in 0..GOOD.len() {
            for byte in ["g", "A", " ", "_"] {
                bad.push([&GOOD[..at], byte, &GOOD[at + 1..]].concat());
            }
        }
        bad.push(GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)));
        bad.push(GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)));
        bad.push(GOOD.replacen("00", "ff", 1));
        bad.push(GOOD.to_uppercase());
        bad.push(format!("{GOOD}0"));
        for field in bad {
            assert_eq!(Context::parent(&headers(&[&field])), None, "{field}");
        }
        assert_eq!(Context::parent(&headers(&[GOOD, GOOD])), None, "twice");
    }

    #[test]
    fn a_caller_can_leave_itself_out_and_not_push_itself_in() {
        let parent = |flags: &str| {
            let field = [&GOOD[..GOOD.len() - 2], flags].concat();
            Context::parent(&headers(&[&field]))
        };
        for _ in 0..64 {
            assert!(!Context::below(parent("00"), 1.0).unwrap().is_sampled);
            assert!(!Context::below(parent("01"), 0.0).unwrap().is_sampled);
            assert!(!Context::below(None, 0.0).unwrap().is_sampled);
        }
        let sampled = (0..4000).filter(|_| Context::below(parent("01"), 0.5).unwrap().is_sampled);
        assert!((1700..2300).contains(&sampled.count()));
    }
}
