//! Proofs that a record stands in a log, for whoever has only the proof and the log's key: C2SP
//! tlog-proof.

use crate::checkpoint::Checkpoint;
use crate::error::AuditError;
use crate::key::VerifierKey;
use crate::merkle::{Hash, is_included, leaf_hash};
use crate::record::{BODY_BYTES_MAX, Record};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::fmt;
use std::str::FromStr;

/// A record, and why it is in the log. Its text form carries the record's body as the `extra` line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proof {
    /// The canonical JSON that is the leaf.
    pub body: Vec<u8>,
    /// The number of the record.
    pub index: u64,
    /// The audit path, from the leaf's sibling up.
    pub path: Vec<Hash>,
    /// The signed note of the tree.
    pub checkpoint: String,
}

impl Proof {
    /// The record, if the proof holds under `key`. Whoever has asked for a record must still see
    /// whether it is the one they have asked for.
    ///
    /// # Errors
    /// [`AuditError::Proof`] and [`AuditError::Checkpoint`].
    pub fn check(&self, key: &VerifierKey) -> Result<Record, AuditError> {
        let Checkpoint { size, root } = Checkpoint::open(&self.checkpoint, key)?;
        if !is_included(leaf_hash(&self.body), self.index, size, root, &self.path) {
            return Err(AuditError::Proof("the path does not lead from the record to the root"));
        }
        let record = Record::parse(&self.body).ok().filter(|record| record.n == self.index);
        record.ok_or(AuditError::Proof("it is about no record of this kind of log"))
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{TITLE}\nextra {}\nindex {}", BASE64.encode(&self.body), self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", BASE64.encode(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for Proof {
    type Err = AuditError;

    fn from_str(text: &str) -> Result<Self, AuditError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(AuditError::Proof("it is longer than any proof"));
        }
        let parse = || {
            let (head, checkpoint) = text.split_once("\n\n")?;
            let mut lines = head.split('\n');
            lines.next().filter(|title| *title == TITLE)?;
            let body = BASE64.decode(lines.next()?.strip_prefix("extra ")?).ok()?;
            let digits = lines.next()?.strip_prefix("index ")?;
            let index: u64 = digits.parse().ok()?;
            let hash = |line: &str| Hash::try_from(BASE64.decode(line).ok()?).ok();
            let path = lines.map(hash).collect::<Option<Vec<_>>>()?;
            let canonical = index.to_string() == digits && path.len() <= 64;
            canonical.then(|| Self { body, index, path, checkpoint: checkpoint.to_owned() })
        };
        parse().ok_or(AuditError::Proof("it is malformed"))
    }
}

const TITLE: &str = "c2sp.org/tlog-proof@v1";
/// A body in base64, 64 hashes and a checkpoint with many signatures.
const TEXT_BYTES_MAX: usize = BODY_BYTES_MAX * 2 + 64 * 1024;
