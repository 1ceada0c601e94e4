//! A receipt's file, and the key that must have signed it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use sealgate_client::{ReceiptFile, ShownKeyset};

use crate::error::CliError;
use crate::trust::key;

/// Where the receipt key comes from. Default: the keyset in the receipt's own file.
#[derive(Args)]
pub(super) struct KeyOptions {
    /// Keyset from the gateway's archive, by which to verify
    #[arg(long, value_name = "FILE")]
    keyset: Option<PathBuf>,
    /// Receipt key, by which to verify without a keyset
    #[arg(long, value_name = "BASE64", conflicts_with = "keyset", value_parser = key)]
    key: Option<[u8; 32]>,
}

/// A receipt key, and how it is known.
pub(super) enum KeySource {
    /// It was typed.
    Typed([u8; 32]),
    /// A keyset names it.
    Keyset(Box<ShownKeyset>, [u8; 32]),
    /// Nobody named one.
    Missing,
}

impl KeyOptions {
    /// The key: typed, of the keyset that was named, or of the one in the receipt's file.
    pub(super) fn source(&self, file: &ReceiptFile) -> Result<KeySource, CliError> {
        if let Some(key) = self.key {
            return Ok(KeySource::Typed(key));
        }
        let shown = match &self.keyset {
            Some(path) => ShownKeyset::from_json(&read(path)?)
                .map_err(|_| CliError::NoKeyset { path: path.clone() })?,
            None => match &file.shown {
                Some(shown) => shown.clone(),
                None => return Ok(KeySource::Missing),
            },
        };
        let key = shown.receipt_key().map_err(|_| CliError::NoReceiptKey)?;
        Ok(KeySource::Keyset(Box::new(shown), key))
    }
}

/// Reads a receipt's file. Nothing of it is verified.
pub(super) fn receipt(path: &Path) -> Result<ReceiptFile, CliError> {
    let none = || CliError::NoReceipt { path: path.to_owned() };
    let text = String::from_utf8(read(path)?).map_err(|_| none())?;
    ReceiptFile::from_text(&text).ok_or_else(none)
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let file = File::open(path).map_err(CliError::io("open", path))?;
    let mut bytes = Vec::new();
    // One byte more than a file may have, for its reader to refuse.
    let bound = ShownKeyset::BYTES_MAX as u64 + 1;
    file.take(bound).read_to_end(&mut bytes).map_err(CliError::io("read", path))?;
    Ok(bytes)
}
