//! A fold on disk, so that a start need not read a month of records. It is a shortcut and no second
//! book: it says up to which record it counted, and counts only if the log has that very record.
//!
//! It names nobody: sums lie under keyed hashes. The key lies in the same file, so whoever has the
//! file can test a guess.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sealgate_audit::RequestId;
use sealgate_policies::Money;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::fold::{Fold, Position};
use super::ledger::{Entry, Kept, Payer};
use crate::limits::{Day, Key};

/// The key that names are hashed with, and what was counted.
pub fn read(file: &Path, accounts_max: usize) -> Option<([u8; 16], Fold)> {
    let bytes = fs::metadata(file).ok()?.len();
    let text = (bytes <= BYTES_MAX).then(|| fs::read(file)).and_then(Result::ok)?;
    let (sum, text) = text.split_at_checked(SUM_BYTES)?;
    (sum == sum_of(text).as_bytes()).then_some(())?;
    let kept: Snapshot = serde_json::from_slice(text).ok()?;
    (kept.format == FORMAT).then_some(())?;
    let mut fold = Fold::new(accounts_max);
    for account in &kept.accounts {
        fold.ledger.restore(account)?;
    }
    for Open { id, tenant, caller, day, picos } in kept.open {
        let payer = Payer { tenant: key(&tenant)?, caller: key(&caller)? };
        let entry = Entry { payer, day: Day(day), amount: Money::from_picos(picos) };
        fold.open(RequestId::parse(&id)?, entry);
    }
    fold.ledger.today(Day(kept.newest_day));
    let mut leaf = [0; 32];
    hex::decode_to_slice(&kept.leaf, &mut leaf).ok()?;
    fold.at = Some(Position { file: kept.file, offset: kept.offset, leaf });
    fold.reaches_back = kept.reaches_back;
    let mut salt = [0; 16];
    hex::decode_to_slice(&kept.salt, &mut salt).ok()?;
    Some((salt, fold))
}

/// Beside the file first, then renamed over it: there is never half of one. It need not be durable.
///
/// # Errors
/// When it cannot be written.
pub fn write(file: &Path, salt: &[u8; 16], fold: &Fold) -> io::Result<()> {
    let Some(at) = &fold.at else { return Ok(()) };
    let open = fold.open.iter().map(|(id, Entry { payer, day, amount })| Open {
        id: id.to_string(),
        tenant: hex::encode(payer.tenant.as_bytes()),
        caller: hex::encode(payer.caller.as_bytes()),
        day: day.0,
        picos: amount.picos(),
    });
    let snapshot = Snapshot {
        format: FORMAT,
        salt: hex::encode(salt),
        file: at.file.clone(),
        offset: at.offset,
        leaf: hex::encode(at.leaf),
        reaches_back: fold.reaches_back,
        newest_day: fold.ledger.newest().0,
        accounts: fold.ledger.kept(),
        open: open.collect(),
    };
    let beside = file.with_extension("new");
    let mut new = File::create(&beside)?;
    new.set_permissions(Permissions::from_mode(0o600))?;
    let text = serde_json::to_vec(&snapshot).map_err(io::Error::other)?;
    new.write_all(sum_of(&text).as_bytes())?;
    new.write_all(&text)?;
    fs::rename(&beside, file)
}

/// Against a file that a crash left half of, not against somebody who may write it.
fn sum_of(text: &[u8]) -> String {
    hex::encode(Sha256::digest(text))
}

fn key(hex: &str) -> Option<Key> {
    let mut bytes = [0; 16];
    hex::decode_to_slice(hex, &mut bytes).ok()?;
    Some(Key::from_bytes(bytes))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Snapshot {
    format: u32,
    salt: String,
    file: String,
    offset: u64,
    leaf: String,
    reaches_back: bool,
    newest_day: u32,
    accounts: Vec<Kept>,
    open: Vec<Open>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Open {
    id: String,
    tenant: String,
    caller: String,
    day: u32,
    picos: u64,
}

const FORMAT: u32 = 1;
const SUM_BYTES: usize = 64;
/// More than the most accounts take.
const BYTES_MAX: u64 = 512 << 20;
