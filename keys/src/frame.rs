//! The hop's frames: a fixed header and a payload.
//!
//! ```text
//! 0       4    5    6         8        12         20
//! | length | v  | kind | 0  0 | epoch   | id        | payload (length bytes)
//! ```
//! Numbers are big-endian; `length` counts the payload alone. The 20 header bytes are part of
//! the AAD of whatever the payload seals, so no field of them can be changed on the way.

use crate::{Epoch, KeyError};

/// Bytes of a frame's header.
pub const HEADER_BYTES: usize = 20;
/// The largest payload either side accepts.
pub const PAYLOAD_BYTES_MAX: usize = 80 << 20;
/// The framing's version.
const VERSION: u8 = 1;

/// What a frame carries. The mode of a request is its kind, never a header inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Worker to gateway, first: keyset and evidence.
    Hello,
    /// Gateway to worker, second: HPKE encapsulation and proof of the PSK.
    Open,
    /// A sealed control message; `id` counts them per direction.
    Control,
    /// A gateway-sealed request; `id` counts them per epoch.
    Request,
    /// A client-sealed request; `id` counts them per epoch.
    SealedRequest,
    /// The answer to the request with the same epoch and id.
    Answer,
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Hello => 1,
            Self::Open => 2,
            Self::Control => 3,
            Self::Request => 4,
            Self::SealedRequest => 5,
            Self::Answer => 6,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Hello,
            2 => Self::Open,
            3 => Self::Control,
            4 => Self::Request,
            5 => Self::SealedRequest,
            6 => Self::Answer,
            _ => return None,
        })
    }
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the payload is.
    pub kind: Kind,
    /// Under which epoch's keys it is sealed; 0 before there is a session.
    pub epoch: Epoch,
    /// Which request or control message it is.
    pub id: u64,
    /// Bytes of the payload.
    pub payload_bytes: u32,
}

impl Header {
    /// The header's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..4].copy_from_slice(&self.payload_bytes.to_be_bytes());
        out[4] = VERSION;
        out[5] = self.kind.code();
        out[8..12].copy_from_slice(&self.epoch.to_be_bytes());
        out[12..].copy_from_slice(&self.id.to_be_bytes());
        out
    }

    /// Reads a header, refusing anything it does not know.
    ///
    /// # Errors
    /// [`KeyError::Frame`] for an unknown version or kind or set reserved bytes,
    /// [`KeyError::TooLarge`] for a payload over [`PAYLOAD_BYTES_MAX`].
    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, KeyError> {
        let [l0, l1, l2, l3, version, kind, r0, r1, e0, e1, e2, e3, id @ ..] = *bytes;
        if version != VERSION || r0 != 0 || r1 != 0 {
            return Err(KeyError::Frame);
        }
        let payload_bytes = u32::from_be_bytes([l0, l1, l2, l3]);
        let bytes = payload_bytes as usize;
        if bytes > PAYLOAD_BYTES_MAX {
            return Err(KeyError::TooLarge { what: "frame", bytes, max: PAYLOAD_BYTES_MAX });
        }
        Ok(Self {
            kind: Kind::from_code(kind).ok_or(KeyError::Frame)?,
            epoch: u32::from_be_bytes([e0, e1, e2, e3]),
            id: u64::from_be_bytes(id),
            payload_bytes,
        })
    }
}

/// A whole frame: header and payload in one buffer.
///
/// # Errors
/// [`KeyError::TooLarge`] for a payload over [`PAYLOAD_BYTES_MAX`].
pub fn encode(kind: Kind, epoch: Epoch, id: u64, payload: &[u8]) -> Result<Vec<u8>, KeyError> {
    let header = Header { kind, epoch, id, payload_bytes: payload_len(payload.len())? };
    let mut frame = Vec::with_capacity(HEADER_BYTES + payload.len());
    frame.extend_from_slice(&header.encode());
    frame.extend_from_slice(payload);
    Ok(frame)
}

pub(crate) fn payload_len(bytes: usize) -> Result<u32, KeyError> {
    u32::try_from(bytes)
        .ok()
        .filter(|&n| n as usize <= PAYLOAD_BYTES_MAX)
        .ok_or(KeyError::TooLarge { what: "frame", bytes, max: PAYLOAD_BYTES_MAX })
}

/// Splits `u32 length || part || rest` as it stands at the start of request and answer payloads.
///
/// # Errors
/// [`KeyError::Frame`] when the payload ends before the part does.
pub fn split_part(payload: &mut [u8]) -> Result<(&mut [u8], &mut [u8]), KeyError> {
    let (length, rest) = payload.split_at_mut_checked(4).ok_or(KeyError::Frame)?;
    let length = <[u8; 4]>::try_from(&*length).map_err(|_| KeyError::Frame)?;
    rest.split_at_mut_checked(u32::from_be_bytes(length) as usize).ok_or(KeyError::Frame)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    const HEADER: Header = Header { kind: Kind::Request, epoch: 7, id: 1 << 40, payload_bytes: 99 };

    #[test]
    fn a_header_comes_back_as_it_went() {
        assert_eq!(Header::decode(&HEADER.encode()).unwrap(), HEADER);
    }

    #[test]
    fn unknown_versions_kinds_and_reserved_bytes_are_refused() {
        for (at, value) in [(4, 0), (4, 2), (5, 0), (5, 7), (6, 1), (7, 1)] {
            let mut bytes = HEADER.encode();
            bytes[at] = value;
            assert_eq!(Header::decode(&bytes), Err(KeyError::Frame), "byte {at} = {value}");
        }
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_anything_is_allocated() {
        let mut bytes = HEADER.encode();
        bytes[..4].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(matches!(Header::decode(&bytes), Err(KeyError::TooLarge { .. })));
    }

    #[test]
    fn a_part_longer_than_its_payload_is_refused() {
        assert_eq!(split_part(&mut [0, 0, 0, 2, 1]), Err(KeyError::Frame));
        assert_eq!(split_part(&mut [0, 0, 0]), Err(KeyError::Frame));
        assert_eq!(split_part(&mut [0, 0, 0, 1, 5, 6]).unwrap().1, [6]);
    }
}
