use super::header::{self, Header};
use super::provider::KekProvider;
use super::stream;
use super::wrap::{self, Wrap};
use super::{Dek, MAGIC};
use crate::KeyError;

/// Seals an artifact under a fresh DEK, which each of `keks` wraps.
///
/// # Errors
/// [`KeyError::Keks`] for no KEK or too many, [`KeyError::TooLarge`] for an artifact of more than
/// [`CLEAR_BYTES_MAX`](super::CLEAR_BYTES_MAX) bytes, and what the providers say.
pub fn seal(artifact: &[u8], keks: &[&dyn KekProvider]) -> Result<Vec<u8>, KeyError> {
    let dek = Dek::random()?;
    let header = Header::new(artifact, *dek.commitment().expose())?.encode();
    wrap::count(keks.len())?;
    let file = header::identity(&header);
    let wraps = keks.iter().map(|kek| kek.wrap(&dek, &file)).collect::<Result<Vec<_>, _>>()?;
    assemble(&header, &wraps, artifact, &dek)
}

pub(super) fn assemble(
    header: &[u8],
    wraps: &[Wrap],
    artifact: &[u8],
    dek: &Dek,
) -> Result<Vec<u8>, KeyError> {
    let mut out = front(header, wraps, stream::sealed_bytes(artifact.len()))?;
    stream::seal(&dek.chunk_key(), header, artifact, &mut out)?;
    Ok(out)
}

/// Everything before the chunks, with room for `more` bytes.
pub(super) fn front(header: &[u8], wraps: &[Wrap], more: usize) -> Result<Vec<u8>, KeyError> {
    let wraps = wrap::encode(wraps)?;
    let mut out = Vec::with_capacity(MAGIC.len() + 8 + header.len() + wraps.len() + more);
    out.extend_from_slice(MAGIC);
    for part in [header, &wraps] {
        out.extend_from_slice(&length32(part.len())?);
        out.extend_from_slice(part);
    }
    Ok(out)
}

fn length32(bytes: usize) -> Result<[u8; 4], KeyError> {
    let too_large =
        KeyError::TooLarge { what: "sealed file's part", bytes, max: u32::MAX as usize };
    u32::try_from(bytes).map(u32::to_be_bytes).map_err(|_| too_large)
}
