//! The checkpoint that a log has published, held against the log.

use crate::bounded::{self, NOTE_BYTES_MAX};
use crate::chain::Chain;
use crate::checkpoint::Checkpoint;
use crate::error::AuditError;
use crate::finding::{Finding, What};
use crate::key::VerifierKey;
use crate::merkle::Hash;
use crate::replace;
use crate::tiles::PUBLISHED;
use std::io;
use std::path::Path;

/// A note, and the root that the log turns out to have at its size.
pub(crate) struct Published {
    pub(crate) note: Option<String>,
    /// How many records it speaks of, whoever signed it; none without a note.
    pub(crate) size: u64,
    pub(crate) root: Option<Hash>,
    /// Whether the note is the beginning of one of the log's.
    cut_short: bool,
    /// How many checkpoints of the log were compared with it.
    compared: u64,
}

impl Published {
    /// Reads the note of the log in `dir`. Whoever walks through the log reads it before: the log may
    /// grow meanwhile.
    pub(crate) fn read(dir: &Path) -> Result<Self, AuditError> {
        Self::at(&dir.join(PUBLISHED))
    }

    /// Reads a copy of such a note, if there is one: its place may be out of reach, which the log's
    /// health says when it is written.
    pub(crate) fn copy(path: &Path) -> Self {
        Self::at(path).unwrap_or(Self::of(None))
    }

    fn at(path: &Path) -> Result<Self, AuditError> {
        let note = match bounded::read(path, NOTE_BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            // Whatever it is, it is no note.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Some(String::new()),
            read => {
                let bytes = read.map_err(AuditError::io("read", path))?;
                Some(String::from_utf8_lossy(&bytes).into_owned())
            }
        };
        Ok(Self::of(note))
    }

    /// Takes a note, if there is one. Its signature is checked when the log's keys are known.
    pub(crate) fn of(note: Option<String>) -> Self {
        let size = note.as_deref().and_then(Checkpoint::size_of).unwrap_or(0);
        Self { note, size, root: None, cut_short: false, compared: 0 }
    }

    /// Remembers the root when the log is as long as the note says.
    pub(crate) fn look(&mut self, chain: &Chain) {
        if self.root.is_none() && chain.next() == self.size {
            self.root = chain.root_at(self.size);
        }
        if let Some(note) = self.note.as_ref().filter(|_| self.compared < chain.checkpoints) {
            self.compared = chain.checkpoints;
            self.cut_short |= replace::is_cut_short(note.as_bytes(), chain.note.as_bytes());
        }
    }

    /// Whether it is what a power failure leaves of a checkpoint of this log.
    pub(crate) fn is_cut_short(&self) -> bool {
        self.cut_short
    }

    /// What is wrong, in the view of a verifier. `sealed` says that the log ended in good order.
    pub(crate) fn judge(&self, chain: &Chain, sealed: bool) -> Option<What> {
        let checkpoint = self.note.as_deref().map(|note| Checkpoint::open_any(note, chain.keys()));
        match checkpoint {
            Some(None) => Some(What::Published),
            Some(Some(signed)) => self.compare(&signed, chain),
            None => None,
        }
        .or_else(|| {
            let last = chain.checkpoint.map_or(0, |last| last.size);
            (sealed && self.size < last).then_some(What::NotPublished)
        })
    }

    /// What stands against going on with the log: that more was signed than is there, or other
    /// records were. `signers` are the keys that sign from now on and did so far: the log may have
    /// been put back to where it did not know of them yet. A note that is merely torn is written again.
    pub(crate) fn contradicts(
        &self,
        file: &str,
        chain: &Chain,
        signers: &[VerifierKey],
    ) -> Option<Finding> {
        let note = self.note.as_deref()?;
        let signed = Checkpoint::open_any(note, chain.keys())
            .or_else(|| Checkpoint::open_any(note, signers))?;
        let what = self.compare(&signed, chain)?;
        Some(Finding { file: file.to_owned(), offset: 0, record: chain.next(), what })
    }

    fn compare(&self, signed: &Checkpoint, chain: &Chain) -> Option<What> {
        match self.root {
            Some(root) if root == signed.root => None,
            _ if signed.size > chain.next() => Some(What::RolledBack(signed.size)),
            // What was dropped is vouched for by later checkpoints.
            None if signed.size < chain.first_record() => None,
            _ => Some(What::Published),
        }
    }
}
