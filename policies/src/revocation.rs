//! What no longer counts although its signature is good: by the folder, or said at run time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::caller::Caller;
use crate::token::TokenRefusal;

/// One thing that no longer counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Revocation {
    /// The issuer's name in `issuers.toml`. `None`: whichever issuer says it.
    pub issuer: Option<Arc<str>>,
    /// What is named.
    pub kind: RevocationKind,
    /// Its exact value.
    pub value: Arc<str>,
    /// In seconds since 1970: from then on the entry no longer counts. `None`: it does for ever.
    pub until_s: Option<u64>,
}

/// What a revocation names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RevocationKind {
    /// One token, by its `jti`.
    TokenId,
    /// All tokens about one `sub`.
    Subject,
    /// All tokens that one `client_id` got.
    ClientId,
    /// All tokens signed with the key of one `kid`.
    KeyId,
}

/// Revocations, found by what they name.
#[derive(Default, Clone)]
pub(crate) struct Revocations(HashMap<RevocationKind, HashMap<Arc<str>, Vec<Revocation>>>);

impl Revocations {
    pub(crate) fn insert(&mut self, revocation: Revocation) {
        let of_kind = self.0.entry(revocation.kind).or_default();
        let entries = of_kind.entry(Arc::clone(&revocation.value)).or_default();
        if !entries.contains(&revocation) {
            entries.push(revocation);
        }
    }

    /// Refuses a caller whom an entry names at the time `now_s`.
    pub(crate) fn must_not_name(&self, caller: &Caller, now_s: u64) -> Result<(), TokenRefusal> {
        if self.0.is_empty() {
            return Ok(());
        }
        let named = [
            (RevocationKind::TokenId, caller.token_id()),
            (RevocationKind::Subject, Some(caller.subject())),
            (RevocationKind::ClientId, caller.client_id()),
            (RevocationKind::KeyId, Some(caller.key_id())),
        ];
        let revoked = named.into_iter().any(|(kind, value)| {
            value.is_some_and(|value| self.name(kind, value, caller.issuer_name(), now_s))
        });
        if revoked { Err(TokenRefusal::Revoked) } else { Ok(()) }
    }

    fn name(&self, kind: RevocationKind, value: &str, issuer: &str, now_s: u64) -> bool {
        let entries = self.0.get(&kind).and_then(|of_kind| of_kind.get(value));
        entries.is_some_and(|entries| {
            entries.iter().any(|entry| {
                entry.counts_at(now_s) && entry.issuer.as_deref().is_none_or(|name| name == issuer)
            })
        })
    }

    fn iter(&self) -> impl Iterator<Item = &Revocation> {
        self.0.values().flat_map(HashMap::values).flatten()
    }
}

impl Revocation {
    /// Whether it has not run out.
    pub fn counts_at(&self, now_s: u64) -> bool {
        self.until_s.is_none_or(|until_s| now_s < until_s)
    }
}

/// Revocations said at run time, beside those of the folder. They outlive every policy set:
/// whoever authenticates asks both.
///
/// Readers never wait. While it is empty a look costs two loads.
#[derive(Default)]
pub struct RevocationOverlay {
    current: ArcSwap<Revocations>,
    writers: Mutex<()>,
}

/// More entries than [`RevocationOverlay::ENTRIES_MAX`]: write them into `revoked.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many revocations at run time: write them into `revoked.toml`")]
pub struct OverlayFull;

impl RevocationOverlay {
    /// So many entries and no more.
    pub const ENTRIES_MAX: usize = 10_000;

    /// Takes an entry, in force when this returns, and drops those that have run out at `now_s`.
    ///
    /// # Errors
    ///
    /// There are too many that still count.
    pub fn add(&self, revocation: Revocation, now_s: u64) -> Result<(), OverlayFull> {
        self.extend([revocation], now_s)
    }

    /// Takes all entries or none: those kept over a restart.
    ///
    /// # Errors
    ///
    /// There are too many that still count.
    pub fn extend(
        &self,
        revocations: impl IntoIterator<Item = Revocation>,
        now_s: u64,
    ) -> Result<(), OverlayFull> {
        let _one_at_a_time = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Revocations::default();
        let current = self.current.load();
        let all = current.iter().cloned().chain(revocations);
        all.filter(|entry| entry.counts_at(now_s)).for_each(|entry| next.insert(entry));
        if next.iter().count() > Self::ENTRIES_MAX {
            return Err(OverlayFull);
        }
        self.current.store(Arc::new(next));
        Ok(())
    }

    /// Every entry that counts at `now_s`, in no order: for a list, and to keep over a restart.
    pub fn entries(&self, now_s: u64) -> Vec<Revocation> {
        self.current.load().iter().filter(|entry| entry.counts_at(now_s)).cloned().collect()
    }

    /// Asked on each use of a caller, beside [`PolicySet::still_valid`](crate::PolicySet::still_valid).
    ///
    /// # Errors
    ///
    /// [`TokenRefusal::Revoked`] when an entry names the caller.
    pub fn must_not_name(&self, caller: &Caller, now_s: u64) -> Result<(), TokenRefusal> {
        self.current.load().must_not_name(caller, now_s)
    }
}
