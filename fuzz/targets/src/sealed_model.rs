use std::sync::LazyLock;

use sealgate_keys::Secret;
use sealgate_keys::at_rest::{
    Dek, KeyFileKek, OldWrap, SEALED_BYTES_MAX, SealedFile, is_sealed, rewrap, seal,
};

use crate::cursor::Cursor;

/// A model file at rest. The first byte says what the rest is: a file as somebody found it, or what
/// is changed in one that was sealed here.
///
/// # Panics
/// When a file is read that is not what it says, or one opens to anything that was not sealed.
pub fn sealed_model(input: &[u8]) {
    let mut cursor = Cursor::new(input);
    match cursor.byte() % 2 {
        0 => found(cursor.rest()),
        _ => changed(cursor),
    }
}

/// Bytes that nobody sealed under this key.
fn found(bytes: &[u8]) {
    let Ok(file) = SealedFile::parse(bytes) else { return };
    assert!(is_sealed(bytes) && bytes.len() <= SEALED_BYTES_MAX, "what is read is a sealed file");
    assert!(file.clear_bytes() < bytes.len(), "sealing makes longer");
    assert!(file.unwrap(&*KEK).is_err(), "nothing was wrapped under this key");
    assert!(file.open(&Dek::from_bytes([7; 32])).is_err(), "nothing was sealed under this one");
    assert!(rewrap(&file, &*KEK, &*OTHER_KEK, OldWrap::Kept).is_err(), "and so not wrapped anew");
}

/// Edits of three bytes, each where and what, then how much is cut off or put behind.
fn changed(mut cursor: Cursor<'_>) {
    let mut bytes = SEALED.clone();
    for _ in 0..cursor.byte() % 8 {
        let (at, mask) = (cursor.number() % bytes.len(), cursor.byte());
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= mask;
        }
    }
    let cut = cursor.number();
    bytes.truncate(bytes.len().saturating_sub(cut));
    bytes.extend_from_slice(cursor.rest());
    let Ok(file) = SealedFile::parse(&bytes) else {
        assert!(bytes != *SEALED, "what was sealed is read");
        return;
    };
    let opened = file.unwrap(&*KEK).and_then(|dek| file.open(&dek));
    match opened {
        Ok(clear) => assert_eq!(clear.expose(), ARTIFACT, "what opens is what was sealed"),
        Err(_) => {
            assert!(bytes != *SEALED, "what was sealed opens");
            return;
        }
    }
    // Whatever opens can be given to another key, and stays the same model.
    let other = rewrap(&file, &*KEK, &*OTHER_KEK, OldWrap::Dropped).expect("it opens");
    let other = SealedFile::parse(&other).expect("our own file");
    assert!(other.unwrap(&*KEK).is_err() || file.wraps().len() > 1, "the old key is gone");
    let dek = other.unwrap(&*OTHER_KEK).expect("it is wrapped for this key");
    assert_eq!(other.open(&dek).expect("the same chunks").expose(), ARTIFACT);
}

/// Two chunks.
static ARTIFACT: &[u8] = &[b'a'; (64 << 10) + 100];
static KEK: LazyLock<KeyFileKek> = LazyLock::new(|| KeyFileKek::new(Secret::from_bytes([5; 32])));
static OTHER_KEK: LazyLock<KeyFileKek> =
    LazyLock::new(|| KeyFileKek::new(Secret::from_bytes([6; 32])));
static SEALED: LazyLock<Vec<u8>> =
    LazyLock::new(|| seal(ARTIFACT, &[&*KEK]).expect("an artifact is sealed"));

/// A file for two keys that are not ours, whole, and edits of each part.
pub(crate) fn sealed_models() -> Vec<Vec<u8>> {
    let keks = [8, 9].map(|byte| KeyFileKek::new(Secret::from_bytes([byte; 32])));
    let seal = |artifact: &[u8], keks: &[&dyn sealgate_keys::at_rest::KekProvider]| {
        [&[0][..], &seal(artifact, keks).expect("an artifact is sealed")].concat()
    };
    let [first, second] = &keks;
    let edit = |at: u16| [&[1, 1][..], &at.to_be_bytes(), &[1], &[0, 0]].concat();
    let mut seeds = vec![
        seal(b"an artifact", &[first]),
        seal(b"", &[first, second]),
        seal(&[1; 300], &[second]),
        vec![1, 0, 0, 0],
        vec![1, 0, 0, 16],
        vec![1, 0, 0, 0, b'x'],
    ];
    seeds.extend([3, 25, 60, 300, 420, 700, 5_000].map(edit));
    seeds
}
