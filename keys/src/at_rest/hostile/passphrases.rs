//! Passphrases, and what their wraps ask for.

use super::*;

#[test]
fn no_bit_of_a_file_under_a_passphrase_can_be_changed() {
    let kek = passphrase("correct horse battery");
    let mut file = seal(b"w", &[&kek]).unwrap();
    for bit in 0..file.len() * 8 {
        file[bit / 8] ^= 1 << (bit % 8);
        // A changed digit of the cost could ask for a lot of work, which is not the claim here.
        let cheap = SealedFile::parse(&file).is_ok_and(|sealed| {
            sealed.wraps().iter().all(|wrap| wrap.number("memory_kib").is_none_or(|kib| kib < 100))
        });
        assert!(!cheap || open(&file, &kek).is_err(), "bit {bit}");
        file[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(open(&file, &kek).is_ok());
}

#[test]
fn a_passphrase_opens_what_it_sealed_and_another_does_not() {
    let file = seal(b"weights", &[&passphrase("correct horse battery")]).unwrap();
    assert!(open(&file, &passphrase("correct horse battery")).is_ok());
    assert_eq!(open(&file, &passphrase("correct horse batterz")).err(), Some(KeyError::Refused));
    assert_eq!(open(&file, &kek(1)).err(), Some(KeyError::OtherKek));
}

#[test]
fn the_second_of_two_passphrases_opens_too_and_tells_nothing_of_itself() {
    let (first, second) = (passphrase("correct horse battery"), passphrase("staple the second 1"));
    let file = seal(b"weights", &[&first, &second]).unwrap();
    assert!(open(&file, &second).is_ok());
    let sealed = SealedFile::parse(&file).unwrap();
    let again = rewrap(&sealed, &second, &second, OldWrap::Dropped).unwrap();
    let again = SealedFile::parse(&again).unwrap();
    assert_eq!(again.wraps().len(), 2);
    assert_ne!(
        again.wraps()[1].id(),
        sealed.wraps()[1].id(),
        "an id is not made of the passphrase"
    );
}

#[test]
fn a_wrap_that_asks_for_too_much_work_is_refused_before_it_is_done() {
    let file = seal(b"weights", &[&passphrase("correct horse battery")]).unwrap();
    let (header, wraps, chunks) = parts(&file);
    let wraps = String::from_utf8(wraps).unwrap();
    for (from, to) in [
        ("\"memory_kib\":8", "\"memory_kib\":1048577"),
        ("\"memory_kib\":8", "\"memory_kib\":4294967295"),
        ("\"passes\":1", "\"passes\":17"),
        ("\"lanes\":1", "\"lanes\":5"),
    ] {
        let asking = wraps.replacen(from, to, 1);
        let refused = open(
            &composed(&header, asking.as_bytes(), &chunks),
            &passphrase("correct horse battery"),
        );
        assert!(matches!(refused, Err(KeyError::OverCost { .. })), "{to}");
    }
    for (from, to) in [
        ("\"memory_kib\":8", "\"memory_kib\":7"),
        ("\"memory_kib\":8", "\"memory_kib\":0"),
        ("\"memory_kib\":8", "\"memory_kib\":9"),
        ("\"passes\":1", "\"passes\":0"),
        ("\"passes\":1", "\"passes\":2"),
        ("\"lanes\":1", "\"lanes\":0"),
        ("\"passes\":1", "\"passes\":\"1\""),
        ("\"passes\":1", "\"more\":1,\"passes\":1"),
    ] {
        let other = wraps.replacen(from, to, 1);
        let refused = open(
            &composed(&header, other.as_bytes(), &chunks),
            &passphrase("correct horse battery"),
        );
        assert!(refused.is_err(), "{to}");
    }
}

#[test]
fn a_passphrase_that_is_short_or_has_two_lines_is_none() {
    let new = |text: &[u8]| PassphraseKek::new(text.to_vec().into()).is_ok();
    assert!(new(b"fifteen letters"));
    assert!(!new(b"fourteen chars"));
    assert!(!new("äääääääää".as_bytes()), "characters are counted, not bytes");
    assert!(new("ääääääääääääääää".as_bytes()));
    assert!(!new(b"fifteen letters\nand another line"));
    assert!(!new(b"\xff\xfe fifteen letters"));
    assert!(new(&[b'a'; PassphraseKek::BYTES_MAX]));
    assert!(!new(&[b'a'; PassphraseKek::BYTES_MAX + 1]));
}
