//! One HTTP/1 request head: has it exactly one meaning, and where does its body end?
//!
//! hyper takes more than RFC 9112 allows: two lengths if they are equal, a length beside a transfer coding, lines
//! that end in a bare LF. A proxy in front of us may read such a request in another way than we do, and what it
//! takes for a body we would take for the next request (request smuggling). So each is refused.

use std::mem::MaybeUninit;

use httparse::{Error, Header, Request, Status};

use super::refusal::Refusal;

/// A head that was found well.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes from the first of the request line to the end of the empty line.
    pub(super) bytes: usize,
    /// What follows it.
    pub(super) body: Framing,
}

/// How the end of a body is found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes follow.
    Length(u64),
    /// Chunks follow.
    Chunked,
}

/// Bounds of a head.
#[derive(Clone, Copy)]
pub(super) struct HeadLimits {
    pub(super) bytes_max: usize,
    pub(super) fields_max: usize,
}

/// The most fields that [`HeadLimits::fields_max`] may allow; hyper's own parser holds as many.
pub(super) const FIELDS_MAX: usize = 100;

/// Judges the head at the start of `bytes`; `None` when it has not ended yet.
pub(super) fn check(bytes: &[u8], limits: HeadLimits) -> Result<Option<Head>, Refusal> {
    // httparse skips empty lines before a request; a request begins with its method.
    if matches!(bytes.first(), Some(b'\r' | b'\n')) {
        return Err(Refusal::ambiguous("an empty line before the request"));
    }
    let mut slots = [const { MaybeUninit::<Header<'_>>::uninit() }; FIELDS_MAX];
    let mut request = Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(bytes, &mut slots) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return partial(bytes, limits),
        Err(Error::TooManyHeaders) => return Err(Refusal::head_too_large()),
        Err(_) => return Err(Refusal::ambiguous("the request head is malformed")),
    };
    if length > limits.bytes_max || request.headers.len() > limits.fields_max {
        return Err(Refusal::head_too_large());
    }
    if has_bare_lf(bytes.get(..length).unwrap_or_default()) {
        return Err(BARE_LF);
    }
    let fields = Fields::collect(request.headers)?;
    check_method(request.method.unwrap_or_default())?;
    check_target(request.path.unwrap_or_default(), request.method == Some("OPTIONS"), fields.host)?;
    let body = fields.framing(request.version == Some(0))?;
    Ok(Some(Head { bytes: length, body }))
}

fn partial(bytes: &[u8], limits: HeadLimits) -> Result<Option<Head>, Refusal> {
    if bytes.len() >= limits.bytes_max {
        return Err(Refusal::head_too_large());
    }
    if has_bare_lf(bytes) { Err(BARE_LF) } else { Ok(None) }
}

/// Without a branch in the loop, so that the compiler compares many bytes at once.
fn has_bare_lf(bytes: &[u8]) -> bool {
    let followers = bytes.get(1..).unwrap_or_default();
    let bare = bytes
        .iter()
        .zip(followers)
        .fold(false, |bare, (before, byte)| bare | ((*byte == b'\n') & (*before != b'\r')));
    bare || bytes.first() == Some(&b'\n')
}

fn check_method(method: &str) -> Result<(), Refusal> {
    match method {
        "CONNECT" | "TRACE" => Err(Refusal::method()),
        _ => Ok(()),
    }
}

/// RFC 9112, section 3.2: origin form, absolute form, or `*` for OPTIONS.
fn check_target(target: &str, is_options: bool, host: &[u8]) -> Result<(), Refusal> {
    // A fragment is never sent, a backslash is a slash to some, and the rest is no URI at all.
    if target
        .bytes()
        .any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'#' | b'\\' | b'"' | b'<' | b'>'))
    {
        return Err(Refusal::ambiguous("a character in the target that belongs in no target"));
    }
    if target.starts_with('/') || (is_options && target == "*") {
        return Ok(());
    }
    let authority = strip_prefix_ignoring_case(target, "https://")
        .or_else(|| strip_prefix_ignoring_case(target, "http://"));
    let Some(rest) = authority else {
        return Err(Refusal::ambiguous("the target is neither a path nor a URL"));
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.as_bytes().eq_ignore_ascii_case(host) {
        Ok(())
    } else {
        Err(Refusal::ambiguous("the authority of the target is not the host"))
    }
}

fn strip_prefix_ignoring_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// The fields that decide the meaning of a head.
struct Fields<'h> {
    host: &'h [u8],
    content_length: Option<&'h [u8]>,
    transfer_encoding: Option<&'h [u8]>,
}

