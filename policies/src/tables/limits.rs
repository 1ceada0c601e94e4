//! `limits.toml`: how much a permit grants.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::{Parsed, parse, refuse_odd_name};
use crate::folder::Folder;
use crate::mistake::Mistakes;

/// How much one caller may ask of one model. Only what the gateway enforces can be written here:
/// a limit that is declared and not kept would be worse than none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitProfile {
    name: Arc<str>,
    rows_max: u32,
}

impl LimitProfile {
    /// Its name, or the names it was made of joined by `+`.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Rows in one request; also what is reserved when a client announces none.
    pub fn rows_max(&self) -> u32 {
        self.rows_max
    }

    /// The rows to take before the work: those announced, else the most there may be. `None`
    /// when more were announced than one request may have.
    pub fn rows_to_reserve(&self, announced: Option<u32>) -> Option<u32> {
        match announced {
            Some(rows) => (rows <= self.rows_max).then_some(rows),
            None => Some(self.rows_max),
        }
    }

    /// As strict as both.
    fn and(&self, other: &Self) -> Self {
        Self {
            name: format!("{}+{}", self.name, other.name).into(),
            rows_max: self.rows_max.min(other.rows_max),
        }
    }
}

/// Every declared profile, and the one that is as strict as all of them together.
pub(crate) struct Limits {
    profiles: BTreeMap<String, Arc<LimitProfile>>,
    strictest: Arc<LimitProfile>,
}

impl Limits {
    pub(super) fn load(folder: &Folder, mistakes: &mut Mistakes) -> Option<Self> {
        let parsed: Parsed<'_, File> = parse(folder, "limits.toml", mistakes)?;
        let mut profiles = BTreeMap::new();
        for (name, row) in &parsed.rows.limits {
            refuse_odd_name(parsed.place(name), name.get_ref(), mistakes);
            if *row.rows_max.get_ref() == 0 {
                mistakes.error(
                    parsed.place(&row.rows_max),
                    "`rows_max` is 0, so no request could pass",
                );
            }
            profiles.insert(name.get_ref().clone(), Arc::new(row.profile(name.get_ref())));
        }
        let Some(strictest) = all_together(profiles.values()) else {
            mistakes
                .error(parsed.whole(), "no limit profile is declared")
                .hint("one is needed: a permit without `@limits` gets the strictest");
            return None;
        };
        Some(Self { profiles, strictest })
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Arc<LimitProfile>> {
        self.profiles.get(name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// As strict as each of `granted`; a `None` among them, or nothing at all, means as strict
    /// as everything declared.
    pub(crate) fn strictest_of(&self, granted: &[Option<Arc<LimitProfile>>]) -> Arc<LimitProfile> {
        let named: Option<Vec<&Arc<LimitProfile>>> = granted.iter().map(Option::as_ref).collect();
        let together = named.and_then(|profiles| all_together(profiles.into_iter()));
        together.unwrap_or_else(|| Arc::clone(&self.strictest))
    }
}

fn all_together<'a>(
    profiles: impl Iterator<Item = &'a Arc<LimitProfile>>,
) -> Option<Arc<LimitProfile>> {
    let mut profiles: Vec<_> = profiles.cloned().collect();
    profiles.sort_by(|a, b| a.name.cmp(&b.name));
    profiles.dedup();
    profiles.into_iter().reduce(|one, other| Arc::new(one.and(&other)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    limits: BTreeMap<Spanned<String>, Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    rows_max: Spanned<u32>,
}

impl Row {
    fn profile(&self, name: &str) -> LimitProfile {
        LimitProfile { name: name.into(), rows_max: *self.rows_max.get_ref() }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const TWO: &str = "[limits.many]\nrows_max = 100\n[limits.fast]\nrows_max = 5\n";

    fn limits() -> Limits {
        Limits::load(&Folder::from_pairs([("limits.toml", TWO)]), &mut Mistakes::default()).unwrap()
    }

    #[test]
    fn two_profiles_together_are_as_strict_as_each_in_every_number() {
        let limits = limits();
        let both = [limits.named("many").cloned(), limits.named("fast").cloned()];
        let together = limits.strictest_of(&both);
        assert_eq!((together.rows_max(), &**together.name()), (5, "fast+many"));
    }

    #[test]
    fn one_named_profile_is_granted_as_it_is() {
        let limits = limits();
        let granted = limits.strictest_of(&[limits.named("many").cloned()]);
        assert_eq!(granted.rows_max(), 100);
    }

    #[test]
    fn a_permit_that_names_none_gets_the_strictest() {
        let limits = limits();
        assert_eq!(limits.strictest_of(&[limits.named("many").cloned(), None]).rows_max(), 5);
        assert_eq!(limits.strictest_of(&[]).rows_max(), 5);
    }

    #[test]
    fn silence_about_rows_reserves_the_most() {
        let many = limits().named("many").cloned().unwrap();
        assert_eq!(many.rows_to_reserve(None), Some(100));
        assert_eq!(many.rows_to_reserve(Some(3)), Some(3));
        assert_eq!(many.rows_to_reserve(Some(101)), None);
    }
}
