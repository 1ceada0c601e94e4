use super::header;
use super::provider::KekProvider;
use super::sealed_file::SealedFile;
use super::wrap;
use crate::KeyError;

/// What becomes of the wrap that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldWrap {
    /// It stays beside the new one: the epochs of two KEKs overlap.
    Kept,
    /// It goes.
    Dropped,
}

/// The same file, sealed for `new` besides whom it is sealed for already; header and chunks stay as
/// they are, bit for bit, and no chunk is opened.
///
/// Wraps by other KEKs than `old` stay. One that `new` has already is replaced.
///
/// This takes nothing back: whoever has the old file and the old KEK still opens it, and whoever
/// has seen the DEK opens the new file too. After a KEK was lost to somebody, open the file and seal
/// it anew.
///
/// # Errors
/// [`KeyError::OtherKek`] or [`KeyError::Refused`] when `old` does not unwrap the DEK,
/// [`KeyError::Keks`] when the file would be for too many, and what the providers say.
pub fn rewrap(
    file: &SealedFile<'_>,
    old: &dyn KekProvider,
    new: &dyn KekProvider,
    old_wrap: OldWrap,
) -> Result<Vec<u8>, KeyError> {
    let (opened, dek) = file.unwrap_at(old)?;
    let made = new.wrap(&dek, &header::identity(file.header_bytes()))?;
    let stays = |index: usize, wrap: &wrap::Wrap| {
        let replaced = (wrap.kind(), wrap.id()) == (made.kind(), made.id());
        let dropped = index == opened && old_wrap == OldWrap::Dropped;
        !(replaced || dropped)
    };
    let mut wraps: Vec<_> = file
        .wraps()
        .iter()
        .enumerate()
        .filter(|(index, wrap)| stays(*index, wrap))
        .map(|(_, wrap)| wrap.clone())
        .collect();
    wraps.push(made);
    file.with_wraps(&wraps)
}