impl<'h> Fields<'h> {
    fn collect(headers: &[Header<'h>]) -> Result<Self, Refusal> {
        let (mut host, mut content_length, mut transfer_encoding) = (None, None, None);
        for Header { name, value } in headers {
            let slot = match name.len() {
                4 if name.eq_ignore_ascii_case("host") => &mut host,
                7 if name.eq_ignore_ascii_case("upgrade") => return Err(Refusal::upgrade()),
                14 if name.eq_ignore_ascii_case("content-length") => &mut content_length,
                17 if name.eq_ignore_ascii_case("transfer-encoding") => &mut transfer_encoding,
                _ => continue,
            };
            if slot.replace(*value).is_some() {
                return Err(Refusal::ambiguous(
                    "host, content-length or transfer-encoding stands twice",
                ));
            }
        }
        let host = host.ok_or(Refusal::ambiguous("no host"))?;
        if !is_authority(host) {
            return Err(Refusal::ambiguous("the host is malformed"));
        }
        Ok(Self { host, content_length, transfer_encoding })
    }

    fn framing(&self, is_http_1_0: bool) -> Result<Framing, Refusal> {
        match (self.content_length, self.transfer_encoding) {
            (None, None) => Ok(Framing::Length(0)),
            (Some(_), Some(_)) => {
                Err(Refusal::ambiguous("content-length and transfer-encoding together"))
            }
            (None, Some(_)) if is_http_1_0 => {
                Err(Refusal::ambiguous("transfer-encoding in HTTP/1.0"))
            }
            (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
            (None, Some(_)) => Err(Refusal::ambiguous("a transfer-encoding other than chunked")),
            (Some(digits), None) => content_length(digits).map(Framing::Length),
        }
    }
}

/// Digits and nothing else: no sign, no list, no space, and not more than fit.
fn content_length(digits: &[u8]) -> Result<u64, Refusal> {
    let bad = Refusal::ambiguous("the content-length is no number");
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(bad);
    }
    digits
        .iter()
        .try_fold(0_u64, |length, digit| {
            length.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })
        .ok_or(bad)
}

/// Host and port: no user before an `@`, no list, no path (RFC 3986, section 3.2, without userinfo).
pub(super) fn is_authority(bytes: &[u8]) -> bool {
    let is_well = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'[' | b']' | b'%')
    };
    !bytes.is_empty() && bytes.iter().all(is_well)
}

const BARE_LF: Refusal = Refusal::ambiguous("a line ends without a carriage return");

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { bytes_max: 1024, fields_max: 4 };

    fn judge(head: &str) -> Result<Option<Framing>, Refusal> {
        check(head.as_bytes(), LIMITS).map(|head| head.map(|head| head.body))
    }

    #[test]
    fn the_head_ends_where_the_body_begins() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
        let found = check(format!("{head}abc").as_bytes(), LIMITS);
        assert_eq!(found, Ok(Some(Head { bytes: head.len(), body: Framing::Length(3) })));
    }

    #[test]
    fn a_chunked_body_is_seen() {
        assert_eq!(
            judge("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"),
            Ok(Some(Framing::Chunked))
        );
    }

    #[test]
    fn every_cut_of_a_good_head_waits_for_more() {
        let head = "GET /a?b=c HTTP/1.1\r\nHost: a:1\r\nX: \t y\r\n\r\n";
        for length in 0..head.len() {
            assert_eq!(judge(head.get(..length).unwrap_or_default()), Ok(None), "{length}");
        }
    }

    #[test]
    fn a_bare_lf_is_refused_before_the_head_has_ended() {
        assert_eq!(judge("GET / HTTP/1.1\nHost: a"), Err(BARE_LF));
    }

    #[test]
    fn the_largest_length_is_a_number_and_one_more_is_none() {
        assert_eq!(content_length(b"18446744073709551615"), Ok(u64::MAX));
        assert!(content_length(b"18446744073709551616").is_err());
    }

    #[test]
    fn a_head_of_just_the_bound_passes_and_one_byte_more_does_not() {
        let head = |padding: usize| {
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(padding))
        };
        let fixed = head(0).len();
        assert!(judge(&head(1024 - fixed)).is_ok());
        assert_eq!(judge(&head(1025 - fixed)), Err(Refusal::head_too_large()));
    }

    #[test]
    fn a_head_without_end_is_refused_at_the_bound() {
        assert_eq!(judge(&format!("GET /{}", "a".repeat(1024))), Err(Refusal::head_too_large()));
    }

    #[test]
    fn one_field_too_many_is_refused() {
        let head = |fields: usize| {
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(fields))
        };
        assert!(judge(&head(3)).is_ok());
        assert_eq!(judge(&head(4)), Err(Refusal::head_too_large()));
        assert_eq!(judge(&head(200)), Err(Refusal::head_too_large()));
    }
}
