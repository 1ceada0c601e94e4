//! The PROXY protocol, version 2, read from a trusted proxy before TLS begins.

use std::io;
use std::net::IpAddr;

use ppp::v2::{Addresses, Command, Header, PROTOCOL_PREFIX};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Reads the header and not one byte more. `None` when the proxy speaks for itself (its health check), or names no
/// IP address.
///
/// # Errors
/// When the bytes are no PROXY v2 header, or it is longer than any proxy sends.
pub(super) async fn read_header(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<IpAddr>> {
    let mut fixed = [0; FIXED_BYTES];
    stream.read_exact(&mut fixed).await?;
    if !fixed.starts_with(PROTOCOL_PREFIX) {
        return Err(invalid("no signature"));
    }
    let [.., high, low] = fixed;
    let rest = usize::from(u16::from_be_bytes([high, low]));
    if rest > REST_BYTES_MAX {
        return Err(invalid("too long"));
    }
    let mut whole = Vec::with_capacity(FIXED_BYTES + rest);
    whole.extend_from_slice(&fixed);
    whole.resize(FIXED_BYTES + rest, 0);
    stream.read_exact(whole.get_mut(FIXED_BYTES..).unwrap_or_default()).await?;
    let header = Header::try_from(whole.as_slice()).map_err(|_| invalid("malformed"))?;
    Ok(match (header.command, header.addresses) {
        (Command::Proxy, Addresses::IPv4(v4)) => Some(IpAddr::V4(v4.source_address)),
        (Command::Proxy, Addresses::IPv6(v6)) => Some(IpAddr::V6(v6.source_address)),
        _ => None,
    })
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Signature, version and command, family, length.
const FIXED_BYTES: usize = 16;
/// Addresses take at most 216 bytes; the rest is for the extensions of proxies that describe their own TLS.
const REST_BYTES_MAX: usize = 2_048;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn v2(command: u8, source: [u8; 4]) -> Vec<u8> {
        let mut header = PROTOCOL_PREFIX.to_vec();
        header.extend_from_slice(&[0x20 | command, 0x11, 0, 12]);
        header.extend_from_slice(&source);
        header.extend_from_slice(&[127, 0, 0, 1, 0x30, 0x39, 0x01, 0xbb]);
        header
    }

    #[tokio::test]
    async fn the_source_is_read_and_nothing_behind_the_header() {
        let mut bytes = v2(1, [192, 0, 2, 1]);
        bytes.extend_from_slice(b"hello");
        let mut stream = bytes.as_slice();
        assert_eq!(read_header(&mut stream).await.unwrap(), Some("192.0.2.1".parse().unwrap()));
        assert_eq!(stream, b"hello");
    }

    #[tokio::test]
    async fn a_proxys_own_connection_names_nobody() {
        assert_eq!(read_header(&mut v2(0, [192, 0, 2, 1]).as_slice()).await.unwrap(), None);
    }

    #[tokio::test]
    async fn every_cut_is_refused() {
        let whole = v2(1, [192, 0, 2, 1]);
        for length in 0..whole.len() {
            assert!(read_header(&mut whole.get(..length).unwrap()).await.is_err(), "{length}");
        }
    }

    #[tokio::test]
    async fn a_changed_signature_version_or_length_is_refused() {
        for (index, value) in [(0, 0), (11, 0), (12, 0x11), (12, 0x22), (14, 0xff), (15, 1)] {
            let mut bytes = v2(1, [192, 0, 2, 1]);
            *bytes.get_mut(index).unwrap() = value;
            assert!(read_header(&mut bytes.as_slice()).await.is_err(), "{index}");
        }
    }
}
