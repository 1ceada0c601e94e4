//! Names that the log does not have: callers under keyed pseudonyms, which nobody can link once
//! their epoch's key is destroyed.
//!
//! A pseudonym is `p-<epoch>-<hex>`: HMAC-SHA256 (RFC 2104), cut to 128 bits, of what it stands
//! for. An epoch is a month of UTC, and its key one file that only the owner reads. Whoever has the
//! key finds a person's records by making the pseudonym again; without it nobody can, and the log
//! still verifies, for the pseudonym is what was signed.

use crate::error::AuditError;
use crate::event::Caller;
use crate::folder;
use crate::key::read_private;
use crate::replace::{self, Durability};
use crate::text::Text;
use aws_lc_rs::hmac;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};
use zeroize::Zeroizing;

/// A month of UTC, as `2026-11`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Epoch {
    year: u16,
    month: u8,
}

impl Epoch {
    /// The epoch of a time in seconds since 1970.
    pub fn of(now_s: u64) -> Self {
        let seconds = i64::try_from(now_s).unwrap_or(i64::MAX);
        let date =
            Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX).to_zoned(TimeZone::UTC);
        Self { year: date.year().unsigned_abs(), month: date.month().unsigned_abs() }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Epoch {
    type Err = AuditError;

    fn from_str(text: &str) -> Result<Self, AuditError> {
        let parse = || {
            let (year, month) = text.split_once('-')?;
            let epoch = Self { year: year.parse().ok()?, month: month.parse().ok()? };
            ((1..=12).contains(&epoch.month) && epoch.to_string() == text).then_some(epoch)
        };
        parse().ok_or_else(|| AuditError::Epoch(text.to_owned()))
    }
}

/// What a pseudonym stands for. The same word is another pseudonym in another field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Name<'a> {
    /// Whom a token speaks of, by its issuer.
    Subject {
        /// Who issued the token.
        issuer: &'a str,
        /// Its `sub`.
        subject: &'a str,
    },
    /// The program that asked.
    ClientId(&'a str),
    /// A token's own id.
    TokenId(&'a str),
    /// Whom an admin's order names, of whatever issuers.
    Order(&'a str),
}

impl<'a> Name<'a> {
    /// What it stands for.
    pub fn clear(&self) -> &'a str {
        match self {
            Self::Subject { subject: word, .. }
            | Self::ClientId(word)
            | Self::TokenId(word)
            | Self::Order(word) => word,
        }
    }
}

/// The key of one epoch.
pub struct EpochKey {
    epoch: Epoch,
    key: hmac::Key,
}

impl EpochKey {
    /// Reads the key of an epoch; there is none once it was destroyed, or before it was made.
    ///
    /// # Errors
    /// When the file is there and cannot be read, is open to others, or is no key.
    pub fn load(dir: &Path, epoch: Epoch) -> Result<Option<Self>, AuditError> {
        let path = file(dir, epoch);
        let bytes = match read_private(&path) {
            Err(AuditError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            read => read?,
        };
        if bytes.len() != KEY_BYTES {
            return Err(AuditError::PseudonymKey(path));
        }
        Ok(Some(Self { epoch, key: hmac::Key::new(hmac::HMAC_SHA256, &bytes) }))
    }

    fn load_or_create(dir: &Path, epoch: Epoch) -> Result<Self, AuditError> {
        if let Some(key) = Self::load(dir, epoch)? {
            return Ok(key);
        }
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut *bytes).map_err(|_| AuditError::Crypto)?;
        let path = file(dir, epoch);
        replace::file(&path, &*bytes, Durability::Now)
            .map_err(AuditError::io("create the key file", path))?;
        Ok(Self { epoch, key: hmac::Key::new(hmac::HMAC_SHA256, &*bytes) })
    }

    /// The name as the log has it.
    pub fn pseudonym(&self, name: Name<'_>) -> Text {
        let (field, words) = match name {
            Name::Subject { issuer, subject } => ("subject", [issuer, subject]),
            Name::ClientId(id) => ("client_id", [id, ""]),
            Name::TokenId(id) => ("token_id", [id, ""]),
            Name::Order(about) => ("order", [about, ""]),
        };
        let mut context = hmac::Context::with_key(&self.key);
        for part in [field, words[0], words[1]] {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part.as_bytes());
        }
        let tag = context.sign();
        let short = tag.as_ref().get(..PSEUDONYM_BYTES).unwrap_or_default();
        format!("p-{}-{}", self.epoch, hex::encode(short)).into()
    }

    /// The caller as the log has it: without names, but with issuer and tenant.
    pub fn caller(&self, caller: &Caller) -> Caller {
        let (issuer, subject) = (caller.issuer.as_str(), caller.subject.as_str());
        Caller {
            client_id: caller
                .client_id
                .as_ref()
                .map(|id| self.pseudonym(Name::ClientId(id.as_str()))),
            issuer: caller.issuer.clone(),
            subject: self.pseudonym(Name::Subject { issuer, subject }),
            tenant: caller.tenant.clone(),
            token_id: caller.token_id.as_ref().map(|id| self.pseudonym(Name::TokenId(id.as_str()))),
        }
    }
}

/// The keys of a gateway: that of this epoch in memory, the others in their folder.
pub struct Pseudonyms {
    dir: PathBuf,
    current: RwLock<Arc<EpochKey>>,
}

impl Pseudonyms {
    /// Makes the folder if it is missing, and the key of the epoch of `now_s`.
    ///
    /// # Errors
    /// When the folder is open to others, or cannot be used.
    pub fn open(dir: &Path, now_s: u64) -> Result<Self, AuditError> {
        if !dir.exists() {
            folder::make(dir).map_err(AuditError::io("create", dir))?;
        }
        let facts = fs::metadata(dir).map_err(AuditError::io("look at", dir))?;
        folder::demand_private(dir, &facts)?;
        let current = EpochKey::load_or_create(dir, Epoch::of(now_s))?;
        Ok(Self { dir: dir.to_owned(), current: RwLock::new(Arc::new(current)) })
    }

