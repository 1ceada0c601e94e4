//! The one thread that writes: batches, checkpoints, segments.
//!
//! Whatever waits goes with the next fdatasync. There is no timer in a record's way: while one
//! batch becomes durable, the next one gathers.

use crate::checkpoint::Checkpoint;
use crate::copy::CheckpointCopy;
use crate::error::{AppendError, AuditError};
use crate::event::{Adopted, Event, KeyRotated, LogStarted};
use crate::frame::{self, Kind, OVERHEAD_BYTES};
use crate::ids::Place;
use crate::keeper::{Leaf, News, Teller};
use crate::key::{CheckpointKey, Origin};
use crate::lock::FolderLock;
use crate::log::Clock;
use crate::merkle::Frontier;
use crate::queue::{Pending, Queue, Ticket};
use crate::record::Draft;
use crate::request::RequestId;
use crate::retention::{Dropped, Ended, Retention};
use crate::segment::{self, HEADER_BYTES, Header};
use crate::space::Space;
use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The segment that is being written.
pub(crate) struct Segment {
    pub(crate) file: File,
    pub(crate) sequence: u32,
    /// Where the next frame goes.
    pub(crate) at: u64,
    /// Up to where room is reserved.
    pub(crate) bytes: u64,
}

impl Segment {
    /// Whether the file is still the one of its name: what is written to another nobody ever reads.
    fn demand_in_place(&self, dir: &Path) -> Result<(), AuditError> {
        let path = dir.join(segment::name(self.sequence));
        let ours = self.file.metadata().map_err(AuditError::io("look at", &path))?;
        let same = std::fs::symlink_metadata(&path)
            .is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino()));
        if same { Ok(()) } else { Err(AuditError::Replaced(path)) }
    }
}

/// All that the thread owns.
pub(crate) struct Writer {
    pub(crate) dir: PathBuf,
    pub(crate) origin: Origin,
    pub(crate) key: CheckpointKey,
    pub(crate) boot: String,
    pub(crate) clock: Clock,
    pub(crate) segment: Segment,
    pub(crate) segment_bytes: u64,
    pub(crate) tree: Frontier,
    /// How many records the last checkpoint covers.
    pub(crate) signed: u64,
    pub(crate) checkpoint_every: Duration,
    pub(crate) checkpoint_records: u64,
    /// When the last checkpoint of this run was made.
    pub(crate) checkpoint_at: Option<Instant>,
    pub(crate) space: Space,
    pub(crate) retention: Retention,
    /// The segments that have ended and that the log does not say it drops.
    pub(crate) ended: VecDeque<Ended>,
    /// The latest time of any record.
    pub(crate) newest_us: u64,
    /// When to look for segments to drop.
    pub(crate) retention_due: Instant,
    pub(crate) queue: Arc<Queue>,
    pub(crate) teller: Teller,
    pub(crate) copy: CheckpointCopy,
    pub(crate) batch: Batch,
    pub(crate) _lock: FolderLock,
}

/// What goes into the next write, and what follows once it is durable.
#[derive(Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    tickets: Vec<(Ticket, u64)>,
    leaves: Vec<Leaf>,
    /// The requests that are decided on, and where.
    decided: Vec<(RequestId, Place)>,
    /// A checkpoint, which stands before the records if there are any.
    note: Option<String>,
}

impl Writer {
    /// Writes until the queue is closed, then ends the log in good order.
    pub(crate) fn run(mut self, failure: &OnceLock<String>) -> Option<Checkpoint> {
        // Whoever hears that the log has failed can also hear why: the queue fails with `self`.
        self.work().map_err(|error| failure.set(with_causes(&error))).ok()
    }

    fn work(&mut self) -> Result<Checkpoint, AuditError> {
        let mut batch = Vec::new();
        while self.queue.take(&mut batch, self.checkpoint_due()) {
            self.commit(&mut batch)?;
        }
        self.sign()?;
        // What follows from the log is missing in part otherwise, as after a crash; then it must
        // not look as if it had ended in good order.
        if self.teller.end() {
            self.give_back()?;
        }
        Ok(Checkpoint { size: self.tree.size(), root: self.tree.root() })
    }

    /// Makes a batch durable, and answers for each record in it.
    fn commit(&mut self, batch: &mut Vec<Pending>) -> Result<(), AuditError> {
        if self.checkpoint_due().is_some_and(|due| due <= Instant::now()) {
            self.segment.demand_in_place(&self.dir)?;
            self.put_checkpoint(None)?;
        }
        if self.retention_due <= Instant::now() {
            self.drop_segments()?;
        }
        if !batch.is_empty() && !self.space.is_enough(0)? {
            // What nobody waits for is about work that was let in: the segment has room for it.
            refuse(batch.extract_if(.., |record| record.urgent), AppendError::DiskLow);
        }
        let mut records = batch.drain(..);
        while let Some(record) = records.next() {
            let frame_bytes = OVERHEAD_BYTES + record.draft.bytes_max();
            if !self.has_room(frame_bytes) && !self.roll(frame_bytes)? {
                record.ticket.answer(Err(AppendError::DiskLow));
                refuse(records, AppendError::DiskLow);
                break;
            }
            if self.batch.bytes.len() + frame_bytes > WRITE_BYTES_MAX {
                self.flush()?;
            }
            self.put_leaf(record);
        }
        self.flush()
    }

