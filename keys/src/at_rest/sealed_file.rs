use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::header::{self, HEADER_BYTES_MAX, Header};
use super::provider::KekProvider;
use super::stream;
use super::wrap::{self, WRAPS_BYTES_MAX, Wrap};
use super::{Dek, MAGIC};
use crate::{Cleartext, KeyError, Secret};

/// Whether bytes begin as a sealed file does.
#[must_use]
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// A sealed file that was read without any key. What it says of itself is believed once it opens.
pub struct SealedFile<'a> {
    header_bytes: &'a [u8],
    header: Header,
    wraps: Vec<Wrap>,
    chunks: &'a [u8],
}

impl<'a> SealedFile<'a> {
    /// Takes a file apart. Nothing is allocated by a length that the file itself does not have.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] or [`KeyError::TooLarge`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, KeyError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(MALFORMED)?;
        let (header_bytes, rest) = part(rest, HEADER_BYTES_MAX)?;
        let header = Header::decode(header_bytes)?;
        let (wraps, chunks) = part(rest, WRAPS_BYTES_MAX)?;
        let wraps = wrap::decode(wraps)?;
        if chunks.len() != stream::sealed_bytes(header.bytes) {
            return Err(MALFORMED);
        }
        Ok(Self { header_bytes, header, wraps, chunks })
    }

    /// SHA-256 of the artifact: its identity.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        self.header.sha256()
    }

    /// Bytes of the artifact.
    #[must_use]
    pub const fn clear_bytes(&self) -> usize {
        self.header.bytes
    }

    /// Whom the file is sealed for.
    #[must_use]
    pub fn wraps(&self) -> &[Wrap] {
        &self.wraps
    }

    /// The file's DEK, by a KEK that it is sealed for. It is the one that the file commits to.
    ///
    /// # Errors
    /// [`KeyError::OtherKek`] when no wrap fits, [`KeyError::Refused`] when none that fits opens,
    /// and what the provider says.
    pub fn unwrap(&self, kek: &dyn KekProvider) -> Result<Dek, KeyError> {
        self.unwrap_at(kek).map(|(_, dek)| dek)
    }

    /// Also which wrap it was.
    pub(super) fn unwrap_at(&self, kek: &dyn KekProvider) -> Result<(usize, Dek), KeyError> {
        let file = header::identity(self.header_bytes);
        let mut found = Err(KeyError::OtherKek);
        for (index, wrap) in self.wraps.iter().enumerate().filter(|(_, wrap)| kek.fits(wrap)) {
            found = match kek.unwrap(wrap, &file).and_then(|dek| self.committed(dek)) {
                Ok(dek) => return Ok((index, dek)),
                // What is said of another wrap that fits does not hide this.
                Err(KeyError::Refused) if !matches!(found, Err(KeyError::OtherKek)) => found,
                Err(error) => Err(error),
            };
        }
        found
    }

    fn committed(&self, dek: Dek) -> Result<Dek, KeyError> {
        self.check(&dek)?;
        Ok(dek)
    }

    fn check(&self, dek: &Dek) -> Result<(), KeyError> {
        let committed = Secret::from_bytes(*self.header.commitment());
        if dek.commitment().same_as(&committed) { Ok(()) } else { Err(KeyError::Refused) }
    }

    /// Opens the artifact: all of it, or nothing.
    ///
    /// # Errors
    /// [`KeyError::Refused`], whatever was wrong; [`KeyError::Memory`].
    pub fn open(&self, dek: &Dek) -> Result<Cleartext, KeyError> {
        self.check(dek)?;
        let mut out = Zeroizing::new(Vec::new());
        out.try_reserve_exact(self.header.bytes).map_err(|_| KeyError::Memory("the artifact"))?;
        stream::open(&dek.chunk_key(), self.header_bytes, self.chunks, &mut out)?;
        let digest = Sha256::digest(&*out);
        if !bool::from(digest.as_slice().ct_eq(self.header.sha256())) {
            return Err(KeyError::Refused);
        }
        Ok(Cleartext::new(std::mem::take(&mut *out)))
    }

    /// The same file for others.
    pub(super) fn with_wraps(&self, wraps: &[Wrap]) -> Result<Vec<u8>, KeyError> {
        let mut out = super::seal::front(self.header_bytes, wraps, self.chunks.len())?;
        out.extend_from_slice(self.chunks);
        Ok(out)
    }

    pub(super) const fn header_bytes(&self) -> &'a [u8] {
        self.header_bytes
    }
}

/// A part after its length of four bytes, and what follows.
fn part(bytes: &[u8], bytes_max: usize) -> Result<(&[u8], &[u8]), KeyError> {
    let (length, rest) = bytes.split_first_chunk().ok_or(MALFORMED)?;
    let length = u32::from_be_bytes(*length) as usize;
    if length > bytes_max {
        return Err(KeyError::TooLarge {
            what: "sealed file's part",
            bytes: length,
            max: bytes_max,
        });
    }
    rest.split_at_checked(length).ok_or(MALFORMED)
}

const MALFORMED: KeyError = KeyError::Malformed("sealed file");
