//! What must hold from one frame to the next: running numbers, the tree, the checkpoints.

use crate::checkpoint::Checkpoint;
use crate::error::AuditError;
use crate::event::{Event, LogStarted};
use crate::finding::What;
use crate::key::VerifierKey;
use crate::merkle::{Frontier, Hash};
use crate::record::{Head, Record};
use crate::segment::{FORMAT, Header};

/// The state of a log up to some place in it.
#[derive(Default)]
pub(crate) struct Chain {
    /// The tree of all records so far.
    pub(crate) tree: Frontier,
    /// The key the log names in its first record.
    pub(crate) key: Option<VerifierKey>,
    /// The last checkpoint that held.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// How many checkpoints held.
    pub(crate) checkpoints: u64,
    /// How many records stood there.
    pub(crate) records: u64,
    /// The latest time that any record has, in microseconds of Unix time.
    pub(crate) newest_us: u64,
    /// The number that the next record must have.
    next: u64,
    /// Once a record is missing or changed, no later root can match; one finding says it all.
    broken: bool,
    /// Frames were skipped just before, so numbers may jump forward.
    resuming: bool,
    last_checkpoint_size: u64,
}

impl Chain {
    /// The running number of the next record.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// How many records no checkpoint covers.
    pub(crate) fn unsigned(&self) -> u64 {
        self.next.saturating_sub(self.last_checkpoint_size)
    }

    /// Something was lost or changed: roots are not compared from here on.
    pub(crate) fn break_off(&mut self) {
        self.broken = true;
        self.resuming = true;
    }

    /// Checks that a segment continues the log.
    pub(crate) fn header(&mut self, header: &Header, sequence: u32) -> Result<(), What> {
        if header.sequence != sequence {
            return Err(What::Discontinued("sequence number"));
        }
        let origin = self.key.as_ref().map(VerifierKey::origin);
        if origin.is_some_and(|origin| *origin != header.origin) {
            return Err(What::Discontinued("origin"));
        }
        if !self.broken && header.first_leaf != self.next {
            return Err(What::Discontinued("first record"));
        }
        if !self.broken && header.root != self.tree.root() {
            return Err(What::Discontinued("root"));
        }
        Ok(())
    }

    /// Takes the next record.
    pub(crate) fn leaf(&mut self, body: &[u8], header: Option<&Header>) -> Result<(), What> {
        self.records += 1;
        self.tree.push(body);
        let Some(Head { n: number, time_us }) = Head::parse(body) else {
            self.next += 1;
            return Err(What::Record);
        };
        self.newest_us = self.newest_us.max(time_us);
        let expected = std::mem::replace(&mut self.next, number.saturating_add(1));
        let skipped = std::mem::take(&mut self.resuming) && number > expected;
        if number != expected && !skipped {
            self.broken = true;
            return Err(What::Number(number));
        }
        if number == 0 {
            self.key = beginning(body, header);
            self.broken |= self.key.is_none();
            return self.key.as_ref().map(|_| ()).ok_or(What::Beginning);
        }
        Ok(())
    }

    /// Takes a checkpoint.
    pub(crate) fn checkpoint(&mut self, body: &[u8]) -> Result<(), What> {
        let Some(key) = &self.key else {
            // Without a first record there is no key, which was found already.
            return if self.broken { Ok(()) } else { Err(What::Signature) };
        };
        let checkpoint = str::from_utf8(body)
            .ok()
            .and_then(|note| Checkpoint::open(note, key).ok())
            .ok_or(What::Signature)?;
        let since = std::mem::replace(&mut self.last_checkpoint_size, checkpoint.size);
        if std::mem::take(&mut self.resuming) {
            self.next = self.next.max(checkpoint.size);
        }
        // There is never a second checkpoint for the same records, so a repeated one shows.
        if checkpoint.size <= since || checkpoint.size != self.next {
            return Err(What::CheckpointSize(checkpoint.size));
        }
        if self.broken {
            return Ok(());
        }
        if checkpoint.root != self.tree.root() {
            self.broken = true;
            return Err(What::Root { since });
        }
        self.checkpoint = Some(checkpoint);
        self.checkpoints += 1;
        Ok(())
    }

    /// The root of the tree, if the tree has `size` records now.
    pub(crate) fn root_at(&self, size: u64) -> Option<Hash> {
        (!self.broken && self.tree.size() == size).then(|| self.tree.root())
    }

    /// Checks the key of the log against the one that will sign it from now on.
    pub(crate) fn goes_on_with(&self, signer: &VerifierKey) -> Result<(), AuditError> {
        match &self.key {
            Some(key) if key != signer => {
                Err(AuditError::OtherKey { log: key.to_string(), given: signer.to_string() })
            }
            _ => Ok(()),
        }
    }
}

/// The key that a first record names, if it is one and agrees with the segment's header.
fn beginning(body: &[u8], header: Option<&Header>) -> Option<VerifierKey> {
    let Event::LogStarted(LogStarted { format, key, origin }) = Record::parse(body).ok()?.event
    else {
        return None;
    };
    let key: VerifierKey = key.as_str().parse().ok()?;
    let agrees = format == FORMAT
        && origin.as_str() == key.origin().as_str()
        && header.is_none_or(|header| header.origin == *key.origin());
    agrees.then_some(key)
}
