//! The last good keys of each issuer on disk, so that a restart needs no issuer.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::SystemTime;

use sealgate_policies::JWKS_BYTES_MAX;
use sha2::{Digest, Sha256};

/// A folder of JWK sets, each under a hash of its issuer and address.
pub(super) struct LastGood(pub(super) PathBuf);

/// A set, and when it was fetched.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) text: String,
    pub(super) fetched_at: SystemTime,
}

impl LastGood {
    /// Whole and durable, or not at all. Makes the folder if there is none.
    pub(super) fn keep(&self, issuer: &str, url: &str, text: &str) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let name = name(issuer, url);
        let (unfinished, finished) = (self.0.join(format!(".{name}")), self.0.join(name));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, &finished)?;
        File::open(&self.0)?.sync_all()
    }

    /// `None` when nothing was kept. Whoever can write the file can let anybody in, so only one
    /// that nobody else could write counts.
    pub(super) fn read(&self, issuer: &str, url: &str) -> io::Result<Option<Kept>> {
        let file = match File::open(self.0.join(name(issuer, url))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let metadata = file.metadata()?;
        let ours = metadata.uid() == nix::unistd::geteuid().as_raw();
        if !metadata.is_file() || !ours || metadata.mode() & 0o022 != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the kept keys may be written by others",
            ));
        }
        let mut text = String::new();
        file.take(JWKS_BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
        Ok(Some(Kept { text, fetched_at: metadata.modified()? }))
    }
}

fn name(issuer: &str, url: &str) -> String {
    let mut hash = Sha256::new();
    for part in [issuer, url] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    format!("{}.json", hex::encode(hash.finalize()))
}
