//! Whose request this is: the socket's address, or what a listed proxy says.

use std::net::{IpAddr, Ipv6Addr};

use http::HeaderMap;
use http::header::HeaderName;
use ipnet::IpNet;

/// The client's address, put into each request's extensions by the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The address to hold responsible for a request.
///
/// Only a listed proxy is believed, and only about the one before it: starting from the socket, each
/// trusted address may name its predecessor (first by PROXY v2, then by `X-Forwarded-For` from right to left)
/// until one is not trusted. What stands further left was written by that untrusted one and is not read. An entry
/// that is no address ends the walk at the last address known.
///
/// ```
/// # use sealgate_gateway::edge::client_address;
/// # use http::HeaderMap;
/// let mut headers = HeaderMap::new();
/// headers.insert("x-forwarded-for", "6.6.6.6, 192.0.2.7".parse().unwrap());
/// let proxy = "10.0.0.1".parse().unwrap();
/// let trusted = ["10.0.0.0/8".parse().unwrap()];
/// assert_eq!(client_address(proxy, None, &headers, &trusted).to_string(), "192.0.2.7");
/// assert_eq!(client_address(proxy, None, &headers, &[]), proxy);
/// ```
pub fn client_address(
    peer: IpAddr,
    proxy_v2: Option<IpAddr>,
    headers: &HeaderMap,
    trusted: &[IpNet],
) -> IpAddr {
    let mut known = peer.to_canonical();
    if !is_trusted(known, trusted) {
        return known;
    }
    if let Some(source) = proxy_v2 {
        known = source.to_canonical();
        if !is_trusted(known, trusted) {
            return known;
        }
    }
    // Several lines are one list in the order of the lines (RFC 9110, section 5.3).
    let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
    for entry in lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')) {
        let Some(address) = parse_entry(entry) else { return known };
        known = address;
        if !is_trusted(known, trusted) {
            return known;
        }
    }
    known
}

/// Whether the address belongs to a listed proxy.
pub(super) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`, each perhaps in quotes
/// (RFC 7239, section 6).
fn parse_entry(entry: &[u8]) -> Option<IpAddr> {
    let entry = std::str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
    let entry = entry.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(entry);
    if let Some(bracketed) = entry.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']')?;
        let port_is_well = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        return port_is_well
            .then(|| address.parse::<Ipv6Addr>().ok())
            .flatten()
            .map(|v6| IpAddr::V6(v6).to_canonical());
    }
    if let Ok(address) = entry.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let (address, port) = entry.split_once(':')?;
    if !is_port(port) {
        return None;
    }
    address.parse().ok().map(IpAddr::V4)
}

fn is_port(text: &str) -> bool {
    !text.starts_with('+') && text.parse::<u16>().is_ok()
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn judge(peer: &str, proxy_v2: Option<&str>, forwarded_for: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded_for {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let proxy_v2 = proxy_v2.map(|address| address.parse().unwrap());
        client_address(peer.parse().unwrap(), proxy_v2, &headers, &trusted).to_string()
    }

    #[test]
    fn an_unlisted_peer_cannot_name_another_address() {
        assert_eq!(judge("192.0.2.1", None, &["6.6.6.6"]), "192.0.2.1");
    }

    #[test]
    fn an_unlisted_peer_cannot_name_another_address_by_proxy_v2() {
        assert_eq!(judge("192.0.2.1", Some("6.6.6.6"), &[]), "192.0.2.1");
    }

    #[test]
    fn a_listed_proxy_names_its_client() {
        assert_eq!(judge("10.0.0.1", None, &["192.0.2.1"]), "192.0.2.1");
    }

    #[test]
    fn what_the_client_put_in_front_is_not_believed() {
        assert_eq!(judge("10.0.0.1", None, &["6.6.6.6, 192.0.2.1"]), "192.0.2.1");
    }

    #[test]
    fn a_listed_address_claimed_by_the_client_hides_nothing() {
        assert_eq!(judge("10.0.0.1", None, &["6.6.6.6, 10.9.9.9, 192.0.2.1"]), "192.0.2.1");
    }

    #[test]
    fn a_chain_of_listed_proxies_is_followed() {
        assert_eq!(judge("10.0.0.1", None, &["192.0.2.1, 10.0.0.3, 10.0.0.2"]), "192.0.2.1");
    }

    #[test]
    fn several_lines_are_one_list_in_order() {
        assert_eq!(judge("10.0.0.1", None, &["6.6.6.6", "192.0.2.1", "10.0.0.2"]), "192.0.2.1");
    }

    #[test]
    fn a_malformed_entry_ends_the_walk() {
        for bad in [
            "unknown",
            "_hidden",
            "",
            "192.0.2.1:x",
            "192.0.2.1:99999",
            "[::1",
            "[::1]x",
            "1.2.3",
            "fe80::1%eth0",
            "0x7f.1",
            "::1]:1",
        ] {
            assert_eq!(
                judge("10.0.0.1", None, &[&format!("6.6.6.6, {bad}, 10.0.0.2")]),
                "10.0.0.2",
                "{bad}"
            );
        }
    }

    #[test]
    fn ports_brackets_and_quotes_are_tolerated() {
        for good in [
            "192.0.2.1:443",
            " 192.0.2.1 ",
            "\"192.0.2.1:443\"",
            "::ffff:192.0.2.1",
            "[::ffff:192.0.2.1]:443",
        ] {
            assert_eq!(judge("10.0.0.1", None, &[good]), "192.0.2.1", "{good}");
        }
        for good in ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443", "\"[2001:db8::1]:443\""] {
            assert_eq!(judge("10.0.0.1", None, &[good]), "2001:db8::1", "{good}");
        }
    }

    #[test]
    fn an_ipv4_mapped_peer_is_the_ipv4_address() {
        assert_eq!(judge("::ffff:10.0.0.1", None, &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(judge("::ffff:192.0.2.9", None, &["6.6.6.6"]), "192.0.2.9");
    }

    #[test]
    fn proxy_v2_from_a_listed_proxy_outweighs_the_header() {
        assert_eq!(judge("10.0.0.1", Some("192.0.2.1"), &["6.6.6.6"]), "192.0.2.1");
    }

    #[test]
    fn the_header_is_read_behind_a_listed_proxy_named_by_proxy_v2() {
        assert_eq!(judge("10.0.0.1", Some("fd00::2"), &["192.0.2.1"]), "192.0.2.1");
    }
}
