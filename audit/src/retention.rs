//! How long records stay. Whole segments go, the oldest first; their hashes stay in the tiles, and
//! the records that a verifier needs stay beside them.

use crate::error::AuditError;
use crate::event::SegmentsDropped;
use crate::{folder, ids, segment};
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Which records may go, by whole segments: those that are too old, and those that are too much.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Retention {
    /// Segments that ended longer ago than this.
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

    /// What may be dropped now, of the segments from `first` on that ended and whose tiles are
    /// durable up to `synced`. The newest segment always stays.
    pub(crate) fn due(
        &self,
        dir: &Path,
        first: u32,
        synced: u32,
        now: SystemTime,
    ) -> Result<Option<SegmentsDropped>, AuditError> {
        if *self == Self::default() {
            return Ok(None);
        }
        let mut ended = Vec::new();
        let mut total = 0;
        // Those before it are being removed.
        for sequence in segment::list(dir)?.segments.into_iter().filter(|at| *at >= first) {
            let path = dir.join(segment::name(sequence));
            let facts = fs::metadata(&path).map_err(AuditError::io("look at", &path))?;
            total += facts.len();
            let age = facts.modified().ok().and_then(|ended| now.duration_since(ended).ok());
            ended.push((sequence, facts.len(), age.unwrap_or_default()));
        }
        ended.pop();
        let mut dropped = None;
        for (sequence, bytes, age) in ended.into_iter().filter(|ended| ended.0 <= synced) {
            let too_old = self.age.is_some_and(|most| age > most);
            let too_much = self.bytes.is_some_and(|most| total > most);
            if !too_old && !too_much {
                break;
            }
            total -= bytes;
            dropped = Some((sequence + 1, if too_old { "age" } else { "bytes" }));
        }
        let Some((first_kept, why)) = dropped else { return Ok(None) };
        let first_record = segment::read_header(dir, first_kept)?.first_leaf;
        Ok(Some(SegmentsDropped { first_record, first_segment: first_kept, why: why.into() }))
    }
}