    /// The key in use. Until [`Pseudonyms::renew`] has the next one, it is that of the epoch
    /// before.
    pub fn current(&self) -> Arc<EpochKey> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Goes over to the epoch of `now_s`, if it is a later one.
    ///
    /// # Errors
    /// When its key cannot be made; the one before goes on to be used.
    pub fn renew(&self, now_s: u64) -> Result<(), AuditError> {
        let epoch = Epoch::of(now_s);
        if epoch > self.current().epoch {
            let next = Arc::new(EpochKey::load_or_create(&self.dir, epoch)?);
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        }
        Ok(())
    }

    /// Whether `pseudonymous`, as a record has it, is this caller.
    ///
    /// # Errors
    /// When the key of the record's epoch cannot be read. Once it is destroyed the answer is no.
    pub fn is(&self, pseudonymous: &Caller, caller: &Caller) -> Result<bool, AuditError> {
        let epoch = pseudonymous.subject.as_str().strip_prefix("p-").and_then(|rest| rest.get(..7));
        let Some(epoch) = epoch.and_then(|epoch| epoch.parse().ok()) else {
            return Ok(false);
        };
        let key = EpochKey::load(&self.dir, epoch)?;
        Ok(key.is_some_and(|key| key.caller(caller).subject == pseudonymous.subject))
    }
}

/// The epochs that have keys in a folder, in order.
///
/// # Errors
/// When the folder cannot be listed.
pub fn epochs(dir: &Path) -> Result<Vec<Epoch>, AuditError> {
    let failed = || AuditError::io("list", dir);
    let mut found = Vec::new();
    for entry in dir.read_dir().map_err(failed())? {
        let name = entry.map_err(failed())?.file_name().to_string_lossy().into_owned();
        found.extend(name.strip_suffix(".key").and_then(|epoch| epoch.parse::<Epoch>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}

/// Destroys the key of an epoch: what it named can no longer be linked by anybody. The bytes are
/// overwritten first, for what that is worth on the disk at hand.
///
/// # Errors
/// When there is no such key, or it cannot be removed.
pub fn destroy(dir: &Path, epoch: Epoch) -> Result<(), AuditError> {
    let path = file(dir, epoch);
    let overwritten = fs::OpenOptions::new().write(true).open(&path).and_then(|mut file| {
        io::Write::write_all(&mut file, &[0; KEY_BYTES])?;
        file.sync_all()
    });
    overwritten
        .and_then(|()| fs::remove_file(&path))
        .and_then(|()| fs::File::open(dir)?.sync_all())
        .map_err(AuditError::io("destroy the key file", path))
}

fn file(dir: &Path, epoch: Epoch) -> PathBuf {
    dir.join(format!("{epoch}.key"))
}

const KEY_BYTES: usize = 32;
const PSEUDONYM_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// 2026-11-23T00:00:00Z.
    const NOVEMBER_S: u64 = 1_795_392_000;

    fn caller(subject: &str) -> Caller {
        Caller {
            client_id: Some("app".into()),
            issuer: "https://issuer.example".into(),
            subject: subject.into(),
            tenant: "north".into(),
            token_id: Some("t1".into()),
        }
    }

    #[test]
    fn an_epoch_is_a_month_of_utc() {
        for (now_s, epoch) in [
            (0, "1970-01"),
            (951_782_399, "2000-02"),
            (951_868_800, "2000-03"),
            (NOVEMBER_S, "2026-11"),
            (1_796_083_199, "2026-11"),
            (1_796_083_200, "2026-12"),
            (1_798_761_600, "2027-01"),
        ] {
            assert_eq!(Epoch::of(now_s).to_string(), epoch);
            assert_eq!(epoch.parse::<Epoch>().unwrap(), Epoch::of(now_s));
        }
        for other in ["", "2026", "2026-13", "2026-00", "2026-1", "26-11", "2026-11-", "+026-11"] {
            assert!(other.parse::<Epoch>().is_err(), "{other}");
        }
    }

    #[test]
    fn no_name_is_in_a_pseudonymous_caller_and_each_field_has_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let names = Pseudonyms::open(&dir.path().join("keys"), NOVEMBER_S).unwrap();
        let same =
            Caller { client_id: Some("x".into()), token_id: Some("x".into()), ..caller("x") };
        let told = names.current().caller(&same);
        let fields = [told.subject, told.client_id.unwrap(), told.token_id.unwrap()];
        for field in &fields {
            assert!(field.as_str().starts_with("p-2026-11-") && field.as_str().len() == 42);
        }
        assert!(fields[0] != fields[1] && fields[1] != fields[2] && fields[0] != fields[2]);
    }

    #[test]
    fn a_person_is_the_same_within_an_epoch_and_another_in_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("keys");
        let names = Pseudonyms::open(&dir, NOVEMBER_S).unwrap();
        let first = names.current().caller(&caller("dr-house"));
        assert_eq!(names.current().caller(&caller("dr-house")), first);
        assert_ne!(names.current().caller(&caller("dr-wilson")).subject, first.subject);
        let elsewhere = Caller { issuer: "https://other.example".into(), ..caller("dr-house") };
        assert_ne!(names.current().caller(&elsewhere).subject, first.subject);
        // A restart finds the key again.
        let again = Pseudonyms::open(&dir, NOVEMBER_S).unwrap();
        assert_eq!(again.current().caller(&caller("dr-house")), first);
        again.renew(NOVEMBER_S + 30 * 86_400).unwrap();
        let later = again.current().caller(&caller("dr-house"));
        assert_ne!(later.subject, first.subject);
        assert!(again.is(&first, &caller("dr-house")).unwrap());
        assert!(again.is(&later, &caller("dr-house")).unwrap());
        assert!(!again.is(&later, &caller("dr-wilson")).unwrap());
        // A clock that steps back does not bring an epoch back.
        again.renew(NOVEMBER_S).unwrap();
        assert_eq!(again.current().caller(&caller("dr-house")), later);
    }

    #[test]
    fn once_its_key_is_destroyed_nobody_links_a_pseudonym() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("keys");
        let names = Pseudonyms::open(&dir, NOVEMBER_S).unwrap();
        let told = names.current().caller(&caller("dr-house"));
        names.renew(NOVEMBER_S + 30 * 86_400).unwrap();
        assert_eq!(epochs(&dir).unwrap().len(), 2);
        destroy(&dir, Epoch::of(NOVEMBER_S)).unwrap();
        assert!(!names.is(&told, &caller("dr-house")).unwrap());
        assert!(EpochKey::load(&dir, Epoch::of(NOVEMBER_S)).unwrap().is_none());
        assert!(destroy(&dir, Epoch::of(NOVEMBER_S)).is_err());
    }

    #[test]
    fn keys_that_others_can_read_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let keys = dir.path().join("keys");
        drop(Pseudonyms::open(&keys, NOVEMBER_S).unwrap());
        let epoch = Epoch::of(NOVEMBER_S);
        let open = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        open(&file(&keys, epoch), 0o640);
        assert!(matches!(EpochKey::load(&keys, epoch), Err(AuditError::NotPrivate { .. })));
        open(&file(&keys, epoch), 0o600);
        fs::write(file(&keys, epoch), b"short").unwrap();
        assert!(matches!(EpochKey::load(&keys, epoch), Err(AuditError::PseudonymKey(_))));
        open(&keys, 0o750);
        assert!(matches!(Pseudonyms::open(&keys, NOVEMBER_S), Err(AuditError::NotPrivate { .. })));
    }
}
