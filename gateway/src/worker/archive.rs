//! Keysets on disk, each under its digest, so that receipts can be judged when the worker is gone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sealgate_attestation::Verdict;
use sealgate_keys::{Base64, Keyset};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Attested, ShownKeys};

/// A folder of keysets. What is in it is public; it holds no key.
#[derive(Debug, Clone)]
pub struct Archive(PathBuf);

#[derive(Serialize)]
struct Entry<'a> {
    archived_at_s: u64,
    evidence: Value,
    key_list: Base64,
    keyset: &'a Keyset,
    nonce: String,
    nonce_path: &'a sealgate_keys::evidence::NoncePath,
    verdict: Value,
}

impl Archive {
    /// Opens the folder, and makes it if there is none.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(dir: PathBuf) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        Ok(Self(dir))
    }

    /// The newest version of measurements that a gateway with this archive has gone by; 0 at first.
    ///
    /// # Errors
    /// What the file system says, or [`io::ErrorKind::InvalidData`] when it is no number.
    pub fn newest_measurements(dir: &Path) -> io::Result<u64> {
        match fs::read_to_string(dir.join(format!("{NEWEST_MEASUREMENTS}.json"))) {
            Ok(text) => text.trim().parse().map_err(|_| io::ErrorKind::InvalidData.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Remembers a version of measurements: from now on no older one counts.
    ///
    /// # Errors
    /// What the file system says.
    pub fn goes_by_measurements(&self, version: u64) -> io::Result<()> {
        write(&self.0, NEWEST_MEASUREMENTS, format!("{version}\n").as_bytes())
    }

    /// Writes a keyset with what it was judged by: whole and durable, or not at all.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn keep(
        &self,
        keys: &ShownKeys,
        nonce: &[u8; 32],
        attested: &Attested,
        verdict: Option<&Verdict>,
        archived_at_s: u64,
    ) -> io::Result<()> {
        let entry = Entry {
            archived_at_s,
            evidence: serde_json::from_slice(&attested.evidence)?,
            key_list: Base64(keys.key_list.clone()),
            keyset: &keys.keyset,
            nonce: hex::encode(nonce),
            nonce_path: &attested.path,
            verdict: verdict.map_or_else(|| json!({"kind": "none"}), words),
        };
        let mut text = serde_json::to_vec_pretty(&entry)?;
        text.push(b'\n');
        let (dir, name) = (self.0.clone(), hex::encode(keys.digest));
        let written = tokio::task::spawn_blocking(move || write(&dir, &name, &text)).await;
        written.unwrap_or_else(|_| Err(io::Error::other("the writer ended")))
    }
}

const NEWEST_MEASUREMENTS: &str = "newest-measurements";

fn words(verdict: &Verdict) -> Value {
    json!({
        "kind": verdict.kind().as_str(),
        "measurement": verdict.measurement(),
        "tcb": verdict.tcb(),
        "advisories": verdict.advisories(),
        "checks": verdict.checks(),
        "valid_until_s": verdict.valid_until_s(),
    })
}

fn write(dir: &Path, name: &str, text: &[u8]) -> io::Result<()> {
    let (unfinished, finished) = (dir.join(format!(".{name}")), dir.join(format!("{name}.json")));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&unfinished, &finished)?;
    File::open(dir)?.sync_all()
}
