//! What must hold from one frame to the next: running numbers, the tree, the checkpoints.

use crate::checkpoint::Checkpoint;
use crate::error::AuditError;
use crate::event::{
    ADOPTED, Event, KEY_ROTATED, KeyRotated, LOG_STARTED, LogStarted, SEGMENTS_DROPPED,
    SegmentsDropped,
};
use crate::finding::What;
use crate::head::Head;
use crate::key::VerifierKey;
use crate::merkle::Hash;
use crate::record::Record;
use crate::segment::{FORMAT, Header};
use crate::tiles::{Edge, Tile};

/// The state of a log up to some place in it.
#[derive(Default)]
pub(crate) struct Chain {
    /// The tree of all records so far.
    pub(crate) tree: Edge,
    /// The keys that have signed, the one of the first record first.
    keys: Vec<VerifierKey>,
    /// The key that signs from the next checkpoint on, which both sign.
    pub(crate) next_key: Option<VerifierKey>,
    /// Those of them that signed a checkpoint which held.
    signers: Vec<VerifierKey>,
    /// The last checkpoint that held.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// The same as its signed note.
    pub(crate) note: String,
    /// How many checkpoints held.
    pub(crate) checkpoints: u64,
    /// How many records stood there.
    pub(crate) records: u64,
    /// The latest time that any record has, in microseconds of Unix time.
    pub(crate) newest_us: u64,
    /// The first segment that is there, and the one that must be, by what was dropped.
    first_segment: u32,
    first_kept: u32,
    /// The same by a record that no checkpoint covers yet, which anybody could have written.
    said_to_be_kept: Option<u32>,
    /// How many records say of others that nobody has signed them.
    adoptions: u64,
    /// The number of the first record that is there: those before it were dropped.
    first: u64,
    /// The number that the next record must have.
    next: u64,
    /// Once a record is missing or changed, no later root can match; one finding says it all.
    broken: bool,
    /// Frames were skipped just before, so numbers may jump forward.
    resuming: bool,
    last_checkpoint_size: u64,
}

impl Chain {
    /// The key that signs now.
    pub(crate) fn key(&self) -> Option<&VerifierKey> {
        self.keys.last()
    }

    /// All keys that have signed, in order.
    pub(crate) fn keys(&self) -> &[VerifierKey] {
        &self.keys
    }

    /// The keys by which a checkpoint was found to hold. What a record alone says of a key is not
    /// among them.
    pub(crate) fn signers(&self) -> &[VerifierKey] {
        &self.signers
    }

    /// The number of the first record that is there, by the segment that the log was taken up at:
    /// records that cannot be read are missing, and not dropped.
    pub(crate) fn first_record(&self) -> u64 {
        self.first
    }

    /// What is wrong with how much a checkpoint covers. Whoever can write the folder can write
    /// records that none covers, so there must be few of them.
    pub(crate) fn too_little_signed(&self) -> Option<What> {
        match self.checkpoint {
            // The first record is signed before anything else is written, but for the word that
            // nobody has signed it.
            None if self.next > 1 + self.adoptions => Some(What::NoCheckpoint),
            _ if self.unsigned() > UNSIGNED_MAX => Some(What::Unsigned(self.unsigned())),
            _ => None,
        }
    }

    /// Whether there is no record, and none was dropped.
    pub(crate) fn is_empty(&self) -> bool {
        self.tree.size() == 0
    }

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
        let origin = self.key().map(VerifierKey::origin);
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

    /// Takes up a log whose first segments were dropped: `tree` is that of the records in them,
    /// and `kept` holds those that name its keys.
    pub(crate) fn take_up(&mut self, header: &Header, tree: Edge, kept: &[(u64, Vec<u8>)]) {
        self.first_segment = header.sequence;
        self.first = header.first_leaf;
        self.next = header.first_leaf;
        // A segment ends with a checkpoint.
        self.last_checkpoint_size = header.first_leaf;
        self.tree = tree;
        for (n, body) in kept {
            let key = match n {
                0 => beginning(body, Some(header)),
                n if *n < header.first_leaf => self.changed_key(body),
                _ => None,
            };
            self.keys.extend(key);
        }
        self.broken |= self.keys.is_empty();
    }

