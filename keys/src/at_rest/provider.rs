use super::{Dek, Wrap};
use crate::{KeyError, labels};

/// Who holds a key-encryption key (KEK), and wraps and unwraps the DEKs of files with it.
///
/// A key file and a passphrase are here ([`KeyFileKek`](super::KeyFileKek),
/// [`PassphraseKek`](super::PassphraseKek)). A provider on hardware keeps its KEK there: it is given
/// one DEK and the bytes of [`FileIdentity::context`] to bind it to.
///
/// A provider binds all of a wrap: `context` as AAD, and its own parameters by deriving from them.
pub trait KekProvider: Send + Sync {
    /// What sort of KEK this is; stands in the wrap.
    fn kind(&self) -> &str;

    /// The public id of the KEK, if it has one before it wraps.
    fn id(&self) -> Option<&str>;

    /// Wraps a file's DEK.
    ///
    /// # Errors
    /// [`KeyError::Randomness`], [`KeyError::Memory`], or [`KeyError::Refused`] when the KEK's
    /// holder refuses.
    fn wrap(&self, dek: &Dek, file: &FileIdentity) -> Result<Wrap, KeyError>;

    /// Unwraps what [`KekProvider::wrap`] wrapped for the same file.
    ///
    /// # Errors
    /// [`KeyError::Refused`], whatever was wrong; [`KeyError::OverCost`] for parameters that ask
    /// for more work than is done; [`KeyError::Memory`].
    fn unwrap(&self, wrap: &Wrap, file: &FileIdentity) -> Result<Dek, KeyError>;

    /// Whether a wrap may be this KEK's: its kind, and its id if that is known.
    fn fits(&self, wrap: &Wrap) -> bool {
        wrap.kind() == self.kind() && self.id().is_none_or(|id| id == wrap.id())
    }
}

/// SHA-256 of a sealed file's header, which names the artifact and commits to the DEK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileIdentity(pub [u8; 32]);

impl FileIdentity {
    /// What a wrapped DEK is bound to: `label || SHA-256(header) || kind || 0 || id`.
    #[must_use]
    pub fn context(&self, kind: &str, id: &str) -> Vec<u8> {
        [labels::AT_REST_DEK_WRAP, &self.0, kind.as_bytes(), &[0], id.as_bytes()].concat()
    }
}
