//! Where the decision on each request stands: one sorted file per segment, so that one record is
//! found among millions with a few reads.
//!
//! The files follow from the segments; whoever looks one up reads the record itself and believes
//! only that.

use crate::error::AuditError;
use crate::head::Head;
use crate::replace::{self, Durability};
use crate::request::RequestId;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// A record's number, and where its frame begins in its segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) n: u64,
    pub(crate) offset: u64,
}

/// The decisions in one segment.
#[derive(Clone, Default)]
pub(crate) struct Ids(HashMap<RequestId, Place>);

impl Ids {
    pub(crate) fn insert(&mut self, id: RequestId, place: Place) {
        self.0.insert(id, place);
    }

    /// Takes in a record that stands at `offset`, if it is a decision.
    pub(crate) fn see(&mut self, head: &Head<'_>, offset: u64) {
        if let Some(id) = head.decides() {
            self.insert(id, Place { n: head.n, offset });
        }
    }

    pub(crate) fn find(&self, id: RequestId) -> Option<Place> {
        self.0.get(&id).copied()
    }

    /// The file that says the same: 32 bytes each of id, number and offset, ordered by id.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut sorted: Vec<_> = self.0.iter().collect();
        sorted.sort_unstable_by_key(|(id, _)| **id);
        let mut bytes = Vec::with_capacity(sorted.len() * ENTRY_BYTES);
        for (id, place) in sorted {
            bytes.extend_from_slice(&id.0);
            bytes.extend_from_slice(&place.n.to_le_bytes());
            bytes.extend_from_slice(&place.offset.to_le_bytes());
        }
        bytes
    }
}

/// Writes the file of an ended segment, unless it is there already.
pub(crate) fn write(dir: &Path, sequence: u32, bytes: &[u8]) -> io::Result<()> {
    replace::unless_same(&path(dir, sequence), bytes, Durability::Later).map(drop)
}

/// What the file of a segment says of a request.
pub(crate) enum Said {
    /// There is no file.
    NoFile,
    /// The segment does not have it.
    No,
    /// It stands there.
    At(Place),
}

/// Looks a request up in the file of a segment.
pub(crate) fn find(dir: &Path, sequence: u32, id: RequestId) -> Result<Said, AuditError> {
    let path = path(dir, sequence);
    let found = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Said::NoFile),
        Err(error) => Err(error),
        Ok(file) => search(&file, id),
    };
    Ok(found.map_err(AuditError::io("read", &path))?.map_or(Said::No, Said::At))
}

fn search(file: &File, id: RequestId) -> io::Result<Option<Place>> {
    let (mut low, mut high) = (0, file.metadata()?.len() / ENTRY_BYTES as u64);
    while low < high {
        let middle = low.midpoint(high);
        let mut entry = [[0; 8]; 4];
        file.read_exact_at(entry.as_flattened_mut(), middle * ENTRY_BYTES as u64)?;
        let [a, b, n, offset] = entry;
        let here = [a, b];
        match here.as_flattened().cmp(&id.0) {
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
            std::cmp::Ordering::Equal => {
                let (n, offset) = (u64::from_le_bytes(n), u64::from_le_bytes(offset));
                return Ok(Some(Place { n, offset }));
            }
        }
    }
    Ok(None)
}

/// The file of one segment.
pub(crate) fn path(dir: &Path, sequence: u32) -> PathBuf {
    dir.join(FOLDER).join(format!("{sequence:08}"))
}

/// The segment that a file in the folder belongs to.
pub(crate) fn sequence(file_name: &str) -> Option<u32> {
    let sequence = file_name.parse().ok()?;
    (file_name == format!("{sequence:08}")).then_some(sequence)
}

/// The folder of these files below a log's folder.
pub(crate) const FOLDER: &str = "ids";
const ENTRY_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn id(n: u64) -> RequestId {
        RequestId(
            [n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes(); 2]
                .as_flattened()
                .try_into()
                .unwrap(),
        )
    }

    #[test]
    fn each_id_is_found_in_its_file_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        for count in [0, 1, 2, 3, 1000] {
            let mut ids = Ids::default();
            (0..count).for_each(|n| ids.insert(id(n), Place { n, offset: n * 3 }));
            write(dir.path(), 1, &ids.to_bytes()).unwrap();
            let file = File::open(path(dir.path(), 1)).unwrap();
            for n in 0..count {
                assert_eq!(search(&file, id(n)).unwrap(), Some(Place { n, offset: n * 3 }));
            }
            assert_eq!(search(&file, id(count)).unwrap(), None);
        }
    }
}