    /// When the next checkpoint is due, if any record waits for one: at once, if many do.
    fn checkpoint_due(&self) -> Option<Instant> {
        let waiting = self.tree.size() - self.signed;
        let last = self.checkpoint_at.filter(|_| waiting < self.checkpoint_records);
        let due = || last.map_or_else(Instant::now, |last| last + self.checkpoint_every);
        (waiting > 0).then(due)
    }

    fn put_leaf(&mut self, record: Pending) {
        let number = self.tree.size();
        self.newest_us = self.newest_us.max(record.draft.time_us);
        let Batch { bytes, tickets, leaves, decided, .. } = &mut self.batch;
        let offset = self.segment.at + bytes.len() as u64;
        let start = bytes.len() + OVERHEAD_BYTES;
        frame::put(Kind::Leaf, bytes, |out| record.draft.write(number, out));
        let body = bytes.get(start..).unwrap_or_default();
        let hash = self.tree.push(body);
        decided.extend(record.draft.decides.map(|id| (id, Place { n: number, offset })));
        let stays = record.draft.is_kept.then(|| (number, body.to_vec()));
        leaves.push(Leaf { hash, stays });
        tickets.push((record.ticket, number));
    }

    /// Puts a checkpoint over all records into the batch, which holds none of them: a checkpoint
    /// may reach the disk only after what it covers. `previous` signs it too.
    fn put_checkpoint(&mut self, previous: Option<&CheckpointKey>) -> Result<(), AuditError> {
        let (size, root) = (self.tree.size(), self.tree.root());
        let keys = previous.into_iter().chain([&self.key]);
        let note = Checkpoint { size, root }.sign(keys, &self.origin)?;
        frame::put(Kind::Checkpoint, &mut self.batch.bytes, |out| {
            out.extend_from_slice(note.as_bytes());
        });
        self.signed = size;
        self.checkpoint_at = Some(Instant::now());
        self.batch.note = Some(note);
        Ok(())
    }

    /// Begins a log: its first record, and a checkpoint over it.
    pub(crate) fn begin(&mut self, started: LogStarted) -> Result<(), AuditError> {
        if !self.put_own(&Event::LogStarted(started))? {
            return Err(AppendError::DiskLow.into());
        }
        self.sign()
    }

    /// Says which records nobody has signed. Until that is durable no checkpoint may cover them: they
    /// would be as good as any other from then on.
    pub(crate) fn adopt(&mut self, adopted: Adopted) -> Result<(), AuditError> {
        let draft = Draft::new(&Event::Adopted(adopted), &self.boot, (self.clock)())?;
        // Its room is reserved; another segment would begin behind a checkpoint.
        if !self.has_room(OVERHEAD_BYTES + draft.bytes_max()) {
            return Err(AppendError::DiskLow.into());
        }
        self.put_leaf(Pending { draft, ticket: Ticket::new(|_| {}), urgent: false });
        self.flush()
    }

    /// Hands the log over to another key: a record that says so, and a checkpoint that both sign.
    pub(crate) fn change_key(&mut self, next: CheckpointKey) -> Result<(), AuditError> {
        let event = Event::KeyRotated(KeyRotated {
            key: next.verifier(&self.origin)?.to_string().into(),
            previous_key: self.key.verifier(&self.origin)?.to_string().into(),
        });
        if !self.put_own(&event)? {
            return Err(AppendError::DiskLow.into());
        }
        let previous = std::mem::replace(&mut self.key, next);
        self.flush()?;
        self.put_checkpoint(Some(&previous))?;
        self.flush()
    }

    /// Signs a change of key that was recorded, but not signed by both.
    pub(crate) fn end_change(&mut self, previous: &CheckpointKey) -> Result<(), AuditError> {
        self.put_checkpoint(Some(previous))?;
        self.flush()
    }

    /// Puts a record of the log's own into the batch; says `false` if the disk has no room.
    fn put_own(&mut self, event: &Event) -> Result<bool, AuditError> {
        let draft = Draft::new(event, &self.boot, (self.clock)())?;
        let frame_bytes = OVERHEAD_BYTES + draft.bytes_max();
        if !self.has_room(frame_bytes) && !self.roll(frame_bytes)? {
            return Ok(false);
        }
        self.put_leaf(Pending { draft, ticket: Ticket::new(|_| {}), urgent: false });
        Ok(true)
    }

