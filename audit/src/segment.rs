//! Segments: the files of a log, their names and headers.
//!
//! A header is 512 bytes: magic, format version, sequence number, first leaf, the root of the tree
//! before it, the origin padded with zeros, and a CRC-32C over all of these. Whatever it says is
//! checked against the log before it, so that a segment cannot be left out, moved or brought in
//! from elsewhere.

use crate::error::AuditError;
use crate::finding::{Finding, What};
use crate::key::Origin;
use crate::merkle::Hash;
use crate::tiles::{PUBLISHED, TILES};
use crate::{ids, kept_records, replace};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// What the head of a segment says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    pub(crate) sequence: u32,
    pub(crate) first_leaf: u64,
    pub(crate) root: Hash,
    pub(crate) origin: Origin,
}

impl Header {
    /// The header of segment `sequence`, which goes on behind the tree of this size and root.
    pub(crate) fn continuing((size, root): (u64, Hash), sequence: u32, origin: &Origin) -> Self {
        Self { sequence, first_leaf: size, root, origin: origin.clone() }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(&self.first_leaf.to_le_bytes());
        bytes.extend_from_slice(&self.root);
        bytes.extend_from_slice(self.origin.as_str().as_bytes());
        bytes.resize(HEADER_BYTES - 4, 0);
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    /// Reads a header. Only what it says is taken from the bytes: they must be exactly what a
    /// header that says so is written as.
    pub(crate) fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Self, What> {
        let fields = || {
            let rest = bytes.strip_prefix(MAGIC)?;
            let (format, rest) = rest.split_first_chunk()?;
            let (sequence, rest) = rest.split_first_chunk()?;
            let (first_leaf, rest) = rest.split_first_chunk()?;
            let (root, rest) = rest.split_first_chunk()?;
            let (origin, _) = rest.split_at_checked(Origin::BYTES_MAX)?;
            let origin = str::from_utf8(origin).ok()?.trim_end_matches('\0');
            let header = Self {
                sequence: u32::from_le_bytes(*sequence),
                first_leaf: u64::from_le_bytes(*first_leaf),
                root: *root,
                origin: Origin::new(origin).ok()?,
            };
            let whole = u32::from_le_bytes(*format) == FORMAT && header.to_bytes() == bytes;
            (whole && header.first_leaf < LEAVES_MAX).then_some(header)
        };
        fields().ok_or(What::Header)
    }
}

/// The name of segment `sequence`.
pub(crate) fn name(sequence: u32) -> String {
    format!("segment-{sequence:08}.log")
}

/// What lies in a log's folder.
#[derive(Default)]
pub(crate) struct Listing {
    /// The sequence numbers of the segments, in order.
    pub(crate) segments: Vec<u32>,
    /// The names of what is not the log's own.
    pub(crate) foreign: Vec<String>,
}

/// Lists a log's folder.
pub(crate) fn list(dir: &Path) -> Result<Listing, AuditError> {
    let failed = || AuditError::io("list", dir);
    let mut listing = Listing::default();
    for entry in dir.read_dir().map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let file_name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().map_err(failed())?;
        let known = match file_name.as_str() {
            TILES | ids::FOLDER | kept_records::FOLDER => kind.is_dir(),
            PUBLISHED => kind.is_file(),
            // Left by a crash, or about to get to its place.
            name => kind.is_file() && dir.join(name) == replace::under_way(&dir.join(PUBLISHED)),
        };
        match sequence(&file_name).filter(|_| kind.is_file()) {
            Some(sequence) => listing.segments.push(sequence),
            None if known => {}
            None => listing.foreign.push(file_name),
        }
    }
    listing.segments.sort_unstable();
    listing.foreign.sort_unstable();
    Ok(listing)
}

fn sequence(file_name: &str) -> Option<u32> {
    let digits = file_name.strip_prefix("segment-")?.strip_suffix(".log")?;
    let sequence = digits.parse().ok()?;
    (sequence > 0 && name(sequence) == file_name).then_some(sequence)
}

