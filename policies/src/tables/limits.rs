//! `limits.toml`: how much a permit grants.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::{Parsed, parse, refuse_odd_name};
use crate::folder::Folder;
use crate::mistake::Mistakes;

/// How much one caller may ask of one model. An absent number is no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitProfile {
    name: Arc<str>,
    rows_max: u32,
    requests_per_minute: Option<u32>,
    burst: Option<u32>,
    concurrent_max: Option<u32>,
    rows_per_day: Option<u64>,
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

    /// Requests per minute over the long run.
    pub fn requests_per_minute(&self) -> Option<u32> {
        self.requests_per_minute
    }

    /// Requests that may come at once.
    pub fn burst(&self) -> Option<u32> {
        self.burst
    }

    /// Requests that may be in flight at once.
    pub fn concurrent_max(&self) -> Option<u32> {
        self.concurrent_max
    }

    /// Rows per day of UTC: what makes copying a model slow.
    pub fn rows_per_day(&self) -> Option<u64> {
        self.rows_per_day
    }

    /// The rows to take before the work: those announced, else the most there may be. `None`
    /// when more were announced than one request may have.
    pub fn rows_to_reserve(&self, announced: Option<u32>) -> Option<u32> {
        match announced {
            Some(rows) => (rows <= self.rows_max).then_some(rows),
            None => Some(self.rows_max),
        }
    }

    /// The smaller of each number: as strict as both, whichever is stricter in what.
    fn and(&self, other: &Self) -> Self {
        Self {
            name: format!("{}+{}", self.name, other.name).into(),
            rows_max: self.rows_max.min(other.rows_max),
            requests_per_minute: smaller(self.requests_per_minute, other.requests_per_minute),
            burst: smaller(self.burst, other.burst),
            concurrent_max: smaller(self.concurrent_max, other.concurrent_max),
            rows_per_day: smaller(self.rows_per_day, other.rows_per_day),
        }
    }
}

fn smaller<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
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
    requests_per_minute: Option<u32>,
    burst: Option<u32>,
    concurrent_max: Option<u32>,
    rows_per_day: Option<u64>,
}

impl Row {
    fn profile(&self, name: &str) -> LimitProfile {
        LimitProfile {
            name: name.into(),
            rows_max: *self.rows_max.get_ref(),
            requests_per_minute: self.requests_per_minute,
            burst: self.burst,
            concurrent_max: self.concurrent_max,
            rows_per_day: self.rows_per_day,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const TWO: &str = "[limits.many]\nrows_max = 100\nrows_per_day = 10\n[limits.fast]\nrows_max = 5\nburst = 9\n";

    fn limits() -> Limits {
        Limits::load(&Folder::from_pairs([("limits.toml", TWO)]), &mut Mistakes::default()).unwrap()
    }

    #[test]
    fn two_profiles_together_are_as_strict_as_each_in_every_number() {
        let limits = limits();
        let both = [limits.named("many").cloned(), limits.named("fast").cloned()];
        let together = limits.strictest_of(&both);
        assert_eq!(
            (together.rows_max(), together.rows_per_day(), together.burst()),
            (5, Some(10), Some(9))
        );
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
