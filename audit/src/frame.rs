//! Frames: what a segment is made of after its header.
//!
//! `length u32 | crc u32 | type u8 | body`, little-endian. The length counts type and body, so it
//! is never zero and zeros are never a frame. The CRC-32C covers length, type and body.

use crate::finding::What;
use crate::record::BODY_BYTES_MAX;

/// What a frame holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// A record: one leaf of the tree.
    Leaf = 1,
    /// A signed checkpoint over all leaves before it.
    Checkpoint = 2,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Leaf, Self::Checkpoint].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// Appends a frame to `out`; `body` appends the body.
pub(crate) fn put(kind: Kind, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD_BYTES]);
    out.push(kind as u8);
    body(out);
    let Some((head, rest)) = out.get_mut(start..).and_then(<[u8]>::split_first_chunk_mut) else {
        return;
    };
    let rest: &[u8] = rest;
    *head = to_head(rest);
}

fn to_head(rest: &[u8]) -> [u8; HEAD_BYTES] {
    // A body is at most `BODY_BYTES_MAX`, which drafts and checkpoints keep to.
    let length = u32::try_from(rest.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut head = [0; HEAD_BYTES];
    let (first, last) = head.split_at_mut(4);
    first.copy_from_slice(&length);
    last.copy_from_slice(&checksum(length, rest).to_le_bytes());
    head
}

fn checksum(length: [u8; 4], rest: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&length), rest)
}

/// The length that a frame declares, if there are enough bytes and it can be; zero for zeros.
pub(crate) fn declared(bytes: &[u8]) -> Result<usize, What> {
    let length = *bytes.first_chunk().ok_or(What::CutOff)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > LENGTH_MAX {
        return Err(What::Length);
    }
    Ok(length)
}

/// Reads the frame at the start of `bytes`.
pub(crate) fn parse(bytes: &[u8]) -> Result<(Kind, &[u8]), What> {
    let length = declared(bytes)?;
    let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or(What::CutOff)?;
    let rest = rest.get(..length).ok_or(What::CutOff)?;
    if *head != to_head(rest) {
        return Err(What::Checksum);
    }
    let (kind, body) = rest.split_first().ok_or(What::Length)?;
    let kind = Kind::of(*kind).ok_or(What::FrameType)?;
    Ok((kind, body))
}

/// Bytes before the type.
pub(crate) const HEAD_BYTES: usize = 8;
/// Bytes of a frame beside its body.
pub(crate) const OVERHEAD_BYTES: usize = HEAD_BYTES + 1;
/// The longest frame.
pub(crate) const FRAME_BYTES_MAX: usize = OVERHEAD_BYTES + BODY_BYTES_MAX;
const LENGTH_MAX: usize = 1 + BODY_BYTES_MAX;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn frame() -> Vec<u8> {
        let mut out = Vec::new();
        put(Kind::Leaf, &mut out, |out| out.extend_from_slice(b"{\"n\":7}"));
        out
    }

    #[test]
    fn a_frame_reads_back_as_it_was_written() {
        assert_eq!(parse(&frame()), Ok((Kind::Leaf, &b"{\"n\":7}"[..])));
    }

    #[test]
    fn a_frame_with_any_bit_flipped_is_refused() {
        for i in 0..frame().len() * 8 {
            let mut frame = frame();
            frame[i / 8] ^= 1 << (i % 8);
            assert!(parse(&frame).is_err(), "bit {i}");
        }
    }

    #[test]
    fn a_frame_cut_anywhere_is_refused() {
        let frame = frame();
        for end in 0..frame.len() {
            assert!(parse(&frame[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn zeros_are_no_frame() {
        assert!(parse(&[0; 64]).is_err());
    }

    #[test]
    fn a_frame_of_an_unknown_type_is_refused() {
        let mut frame = frame();
        frame[8] = 9;
        let head = to_head(&frame[8..]);
        frame[..8].copy_from_slice(&head);
        assert_eq!(parse(&frame), Err(What::FrameType));
    }
}