/// Opens a segment to read it. A link in its place is refused.
pub(crate) fn open(dir: &Path, sequence: u32) -> Result<File, AuditError> {
    let path = dir.join(name(sequence));
    OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(&path)
        .map_err(AuditError::io("open", path))
}

/// The header of a segment.
pub(crate) fn read_header(dir: &Path, sequence: u32) -> Result<Header, AuditError> {
    let mut bytes = [0; HEADER_BYTES];
    let read = open(dir, sequence)?.read_exact_at(&mut bytes, 0);
    read.map_err(AuditError::io("read", dir.join(name(sequence))))?;
    Header::parse(&bytes).map_err(|what| {
        let (file, offset, record) = (name(sequence), 0, 0);
        AuditError::Damaged(Box::new(Finding { file, offset, record, what }))
    })
}

/// Opens a segment to go on writing it.
pub(crate) fn open_to_write(dir: &Path, sequence: u32) -> Result<File, AuditError> {
    let path = dir.join(name(sequence));
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(&path)
        .map_err(AuditError::io("open", path))
}

/// Makes a new segment of `bytes` zeros behind its header, all of it on the disk.
pub(crate) fn create(dir: &Path, header: &Header, bytes: u64) -> io::Result<File> {
    let path = dir.join(name(header.sequence));
    let file =
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    let written = fill(&file, header, bytes).and_then(|()| File::open(dir)?.sync_all());
    if let Err(error) = written {
        // What is left of it would stand in the way of the next try.
        let _ = std::fs::remove_file(&path);
        return Err(error);
    }
    Ok(file)
}

/// Writes the header, and reserves room up to `bytes`.
pub(crate) fn fill(file: &File, header: &Header, bytes: u64) -> io::Result<()> {
    reserve(file, bytes)?;
    file.write_all_at(&header.to_bytes(), 0)?;
    file.sync_all()
}

/// Makes `file` at least `bytes` long, with room on the disk for all of it where the file system can.
pub(crate) fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    let length = i64::try_from(bytes).map_err(io::Error::other)?;
    match nix::fcntl::posix_fallocate(file, 0, length) {
        Ok(()) => Ok(()),
        Err(Errno::EOPNOTSUPP | Errno::EINVAL) => {
            let longer = file.metadata()?.len().max(bytes);
            file.set_len(longer)
        }
        Err(error) => Err(error.into()),
    }
}

/// Numbers of records are exact in every reader of JSON.
const LEAVES_MAX: u64 = 1 << 53;
/// Bytes of a header.
pub(crate) const HEADER_BYTES: usize = 512;
/// The version of the format, in headers and in the first record.
pub(crate) const FORMAT: u32 = 1;
const MAGIC: &[u8; 8] = b"SGAUDIT\n";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn header() -> Header {
        Header {
            sequence: 3,
            first_leaf: 1_000,
            root: [9; 32],
            origin: Origin::new("example.com/log").unwrap(),
        }
    }

    fn bytes() -> [u8; HEADER_BYTES] {
        header().to_bytes().try_into().unwrap()
    }

    #[test]
    fn a_header_reads_back_as_it_was_written() {
        assert_eq!(Header::parse(&bytes()), Ok(header()));
    }

    #[test]
    fn a_header_with_any_bit_flipped_is_refused() {
        for i in 0..HEADER_BYTES * 8 {
            let mut bytes = bytes();
            bytes[i / 8] ^= 1 << (i % 8);
            assert!(Header::parse(&bytes).is_err(), "bit {i}");
        }
    }

    #[test]
    fn only_the_exact_name_is_a_segment() {
        assert_eq!(sequence("segment-00000012.log"), Some(12));
        for other in ["segment-12.log", "segment-00000000.log", "segment-+0000012.log", "x"] {
            assert_eq!(sequence(other), None, "{other}");
        }
    }
}
