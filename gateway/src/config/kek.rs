//! `[kek]`: what unwraps models that lie sealed.

use std::path::PathBuf;

use sealgate_keys::at_rest::{KekProvider, KeyFileKek, PassphraseKek};
use sealgate_keys::key_file::KeyFileError;
use serde::Deserialize;

use crate::models::Keks;

/// `[kek]`: several may stand side by side while one takes the place of another.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KekConfig {
    /// Files of 32 bytes, for their owner alone, as `sealgate keys generate` makes them.
    #[serde(default)]
    pub files: Vec<PathBuf>,
    /// Files with a passphrase of one line each, for their owner alone. Each model costs what its
    /// passphrase was made to cost, at every start and every change.
    #[serde(default)]
    pub passphrase_files: Vec<PathBuf>,
}

impl KekConfig {
    /// Reads them.
    ///
    /// # Errors
    /// The first file that is none.
    pub fn read(&self) -> Result<Keks, KeyFileError> {
        let mut keks: Vec<Box<dyn KekProvider>> = Vec::new();
        for file in &self.files {
            keks.push(Box::new(KeyFileKek::read(file)?));
        }
        for file in &self.passphrase_files {
            keks.push(Box::new(PassphraseKek::read(file)?));
        }
        Ok(Keks::new(keks))
    }
}
