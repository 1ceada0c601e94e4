//! Reading single records of a log, and proving them.

use crate::bounded::{self, NOTE_BYTES_MAX};
use crate::checkpoint::Checkpoint;
use crate::error::AuditError;
use crate::frame::Kind;
use crate::head::Head;
use crate::ids::{self, Place, Said};
use crate::keeper::Kept;
use crate::merkle::inclusion_proof;
use crate::proof::Proof;
use crate::records::Entry;
use crate::request::RequestId;
use crate::scan::{Frames, Look};
use crate::segment;
use crate::tiles::{PUBLISHED, Reader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Reads a log's folder, also while a gateway is writing it.
#[derive(Clone)]
pub struct LogReader {
    dir: PathBuf,
    /// What the writer in this process knows of its newest segment.
    kept: Option<Arc<Kept>>,
}

impl LogReader {
    /// Reads the log in `dir`.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), kept: None }
    }

    /// Reads the log that this process is writing.
    pub(crate) fn beside(dir: &Path, kept: Arc<Kept>) -> Self {
        Self { dir: dir.to_owned(), kept: Some(kept) }
    }

    /// The record of the decision on a request, if the log has one.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn decision(&self, id: RequestId) -> Result<Option<Entry>, AuditError> {
        let segments = segment::list(&self.dir)?.segments;
        if segments.is_empty() {
            return Err(AuditError::NoLog(self.dir.clone()));
        }
        // The writer knows what has no file yet. After a failure it does not, and nobody else does.
        let writer = self.kept.as_ref().filter(|kept| kept.failure().is_none());
        if let Some((sequence, place)) = writer.and_then(|kept| kept.find(id)) {
            return self.at(sequence, place, id);
        }
        for sequence in segments.into_iter().rev() {
            let found = match ids::find(&self.dir, sequence, id)? {
                Said::At(place) => self.at(sequence, place, id)?,
                Said::NoFile if writer.is_none() => self.search(sequence, id)?,
                Said::NoFile | Said::No => None,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Proves that a record is in the tree that was published last; there is no proof of one that
    /// came later.
    ///
    /// # Errors
    /// When the folder cannot be read, or the tiles do not have the record.
    pub fn prove(&self, entry: &Entry) -> Result<Option<Proof>, AuditError> {
        let path = self.dir.join(PUBLISHED);
        let checkpoint = match bounded::read(&path, NOTE_BYTES_MAX) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(AuditError::io("read", path))?,
        };
        let checkpoint = String::from_utf8_lossy(&checkpoint).into_owned();
        let head = Head::parse(&entry.body).ok_or(AuditError::Proof("there is no such record"))?;
        let size = Checkpoint::size_of(&checkpoint).unwrap_or(0);
        let path = inclusion_proof(head.n, size, &Reader::new(&self.dir, size))
            .map_err(AuditError::io("read tiles in", &self.dir))?;
        let (body, index) = (entry.body.clone(), head.n);
        Ok(path.map(|path| Proof { body, index, path, checkpoint }))
    }

    /// The record at a place, if it is the decision on this request.
    fn at(&self, sequence: u32, place: Place, id: RequestId) -> Result<Option<Entry>, AuditError> {
        let file = segment::open(&self.dir, sequence)?;
        let mut frames = Frames::new(file, place.offset);
        let looked = frames.look();
        let looked = looked.map_err(AuditError::io("read", &self.dir))?;
        let Look::Frame { kind: Kind::Leaf, body, .. } = looked else { return Ok(None) };
        let is_it =
            Head::parse(body).is_some_and(|head| head.n == place.n && head.decides() == Some(id));
        Ok(is_it.then(|| Entry {
            file: segment::name(sequence),
            offset: place.offset,
            body: body.to_vec(),
        }))
    }

    fn search(&self, sequence: u32, id: RequestId) -> Result<Option<Entry>, AuditError> {
        for entry in crate::records::in_segment(&self.dir, sequence) {
            let entry = entry?;
            let head = Head::parse(&entry.body);
            if head.and_then(|head| head.decides()) == Some(id) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }
}
