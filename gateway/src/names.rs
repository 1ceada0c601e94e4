//! How the record names people: by the words of their tokens, or by keyed pseudonyms.

use sealgate_audit::{AuditError, Caller, EpochKey, Name, Pseudonyms, Text};
use std::path::Path;
use std::sync::Arc;

/// The one way or the other, for the whole life of the gateway.
pub struct Names(Option<Pseudonyms>);

impl Names {
    /// By the words of their tokens.
    #[must_use]
    pub const fn clear() -> Self {
        Self(None)
    }

    /// By pseudonyms, whose keys are kept in `dir`.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn pseudonymous(dir: &Path, now_s: u64) -> Result<Self, AuditError> {
        Pseudonyms::open(dir, now_s).map(|pseudonyms| Self(Some(pseudonyms)))
    }

    /// The caller as the record has it.
    #[must_use]
    pub fn caller(&self, caller: &Caller) -> Caller {
        self.key().map_or_else(|| caller.clone(), |key| key.caller(caller))
    }

    /// A name as the record has it.
    #[must_use]
    pub fn name(&self, name: Name<'_>) -> Text {
        self.key().map_or_else(|| name.clear().into(), |key| key.pseudonym(name))
    }

    /// Whether the caller of a record is this one.
    ///
    /// # Errors
    /// When the key of the record's epoch cannot be read.
    pub fn is(&self, recorded: &Caller, caller: &Caller) -> Result<bool, AuditError> {
        let same_place = (&recorded.issuer, &recorded.tenant) == (&caller.issuer, &caller.tenant);
        Ok(same_place
            && match &self.0 {
                None => recorded.subject == caller.subject,
                Some(pseudonyms) => pseudonyms.is(recorded, caller)?,
            })
    }

    /// Goes over to the key of the month, if it is a later one.
    ///
    /// # Errors
    /// When it cannot be made; the one before goes on to be used.
    pub fn renew(&self, now_s: u64) -> Result<(), AuditError> {
        self.0.as_ref().map_or(Ok(()), |pseudonyms| pseudonyms.renew(now_s))
    }

    fn key(&self) -> Option<Arc<EpochKey>> {
        self.0.as_ref().map(Pseudonyms::current)
    }
}
