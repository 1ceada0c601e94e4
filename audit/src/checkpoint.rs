//! Checkpoints: C2SP tlog-checkpoint, a signed note that names a tree by its size and root.

use crate::error::AuditError;
use crate::key::{CheckpointKey, Origin, VerifierKey};
use crate::merkle::Hash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// What a checkpoint says: the first `size` records have the root `root`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    /// How many records.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
}

impl Checkpoint {
    /// Writes the note and signs it with each of `keys`.
    pub(crate) fn sign<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k CheckpointKey>,
        origin: &Origin,
    ) -> Result<String, AuditError> {
        let text = format!("{origin}\n{}\n{}\n", self.size, BASE64.encode(self.root));
        let mut note = format!("{text}\n");
        for key in keys {
            note.push_str(&key.sign_line(origin, &text)?);
        }
        Ok(note)
    }

    /// The number of records that a note speaks of, whoever signed it: only where to look.
    pub(crate) fn size_of(note: &str) -> Option<u64> {
        note.lines().nth(1).and_then(decimal)
    }

    /// Reads a note that any of `keys` signed.
    pub(crate) fn open_any(note: &str, keys: &[VerifierKey]) -> Option<Self> {
        keys.iter().find_map(|key| Self::open(note, key).ok())
    }

    /// Reads a note that `key` signed. Lines of other signers beside it are let be.
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, AuditError> {
        let (text, signatures) = note.split_once("\n\n").ok_or(MALFORMED)?;
        let text = format!("{text}\n");
        let signatures = signatures.strip_suffix('\n').ok_or(MALFORMED)?;
        let mut signatures = signatures.split('\n').take(SIGNATURES_MAX);
        if !signatures.any(|line| key.verifies(&text, line)) {
            return Err(AuditError::Checkpoint("its signature does not verify"));
        }
        let mut lines = text.lines();
        if lines.next() != Some(key.origin().as_str()) {
            return Err(AuditError::Checkpoint("it is of another origin"));
        }
        let (size, root) = (lines.next().and_then(decimal), lines.next().and_then(hash));
        size.zip(root).map(|(size, root)| Self { size, root }).ok_or(MALFORMED)
    }
}

/// Decimal digits without a leading zero, as the format asks.
fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn hash(text: &str) -> Option<Hash> {
    BASE64.decode(text).ok()?.try_into().ok()
}

const MALFORMED: AuditError = AuditError::Checkpoint("it is malformed");
/// C2SP signed-note lets a reader refuse more.
const SIGNATURES_MAX: usize = 100;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn signed() -> (String, Checkpoint, VerifierKey) {
        let key = CheckpointKey::from_seed(&[7; 32]).unwrap();
        let origin = Origin::new("example.com/log").unwrap();
        let checkpoint = Checkpoint { size: 20_852_163, root: [3; 32] };
        let note = checkpoint.sign([&key], &origin).unwrap();
        (note, checkpoint, key.verifier(&origin).unwrap())
    }

    #[test]
    fn a_checkpoint_has_the_form_of_the_specification() {
        let (note, _, _) = signed();
        let lines: Vec<_> = note.split('\n').collect();
        let [origin, size, root, blank, line, end] = lines.as_slice() else {
            unreachable!("{note}")
        };
        assert_eq!((*origin, *size), ("example.com/log", "20852163"));
        assert_eq!(BASE64.decode(root).unwrap(), [3; 32]);
        assert_eq!((*blank, *end), ("", ""));
        assert!(line.starts_with("— example.com/log "));
    }

    #[test]
    fn a_checkpoint_opens_to_what_was_signed() {
        let (note, checkpoint, key) = signed();
        assert_eq!(Checkpoint::open(&note, &key).unwrap(), checkpoint);
    }

    #[test]
    fn a_second_signature_beside_ours_is_let_be() {
        let (note, checkpoint, key) = signed();
        let note = format!("{note}— witness AAAAAAAA\n");
        assert_eq!(Checkpoint::open(&note, &key).unwrap(), checkpoint);
    }

    #[test]
    fn a_checkpoint_with_any_bit_flipped_does_not_open() {
        let (note, _, key) = signed();
        for i in 0..note.len() * 8 {
            let mut bytes = note.clone().into_bytes();
            bytes[i / 8] ^= 1 << (i % 8);
            let Ok(flipped) = String::from_utf8(bytes) else { continue };
            assert!(Checkpoint::open(&flipped, &key).is_err(), "bit {i}");
        }
    }

    #[test]
    fn a_checkpoint_of_another_key_does_not_open() {
        let (note, _, key) = signed();
        let other = CheckpointKey::from_seed(&[8; 32]).unwrap();
        let other = other.verifier(key.origin()).unwrap();
        assert!(Checkpoint::open(&note, &other).is_err());
    }
}
