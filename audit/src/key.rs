//! The key that signs checkpoints, and the key that verifies them.

use crate::error::AuditError;
use crate::folder;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::str::FromStr;
use zeroize::Zeroizing;

/// The secret key of the log, kept in a PKCS#8 file apart from it. aws-lc wipes it when dropped.
///
/// ```compile_fail
/// fn shown<T: std::fmt::Debug>() {}
/// shown::<sealgate_audit::CheckpointKey>();
/// ```
///
/// ```compile_fail
/// fn copied<T: Clone>() {}
/// copied::<sealgate_audit::CheckpointKey>();
/// ```
pub struct CheckpointKey(Ed25519KeyPair);

impl CheckpointKey {
    /// Makes a key and writes it to a new file that only the owner can read.
    pub fn create(path: &Path) -> Result<Self, AuditError> {
        let key = Ed25519KeyPair::generate().map_err(|_| AuditError::Crypto)?;
        let document = key.to_pkcs8().map_err(|_| AuditError::Crypto)?;
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| {
                file.write_all(document.as_ref())?;
                file.sync_all()
            })
            .map_err(AuditError::io("create the key file", path))?;
        Ok(Self(key))
    }

    /// Reads a key from a file that only the owner can read.
    pub fn load(path: &Path) -> Result<Self, AuditError> {
        Ed25519KeyPair::from_pkcs8(&read_private(path)?)
            .map(Self)
            .map_err(|_| AuditError::KeyFile(path.to_owned()))
    }

    /// Reads the key, or makes one if there is no such file.
    pub fn load_or_create(path: &Path) -> Result<Self, AuditError> {
        match Self::load(path) {
            Err(AuditError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                Self::create(path)
            }
            other => other,
        }
    }

    /// The key that verifies what this one signs under the name `origin`.
    pub fn verifier(&self, origin: &Origin) -> Result<VerifierKey, AuditError> {
        let public = self.0.public_key().as_ref();
        let public = public.try_into().map_err(|_| AuditError::Crypto)?;
        Ok(VerifierKey::new(origin.clone(), public))
    }

    /// One signature line of a C2SP signed note, with its line feed.
    pub(crate) fn sign_line(&self, origin: &Origin, text: &str) -> Result<String, AuditError> {
        let id = self.verifier(origin)?.id;
        let signature = self.0.try_sign(text.as_bytes()).map_err(|_| AuditError::Crypto)?;
        let signature = BASE64.encode([&id[..], signature.as_ref()].concat());
        Ok(format!("— {origin} {signature}\n"))
    }

    #[cfg(test)]
    pub(crate) fn from_seed(seed: &[u8]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().map(Self)
    }
}

/// The bytes of a key file that only the owner can read.
pub(crate) fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, AuditError> {
    let file = File::open(path).map_err(AuditError::io("open the key file", path))?;
    let facts = file.metadata().map_err(AuditError::io("look at the key file", path))?;
    folder::demand_private(path, &facts)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX));
    file.take(FILE_BYTES_MAX as u64)
        .read_to_end(&mut bytes)
        .map_err(AuditError::io("read the key file", path))?;
    Ok(bytes)
}

/// The public half, with the name it goes by: a C2SP verifier key.
///
/// Its text form is `name+hash+base64`, which every tool for signed notes reads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifierKey {
    origin: Origin,
    public: [u8; 32],
    id: [u8; 4],
}

impl VerifierKey {
    fn new(origin: Origin, public: [u8; 32]) -> Self {
        let hash = Sha256::new()
            .chain_update(origin.as_str())
            .chain_update([b'\n', ED25519_NOTE])
            .chain_update(public)
            .finalize();
        let mut id = [0; 4];
        id.iter_mut().zip(hash).for_each(|(id, hash)| *id = hash);
        Self { origin, public, id }
    }

    /// The name of the log whose checkpoints this key verifies.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The key id of C2SP signed notes, in hex.
    pub fn id(&self) -> String {
        hex::encode(self.id)
    }

