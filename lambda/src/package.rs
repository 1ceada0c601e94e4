use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sealgate_keys::at_rest::{
    KekProvider, KeyFileKek, PassphraseKek, SEALED_BYTES_MAX, SealedFile, is_sealed,
};
use sealgate_keys::key_file::KeyFileError;
use sealgate_keys::{Cleartext, KeyError};
use sealgate_model::{ARTIFACT_BYTES_MAX, Digest};
use sealgate_worker::Engine;
use sealgate_worker::function::{
    Function, FunctionError, FunctionKeys, FunctionOptions, ReplayStore, Replays, StoreError,
};
use zeroize::Zeroizing;

use crate::config::{Config, ConfigError, Kek, Sealed};
use crate::{FileReplays, Handler};

/// All that a function starts from, read and opened.
pub struct Package {
    config: Config,
    model: Cleartext,
    kek: Option<Box<dyn KekProvider>>,
    build_digest: [u8; 32],
}

/// Why a function does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file of the package.
    #[error("cannot {doing} `{}`: {source}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file is longer than one of its kind may be.
    #[error("`{}` is larger than {max} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most there may be.
        max: usize,
    },
    /// The key-encryption key.
    #[error(transparent)]
    Kek(#[from] KeyFileError),
    /// A sealed file does not open.
    #[error("`{}` does not open: {source}", path.display())]
    Sealed {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: KeyError,
    },
    /// The function itself.
    #[error(transparent)]
    Function(#[from] FunctionError),
    /// The process is not one that Lambda started for this.
    #[error("{0}")]
    Environment(&'static str),
}

impl Package {
    /// Reads what `config` names; the function's program is `program`.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn open(config: Config, program: &Path) -> Result<Self, StartError> {
        let build_digest = *Digest::of(&bytes(program, PROGRAM_BYTES_MAX)?).as_bytes();
        let kek = config.kek.as_ref().map(kek).transpose()?;
        let model = model(&config.model, kek.as_deref())?;
        Ok(Self { config, model, kek, build_digest })
    }

    /// The function with the keys of its package.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn handler(self) -> Result<Handler, StartError> {
        let Some(sealed) = &self.config.sealed else {
            // Receipts have to be signed by something, though nobody gets to see them.
            let keys = FunctionKeys::generate(u64::MAX >> 32).map_err(FunctionError::from)?;
            let function = self.function(&keys, Replays::AtLeastOnce)?;
            return Ok(Handler::new(function, self.config.plain, false));
        };
        let kek = self.kek.as_deref().ok_or(KEK_MISSING)?;
        let file = bytes(&sealed.keys, KEYS_BYTES_MAX)?;
        let keys = FunctionKeys::open(&file, kek).map_err(not_opened(&sealed.keys))?;
        let function = self.function(&keys, replays(sealed)?)?;
        Ok(Handler::new(function, self.config.plain, true))
    }

    /// Fresh keys until `not_after_s`, and the function that shows them. It answers nothing: what it
    /// has opened nobody remembers.
    pub(crate) fn with_fresh_keys(
        &self,
        not_after_s: u64,
    ) -> Result<(FunctionKeys, Function), StartError> {
        let sealed = self.config.sealed.as_ref().ok_or(SEALED_MISSING)?;
        let replays = match sealed.replay {
            Some(_) => Replays::AtLeastOnce,
            None => Replays::Store(Box::new(Nowhere)),
        };
        let keys = FunctionKeys::generate(not_after_s).map_err(FunctionError::from)?;
        let function = self.function(&keys, replays)?;
        Ok((keys, function))
    }

    pub(crate) fn kek(&self) -> Result<&dyn KekProvider, StartError> {
        self.kek.as_deref().ok_or(KEK_MISSING.into())
    }

    fn function(&self, keys: &FunctionKeys, replays: Replays) -> Result<Function, StartError> {
        let engine = Engine { name: "flex", device: Device::flex };
        let of = FunctionOptions {
            name: &self.config.name,
            version: &self.config.version,
            release: self.config.release()?,
            rows_max: self.config.rows_max.get(),
            build_digest: self.build_digest,
            engine: &engine,
        };
        Ok(Function::load(self.model.expose(), &of, keys, replays)?)
    }
}

struct Nowhere;

impl ReplayStore for Nowhere {
    fn claim(&self, _: &[u8; 32], _: std::time::SystemTime) -> Result<bool, StoreError> {
        Err(StoreError("there is none".to_owned()))
    }
}

fn replays(sealed: &Sealed) -> Result<Replays, StartError> {
    let Some(folder) = &sealed.replay_folder else { return Ok(Replays::AtLeastOnce) };
    let store = FileReplays::open(folder.clone()).map_err(|source| StartError::File {
        doing: "use",
        path: folder.clone(),
        source,
    })?;
    Ok(Replays::Store(Box::new(store)))
}

fn kek(from: &Kek) -> Result<Box<dyn KekProvider>, StartError> {
    match (&from.key_file, &from.passphrase_file) {
        (Some(file), _) => Ok(Box::new(KeyFileKek::read(file)?)),
        (None, Some(file)) => Ok(Box::new(PassphraseKek::read(file)?)),
        (None, None) => Err(KEK_MISSING.into()),
    }
}

fn model(path: &Path, kek: Option<&dyn KekProvider>) -> Result<Cleartext, StartError> {
    let mut file = bytes(path, SEALED_BYTES_MAX)?;
    if is_sealed(&file) {
        let kek = kek.ok_or(KEK_MISSING)?;
        let opened = SealedFile::parse(&file)
            .and_then(|sealed| sealed.open(&sealed.unwrap(kek)?))
            .map_err(not_opened(path))?;
        return Ok(opened);
    }
    match file.len() {
        0..=ARTIFACT_BYTES_MAX => Ok(Cleartext::new(std::mem::take(&mut *file))),
        _ => Err(StartError::TooLarge { path: path.to_owned(), max: ARTIFACT_BYTES_MAX }),
    }
}

/// A file, up to a length.
fn bytes(path: &Path, max: usize) -> Result<Zeroizing<Vec<u8>>, StartError> {
    let io = |source| StartError::File { doing: "read", path: path.to_owned(), source };
    let mut found = Zeroizing::new(Vec::new());
    let file = File::open(path).map_err(io)?;
    file.take(max as u64 + 1).read_to_end(&mut found).map_err(io)?;
    match found.len() {
        found if found > max => Err(StartError::TooLarge { path: path.to_owned(), max }),
        _ => Ok(found),
    }
}

fn not_opened(path: &Path) -> impl FnOnce(KeyError) -> StartError {
    move |source| StartError::Sealed { path: path.to_owned(), source }
}

const KEK_MISSING: ConfigError = ConfigError::Wrong("something is sealed, and there is no `[kek]`");
const SEALED_MISSING: ConfigError = ConfigError::Wrong("there is no `[sealed]` to make keys for");
const PROGRAM_BYTES_MAX: usize = 512 << 20;
const KEYS_BYTES_MAX: usize = 256 << 10;
