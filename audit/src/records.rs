//! Reading the records one after another, for queries and for tests. Checks frames, not signatures.

use crate::error::AuditError;
use crate::finding::{Finding, What};
use crate::frame::Kind;
use crate::record::Record;
use crate::scan::{Frames, Look};
use crate::segment::{self, HEADER_BYTES};
use std::path::{Path, PathBuf};

/// A record and where it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The segment's file name.
    pub file: String,
    /// Bytes from the start of that file.
    pub offset: u64,
    /// The canonical JSON that is the leaf of the tree.
    pub body: Vec<u8>,
}

impl Entry {
    /// The record, typed.
    pub fn record(&self) -> Result<Record, serde_json::Error> {
        Record::parse(&self.body)
    }
}

/// The records of the log in `dir`, from the first to where the log ends now.
pub fn records(dir: &Path) -> Result<Records, AuditError> {
    let mut segments = segment::list(dir)?.segments;
    if segments.is_empty() {
        return Err(AuditError::NoLog(dir.to_owned()));
    }
    segments.reverse();
    let dir = dir.to_owned();
    Ok(Records { dir, segments, current: None, count: 0 })
}

/// The records of one segment.
pub(crate) fn in_segment(dir: &Path, sequence: u32) -> Records {
    Records { dir: dir.to_owned(), segments: vec![sequence], current: None, count: 0 }
}

/// The records from byte `offset` of the segment `file` on, for whoever knows that one begins
/// there. None at all if there is no such segment.
pub fn records_from(dir: &Path, file: &str, offset: u64) -> Result<Records, AuditError> {
    let mut later = records(dir)?;
    // Those still to come stand before it.
    let begin = later.segments.iter().position(|sequence| segment::name(*sequence) == file);
    let begun = later.segments.drain(begin.unwrap_or_default()..).next();
    if let Some(sequence) = begun.filter(|_| begin.is_some()) {
        let frames = Frames::new(segment::open(dir, sequence)?, offset);
        later.current = Some((file.to_owned(), frames));
    }
    Ok(later)
}

/// The records of `time_us` and later, and some before them: from the beginning of the last segment
/// that begins before then. Also whether the log reaches back so far; if not, they are all there are.
pub fn records_since(dir: &Path, time_us: u64) -> Result<(Records, bool), AuditError> {
    let mut later = records(dir)?;
    // Those still to come stand before it: the oldest is the last.
    let mut before = None;
    for (place, sequence) in later.segments.iter().enumerate().rev() {
        let Some(first) = in_segment(dir, *sequence).next() else { continue };
        if first?.record().map_or(true, |record| record.time_us >= time_us) {
            break;
        }
        before = Some(place);
    }
    let reaches = match before {
        Some(place) => {
            later.segments.truncate(place + 1);
            true
        }
        // One that nothing was dropped of began then or later: there was nothing before.
        None => later.segments.last() == Some(&1),
    };
    Ok((later, reaches))
}

/// See [`records`]. Ends after the first error.
pub struct Records {
    dir: PathBuf,
    /// Those not yet begun, the next one last.
    segments: Vec<u32>,
    current: Option<(String, Frames)>,
    count: u64,
}

impl Iterator for Records {
    type Item = Result<Entry, AuditError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.current.is_none() {
                let sequence = self.segments.pop()?;
                match segment::open(&self.dir, sequence) {
                    Ok(file) => {
                        let frames = Frames::new(file, HEADER_BYTES as u64);
                        self.current = Some((segment::name(sequence), frames));
                    }
                    Err(error) => return self.fail(error),
                }
            }
            let (name, frames) = self.current.as_mut()?;
            let offset = frames.at();
            match frames.look() {
                Ok(Look::Frame { kind, body, frame_bytes }) => {
                    let entry = (kind == Kind::Leaf).then(|| Entry {
                        file: name.clone(),
                        offset,
                        body: body.to_vec(),
                    });
                    frames.advance(frame_bytes);
                    if let Some(entry) = entry {
                        self.count += 1;
                        return Some(Ok(entry));
                    }
                }
                Ok(Look::End | Look::Zeros) => self.current = None,
                Ok(Look::Bad(what)) => {
                    let file = name.clone();
                    return self.bad(file, offset, what);
                }
                Err(error) => {
                    let path = self.dir.join(&*name);
                    return self.fail(AuditError::io("read", path)(error));
                }
            }
        }
    }
}

impl Records {
    fn bad(&mut self, file: String, offset: u64, what: What) -> Option<Result<Entry, AuditError>> {
        let record = self.count;
        self.fail(AuditError::Damaged(Box::new(Finding { file, offset, record, what })))
    }

    fn fail(&mut self, error: AuditError) -> Option<Result<Entry, AuditError>> {
        self.segments.clear();
        self.current = None;
        Some(Err(error))
    }
}
