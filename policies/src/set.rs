//! A whole policy: loaded at once, checked at once, never changed.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::caller::Caller;
use crate::folder::Folder;
use crate::mistake::{Mistakes, Place};
use crate::rules::{ContextUse, Resource, Rules};
use crate::tables::{Costs, Issuer, Limits, Model, Models, Releases, Revoked, Roles, Tables};
use crate::token::{TokenRefusal, verify};

/// Where the policy is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// On one's own machine: the demo's issuer and keys are accepted.
    Dev,
    /// Anywhere else.
    Production,
}

/// SHA-256 over a policy folder. Stands in every audit record and receipt.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PolicyDigest(pub(crate) [u8; 32]);

impl PolicyDigest {
    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for PolicyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

/// Each model with its entity, made once.
type DeclaredModels = BTreeMap<Arc<str>, (Arc<Model>, Resource)>;

/// Everything an admin decided, ready to decide by.
pub struct PolicySet {
    pub(crate) digest: PolicyDigest,
    pub(crate) issuers: HashMap<Arc<str>, Issuer>,
    pub(crate) roles: Roles,
    pub(crate) revoked: Revoked,
    pub(crate) models: DeclaredModels,
    pub(crate) gateway: Resource,
    pub(crate) limits: Limits,
    pub(crate) releases: Releases,
    pub(crate) rules: Rules,
    warnings: Mistakes,
}

impl PolicySet {
    /// Reads and checks a folder. It takes effect whole or not at all.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, not only the first.
    pub fn load(dir: &Path, profile: Profile) -> Result<Self, Mistakes> {
        let (folder, mistakes) = Folder::read_what_can_be(dir);
        if folder.is_empty() && mistakes.stop_the_folder() {
            return Err(mistakes.sorted());
        }
        Self::judged(&folder, profile, mistakes)
    }

    /// Checks a folder that has been read.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, not only the first.
    pub fn from_folder(folder: &Folder, profile: Profile) -> Result<Self, Mistakes> {
        Self::judged(folder, profile, Mistakes::default())
    }

    pub(crate) fn judged(
        folder: &Folder,
        profile: Profile,
        mut mistakes: Mistakes,
    ) -> Result<Self, Mistakes> {
        let tables = Tables::load(folder, profile, &mut mistakes);
        let rules = Rules::load(folder, &tables, &mut mistakes);
        let warnings = mistakes.sorted();
        if warnings.stop_the_folder() {
            return Err(warnings);
        }
        match tables {
            Tables {
                issuers: Some(issuers),
                roles: Some(roles),
                models: Some(models),
                limits: Some(limits),
                releases: Some(releases),
                revoked: Some(revoked),
            } => Ok(Self {
                digest: folder.digest(),
                issuers: issuers
                    .into_iter()
                    .map(|issuer| (Arc::clone(&issuer.issuer), issuer))
                    .collect(),
                models: with_entities(models)?,
                gateway: Resource::gateway(),
                roles,
                revoked,
                limits,
                releases,
                rules,
                warnings,
            }),
            // A table is missing only when a mistake said so; should that ever fail, refuse.
            _ => Err(refused("a table could not be read")),
        }
    }

    /// What somebody should look at although it works.
    pub fn warnings(&self) -> &Mistakes {
        &self.warnings
    }

    /// What somebody should look at, together with what has run out at the time `now_s`.
    pub fn warnings_at(&self, now_s: u64) -> Mistakes {
        let mut warnings = self.warnings.clone();
        self.revoked.note_what_ran_out(now_s, &mut warnings);
        warnings.sorted()
    }

    /// The digest of the folder.
    pub fn digest(&self) -> PolicyDigest {
        self.digest
    }

    /// A declared model, whoever asks. Do not tell callers: see
    /// [`describable`](Self::describable).
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.get(name).map(|(model, _)| &**model)
    }

    /// Every declared model, by name.
    pub fn models(&self) -> impl Iterator<Item = &Model> {
        self.models.values().map(|(model, _)| &**model)
    }

    /// What requests cost, and what may be spent on them.
    pub fn costs(&self) -> &Costs {
        self.limits.costs()
    }

    /// Checks a bearer token at the time `now_s` (seconds since 1970).
    ///
    /// # Errors
    ///
    /// The first check that failed. The refusal holds no text from the token.
    pub fn authenticate(&self, token: &str, now_s: u64) -> Result<Caller, TokenRefusal> {
        let verified = verify(token, now_s, &self.issuers)?;
        let caller = Caller::new(&verified, &self.roles, self.digest)?;
        self.must_not_be_revoked(&caller, now_s)?;
        Ok(caller)
    }

    /// Whether a caller who was authenticated before still counts. Cheap: for every use of a
    /// remembered caller.
    ///
    /// # Errors
    ///
    /// The caller's token has expired or been revoked, its key is no longer among its issuer's
    /// ([`TokenRefusal::KeyUnknown`]), or the folder has changed ([`TokenRefusal::Stale`]:
    /// authenticate again).
    pub fn still_valid(&self, caller: &Caller, now_s: u64) -> Result<(), TokenRefusal> {
        if caller.policy() != self.digest {
            return Err(TokenRefusal::Stale);
        }
        caller.times().check(now_s)?;
        let issuer = self.issuers.get(caller.issuer()).ok_or(TokenRefusal::Issuer)?;
        let same_key = |key| issuer.keys.still_have(caller.key_id(), key);
        if !caller.key().is_some_and(same_key) {
            return Err(TokenRefusal::KeyUnknown);
        }
        self.must_not_be_revoked(caller, now_s)
    }

    /// Which circumstances any rule looks at.
    pub fn looks_at(&self) -> ContextUse {
        self.rules.looks_at()
    }

    pub(crate) fn must_not_be_revoked(
        &self,
        caller: &Caller,
        now_s: u64,
    ) -> Result<(), TokenRefusal> {
        self.revoked.entries.must_not_name(caller, now_s)
    }
}

fn with_entities(models: Models) -> Result<DeclaredModels, Mistakes> {
    models
        .into_iter()
        .map(|(name, model)| match Resource::model(&model) {
            Ok(entity) => Ok((name, (model, entity))),
            Err(error) => Err(refused(&error.to_string())),
        })
        .collect()
}

fn refused(message: &str) -> Mistakes {
    let mut mistakes = Mistakes::default();
    mistakes.error(Place::file("."), message);
    mistakes
}
