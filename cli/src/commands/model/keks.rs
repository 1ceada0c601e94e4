//! The keys that a model file is sealed for, as they are named on the command line.

use std::path::PathBuf;

use clap::Args;
use sealgate_keys::at_rest::{KekProvider, KeyFileKek, PassphraseKek, Wrap};
use serde::Serialize;

use crate::error::CliError;

/// All that are to open a file.
#[derive(Args)]
#[group(required = true, multiple = true)]
pub(super) struct Keks {
    /// Key file that is to open it, of `sealgate keys generate --kek`; may be given several times
    #[arg(long = "kek-file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// File with a passphrase that is to open it, one line; may be given several times
    #[arg(long = "kek-passphrase-file", value_name = "FILE")]
    passphrases: Vec<PathBuf>,
}

/// The one that opens it.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct Kek {
    /// Key file that opens it
    #[arg(long = "kek-file", value_name = "FILE")]
    file: Option<PathBuf>,
    /// File with the passphrase that opens it, one line
    #[arg(long = "kek-passphrase-file", value_name = "FILE")]
    passphrase: Option<PathBuf>,
}

/// The one that is to open it from now on.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct NewKek {
    /// Key file that is to open it from now on
    #[arg(long = "new-kek-file", value_name = "FILE")]
    new_file: Option<PathBuf>,
    /// File with the passphrase that is to open it from now on, one line
    #[arg(long = "new-kek-passphrase-file", value_name = "FILE")]
    new_passphrase: Option<PathBuf>,
}

impl Keks {
    pub(super) fn read(&self) -> Result<Vec<Box<dyn KekProvider>>, CliError> {
        read(self.files.iter(), self.passphrases.iter())
    }
}

impl Kek {
    pub(super) fn read(&self) -> Result<Box<dyn KekProvider>, CliError> {
        one(read(self.file.iter(), self.passphrase.iter())?)
    }
}

impl NewKek {
    pub(super) fn read(&self) -> Result<Box<dyn KekProvider>, CliError> {
        one(read(self.new_file.iter(), self.new_passphrase.iter())?)
    }
}

fn read<'a>(
    files: impl Iterator<Item = &'a PathBuf>,
    passphrases: impl Iterator<Item = &'a PathBuf>,
) -> Result<Vec<Box<dyn KekProvider>>, CliError> {
    let mut keks: Vec<Box<dyn KekProvider>> = Vec::new();
    for file in files {
        keks.push(Box::new(KeyFileKek::read(file)?));
    }
    for file in passphrases {
        keks.push(Box::new(PassphraseKek::read(file)?));
    }
    Ok(keks)
}

/// The arguments' parser lets exactly one through.
fn one(keks: Vec<Box<dyn KekProvider>>) -> Result<Box<dyn KekProvider>, CliError> {
    keks.into_iter().next().ok_or(CliError::KekUnsaid)
}

/// Whom a file is sealed for, as it is told.
#[derive(Serialize)]
pub(super) struct SealedFor {
    id: String,
    kind: String,
}

impl SealedFor {
    pub(super) fn of(wraps: &[Wrap]) -> Vec<Self> {
        wraps
            .iter()
            .map(|wrap| Self { id: wrap.id().to_owned(), kind: wrap.kind().to_owned() })
            .collect()
    }
}

impl std::fmt::Display for SealedFor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} {}", self.kind, self.id)
    }
}
