//! Models as the gateway sees them: names, versions and opaque bytes.

use std::path::Path;

use sha2::{Digest, Sha256};

/// An artifact to hand to a worker. The gateway computes its digest and reads nothing else of it.
pub struct Artifact {
    /// The model's name.
    pub name: String,
    /// The version.
    pub version: String,
    /// SHA-256 of the bytes.
    pub digest: [u8; 32],
    /// The file.
    pub bytes: Vec<u8>,
}

impl Artifact {
    /// Reads an artifact file.
    ///
    /// # Errors
    /// What the file system says, [`std::io::ErrorKind::FileTooLarge`] over
    /// [`Artifact::BYTES_MAX`], or [`std::io::ErrorKind::UnexpectedEof`] for an empty file.
    pub fn read(name: &str, version: &str, path: &Path) -> std::io::Result<Self> {
        if std::fs::metadata(path)?.len() > Self::BYTES_MAX {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        let bytes = std::fs::read(path)?;
        if bytes.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let digest = Sha256::digest(&bytes).into();
        Ok(Self { name: name.into(), version: version.into(), digest, bytes })
    }

    /// The largest artifact that is read.
    pub const BYTES_MAX: u64 = 256 << 20;
}
