//! Replacing a file, so that a reader sees the old one or the new one and nothing between.

use crate::folder;
use nix::fcntl::OFlag;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// When a file must be on the disk.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Durability {
    /// Before this returns.
    Now,
    /// When the system comes to it: for what can be made again.
    Later,
}

/// Puts `bytes` in the place of the file, if there is one; only the owner can read it.
pub(crate) fn file(path: &Path, bytes: &[u8], durability: Durability) -> io::Result<()> {
    let fresh = under_way(path);
    let replaced = write(&fresh, bytes, durability).and_then(|()| fs::rename(&fresh, path));
    if let Err(error) = replaced {
        // As far as that goes: what stays is swept at the next start.
        let _ = fs::remove_file(&fresh);
        return Err(error);
    }
    if durability == Durability::Now {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Does the same, unless the file is there with these bytes; says whether it had to. Its folder is
/// made if it is missing. What cannot be read is written anew, which says what is wrong with it.
pub(crate) fn unless_same(path: &Path, bytes: &[u8], durability: Durability) -> io::Result<bool> {
    if fs::read(path).is_ok_and(|found| found == bytes) {
        return Ok(false);
    }
    if let Some(folder) = path.parent() {
        folder::make(folder)?;
    }
    file(path, bytes, durability).map(|()| true)
}

/// Whether `found` is what a power failure leaves of a file that held `written` and was not durable:
/// its beginning, up to any length, or with zeros from a sector on.
pub(crate) fn is_cut_short(found: &[u8], written: &[u8]) -> bool {
    let zeros = found.iter().rev().take_while(|byte| **byte == 0).count();
    let whole_sectors = (found.len() - zeros).next_multiple_of(SECTOR_BYTES);
    let lost = found.get(whole_sectors..).is_some_and(|lost| !lost.is_empty());
    let kept = if lost { found.get(..whole_sectors).unwrap_or_default() } else { found };
    found.len() <= written.len() && kept.len() < written.len() && written.starts_with(kept)
}

fn write(fresh: &Path, bytes: &[u8], durability: Durability) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.custom_flags(OFlag::O_NOFOLLOW.bits()).open(fresh)?;
    file.write_all(bytes)?;
    if durability == Durability::Now {
        file.sync_data()?;
    }
    Ok(())
}

/// Where a file is written before it gets to its place.
pub(crate) fn under_way(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{BEGIN}{name}{END}"))
}

/// Whether a file of this name is one that has not got to its place.
pub(crate) fn is_under_way(file_name: &str) -> bool {
    file_name.starts_with(BEGIN) && file_name.ends_with(END)
}

/// Such files in a folder and those below it: what a crash left, unless somebody is writing.
pub(crate) fn left_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut left = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder::entries(&folder)? {
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if is_under_way(&entry.file_name().to_string_lossy()) {
                left.push(entry.path());
            }
        }
    }
    Ok(left)
}

const BEGIN: &str = ".";
const END: &str = ".new";
const SECTOR_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::is_cut_short;

    #[test]
    fn only_the_beginning_of_a_file_is_one_that_was_cut_short() {
        let written: Vec<u8> = (0..2_000_u32).map(|at| (at % 251) as u8 + 1).collect();
        for end in 0..written.len() {
            assert!(is_cut_short(&written[..end], &written), "cut at {end}");
            let mut flipped = written.clone();
            flipped[end] ^= 1;
            assert!(!is_cut_short(&flipped, &written), "flipped at {end}");
            let mut zeros = written.clone();
            zeros[end..].fill(0);
            assert_eq!(is_cut_short(&zeros, &written), end % 512 == 0, "zeros from {end}");
        }
        assert!(!is_cut_short(&written, &written));
        assert!(!is_cut_short(&[&written[..], &[0]].concat(), &written));
    }
}
