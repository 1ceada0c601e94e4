//! The one thread that writes: batches, checkpoints, segments.
//!
//! Whatever waits goes with the next fdatasync. There is no timer in a record's way: while one
//! batch becomes durable, the next one gathers.

use crate::checkpoint::Checkpoint;
use crate::copy::CheckpointCopy;
use crate::error::{AppendError, AuditError};
use crate::frame::{self, Kind, OVERHEAD_BYTES};
use crate::key::{CheckpointKey, Origin};
use crate::lock::FolderLock;
use crate::merkle::Frontier;
use crate::queue::{Pending, Queue, Ticket};
use crate::segment::{self, HEADER_BYTES, Header};
use crate::space::Space;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
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

/// All that the thread owns.
pub(crate) struct Writer {
    pub(crate) dir: PathBuf,
    pub(crate) origin: Origin,
    pub(crate) key: CheckpointKey,
    pub(crate) segment: Segment,
    pub(crate) segment_bytes: u64,
    pub(crate) tree: Frontier,
    /// How many records the last checkpoint covers.
    pub(crate) signed: u64,
    pub(crate) checkpoint_every: Duration,
    /// When the last checkpoint of this run was made.
    pub(crate) checkpoint_at: Option<Instant>,
    pub(crate) space: Space,
    pub(crate) copy: CheckpointCopy,
    pub(crate) queue: Arc<Queue>,
    pub(crate) buffer: Vec<u8>,
    pub(crate) tickets: Vec<(Ticket, u64)>,
    /// A checkpoint in the buffer, to be copied when it is durable.
    pub(crate) note: Option<String>,
    pub(crate) _lock: FolderLock,
}

impl Writer {
    /// Writes until the queue is closed, then ends the log in good order.
    pub(crate) fn run(mut self) -> Result<Checkpoint, AuditError> {
        let mut batch = Vec::new();
        while self.queue.take(&mut batch, self.checkpoint_due()) {
            self.commit(&mut batch)?;
        }
        self.seal()?;
        Ok(Checkpoint { size: self.tree.size(), root: self.tree.root() })
    }

    /// Makes a batch durable, and answers for each record in it.
    fn commit(&mut self, batch: &mut Vec<Pending>) -> Result<(), AuditError> {
        if self.checkpoint_due().is_some_and(|due| due <= Instant::now()) {
            self.put_checkpoint()?;
        }
        if !batch.is_empty() && !self.space.is_enough(0)? {
            refuse(batch.drain(..), AppendError::DiskLow);
        }
        let mut records = batch.drain(..);
        while let Some(record) = records.next() {
            let frame_bytes = OVERHEAD_BYTES + record.draft.bytes_max();
            if !self.has_room(frame_bytes) && !self.roll(frame_bytes)? {
                record.ticket.answer(Err(AppendError::DiskLow));
                refuse(records, AppendError::DiskLow);
                break;
            }
            if self.buffer.len() + frame_bytes > WRITE_BYTES_MAX {
                self.flush()?;
            }
            self.put_leaf(record);
        }
        self.flush()
    }

    /// When the next checkpoint is due, if any record waits for one.
    fn checkpoint_due(&self) -> Option<Instant> {
        let now = Instant::now;
        (self.signed < self.tree.size())
            .then(|| self.checkpoint_at.map_or_else(now, |last| last + self.checkpoint_every))
    }

    fn put_leaf(&mut self, record: Pending) {
        let number = self.tree.size();
        let start = self.buffer.len() + OVERHEAD_BYTES;
        frame::put(Kind::Leaf, &mut self.buffer, |out| record.draft.write(number, out));
        self.tree.push(self.buffer.get(start..).unwrap_or_default());
        self.tickets.push((record.ticket, number));
    }

    /// Puts a checkpoint over all records into the buffer, which holds none of them: a checkpoint
    /// may reach the disk only after what it covers.
    fn put_checkpoint(&mut self) -> Result<(), AuditError> {
        let (size, root) = (self.tree.size(), self.tree.root());
        let note = Checkpoint { size, root }.sign(&self.key, &self.origin)?;
        frame::put(Kind::Checkpoint, &mut self.buffer, |out| {
            out.extend_from_slice(note.as_bytes());
        });
        self.signed = size;
        self.checkpoint_at = Some(Instant::now());
        self.note = Some(note);
        Ok(())
    }

    /// Makes the buffer durable and answers for the records in it.
    fn flush(&mut self) -> Result<(), AuditError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let Segment { file, sequence, at, .. } = &mut self.segment;
        file.write_all_at(&self.buffer, *at)
            .and_then(|()| file.sync_data())
            .map_err(AuditError::io("write", self.dir.join(segment::name(*sequence))))?;
        *at += self.buffer.len() as u64;
        self.buffer.clear();
        for (ticket, number) in self.tickets.drain(..) {
            ticket.answer(Ok(number));
        }
        if let Some(note) = self.note.take() {
            self.copy.write(&note);
        }
        Ok(())
    }

    /// Whether a frame fits into the segment and leaves room for the checkpoint that ends it.
    fn has_room(&self, frame_bytes: usize) -> bool {
        let used = self.segment.at + (self.buffer.len() + frame_bytes) as u64;
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
        let sequence = self.segment.sequence + 1;
        let header = Header::continuing(&self.tree, sequence, &self.origin);
        let file = segment::create(&self.dir, &header, bytes)
            .map_err(AuditError::io("create", self.dir.join(segment::name(sequence))))?;
        self.segment = Segment { file, sequence, at: HEADER_BYTES as u64, bytes };
        Ok(true)
    }

    /// Ends the segment with a checkpoint and gives back the room it did not need.
    fn seal(&mut self) -> Result<(), AuditError> {
        self.flush()?;
        if self.signed < self.tree.size() {
            self.put_checkpoint()?;
            self.flush()?;
        }
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

fn refuse(records: impl Iterator<Item = Pending>, why: AppendError) {
    for record in records {
        record.ticket.answer(Err(why));
    }
}

/// The most that goes into one write, so that a torn one has a bound.
pub(crate) const WRITE_BYTES_MAX: usize = 1 << 20;
/// No checkpoint is longer: two names of at most 128 bytes, a number, a root, a signature.
const CHECKPOINT_BYTES_MAX: u64 = 1024;