    /// Drops what has been kept long enough: first the log says so, then it is done.
    fn drop_segments(&mut self) -> Result<(), AuditError> {
        self.retention_due = Instant::now() + RETENTION_EVERY;
        let synced = self.teller.kept().synced();
        let (newest_bytes, now_us) = (self.segment.bytes, (self.clock)());
        let due = self.retention.due(&self.ended, newest_bytes, synced, now_us);
        let Some(dropped) = due else { return Ok(()) };
        let first_kept = dropped.first_segment;
        if self.put_own(&Event::SegmentsDropped(dropped))? {
            self.ended.retain(|segment| segment.sequence >= first_kept);
            // Nobody believes it before it is signed.
            self.sign()?;
            self.teller.tell(News::Dropped(Dropped { first_kept }));
        }
        Ok(())
    }

    /// Makes the batch durable and answers for the records in it.
    fn flush(&mut self) -> Result<(), AuditError> {
        let Batch { bytes, tickets, leaves, decided, note } = &mut self.batch;
        if bytes.is_empty() {
            return Ok(());
        }
        let Segment { file, sequence, at, .. } = &mut self.segment;
        file.write_all_at(bytes, *at)
            .and_then(|()| file.sync_data())
            .map_err(AuditError::io("write", self.dir.join(segment::name(*sequence))))?;
        *at += bytes.len() as u64;
        bytes.clear();
        self.teller.kept().remember(*sequence, decided.drain(..));
        for (ticket, number) in tickets.drain(..) {
            ticket.answer(Ok(number));
        }
        if let Some(note) = note.take() {
            self.copy.write(&note);
            self.teller.tell(News::Signed(note));
        }
        if !leaves.is_empty() {
            let next = Vec::with_capacity(leaves.len());
            self.teller.tell(News::Leaves(std::mem::replace(leaves, next)));
        }
        Ok(())
    }

    /// Whether a frame fits into the segment and leaves room for the checkpoint that ends it.
    fn has_room(&self, frame_bytes: usize) -> bool {
        let used = self.segment.at + (self.batch.bytes.len() + frame_bytes) as u64;
        used + CHECKPOINT_BYTES_MAX <= self.segment.bytes
    }

    /// Ends this segment and begins the next; says `false` if the disk has no room for one.
    fn roll(&mut self, frame_bytes: usize) -> Result<bool, AuditError> {
        self.seal()?;
        let least = (HEADER_BYTES + frame_bytes) as u64 + CHECKPOINT_BYTES_MAX;
        let bytes = self.segment_bytes.max(least);
        if !self.space.is_enough(bytes)? {
            return Ok(false);
        }
        self.ended.push_back(Ended {
            sequence: self.segment.sequence,
            bytes: self.segment.at,
            newest_us: self.newest_us,
            records_before_next: self.tree.size(),
        });
        let sequence = self.segment.sequence + 1;
        let header =
            Header::continuing((self.tree.size(), self.tree.root()), sequence, &self.origin);
        let file = segment::create(&self.dir, &header, bytes)
            .map_err(AuditError::io("create", self.dir.join(segment::name(sequence))))?;
        self.segment = Segment { file, sequence, at: HEADER_BYTES as u64, bytes };
        self.teller.tell(News::Ended(sequence - 1));
        self.retention_due = Instant::now();
        Ok(true)
    }

    /// Ends the segment with a checkpoint and gives back the room it did not need.
    fn seal(&mut self) -> Result<(), AuditError> {
        self.sign()?;
        self.give_back()
    }

    fn sign(&mut self) -> Result<(), AuditError> {
        self.flush()?;
        if self.signed < self.tree.size() {
            self.put_checkpoint(None)?;
            self.flush()?;
        }
        Ok(())
    }

    fn give_back(&mut self) -> Result<(), AuditError> {
        let Segment { file, sequence, at, bytes } = &mut self.segment;
        *bytes = *at;
        file.set_len(*at)
            .and_then(|()| file.sync_all())
            .map_err(AuditError::io("end", self.dir.join(segment::name(*sequence))))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // However the thread ended, nobody may wait for it.
        self.queue.fail();
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}

fn refuse(records: impl Iterator<Item = Pending>, why: AppendError) {
    for record in records {
        record.ticket.answer(Err(why));
    }
}

/// The most that goes into one write, so that a torn one has a bound.
pub(crate) const WRITE_BYTES_MAX: usize = 1 << 20;
/// How often to look for segments to drop, beside whenever one ends.
const RETENTION_EVERY: Duration = Duration::from_secs(3600);
/// No checkpoint is longer: names of at most 128 bytes, a number, a root, two Ed25519 signatures of a
/// change of key; and room for a post-quantum line beside each: 4.5 KB of base64 for ML-DSA-65.
const CHECKPOINT_BYTES_MAX: u64 = 8 << 10;
/// What a segment needs behind records that nobody has signed: a record that says so, which is below
/// half a kilobyte, and a checkpoint.
pub(crate) const ADOPTION_BYTES_MAX: u64 = (1 << 10) + CHECKPOINT_BYTES_MAX;
