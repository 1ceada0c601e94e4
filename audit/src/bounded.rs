//! Reading small files that somebody else may have put there: regular files alone, no links, and no
//! more than they can rightly hold.

use nix::fcntl::OFlag;
use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The bytes of a file that has at most `most`.
pub(crate) fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    // Opening a pipe must not wait for its writer.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is longer than it can be"));
    }
    Ok(bytes)
}

/// A checkpoint with many signatures.
pub(crate) const NOTE_BYTES_MAX: usize = 64 * 1024;
/// 256 hashes.
pub(crate) const TILE_BYTES_MAX: usize = 8192;