    /// Takes the next record, whose leaf has this hash; `full` gets the tiles that it fills.
    pub(crate) fn leaf(
        &mut self,
        hash: Hash,
        full: impl FnMut(Tile, &[Hash]),
        head: Option<&Head<'_>>,
        body: &[u8],
        header: Option<&Header>,
    ) -> Result<(), What> {
        self.records += 1;
        self.tree.push(hash, full);
        let Some(Head { n: number, time_us, kind, .. }) = head else {
            self.next += 1;
            return Err(What::Record);
        };
        self.newest_us = self.newest_us.max(*time_us);
        let expected = std::mem::replace(&mut self.next, number.saturating_add(1));
        let skipped = std::mem::take(&mut self.resuming) && *number > expected;
        if *number != expected && !skipped {
            self.broken = true;
            return Err(What::Number(*number));
        }
        if *number == 0 {
            self.keys.extend(beginning(body, header));
            self.broken |= self.keys.is_empty();
            return self.key().map(|_| ()).ok_or(What::Beginning);
        }
        match *kind {
            LOG_STARTED => Err(What::Beginning),
            KEY_ROTATED => {
                self.next_key = Some(self.changed_key(body).ok_or(What::KeyRotation)?);
                Ok(())
            }
            SEGMENTS_DROPPED => {
                let first = dropped(body).ok_or(What::Record)?.first_segment;
                // Nothing drops the segment it stands in.
                if header.is_some_and(|header| first > header.sequence) {
                    return Err(What::Record);
                }
                self.said_to_be_kept = Some(first);
                Ok(())
            }
            ADOPTED => {
                self.adoptions += 1;
                // What it speaks of is signed as it was found, by a gateway that did not say it. A
                // drop that was to be is decided on again: files go only when it is signed.
                self.said_to_be_kept = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The key that a record changes this log's to.
    fn changed_key(&self, body: &[u8]) -> Option<VerifierKey> {
        let Event::KeyRotated(KeyRotated { key, previous_key }) = Record::parse(body).ok()?.event
        else {
            return None;
        };
        let key: VerifierKey = key.as_str().parse().ok()?;
        let before = self.key()?;
        let agrees = previous_key.as_str() == before.to_string() && key.origin() == before.origin();
        (agrees && key != *before && self.next_key.is_none()).then_some(key)
    }

    /// Takes a checkpoint.
    pub(crate) fn checkpoint(&mut self, body: &[u8]) -> Result<(), What> {
        let Some(key) = self.key() else {
            // Without a first record there is no key, which was found already.
            return if self.broken { Ok(()) } else { Err(What::Signature) };
        };
        let signed_by = |key: &VerifierKey| {
            str::from_utf8(body).ok().and_then(|note| Checkpoint::open(note, key).ok())
        };
        let checkpoint = signed_by(key).ok_or(What::Signature)?;
        if let Some(next) = self.next_key.take() {
            if signed_by(&next).is_none() {
                return Err(What::Signature);
            }
            self.keys.push(next);
        }
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
        self.first_kept = self.said_to_be_kept.take().unwrap_or(self.first_kept);
        if let Some(signer) = self.keys.last().filter(|key| !self.signers.contains(key)) {
            self.signers.push(signer.clone());
        }
        self.checkpoint = Some(checkpoint);
        self.note = String::from_utf8_lossy(body).into_owned();
        self.checkpoints += 1;
        Ok(())
    }

    /// The first segment that stays, by the log's own word.
    pub(crate) fn first_kept(&self) -> u32 {
        self.first_kept
    }

    /// The segment that should be there before the first one that is.
    pub(crate) fn missing_before(&self) -> Option<u32> {
        (self.first_segment > self.first_kept.max(1)).then(|| self.first_segment - 1)
    }

    /// Whether nothing was found to be missing or changed so far.
    pub(crate) fn is_whole(&self) -> bool {
        !self.broken
    }

    /// The root of the tree, if the tree has `size` records now.
    pub(crate) fn root_at(&self, size: u64) -> Option<Hash> {
        (!self.broken && self.tree.size() == size).then(|| self.tree.root())
    }

    /// Checks the key of the log against the one that will sign it from now on, and against the
    /// one it may have been signed with so far. Says whether a record must change the one for the
    /// other.
    pub(crate) fn goes_on_with(
        &self,
        signer: &VerifierKey,
        previous: Option<&VerifierKey>,
    ) -> Result<Succession, AuditError> {
        let Some(key) = self.key() else {
            return Ok(Succession::Same);
        };
        match &self.next_key {
            None if key == signer => Ok(Succession::Same),
            None if previous == Some(key) => Ok(Succession::Change),
            Some(next) if next == signer && previous == Some(key) => Ok(Succession::Changing),
            _ => Err(AuditError::OtherKey { log: key.to_string(), given: signer.to_string() }),
        }
    }
}

/// More records than a batch and those that wait for a checkpoint can be.
const UNSIGNED_MAX: u64 = 1 << 16;

/// How the key that signs from now on follows on the one before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Succession {
    /// It is the same.
    Same,
    /// A record must change it.
    Change,
    /// A record has, and the checkpoint that both sign is missing.
    Changing,
}

/// The key that a first record names, if it is one and agrees with the segment's header.
fn beginning(body: &[u8], header: Option<&Header>) -> Option<VerifierKey> {
    let Event::LogStarted(LogStarted { format, key, origin, .. }) = Record::parse(body).ok()?.event
    else {
        return None;
    };
    let key: VerifierKey = key.as_str().parse().ok()?;
    let agrees = format == FORMAT
        && origin.as_str() == key.origin().as_str()
        && header.is_none_or(|header| header.origin == *key.origin());
    agrees.then_some(key)
}

fn dropped(body: &[u8]) -> Option<SegmentsDropped> {
    match Record::parse(body).ok()?.event {
        Event::SegmentsDropped(dropped) => Some(dropped),
        _ => None,
    }
}
