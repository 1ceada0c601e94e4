//! Keys of a function version, made where the function is packaged.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealgate_keys::Keyset;
use sealgate_worker::function::{FunctionError, FunctionKeys};

use crate::{Package, StartError};

/// What is public of fresh keys.
pub struct Made {
    /// The keyset that clients judge.
    pub keyset: Keyset,
    /// The ids of the X-Wing and of the X25519 key.
    pub key_ids: [u8; 2],
    /// The key that vouches for the keyset, in base64: what clients pin as software evidence.
    pub voucher: String,
    /// Keyset, key list and evidence, as a client reads them from a file.
    pub shown: Vec<u8>,
}

/// Makes keys of `package` that end after `days`, and writes them to `out`, sealed for the package's
/// key-encryption key. Nothing is overwritten.
///
/// # Errors
/// [`StartError`].
pub fn make(package: &Package, days: u16, out: &Path) -> Result<Made, StartError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_s = since.map_err(|_| StartError::Environment("the clock is before 1970"))?.as_secs();
    let life_s = (u64::from(days) * 24 * 60 * 60).min(FunctionKeys::LIFE_MAX_S);
    let (keys, function) = package.with_fresh_keys(now_s + life_s)?;
    let keyset = function.keyset().clone();
    let file = keys.seal(&keyset, &[package.kek()?]).map_err(FunctionError::from)?;
    let shown = held(&function.attestation(&NONCE)?);
    let voucher = STANDARD.encode(keys.voucher_key().map_err(FunctionError::from)?);
    create(out, &file)?;
    Ok(Made { keyset, key_ids: keys.key_ids(), voucher, shown })
}

/// Writes a file that must not be there yet.
///
/// # Errors
/// [`StartError::File`].
pub fn create(path: &Path, bytes: &[u8]) -> Result<(), StartError> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|source| StartError::File { doing: "create", path: path.to_owned(), source })
}

/// In a file the nonce stands beside what answers it.
fn held(shown: &[u8]) -> Vec<u8> {
    let nonce = format!(r#"{{"nonce":"{}","#, hex::encode(NONCE));
    [nonce.as_bytes(), shown.get(1..).unwrap_or_default()].concat()
}

/// Nobody asked.
const NONCE: [u8; 32] = [0; 32];
