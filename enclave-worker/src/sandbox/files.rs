//! Landlock without a single rule: every path, TCP port and outer process is out of reach.

use super::Outcome;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, RestrictionStatus,
    Ruleset, RulesetAttr, RulesetError, Scope,
};

/// What Landlock could do here, part by part: each came with another version of the kernel.
pub(super) struct Closed {
    pub(super) files: Outcome,
    pub(super) network: Outcome,
    pub(super) scope: Outcome,
}

/// Closes what the running kernel can close, for the calling thread and those it starts later.
pub(super) fn close() -> Closed {
    match restrict() {
        Ok(status) => Closed::from_abi(abi_of(&status)),
        Err(error) => {
            let failed = || Outcome::failed(error.to_string());
            Closed { files: failed(), network: failed(), scope: failed() }
        }
    }
}

fn restrict() -> Result<RestrictionStatus, RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .restrict_self()
}

fn abi_of(status: &RestrictionStatus) -> ABI {
    match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi,
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => ABI::Unsupported,
    }
}

impl Closed {
    fn from_abi(abi: ABI) -> Self {
        let since = |first| if abi >= first { Outcome::Enforced } else { Outcome::Unavailable };
        Self { files: since(ABI::V1), network: since(ABI::V4), scope: since(ABI::V6) }
    }
}

const NEWEST: ABI = ABI::V10;