    /// Whether `line`, a signature line without its line feed, signs `text`.
    pub(crate) fn verifies(&self, text: &str, line: &str) -> bool {
        let signature = line
            .strip_prefix("— ")
            .and_then(|rest| rest.strip_prefix(self.origin.as_str()))
            .and_then(|rest| rest.strip_prefix(' '))
            .and_then(|signature| BASE64.decode(signature).ok());
        let Some(signature) = signature else {
            return false;
        };
        signature.strip_prefix(&self.id).is_some_and(|signature| {
            UnparsedPublicKey::new(&ED25519, &self.public)
                .verify(text.as_bytes(), signature)
                .is_ok()
        })
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = BASE64.encode([&[ED25519_NOTE][..], &self.public].concat());
        write!(f, "{}+{}+{key}", self.origin, self.id())
    }
}

impl FromStr for VerifierKey {
    type Err = AuditError;

    fn from_str(text: &str) -> Result<Self, AuditError> {
        let parse = || {
            let mut parts = text.splitn(3, '+');
            let origin = Origin::new(parts.next()?).ok()?;
            let id = parts.next()?;
            let bytes = BASE64.decode(parts.next()?).ok()?;
            let public = bytes.strip_prefix(&[ED25519_NOTE])?.try_into().ok()?;
            let key = Self::new(origin, public);
            (key.id() == id).then_some(key)
        };
        parse().ok_or_else(|| AuditError::VerifierKey(text.to_owned()))
    }
}

/// The name of a log, fit to be the first line of a checkpoint and the name of its key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin(String);

impl Origin {
    /// The longest name, in bytes.
    pub const BYTES_MAX: usize = 128;

    /// Takes a name without spaces, plus signs and control characters.
    pub fn new(name: &str) -> Result<Self, AuditError> {
        let odd = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if name.is_empty() || name.len() > Self::BYTES_MAX || name.contains(odd) {
            return Err(AuditError::Origin(name.to_owned()));
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The signature type of Ed25519 in C2SP signed notes.
const ED25519_NOTE: u8 = 1;
const FILE_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    // The example of golang.org/x/mod/sumdb/note.
    const SEED: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                        then you don't know what your problem is.\n";
    const LINE: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";

    fn peter() -> (CheckpointKey, Origin) {
        let seed = BASE64.decode(SEED).unwrap();
        let key = CheckpointKey::from_seed(seed.get(1..).unwrap()).unwrap();
        (key, Origin::new("PeterNeumann").unwrap())
    }

    #[test]
    fn the_verifier_key_is_that_of_the_go_implementation() {
        let (key, origin) = peter();
        assert_eq!(key.verifier(&origin).unwrap().to_string(), VERIFIER);
    }

    #[test]
    fn the_signature_is_that_of_the_go_implementation() {
        let (key, origin) = peter();
        assert_eq!(key.sign_line(&origin, TEXT).unwrap(), format!("{LINE}\n"));
    }

    #[test]
    fn the_signature_of_the_go_implementation_verifies() {
        let key: VerifierKey = VERIFIER.parse().unwrap();
        assert!(key.verifies(TEXT, LINE));
    }

    #[test]
    fn a_signature_over_another_text_does_not_verify() {
        let key: VerifierKey = VERIFIER.parse().unwrap();
        assert!(!key.verifies("If you think\n", LINE));
    }

    #[test]
    fn a_verifier_key_with_another_hash_is_refused() {
        let other = VERIFIER.replace("c74f20a3", "c74f20a4");
        assert!(other.parse::<VerifierKey>().is_err());
    }

    #[test]
    fn a_key_read_back_is_the_key_that_was_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let origin = Origin::new("o").unwrap();
        let made = CheckpointKey::load_or_create(&path).unwrap();
        let read = CheckpointKey::load_or_create(&path).unwrap();
        assert_eq!(made.verifier(&origin).unwrap(), read.verifier(&origin).unwrap());
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        CheckpointKey::create(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            CheckpointKey::load(&path),
            Err(AuditError::NotPrivate { mode: 0o640, .. })
        ));
    }

    #[test]
    fn a_name_that_would_break_a_note_is_refused() {
        for name in ["", "a b", "a+b", "a\nb", "a\u{2003}b", &"x".repeat(129)] {
            assert!(Origin::new(name).is_err(), "{name:?}");
        }
    }
}
