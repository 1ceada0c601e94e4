//! The frame around a message of gRPC: whether it is compressed (1), its length (4), itself.

use crate::refusal::Refusal;

/// The one message of a body.
///
/// # Errors
/// [`Refusal::FrameCompressed`], or [`Refusal::Frame`] for anything but one whole frame.
pub(super) fn message(mut body: Vec<u8>) -> Result<Vec<u8>, Refusal> {
    let Some((&[flag, a, b, c, d], rest)) = body.split_first_chunk::<HEAD_BYTES>() else {
        return Err(Refusal::Frame);
    };
    match (flag, usize::try_from(u32::from_be_bytes([a, b, c, d]))) {
        (0, Ok(length)) if length == rest.len() => {
            body.drain(..HEAD_BYTES);
            Ok(body)
        }
        (1, Ok(length)) if length == rest.len() => Err(Refusal::FrameCompressed),
        _ => Err(Refusal::Frame),
    }
}

/// The frame of an uncompressed message.
pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0][..], &length.to_be_bytes(), message].concat()
}

const HEAD_BYTES: usize = 5;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn a_message_comes_out_of_its_frame() {
        for text in [&b""[..], b"abc"] {
            assert_eq!(message(framed(text)).unwrap(), text);
        }
    }

    #[test]
    fn every_cut_and_every_byte_behind_is_refused() {
        let whole = framed(b"abc");
        for end in 0..whole.len() {
            assert_eq!(message(whole[..end].to_vec()), Err(Refusal::Frame), "cut at {end}");
        }
        assert_eq!(message([&whole[..], &[0]].concat()), Err(Refusal::Frame));
        assert_eq!(message([whole.clone(), whole].concat()), Err(Refusal::Frame));
    }

    #[test]
    fn a_compressed_message_is_refused_by_name() {
        assert_eq!(message(b"\x01\0\0\0\x01a".to_vec()), Err(Refusal::FrameCompressed));
        assert_eq!(message(b"\x02\0\0\0\x01a".to_vec()), Err(Refusal::Frame));
    }
}
