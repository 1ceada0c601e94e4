//! How long records stay. Whole segments go, the oldest first; their hashes stay in the tiles, and
//! the records that a verifier needs stay beside them.

use crate::error::AuditError;
use crate::event::SegmentsDropped;
use crate::{folder, ids, segment};
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Which records may go, by whole segments: those that are too old, and those that are too much.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Retention {
    /// Segments whose last record is older than this.
    pub age: Option<Duration>,
    /// The oldest segments, as long as all segments together are larger than this.
    pub bytes: Option<u64>,
}

/// Segments that the log says it drops.
pub(crate) struct Dropped {
    /// The first one that stays.
    pub(crate) first_kept: u32,
}

impl Dropped {
    /// Removes the files, the oldest first, so that what is left is whole whenever this ends.
    pub(crate) fn remove(&self, dir: &Path) -> io::Result<()> {
        let segments = segment::list(dir).map_err(io::Error::other)?.segments;
        for sequence in segments.into_iter().filter(|sequence| *sequence < self.first_kept) {
            for path in [dir.join(segment::name(sequence)), ids::path(dir, sequence)] {
                folder::remove_file(&path)?;
            }
        }
        fs::File::open(dir)?.sync_all()
    }
}

impl Retention {
    /// Makes what lies in `dir` durable if any of it may go later. Says up to which segment it is,
    /// given that `newest` is being written.
    pub(crate) fn settle(&self, dir: &Path, newest: u32) -> Result<u32, AuditError> {
        if *self == Self::default() {
            return Ok(0);
        }
        let folder = fs::File::open(dir).map_err(AuditError::io("open", dir))?;
        let synced = nix::unistd::syncfs(folder).map_err(io::Error::from);
        synced.map_err(AuditError::io("sync", dir))?;
        Ok(newest.saturating_sub(1))
    }

    /// What may be dropped at `now_us`, of `ended`, those segments from the first one that stays on
    /// which have ended; `newest_bytes` has the one after them, which always stays. Their tiles are
    /// durable up to `synced`.
    pub(crate) fn due(
        &self,
        ended: &VecDeque<Ended>,
        newest_bytes: u64,
        synced: u32,
        now_us: u64,
    ) -> Option<SegmentsDropped> {
        let mut total = newest_bytes + ended.iter().map(|segment| segment.bytes).sum::<u64>();
        let mut dropped = None;
        for segment in ended.iter().take_while(|segment| segment.sequence <= synced) {
            let age = Duration::from_micros(now_us.saturating_sub(segment.newest_us));
            let too_old = self.age.is_some_and(|most| age > most);
            let too_much = self.bytes.is_some_and(|most| total > most);
            if !too_old && !too_much {
                break;
            }
            total -= segment.bytes;
            dropped = Some((segment, if too_old { "age" } else { "bytes" }));
        }
        let (last, why) = dropped?;
        Some(SegmentsDropped {
            first_record: last.records_before_next,
            first_segment: last.sequence + 1,
            why: why.into(),
        })
    }
}

/// A segment that has ended, by what was read of it at the start or written since: what its file
/// looks like later says nothing, for whoever writes the folder can have it look like anything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) sequence: u32,
    /// Its length.
    pub(crate) bytes: u64,
    /// The latest time that a record in it or before it has.
    pub(crate) newest_us: u64,
    /// How many records there are in it and before it.
    pub(crate) records_before_next: u64,
}
