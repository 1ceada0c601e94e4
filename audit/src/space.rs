//! How much room the disk has, and how much of it must stay free.

use crate::error::AuditError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Says how many bytes are free on the file system that holds a path.
pub type FreeBytes = Arc<dyn Fn(&Path) -> io::Result<u64> + Send + Sync>;

/// What `statvfs` says is free for this user.
pub fn free_bytes() -> FreeBytes {
    Arc::new(|path| {
        let facts = nix::sys::statvfs::statvfs(path)?;
        #[allow(clippy::unnecessary_cast, reason = "the width differs between platforms")]
        let (blocks, size) = (facts.blocks_available() as u64, facts.fragment_size() as u64);
        Ok(blocks.saturating_mul(size))
    })
}

/// The low-water mark of one folder.
#[derive(Clone)]
pub(crate) struct Space {
    pub(crate) dir: PathBuf,
    pub(crate) low_water_bytes: u64,
    pub(crate) free_bytes: FreeBytes,
}

impl Space {
    /// Whether the mark still stands after taking `bytes`.
    pub(crate) fn is_enough(&self, bytes: u64) -> Result<bool, AuditError> {
        Ok(self.free()? >= self.low_water_bytes.saturating_add(bytes))
    }

    /// The same as an error that says how much there is.
    pub(crate) fn demand(&self) -> Result<(), AuditError> {
        let (free_bytes, low_water_bytes) = (self.free()?, self.low_water_bytes);
        if free_bytes < low_water_bytes {
            return Err(AuditError::DiskLow { free_bytes, low_water_bytes });
        }
        Ok(())
    }

    fn free(&self) -> Result<u64, AuditError> {
        (self.free_bytes)(&self.dir).map_err(AuditError::io("ask for free space under", &self.dir))
    }
}
