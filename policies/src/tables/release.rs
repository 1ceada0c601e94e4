//! `release.toml`: how much of an answer leaves the worker.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::{Parsed, parse, refuse_odd_name};
use crate::folder::Folder;
use crate::mistake::Mistakes;

/// A named way of cutting answers. The worker cuts; the gateway only says how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseProfile {
    name: Arc<str>,
    output: ReleaseOutput,
}

/// What is left of a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "output", rename_all = "snake_case", deny_unknown_fields)]
pub enum ReleaseOutput {
    /// The most likely class alone.
    Label {},
    /// The score's place among `count` equal buckets.
    Buckets {
        /// How many, from 2 to 1,000.
        count: u16,
    },
    /// The score rounded to `digits` after the point.
    Rounded {
        /// How many, from 1 to 6.
        digits: u8,
    },
    /// The score as the model gave it.
    Full {},
}

impl ReleaseProfile {
    /// Its name in rules and receipts.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What is left of a score.
    pub fn output(&self) -> ReleaseOutput {
        self.output
    }

    /// Fewer values that can be told apart is stricter; the name only breaks ties.
    fn strictness(&self, other: &Self) -> Ordering {
        let key = |profile: &Self| (profile.output.distinct_values(), profile.output.rank());
        key(self).cmp(&key(other)).then_with(|| self.name.cmp(&other.name))
    }
}

impl ReleaseOutput {
    fn distinct_values(self) -> u64 {
        match self {
            Self::Label {} => 2,
            Self::Buckets { count } => u64::from(count),
            Self::Rounded { digits } => 10u64.saturating_pow(u32::from(digits)).saturating_add(1),
            Self::Full {} => u64::MAX,
        }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Label {} => 0,
            Self::Buckets { .. } => 1,
            Self::Rounded { .. } => 2,
            Self::Full {} => 3,
        }
    }

    fn makes_sense(self) -> bool {
        match self {
            Self::Label {} | Self::Full {} => true,
            Self::Buckets { count } => (2..=1000).contains(&count),
            Self::Rounded { digits } => (1..=6).contains(&digits),
        }
    }
}

/// Every declared profile, and the strictest of them.
pub(crate) struct Releases {
    profiles: BTreeMap<String, Arc<ReleaseProfile>>,
    strictest: Arc<ReleaseProfile>,
}

impl Releases {
    pub(super) fn load(folder: &Folder, mistakes: &mut Mistakes) -> Option<Self> {
        let parsed: Parsed<'_, File> = parse(folder, "release.toml", mistakes)?;
        let mut profiles = BTreeMap::new();
        for (name, output) in &parsed.rows.release {
            refuse_odd_name(parsed.place(name), name.get_ref(), mistakes);
            if !output.makes_sense() {
                mistakes
                    .error(parsed.place(name), format!("`{}` is out of range", name.get_ref()))
                    .hint("`count` goes from 2 to 1000, `digits` from 1 to 6");
            }
            let profile = ReleaseProfile { name: name.get_ref().as_str().into(), output: *output };
            profiles.insert(name.get_ref().clone(), Arc::new(profile));
        }
        let Some(strictest) = strictest(profiles.values()) else {
            mistakes
                .error(parsed.whole(), "no release profile is declared")
                .hint("one is needed: a permit without `@release` gets the strictest");
            return None;
        };
        Some(Self { strictest, profiles })
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Arc<ReleaseProfile>> {
        self.profiles.get(name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// The strictest of `granted`; a `None` among them, or nothing at all, means the strictest
    /// declared.
    pub(crate) fn strictest_of(
        &self,
        granted: &[Option<Arc<ReleaseProfile>>],
    ) -> Arc<ReleaseProfile> {
        let named: Option<Vec<&Arc<ReleaseProfile>>> = granted.iter().map(Option::as_ref).collect();
        let chosen = named.and_then(|profiles| strictest(profiles.into_iter()));
        chosen.unwrap_or_else(|| Arc::clone(&self.strictest))
    }
}

fn strictest<'a>(
    profiles: impl Iterator<Item = &'a Arc<ReleaseProfile>>,
) -> Option<Arc<ReleaseProfile>> {
    profiles.min_by(|a, b| a.strictness(b)).cloned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    release: BTreeMap<Spanned<String>, ReleaseOutput>,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const THREE: &str = "[release.all]\noutput = \"full\"\n[release.two]\noutput = \"rounded\"\ndigits = 2\n\
                         [release.ten]\noutput = \"buckets\"\ncount = 10\n";

    fn releases() -> Releases {
        Releases::load(&Folder::from_pairs([("release.toml", THREE)]), &mut Mistakes::default())
            .unwrap()
    }

    fn strictest_name(names: &[Option<&str>]) -> String {
        let releases = releases();
        let granted: Vec<_> =
            names.iter().map(|n| n.and_then(|n| releases.named(n).cloned())).collect();
        releases.strictest_of(&granted).name().to_string()
    }

    #[test]
    fn the_profile_that_tells_fewer_values_apart_wins() {
        assert_eq!(strictest_name(&[Some("all"), Some("two")]), "two");
        assert_eq!(strictest_name(&[Some("two"), Some("ten")]), "ten");
    }

    #[test]
    fn one_named_profile_is_granted_as_it_is() {
        assert_eq!(strictest_name(&[Some("all")]), "all");
    }

    #[test]
    fn a_permit_that_names_none_gets_the_strictest() {
        assert_eq!(strictest_name(&[Some("all"), None]), "ten");
        assert_eq!(strictest_name(&[]), "ten");
    }

    #[test]
    fn a_profile_out_of_range_is_refused() {
        let mut mistakes = Mistakes::default();
        let text = "[release.odd]\noutput = \"rounded\"\ndigits = 9\n";
        Releases::load(&Folder::from_pairs([("release.toml", text)]), &mut mistakes);
        assert!(mistakes.to_string().contains("line 1 column 10: `odd` is out of range"));
    }
}
