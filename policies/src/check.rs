//! A folder as those see it who write it: everything that is wrong, its tests among it.

use std::path::Path;

use crate::cases::read_cases;
use crate::folder::Folder;
use crate::mistake::Mistakes;
use crate::set::{PolicySet, Profile};

/// What came of reading a folder that is not put in force.
pub struct Checked {
    /// What was made of it; `None` when the gateway would refuse it. The gateway also refuses a
    /// folder whose tests are not met, which only [running them](crate::run_cases) shows.
    pub policy: Option<PolicySet>,
    /// Everything that is wrong with it, and what somebody should look at.
    pub mistakes: Mistakes,
    /// How many of its tests could be read.
    pub cases: usize,
}

impl Checked {
    /// Reads a folder, and its tests without running them, at the time `now_s` (seconds since
    /// 1970).
    pub fn at(dir: &Path, profile: Profile, now_s: u64) -> Self {
        let (folder, mistakes) = Folder::read_what_can_be(dir);
        if folder.is_empty() && mistakes.stop_the_folder() {
            return Self { policy: None, mistakes: mistakes.sorted(), cases: 0 };
        }
        Self::judged(&folder, PolicySet::judged(&folder, profile, mistakes), now_s)
    }

    /// The same for a folder that has been read.
    pub fn of(folder: &Folder, profile: Profile, now_s: u64) -> Self {
        Self::judged(folder, PolicySet::from_folder(folder, profile), now_s)
    }

    fn judged(folder: &Folder, made: Result<PolicySet, Mistakes>, now_s: u64) -> Self {
        let (policy, mut mistakes) = match made {
            Ok(policy) => {
                let warnings = policy.warnings_at(now_s);
                (Some(policy), warnings)
            }
            Err(mistakes) => (None, mistakes),
        };
        let cases = read_cases(folder, policy.as_ref(), &mut mistakes);
        let policy = policy.filter(|_| !mistakes.stop_the_folder());
        Self { policy, mistakes: mistakes.sorted(), cases }
    }
}
