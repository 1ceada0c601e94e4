//! Chunks that were cut, moved or exchanged.

use super::*;

#[test]
fn no_bit_of_a_file_can_be_changed() {
    let mut file = seal(b"weights", &[&kek(1)]).unwrap();
    for bit in 0..file.len() * 8 {
        file[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&file, &kek(1)).is_err(), "bit {bit}");
        file[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(open(&file, &kek(1)).is_ok());
}

#[test]
fn a_cut_file_never_opens() {
    let file = seal(b"weights", &[&kek(1)]).unwrap();
    for length in 0..file.len() {
        assert!(SealedFile::parse(&file[..length]).is_err(), "{length} bytes");
    }
    let longer = [&file[..], &[0]].concat();
    assert!(SealedFile::parse(&longer).is_err());
}

#[test]
fn a_file_cannot_end_with_an_earlier_chunk() {
    let clear = artifact(2 * CHUNK_BYTES + 5);
    let file = seal(&clear, &[&kek(1)]).unwrap();
    let (front, mut chunks) = taken_apart(&file);
    chunks.pop();
    let cut = together((front, chunks));
    assert!(SealedFile::parse(&cut).is_err());
    // A header that agrees with the cut is another header.
    let shorter = with_header(&cut, "\"bytes\":131077", "\"bytes\":131072");
    let dek = SealedFile::parse(&file).unwrap().unwrap(&kek(1)).unwrap();
    let sealed = SealedFile::parse(&shorter).unwrap();
    assert_eq!(sealed.unwrap(&kek(1)).err(), Some(KeyError::Refused));
    assert_eq!(sealed.open(&dek).err(), Some(KeyError::Refused));
}

#[test]
fn the_flag_of_the_last_chunk_ends_a_stream_even_under_a_true_header() {
    // The header says three chunks' bytes, so only the flag tells that the second is not the last.
    let (dek, clear) = (Dek::from_bytes([7; 32]), artifact(2 * CHUNK_BYTES));
    let (mut whole, header) = (Vec::new(), b"header");
    stream::seal(&dek.chunk_key(), header, &clear, &mut whole).unwrap();
    let mut out = Vec::new();
    let cut = &whole[..CHUNK_BYTES + TAG_BYTES];
    assert!(stream::open(&dek.chunk_key(), header, cut, &mut out).is_err());
    assert!(stream::open(&dek.chunk_key(), header, &whole, &mut out).is_ok());
    // And no chunk can follow the one that is flagged.
    let mut one = Vec::new();
    stream::seal(&dek.chunk_key(), header, &clear[..CHUNK_BYTES], &mut one).unwrap();
    let followed = [&one[..], &whole[CHUNK_BYTES + TAG_BYTES..]].concat();
    assert!(stream::open(&dek.chunk_key(), header, &followed, &mut out).is_err());
}

#[test]
fn an_empty_chunk_ends_no_file_but_the_empty_one() {
    let dek = Dek::from_bytes([7; 32]);
    let key = dek.chunk_key();
    let aad = [crate::labels::AT_REST_CHUNK, b"header"].concat();
    let mut first = artifact(CHUNK_BYTES);
    let tag = key.seal_in_place(0, &aad, &mut first).unwrap();
    let empty = key.seal_in_place(1 << 8 | 1, &aad, &mut []).unwrap();
    let sealed = [&first[..], &tag, &empty].concat();
    assert!(stream::open(&key, b"header", &sealed, &mut Vec::new()).is_err());
    let empty = key.seal_in_place(1, &aad, &mut []).unwrap();
    assert!(stream::open(&key, b"header", &empty, &mut Vec::new()).is_ok());
}

#[test]
fn chunks_cannot_be_swapped_repeated_or_taken_from_another_file() {
    let clear = artifact(3 * CHUNK_BYTES);
    let file = seal(&clear, &[&kek(1)]).unwrap();
    let other = taken_apart(&seal(&clear, &[&kek(1)]).unwrap()).1;
    let (front, chunks) = taken_apart(&file);
    let changed = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut chunks = chunks.clone();
        change(&mut chunks);
        open(&together((front.clone(), chunks)), &kek(1)).err()
    };
    assert_eq!(changed(&|chunks| chunks.swap(0, 1)), Some(KeyError::Refused));
    assert_eq!(changed(&|chunks| chunks.swap(1, 2)), Some(KeyError::Refused));
    assert_eq!(changed(&|chunks| chunks[1] = chunks[0].clone()), Some(KeyError::Refused));
    for index in 0..3 {
        let foreign = |chunks: &mut Vec<Vec<u8>>| chunks[index] = other[index].clone();
        assert_eq!(changed(&foreign), Some(KeyError::Refused));
    }
    assert!(changed(&|chunks| drop(chunks.remove(1))).is_some());
    assert_eq!(changed(&|_| {}), None);
}
