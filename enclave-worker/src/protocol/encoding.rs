//! `Content-Encoding`: a compressed body is unpacked here, up to a bound, into memory that is wiped.
//!
//! The decoder writes straight into that memory and keeps no window of its own.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_COMPUTE_ADLER32, TINFL_FLAG_PARSE_ZLIB_HEADER,
    TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use zeroize::Zeroizing;

use super::Refusal;

/// The unpacked body, or nothing where it is not packed.
///
/// # Errors
/// [`Refusal::EncodingUnsupported`] for anything but gzip (RFC 1952, one member) and what RFC 9110
/// calls `deflate`, zlib (RFC 1950); [`Refusal::EncodingBroken`]; [`Refusal::BodyTooLarge`] beyond
/// `bytes_max`.
pub(super) fn unpacked(
    encoding: Option<&str>,
    body: &[u8],
    bytes_max: usize,
) -> Result<Option<Zeroizing<Vec<u8>>>, Refusal> {
    match encoding.unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(None),
        "gzip" | "x-gzip" => gunzipped(body, bytes_max).map(Some),
        "deflate" => {
            let flags = TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_COMPUTE_ADLER32;
            match inflated(body, flags, bytes_max)? {
                (unpacked, []) => Ok(Some(unpacked)),
                // A second stream behind the first would be a second body.
                _ => Err(Refusal::EncodingBroken),
            }
        }
        _ => Err(Refusal::EncodingUnsupported),
    }
}

fn gunzipped(body: &[u8], bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let packed = behind_gzip_head(body).ok_or(Refusal::EncodingBroken)?;
    let (unpacked, behind) = inflated(packed, 0, bytes_max)?;
    let length = u32::try_from(unpacked.len()).map_err(|_| Refusal::EncodingBroken)?;
    let trailer = [crc32fast::hash(&unpacked).to_le_bytes(), length.to_le_bytes()].concat();
    if behind == trailer { Ok(unpacked) } else { Err(Refusal::EncodingBroken) }
}

/// RFC 1952, section 2.3.
fn behind_gzip_head(body: &[u8]) -> Option<&[u8]> {
    let (&[id1, id2, method, flags, ..], mut rest) = body.split_first_chunk::<10>()?;
    if (id1, id2, method) != (0x1f, 0x8b, 8) || flags & RESERVED != 0 {
        return None;
    }
    if flags & EXTRA != 0 {
        let (length, behind) = rest.split_first_chunk::<2>()?;
        rest = behind.get(u16::from_le_bytes(*length).into()..)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = rest.get(end + 1..)?;
        }
    }
    if flags & HEAD_CRC != 0 {
        let head = body.get(..body.len() - rest.len())?;
        let (crc, behind) = rest.split_first_chunk::<2>()?;
        let [low, high, ..] = crc32fast::hash(head).to_le_bytes();
        rest = (*crc == [low, high]).then_some(behind)?;
    }
    Some(rest)
}

const HEAD_CRC: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

/// One whole stream of RFC 1951, and what stands behind it. Each time the room is used up the bytes
/// move to twice as much, and the old room is wiped.
fn inflated(
    packed: &[u8],
    flags: u32,
    bytes_max: usize,
) -> Result<(Zeroizing<Vec<u8>>, &[u8]), Refusal> {
    let flags = flags | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let mut state = Box::new(DecompressorOxide::new());
    let mut room = Zeroizing::new(vec![0; packed.len().saturating_mul(USUAL_RATIO).min(bytes_max)]);
    let (mut rest, mut length) = (packed, 0);
    loop {
        let (status, read, written) = decompress(&mut state, rest, &mut room, length, flags);
        rest = rest.get(read..).unwrap_or_default();
        length += written;
        match status {
            TINFLStatus::Done => break,
            TINFLStatus::HasMoreOutput if room.len() >= bytes_max => {
                return Err(Refusal::BodyTooLarge { max: bytes_max });
            }
            TINFLStatus::HasMoreOutput => {
                let twice = room.len().saturating_mul(2).clamp(ROOM_BYTES_MIN, bytes_max.max(1));
                let mut more = Zeroizing::new(vec![0; twice]);
                more.iter_mut().zip(room.iter()).for_each(|(to, from)| *to = *from);
                room = more;
            }
            // Everything is here, so whoever needs more was cut.
            _ => return Err(Refusal::EncodingBroken),
        }
    }
    room.truncate(length);
    Ok((room, rest))
}

