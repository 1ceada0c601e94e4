//! Wrapped keys that were exchanged, and keys that are not those.

use super::*;

#[test]
fn a_wrap_of_another_file_unwraps_nothing() {
    // The same artifact, the same KEK: what differs is the DEK alone.
    let [one, two] = [0, 1].map(|_| seal(b"weights", &[&kek(1)]).unwrap());
    let ((header, _, chunks), (_, wraps, _)) = (parts(&one), parts(&two));
    assert_eq!(open(&composed(&header, &wraps, &chunks), &kek(1)).err(), Some(KeyError::Refused));
    // Nor does a wrap that names the KEK under which it was not made.
    let (own, other) = (kek(1).id().unwrap().to_owned(), kek(2).id().unwrap().to_owned());
    let (header, wraps, chunks) = parts(&one);
    let wraps = String::from_utf8(wraps).unwrap().replace(&own, &other);
    let file = composed(&header, wraps.as_bytes(), &chunks);
    assert_eq!(open(&file, &kek(2)).err(), Some(KeyError::Refused));
}

#[test]
fn a_kek_that_a_file_is_not_sealed_for_is_told_so() {
    let file = seal(b"weights", &[&kek(1)]).unwrap();
    assert_eq!(open(&file, &kek(2)).err(), Some(KeyError::OtherKek));
    assert_eq!(open(&file, &passphrase("correct horse battery")).err(), Some(KeyError::OtherKek));
}

#[test]
fn wraps_of_kinds_that_are_unknown_here_are_kept_and_passed_over() {
    let file = seal(b"weights", &[&kek(1)]).unwrap();
    let (header, wraps, chunks) = parts(&file);
    let wraps = String::from_utf8(wraps).unwrap();
    let hardware = r#"{"id":"slot:7/key=a","kind":"pkcs11","parameters":{},"wrapped":"AAAA"}"#;
    let both = wraps.replacen('[', &format!("[{hardware},"), 1);
    let file = composed(&header, both.as_bytes(), &chunks);
    assert!(open(&file, &kek(1)).is_ok());
    let sealed = SealedFile::parse(&file).unwrap();
    let file = rewrap(&sealed, &kek(1), &kek(2), OldWrap::Dropped).unwrap();
    let kinds: Vec<_> =
        SealedFile::parse(&file).unwrap().wraps().iter().map(|w| w.kind().to_owned()).collect();
    assert_eq!(kinds, ["pkcs11", "key-file"]);
}

#[test]
fn rewrapping_changes_the_wraps_and_not_a_bit_else() {
    let file = seal(b"weights", &[&kek(1)]).unwrap();
    let sealed = SealedFile::parse(&file).unwrap();
    for (old, opens) in [(OldWrap::Kept, &[1, 2][..]), (OldWrap::Dropped, &[2])] {
        let changed = rewrap(&sealed, &kek(1), &kek(2), old).unwrap();
        let (before, after) = (parts(&file), parts(&changed));
        assert_eq!((before.0, before.2), (after.0, after.2));
        for byte in 1..=3 {
            assert_eq!(open(&changed, &kek(byte)).is_ok(), opens.contains(&byte), "{old:?} {byte}");
        }
    }
    assert_eq!(rewrap(&sealed, &kek(2), &kek(3), OldWrap::Kept).err(), Some(KeyError::OtherKek));
}

#[test]
fn rewrapping_for_the_same_kek_leaves_one_wrap() {
    let file = seal(b"weights", &[&kek(1)]).unwrap();
    for old in [OldWrap::Kept, OldWrap::Dropped] {
        let changed = rewrap(&SealedFile::parse(&file).unwrap(), &kek(1), &kek(1), old).unwrap();
        assert_eq!(SealedFile::parse(&changed).unwrap().wraps().len(), 1);
        assert_ne!(changed, file, "the salt is fresh");
        assert!(open(&changed, &kek(1)).is_ok());
    }
}

#[test]
fn a_file_is_sealed_for_one_kek_at_least_and_eight_at_most() {
    let keks: Vec<_> = (1..=9).map(kek).collect();
    let keks: Vec<&dyn KekProvider> = keks.iter().map(|kek| kek as &dyn KekProvider).collect();
    let refused = |found| Some(KeyError::Keks { found, max: WRAPS_MAX });
    assert_eq!(seal(b"w", &[]).err(), refused(0));
    assert_eq!(seal(b"w", &keks).err(), refused(9));
    let file = seal(b"w", &keks[..8]).unwrap();
    assert!(keks[..8].iter().all(|kek| open(&file, *kek).is_ok()));
    let sealed = SealedFile::parse(&file).unwrap();
    assert_eq!(rewrap(&sealed, keks[0], keks[8], OldWrap::Kept).err(), refused(9));
    assert!(rewrap(&sealed, keks[0], keks[8], OldWrap::Dropped).is_ok());
}
