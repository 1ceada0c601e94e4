//! Headers, lengths and lists that lie.

use super::*;

#[test]
fn what_needs_no_key_is_told_without_one() {
    use sha2::{Digest, Sha256};
    let clear = artifact(100);
    let file = seal(&clear, &[&kek(1), &kek(2)]).unwrap();
    let sealed = SealedFile::parse(&file).unwrap();
    assert!(is_sealed(&file) && !is_sealed(&clear));
    assert_eq!(sealed.digest()[..], Sha256::digest(&clear)[..]);
    assert_eq!(sealed.clear_bytes(), 100);
    let ids: Vec<_> = sealed.wraps().iter().map(Wrap::id).collect();
    assert_eq!(ids, [kek(1).id().unwrap(), kek(2).id().unwrap()]);
}

#[test]
fn a_dek_that_the_file_does_not_commit_to_opens_nothing_though_its_chunks_would() {
    let (clear, dek) = (b"weights", Dek::from_bytes([7; 32]));
    let false_commitment = *Dek::from_bytes([8; 32]).commitment().expose();
    let header = Header::new(clear, false_commitment).unwrap().encode();
    let wrap = kek(1).wrap(&dek, &header::identity(&header)).unwrap();
    let file = assemble(&header, &[wrap], clear, &dek).unwrap();
    let sealed = SealedFile::parse(&file).unwrap();
    assert_eq!(sealed.unwrap(&kek(1)).err(), Some(KeyError::Refused));
    assert_eq!(sealed.open(&dek).err(), Some(KeyError::Refused));
}

#[test]
fn a_file_that_names_another_artifact_opens_nothing() {
    let dek = Dek::from_bytes([7; 32]);
    let header = Header::new(b"weight!", *dek.commitment().expose()).unwrap().encode();
    let wrap = kek(1).wrap(&dek, &header::identity(&header)).unwrap();
    let file = assemble(&header, &[wrap], b"weights", &dek).unwrap();
    assert_eq!(open(&file, &kek(1)).err(), Some(KeyError::Refused));
}

#[test]
fn a_header_of_another_form_size_or_cipher_is_refused_unopened() {
    let file = seal(b"weights", &[&kek(1)]).unwrap();
    for (from, to) in [
        ("\"bytes\":7", "\"bytes\":8"),
        ("\"bytes\":7", "\"bytes\":-7"),
        ("\"bytes\":7", "\"bytes\":07"),
        ("\"bytes\":7", "\"bytes\":18446744073709551615"),
        ("\"bytes\":7", "\"bytes\":268435457"),
        ("65536", "65537"),
        ("65536", "0"),
        ("AES-256-GCM", "AES-128-GCM"),
        ("\"format\":1", "\"format\":2"),
        ("\"format\":1", "\"format\": 1"),
        ("\"format\":1", "\"format\":1,\"more\":1"),
        ("\"sha256\":\"", "\"sha256\":\"00"),
    ] {
        assert!(SealedFile::parse(&with_header(&file, from, to)).is_err(), "{to}");
    }
}

#[test]
fn lengths_that_lie_are_refused() {
    let file = seal(b"weights", &[&kek(1)]).unwrap();
    let (header, ..) = parts(&file);
    for at in [MAGIC.len(), MAGIC.len() + 4 + header.len()] {
        for length in [0, 1, 0x3ff, 0x4001, u32::MAX] {
            let mut file = file.clone();
            file[at..at + 4].copy_from_slice(&length.to_be_bytes());
            assert!(SealedFile::parse(&file).is_err(), "{length} at {at}");
        }
    }
}

#[test]
fn a_list_of_wraps_is_bounded_and_canonical() {
    let file = seal(b"weights", &[&kek(1)]).unwrap();
    let (header, wraps, chunks) = parts(&file);
    let wraps = String::from_utf8(wraps).unwrap();
    let one = wraps.trim_matches(['[', ']']);
    let many = format!("[{}]", [one; WRAPS_MAX].join(","));
    assert!(SealedFile::parse(&composed(&header, many.as_bytes(), &chunks)).is_ok());
    for list in [
        "[]".to_owned(),
        format!("[{}]", [one; WRAPS_MAX + 1].join(",")),
        format!("[{one} ]"),
        one.to_owned(),
        wraps.replace("key-file", ""),
        wraps.replace("key-file", &"k".repeat(33)),
        wraps.replace("key-file", "key\u{1b}[2Jfile"),
        wraps.replace("key-file", "key\\u0066ile"),
        wraps.replace("\"wrapped\":\"", "\"wrapped\":\"_"),
        wraps.replace("{\"salt\"", "{\"salt\":1,\"salt\""),
        wraps.replace("{\"salt\"", "{\"number\":1.5,\"salt\""),
        wraps.replace("{\"salt\"", "{\"none\":null,\"salt\""),
    ] {
        let changed = composed(&header, list.as_bytes(), &chunks);
        assert!(SealedFile::parse(&changed).is_err(), "{list}");
    }
}