/// Numbers in JSON shrink to about a third.
const USUAL_RATIO: usize = 4;
const ROOM_BYTES_MIN: usize = 1;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;

    const BODY: &[u8] =
        br#"{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[61,0.5,61,0.5]}]}"#;
    /// The same, by zlib and by gzip with a file's name.
    const ZLIB: &str = "78daab56cacc2b282d2956b28aae56ca4bcc4d55b252aa50d2512ace482c00b2a38d748c6275945\
        2124b124b2a41024a6e01c6464a1011a0b499a18e819ea90e848aad8dad0500e9921761";
    const GZIP: &str = "1f8b08080000000002ff726f77732e6a736f6e00ab56cacc2b282d2956b28aae56ca4bcc4d55b25\
        2aa50d2512ace482c00b2a38d748c62759452124b124b2a41024a6e01c6464a1011a0b499a18e819ea90e848aad8d\
        ad0500856388b750000000";

    fn unpack(encoding: &str, body: &[u8], max: usize) -> Result<Option<Vec<u8>>, Refusal> {
        unpacked(Some(encoding), body, max).map(|bytes| bytes.map(|bytes| bytes.to_vec()))
    }

    fn foreign() -> [(&'static str, Vec<u8>); 2] {
        [("deflate", ZLIB), ("gzip", GZIP)]
            .map(|(name, packed)| (name, hex::decode(packed).unwrap()))
    }

    /// Stored blocks, which any decoder takes.
    fn stored(body: &[u8]) -> Vec<u8> {
        let block = |bytes: &[u8]| {
            let length = u16::try_from(bytes.len()).unwrap();
            [&[0][..], &length.to_le_bytes(), &(!length).to_le_bytes(), bytes].concat()
        };
        let blocks: Vec<u8> = body.chunks(100).flat_map(block).collect();
        [&blocks[..], &[1, 0, 0, 0xff, 0xff]].concat()
    }

    fn gzip(flags: u8, fields: &[u8], body: &[u8]) -> Vec<u8> {
        let head = [&[0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 0xff][..], fields].concat();
        let length = u32::try_from(body.len()).unwrap();
        let trailer = [crc32fast::hash(body).to_le_bytes(), length.to_le_bytes()].concat();
        [head, stored(body), trailer].concat()
    }

    #[test]
    fn a_body_that_is_not_packed_is_left_where_it_is() {
        assert_eq!(unpacked(None, b"{}", 9).map(|bytes| bytes.is_none()), Ok(true));
        for encoding in ["", "identity", " Identity "] {
            assert_eq!(unpack(encoding, b"{}", 9), Ok(None), "{encoding}");
        }
    }

    #[test]
    fn any_other_encoding_is_refused_by_name() {
        for encoding in ["br", "zstd", "gzip, gzip", "compress", "deflate;q=1"] {
            assert_eq!(unpack(encoding, b"", 9), Err(Refusal::EncodingUnsupported), "{encoding}");
        }
    }

    #[test]
    fn what_others_pack_is_unpacked_up_to_the_bound() {
        for (encoding, packed) in foreign() {
            let whole = unpack(encoding, &packed, BODY.len());
            assert_eq!(whole, Ok(Some(BODY.to_vec())), "{encoding}");
            for max in [0, 1, BODY.len() - 1] {
                let refusal = Err(Refusal::BodyTooLarge { max });
                assert_eq!(unpack(encoding, &packed, max), refusal, "{encoding} {max}");
            }
        }
    }

    #[test]
    fn a_body_that_grows_a_thousandfold_stops_at_the_bound() {
        let run = "c13101000000c2a0f54f6d0d0fa0".to_owned() + &"0".repeat(192);
        let zeros = hex::decode(format!("78daed{run}80570386af0001")).unwrap();
        assert_eq!(unpack("deflate", &zeros, 100_000), Ok(Some(vec![0; 100_000])));
        let refusal = Err(Refusal::BodyTooLarge { max: 99_999 });
        assert_eq!(unpack("deflate", &zeros, 99_999), refusal);
    }

    #[test]
    fn every_cut_and_every_byte_behind_is_refused() {
        for (encoding, packed) in foreign() {
            for end in 0..packed.len() {
                let cut = unpack(encoding, &packed[..end], 100);
                assert_eq!(cut, Err(Refusal::EncodingBroken), "{encoding} cut at {end}");
            }
            for behind in [&packed[..], &[0]] {
                let longer = [&packed[..], behind].concat();
                assert_eq!(unpack(encoding, &longer, 100), Err(Refusal::EncodingBroken));
            }
        }
    }

    #[test]
    fn no_changed_bit_gives_another_body() {
        for (encoding, packed) in foreign() {
            for bit in 0..packed.len() * 8 {
                let mut changed = packed.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                if let Ok(Some(body)) = unpack(encoding, &changed, 100) {
                    assert_eq!(body, BODY, "{encoding} bit {bit}");
                }
            }
        }
    }

    #[test]
    fn a_gzip_head_may_hold_all_its_fields() {
        assert_eq!(unpack("gzip", &gzip(0, &[], BODY), 100), Ok(Some(BODY.to_vec())));
        let fields = b"\x02\0abname\0comment\0";
        let flags = EXTRA | NAME | COMMENT;
        assert_eq!(unpack("gzip", &gzip(flags, fields, BODY), 100), Ok(Some(BODY.to_vec())));
        let head = [&[0x1f, 0x8b, 8, flags | HEAD_CRC, 0, 0, 0, 0, 0, 0xff][..], fields].concat();
        let crc = &crc32fast::hash(&head).to_le_bytes()[..2];
        let fields = [&fields[..], crc].concat();
        let packed = gzip(flags | HEAD_CRC, &fields, BODY);
        assert_eq!(unpack("gzip", &packed, 100), Ok(Some(BODY.to_vec())));
        let reserved = gzip(0x80, &[], BODY);
        assert_eq!(unpack("gzip", &reserved, 100), Err(Refusal::EncodingBroken));
    }

    #[test]
    fn a_raw_deflate_stream_is_not_taken_for_zlib() {
        assert_eq!(unpack("deflate", &stored(BODY), 100), Err(Refusal::EncodingBroken));
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back(body in prop::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert_eq!(unpack("gzip", &gzip(0, &[], &body), 2000), Ok(Some(body)));
        }

        #[test]
        fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            for encoding in ["gzip", "deflate"] {
                let _ = unpack(encoding, &body, 1000);
            }
            let _ = inflated(&body, 0, 1000);
        }
    }
}
