//! The chunks of a sealed file, as in STREAM: see [the module above](super).

use crate::{KeyError, SealingKey, TAG_BYTES, labels};

/// Bytes of every chunk's cleartext but the last one's.
pub(super) const CHUNK_BYTES: usize = 64 << 10;

/// Bytes of the chunks of a file of `clear_bytes`: a tag for each, and an empty file has one chunk.
pub(super) const fn sealed_bytes(clear_bytes: usize) -> usize {
    let chunks = clear_bytes.div_ceil(CHUNK_BYTES);
    clear_bytes + TAG_BYTES * if chunks == 0 { 1 } else { chunks }
}

/// Appends the chunks of `clear` to `out`.
pub(super) fn seal(
    key: &SealingKey,
    header: &[u8],
    clear: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), KeyError> {
    let aad = aad(header);
    let mut rest = clear;
    for index in 0.. {
        let (chunk, after) = rest.split_at(rest.len().min(CHUNK_BYTES));
        let start = out.len();
        out.extend_from_slice(chunk);
        let sealed = out.get_mut(start..).unwrap_or_default();
        let tag = key.seal_in_place(counter(index, after.is_empty()), &aad, sealed)?;
        out.extend_from_slice(&tag);
        if after.is_empty() {
            break;
        }
        rest = after;
    }
    Ok(())
}

/// Opens all chunks into `out`, which has room for them: nothing is left behind by growing.
pub(super) fn open(
    key: &SealingKey,
    header: &[u8],
    sealed: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), KeyError> {
    let aad = aad(header);
    let mut buffer = zeroize::Zeroizing::new(Vec::with_capacity(CHUNK_BYTES + TAG_BYTES));
    let mut rest = sealed;
    for index in 0.. {
        let (chunk, after) = rest.split_at(rest.len().min(CHUNK_BYTES + TAG_BYTES));
        buffer.clear();
        buffer.extend_from_slice(chunk);
        let clear = key.open_in_place(counter(index, after.is_empty()), &aad, &mut buffer)?;
        // An empty chunk is the whole of an empty file and the end of no other.
        if clear.is_empty() && index > 0 {
            return Err(KeyError::Refused);
        }
        out.extend_from_slice(clear);
        if after.is_empty() {
            break;
        }
        rest = after;
    }
    Ok(())
}

/// The low eight bytes of the nonce: an 11-byte counter and the flag of the last chunk are, for
/// counters below 2^56, four zero bytes, the counter in seven and the flag in one.
const fn counter(index: u64, last: bool) -> u64 {
    index << 8 | last as u64
}

fn aad(header: &[u8]) -> Vec<u8> {
    [labels::AT_REST_CHUNK, header].concat()
}
