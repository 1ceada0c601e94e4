//! What HTTP/2 leaves to the server: the framing is unambiguous, the names of the host are not.

use http::{Method, Request, header};

use super::head::is_authority;
use super::refusal::Refusal;

/// Refuses an HTTP/2 request with two names for one host, or none (RFC 9113, section 8.3.1), with two lengths, or with
/// a method that is not served. The edge calls it for every HTTP/2 request; it is public for routers under test.
///
/// ```
/// # use sealgate_gateway::edge::refuse_ambiguous_h2;
/// let request = |host| http::Request::get("https://a.example/").header("host", host).body(()).unwrap();
/// assert!(refuse_ambiguous_h2(&request("a.example")).is_ok());
/// assert!(refuse_ambiguous_h2(&request("b.example")).is_err());
/// ```
///
/// # Errors
/// A sentence for the client, fixed, without a word of the request.
pub fn refuse_ambiguous_h2<B>(request: &Request<B>) -> Result<(), &'static str> {
    check(request).map_err(Refusal::detail)
}

pub(super) fn check<B>(request: &Request<B>) -> Result<(), Refusal> {
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return Err(Refusal::method());
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err(Refusal::ambiguous("two hosts"));
    }
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let host = host.map(http::HeaderValue::as_bytes);
    let name = authority.or(host).ok_or(Refusal::ambiguous("no host"))?;
    if !is_authority(name) {
        return Err(Refusal::ambiguous("the host is malformed"));
    }
    if host.is_some_and(|host| !host.eq_ignore_ascii_case(name)) {
        return Err(Refusal::ambiguous("the authority is not the host"));
    }
    if request.headers().get_all(header::CONTENT_LENGTH).iter().nth(1).is_some() {
        return Err(Refusal::ambiguous("two lengths"));
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn judge(method: &str, uri: &str, fields: &[(&str, &str)]) -> Result<(), &'static str> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        refuse_ambiguous_h2(&request.body(()).unwrap())
    }

    #[test]
    fn one_name_for_the_host_is_enough() {
        assert_eq!(judge("GET", "https://a/", &[]), Ok(()));
        assert_eq!(judge("GET", "/", &[("host", "a")]), Ok(()));
        assert_eq!(judge("GET", "https://A:1/", &[("host", "a:1")]), Ok(()));
    }

    #[test]
    fn two_names_or_none_are_refused() {
        assert!(judge("GET", "/", &[]).is_err());
        assert!(judge("GET", "https://a/", &[("host", "b")]).is_err());
        assert!(judge("GET", "https://a/", &[("host", "a"), ("host", "a")]).is_err());
        assert!(judge("GET", "https://u@a/", &[]).is_err());
    }

    #[test]
    fn two_lengths_are_refused() {
        assert!(
            judge("POST", "https://a/", &[("content-length", "1"), ("content-length", "1")])
                .is_err()
        );
    }

    #[test]
    fn tunnels_and_echoes_are_refused() {
        assert!(judge("TRACE", "https://a/", &[]).is_err());
        assert!(judge("CONNECT", "a:1", &[]).is_err());
    }
}
