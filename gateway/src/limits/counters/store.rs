//! The file of counters: who has used how much of which day and month, under hashed names.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError,
    TableDefinition, WriteTransaction,
};

use super::{Period, Slot};
use crate::limits::calendar::Day;

/// The open file. It has one owner: another process is refused.
pub struct Store {
    database: Database,
    salt: [u8; 32],
    newest_day: Day,
}

/// Marks and the days they belong to, to be committed together.
pub struct Batch {
    transaction: WriteTransaction,
}

/// Why the counters' file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another gateway has it open.
    #[error(
        "`{file}` is in use by another process\nhint: each gateway needs its own `limits.store`"
    )]
    InUse {
        /// The file.
        file: PathBuf,
    },
    /// Another version wrote it.
    #[error(
        "`{file}` has format {found}, this version reads 1\nhint: move it away to begin with \
         fresh counters"
    )]
    Format {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u64,
    },
    /// It cannot be opened, read or written.
    #[error(
        "cannot use `{file}`: {source}\nhint: if it is damaged, move it away to begin with fresh \
         counters"
    )]
    Unusable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: Box<redb::Error>,
    },
}

impl Store {
    /// Opens the file, or makes it with a fresh salt.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let unusable = |source: redb::Error| match source {
            redb::Error::DatabaseAlreadyOpen => StoreError::InUse { file: path.into() },
            source => StoreError::Unusable { file: path.into(), source: Box::new(source) },
        };
        let database = open(path).map_err(|error| unusable(error.into()))?;
        let meta = first_look(&database).map_err(unusable)?;
        if meta.format != FORMAT {
            return Err(StoreError::Format { file: path.into(), found: meta.format });
        }
        let salt = meta.salt.try_into().map_err(|_| {
            unusable(redb::Error::Corrupted("the salt has another length".to_owned()))
        })?;
        Ok(Self { database, salt, newest_day: Day(meta.newest_day) })
    }

    pub const fn salt(&self) -> &[u8; 32] {
        &self.salt
    }

    /// The latest day that has counted.
    pub const fn newest_day(&self) -> Day {
        self.newest_day
    }

    /// Where a slot stands.
    pub fn mark(&self, slot: Slot) -> Result<u64, redb::Error> {
        let rows = self.database.begin_read()?.open_table(ROWS)?;
        Ok(rows.get(name(slot))?.map_or(0, |mark| mark.value()))
    }

    pub fn begin(&self) -> Result<Batch, redb::Error> {
        Ok(Batch { transaction: self.database.begin_write()? })
    }
}

impl Batch {
    pub fn set(&self, slot: Slot, mark: u64) -> Result<(), redb::Error> {
        self.transaction.open_table(ROWS)?.insert(name(slot), mark)?;
        Ok(())
    }

    /// A day has begun: later no earlier one may count, and what is older than `kept` goes.
    pub fn begin_day(&self, day: Day, kept: [Period; 2]) -> Result<(), redb::Error> {
        self.transaction.open_table(NUMBERS)?.insert(NEWEST_DAY, u64::from(day.0))?;
        let mut rows = self.transaction.open_table(ROWS)?;
        for kept in kept {
            let (begin, end) = (prefix(kept.first()), prefix(kept));
            let [begin, end] = [begin, end].map(|prefix| named(prefix, &[0; 16]));
            rows.retain_in(begin..end, |_, _| false)?;
        }
        Ok(())
    }

    /// Returns once it is on the disk.
    pub fn commit(self) -> Result<(), redb::Error> {
        Ok(self.transaction.commit()?)
    }
}

struct Meta {
    format: u64,
    salt: Vec<u8>,
    newest_day: u32,
}

fn open(path: &Path) -> Result<Database, DatabaseError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(StorageError::from)?;
    Builder::new()
        .set_cache_size(CACHE_BYTES)
        // A damaged file is an error at the start, not a panic later.
        .set_check_integrity_on_open(true)
        .create_with_backend(FileBackend::new(file)?)
}

/// What the file says of itself; a new one is given its salt.
fn first_look(database: &Database) -> Result<Meta, redb::Error> {
    let transaction = database.begin_write()?;
    let meta = {
        let mut numbers = transaction.open_table(NUMBERS)?;
        let mut secrets = transaction.open_table(SALTS)?;
        transaction.open_table(ROWS)?;
        if numbers.get(VERSION)?.is_none() {
            let mut fresh = [0; 32];
            getrandom::fill(&mut fresh)
                .map_err(|error| redb::Error::Io(std::io::Error::other(error)))?;
            numbers.insert(VERSION, FORMAT)?;
            secrets.insert(SALT, fresh.as_slice())?;
        }
        let number = |name| -> Result<u64, redb::Error> {
            Ok(numbers.get(name)?.map_or(0, |number| number.value()))
        };
        Meta {
            format: number(VERSION)?,
            salt: secrets.get(SALT)?.map(|salt| salt.value().to_vec()).unwrap_or_default(),
            newest_day: u32::try_from(number(NEWEST_DAY)?).unwrap_or(u32::MAX),
        }
    };
    transaction.commit()?;
    Ok(meta)
}

/// Kind, period and key: what is older lies together, before what is newer.
fn name(slot: Slot) -> [u8; NAME_BYTES] {
    named(prefix(slot.period), slot.key.as_bytes())
}

fn named([kind, a, b, c, d]: [u8; 5], key: &[u8; 16]) -> [u8; NAME_BYTES] {
    let mut name = [0; NAME_BYTES];
    let parts = [kind, a, b, c, d].into_iter().chain(*key);
    name.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
    name
}

fn prefix(period: Period) -> [u8; 5] {
    let (kind, number) = match period {
        Period::Day(day) => (b'd', day),
        Period::Month(month) => (b'm', month),
    };
    let [a, b, c, d] = number.to_be_bytes();
    [kind, a, b, c, d]
}

impl Period {
    const fn first(self) -> Self {
        match self {
            Self::Day(_) => Self::Day(0),
            Self::Month(_) => Self::Month(0),
        }
    }
}

const ROWS: TableDefinition<'_, [u8; NAME_BYTES], u64> = TableDefinition::new("rows");
const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
const SALTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("salts");
const VERSION: &str = "format";
const NEWEST_DAY: &str = "newest_day";
const SALT: &str = "keys";
const FORMAT: u64 = 1;
const NAME_BYTES: usize = 21;
const CACHE_BYTES: usize = 8 << 20;

/// Claims another format.
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
pub fn write_format(path: &Path, format: u64) {
    let transaction = open(path).unwrap().begin_write().unwrap();
    transaction.open_table(NUMBERS).unwrap().insert(VERSION, format).unwrap();
    transaction.commit().unwrap();
}
