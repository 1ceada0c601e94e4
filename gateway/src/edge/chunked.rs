//! The chunked coding, read strictly (RFC 9112, section 7.1): no extensions, no trailers, CRLF and nothing else.
//!
//! Extensions and trailers are allowed by the RFC, used by nobody who speaks to us, and read differently from one
//! implementation to the next.

/// Where in a chunked body we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunked {
    /// In the size; so many digits were read.
    Size { size: u64, digits: u8 },
    /// Between CR and LF behind a size.
    SizeLf { size: u64 },
    /// In the data.
    Bytes { left: u64 },
    /// Before CR behind the data.
    BytesCr,
    /// Between CR and LF behind the data.
    BytesLf,
    /// Before CR behind the last chunk.
    EndCr,
    /// Between CR and LF behind the last chunk.
    EndLf,
    /// The body has ended.
    Done,
}

/// The bytes are no chunks as we read them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadChunk;

impl Chunked {
    /// Before the first chunk.
    pub(super) const START: Self = Self::Size { size: 0, digits: 0 };

    /// Goes through `bytes` up to the end of the body; gives the number of bytes that belong to it.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Result<usize, BadChunk> {
        let mut rest = bytes;
        while *self != Self::Done {
            if let Self::Bytes { left } = *self {
                let taken = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                rest = rest.get(taken..).unwrap_or_default();
                *self = match left - taken as u64 {
                    0 => Self::BytesCr,
                    left => Self::Bytes { left },
                };
            }
            let Some((byte, behind)) = rest.split_first() else { break };
            *self = self.step(*byte)?;
            rest = behind;
        }
        Ok(bytes.len() - rest.len())
    }

    fn step(self, byte: u8) -> Result<Self, BadChunk> {
        match (self, byte) {
            (Self::Size { size, digits }, _)
                if byte.is_ascii_hexdigit() && digits < SIZE_DIGITS_MAX =>
            {
                let digit = char::from(byte).to_digit(16).ok_or(BadChunk)?;
                Ok(Self::Size { size: size << 4 | u64::from(digit), digits: digits + 1 })
            }
            (Self::Size { size, digits: 1.. }, b'\r') => Ok(Self::SizeLf { size }),
            (Self::SizeLf { size: 0 }, b'\n') => Ok(Self::EndCr),
            (Self::SizeLf { size }, b'\n') => Ok(Self::Bytes { left: size }),
            (Self::BytesCr, b'\r') => Ok(Self::BytesLf),
            (Self::BytesLf, b'\n') => Ok(Self::START),
            (Self::EndCr, b'\r') => Ok(Self::EndLf),
            (Self::EndLf, b'\n') => Ok(Self::Done),
            _ => Err(BadChunk),
        }
    }
}

/// Sizes up to 4 GiB: far above every body limit, far below an overflow.
const SIZE_DIGITS_MAX: u8 = 8;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const GOOD: &[u8] = b"5\r\nhello\r\n00a\r\n0123456789\r\n0\r\n\r\n";

    #[test]
    fn the_body_ends_behind_the_last_chunk() {
        let mut state = Chunked::START;
        let bytes = [GOOD, b"GET /"].concat();
        assert_eq!(state.follow(&bytes), Ok(GOOD.len()));
        assert_eq!(state, Chunked::Done);
    }

    #[test]
    fn it_does_not_matter_where_the_bytes_are_cut() {
        for cut in 0..GOOD.len() {
            let mut state = Chunked::START;
            let (left, right) = GOOD.split_at(cut);
            assert_eq!(state.follow(left), Ok(left.len()));
            assert_ne!(state, Chunked::Done, "{cut}");
            assert_eq!(state.follow(right), Ok(right.len()));
            assert_eq!(state, Chunked::Done, "{cut}");
        }
    }

    #[test]
    fn every_other_spelling_is_refused() {
        for bad in [
            "5\nhello\r\n0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello0\r\n\r\n",
            "5\r\nhelloo\r\n0\r\n\r\n",
            "5;a=b\r\nhello\r\n0\r\n\r\n",
            "5 \r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "g\r\n",
            "\r\n",
            "-1\r\n",
            "000000005\r\nhello\r\n0\r\n\r\n",
            "fffffffffffffffff\r\n",
            "0\r\nTrailer: x\r\n\r\n",
            "0\r\n\n",
            "0\n\r\n",
            "5\rhello",
        ] {
            assert_eq!(Chunked::START.clone().follow(bad.as_bytes()), Err(BadChunk), "{bad:?}");
        }
    }

    #[test]
    fn a_changed_frame_byte_is_refused_or_changes_no_length() {
        for index in 0..GOOD.len() {
            let mut bytes = GOOD.to_vec();
            *bytes.get_mut(index).unwrap() ^= 0x80;
            let mut state = Chunked::START;
            let outcome = state.follow(&bytes);
            assert!(outcome == Err(BadChunk) || outcome == Ok(GOOD.len()), "{index}");
        }
    }
}
