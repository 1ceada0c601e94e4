//! What the rules of a policy folder say, for requests that were decided by this very folder.

use std::collections::BTreeMap;
use std::path::Path;

use sealgate_policies::{Folder, PolicySet, Profile, ShownRule};

use crate::error::ReviewError;

/// Rules in words, by id.
pub(super) struct Rules {
    digest: String,
    rules: BTreeMap<String, ShownRule>,
}

impl Rules {
    /// Reads the folder.
    pub(super) fn read(dir: &Path) -> Result<Self, ReviewError> {
        let wrong = |_| ReviewError::Policies(dir.to_owned());
        let folder = Folder::read(dir).map_err(wrong)?;
        // Whether the demo's issuer may be in it is for the gateway to say.
        let policy = PolicySet::from_folder(&folder, Profile::Dev).map_err(wrong)?;
        let shown = policy.show(&folder);
        let rules = shown.permits.into_iter().chain(shown.forbids);
        let rules = rules.map(|rule| (rule.id.clone(), rule)).collect();
        Ok(Self { digest: folder.digest().hex(), rules })
    }

    /// Whether it is the folder of this digest.
    pub(super) fn are_of(&self, policy_digest: &str) -> bool {
        self.digest == policy_digest
    }

    /// The rule of this id.
    pub(super) fn rule(&self, id: &str) -> Option<&ShownRule> {
        self.rules.get(id)
    }
}
