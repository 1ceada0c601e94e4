//! A policy folder that is well enough to be asked.

use std::path::{Path, PathBuf};

use clap::Args;
use sealgate_policies::{Folder, Mistakes, PolicySet, Profile};

use crate::error::CliError;

/// Which folder is asked.
#[derive(Args)]
pub(super) struct Asked {
    /// The policy folder
    dir: PathBuf,
    /// Ask what its `candidate/` proposes instead
    #[arg(long)]
    candidate: bool,
}

/// A folder and what it was made into.
pub(super) struct Loaded {
    pub(super) folder: Folder,
    pub(super) policy: PolicySet,
}

impl Asked {
    pub(super) fn load(&self) -> Result<Loaded, CliError> {
        match self.candidate {
            true => Loaded::candidate_of(&self.dir),
            false => Loaded::at(&self.dir),
        }
    }
}

impl Loaded {
    pub(super) fn at(dir: &Path) -> Result<Self, CliError> {
        let refused = |mistakes| CliError::Policies { dir: dir.into(), mistakes };
        Self::of(Folder::read(dir).map_err(refused)?).map_err(refused)
    }

    pub(super) fn candidate_of(dir: &Path) -> Result<Self, CliError> {
        let refused = |mistakes| CliError::Policies { dir: dir.into(), mistakes };
        let active = Folder::read(dir).map_err(refused)?;
        let Some(candidate) = active.candidate() else {
            return Err(CliError::NoCandidate { dir: dir.into() });
        };
        Self::of(candidate)
            .map_err(|mistakes| CliError::Policies { dir: dir.join("candidate"), mistakes })
    }

    /// Whether the demo's issuer may be in it is for `policy check` and the gateway to say.
    fn of(folder: Folder) -> Result<Self, Mistakes> {
        Ok(Self { policy: PolicySet::from_folder(&folder, Profile::Dev)?, folder })
    }
}
