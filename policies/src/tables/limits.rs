//! `limits.toml`: how much a permit grants.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::budgets::{BudgetRows, Costs};
use super::prices::PricesRow;
use super::{Models, Parsed, Roles, parse, refuse_odd_name};
use crate::folder::Folder;
use crate::mistake::Mistakes;

/// How much one caller may ask of one model. Only what the gateway enforces can be written here:
/// a limit that is declared and not kept would be worse than none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitProfile {
    name: Arc<str>,
    rows_max: u32,
    rate: Option<Rate>,
    concurrent_max: Option<NonZeroU32>,
    rows_per_day: Option<NonZeroU32>,
    tenant_rows_per_month: Option<NonZeroU32>,
}

/// How often a caller may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Requests per minute, in the long run.
    pub per_minute: NonZeroU32,
    /// Requests at once, after a while of silence.
    pub burst: NonZeroU32,
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

    /// Requests per minute and at once, per caller and model.
    pub fn rate(&self) -> Option<Rate> {
        self.rate
    }

    /// Requests for rows in flight at once, per caller and model.
    pub fn concurrent_max(&self) -> Option<NonZeroU32> {
        self.concurrent_max
    }

    /// Rows in one UTC day, per caller and model.
    pub fn rows_per_day(&self) -> Option<NonZeroU32> {
        self.rows_per_day
    }

    /// The budget: rows in one UTC month, of the caller's whole tenant, per model.
    pub fn tenant_rows_per_month(&self) -> Option<NonZeroU32> {
        self.tenant_rows_per_month
    }

    /// The rows to take before the work: those announced, else the most there may be. `None`
    /// when more were announced than one request may have.
    pub fn rows_to_reserve(&self, announced: Option<u32>) -> Option<u32> {
        match announced {
            Some(rows) => (rows <= self.rows_max).then_some(rows),
            None => Some(self.rows_max),
        }
    }

    /// As strict as both in every number.
    fn and(&self, other: &Self) -> Self {
        Self {
            name: format!("{}+{}", self.name, other.name).into(),
            rows_max: self.rows_max.min(other.rows_max),
            rate: stricter(self.rate, other.rate, Rate::and),
            concurrent_max: stricter(self.concurrent_max, other.concurrent_max, NonZeroU32::min),
            rows_per_day: stricter(self.rows_per_day, other.rows_per_day, NonZeroU32::min),
            tenant_rows_per_month: stricter(
                self.tenant_rows_per_month,
                other.tenant_rows_per_month,
                NonZeroU32::min,
            ),
        }
    }
}

impl Rate {
    fn and(self, other: Self) -> Self {
        Self {
            per_minute: self.per_minute.min(other.per_minute),
            burst: self.burst.min(other.burst),
        }
    }
}

/// A limit that only one of two has holds as it is.
fn stricter<T>(one: Option<T>, other: Option<T>, both: impl Fn(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(both(one, other)),
        (one, other) => one.or(other),
    }
}

/// Every declared profile, and the one that is as strict as all of them together.
pub(crate) struct Limits {
    profiles: BTreeMap<String, Arc<LimitProfile>>,
    strictest: Arc<LimitProfile>,
    costs: Costs,
}

impl Limits {
    pub(super) fn load(
        folder: &Folder,
        roles: Option<&Roles>,
        models: Option<&Models>,
        mistakes: &mut Mistakes,
    ) -> Option<Self> {
        let parsed: Parsed<'_, File> = parse(folder, "limits.toml", mistakes)?;
        let costs = Costs::read(&parsed, roles, models, mistakes);
        let mut profiles = BTreeMap::new();
        for (name, row) in &parsed.rows.limits {
            refuse_odd_name(parsed.place(name), name.get_ref(), mistakes);
            row.judge(&parsed, mistakes);
            profiles.insert(name.get_ref().clone(), Arc::new(row.profile(name.get_ref())));
        }
        let Some(strictest) = all_together(profiles.values()) else {
            mistakes
                .error(parsed.whole(), "no limit profile is declared")
                .hint("one is needed: a permit without `@limits` gets the strictest");
            return None;
        };
        Some(Self { profiles, strictest, costs })
    }

    /// What requests cost, and what may be spent on them.
    pub(crate) const fn costs(&self) -> &Costs {
        &self.costs
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
pub(super) struct File {
    limits: BTreeMap<Spanned<String>, Row>,
    pub(super) prices: Option<PricesRow>,
    #[serde(default)]
    pub(super) budgets: BudgetRows,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    rows_max: Spanned<u32>,
    rate_per_minute: Option<Spanned<u32>>,
    burst: Option<Spanned<u32>>,
    concurrent_max: Option<Spanned<u32>>,
    rows_per_day: Option<Spanned<u32>>,
    tenant_rows_per_month: Option<Spanned<u32>>,
}

impl Row {
    fn profile(&self, name: &str) -> LimitProfile {
        let number = |field: &Option<Spanned<u32>>| field.as_ref().and_then(positive);
        let rate = number(&self.rate_per_minute).zip(number(&self.burst));
        LimitProfile {
            name: name.into(),
            rows_max: *self.rows_max.get_ref(),
            rate: rate.map(|(per_minute, burst)| Rate { per_minute, burst }),
            concurrent_max: number(&self.concurrent_max),
            rows_per_day: number(&self.rows_per_day),
            tenant_rows_per_month: number(&self.tenant_rows_per_month),
        }
    }

    fn judge(&self, parsed: &Parsed<'_, File>, mistakes: &mut Mistakes) {
        for (name, number) in self.numbers() {
            if positive(number).is_none() {
                mistakes
                    .error(parsed.place(number), format!("`{name}` is 0, so no request could pass"))
                    .hint(match name {
                        "rows_max" => "write a number from 1 up",
                        _ => "write a number from 1 up, or leave the line out for no such limit",
                    });
            }
        }
        self.judge_rate(parsed, mistakes);
        self.judge_rows(parsed, mistakes);
    }

    /// One of the two alone could mean several things.
    fn judge_rate(&self, parsed: &Parsed<'_, File>, mistakes: &mut Mistakes) {
        let (given, missing) = match (&self.rate_per_minute, &self.burst) {
            (Some(rate), None) => (rate, ("rate_per_minute", "burst")),
            (None, Some(burst)) => (burst, ("burst", "rate_per_minute")),
            _ => return,
        };
        mistakes
            .error(parsed.place(given), format!("`{}` needs `{}` beside it", missing.0, missing.1))
            .hint(
                "`burst` is how many may come at once, `rate_per_minute` how many in the long run",
            );
    }

    /// A request that announces no rows reserves `rows_max`.
    fn judge_rows(&self, parsed: &Parsed<'_, File>, mistakes: &mut Mistakes) {
        let totals = [
            ("rows_per_day", &self.rows_per_day),
            ("tenant_rows_per_month", &self.tenant_rows_per_month),
        ];
        for (name, total) in totals {
            let Some(total) = total else { continue };
            if *total.get_ref() > 0 && self.rows_max.get_ref() > total.get_ref() {
                mistakes
                    .warning(parsed.place(total), format!("`{name}` is less than `rows_max`"))
                    .hint(
                        "a request that does not announce its rows reserves `rows_max`, and would \
                         always be refused",
                    );
            }
        }
    }

    fn numbers(&self) -> impl Iterator<Item = (&'static str, &Spanned<u32>)> {
        let optional = [
            ("rate_per_minute", &self.rate_per_minute),
            ("burst", &self.burst),
            ("concurrent_max", &self.concurrent_max),
            ("rows_per_day", &self.rows_per_day),
            ("tenant_rows_per_month", &self.tenant_rows_per_month),
        ];
        let optional = optional.into_iter().filter_map(|(name, n)| Some((name, n.as_ref()?)));
        [("rows_max", &self.rows_max)].into_iter().chain(optional)
    }
}

fn positive(number: &Spanned<u32>) -> Option<NonZeroU32> {
    NonZeroU32::new(*number.get_ref())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const TWO: &str = "[limits.many]\nrows_max = 100\n[limits.fast]\nrows_max = 5\n";

    fn limits() -> Limits {
        load(TWO).0.unwrap()
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

    const ALL: &str = "[limits.day]\nrows_max = 10\nrate_per_minute = 60\nburst = 5\n\
                       concurrent_max = 4\nrows_per_day = 500\n\
                       [limits.month]\nrows_max = 10\nrate_per_minute = 30\nburst = 9\n\
                       tenant_rows_per_month = 9000\n";

    fn load(text: &str) -> (Option<Limits>, String) {
        let mut mistakes = Mistakes::default();
        let folder = Folder::from_pairs([("limits.toml", text)]);
        let limits = Limits::load(&folder, None, None, &mut mistakes);
        (limits, mistakes.to_string())
    }

    #[test]
    fn there_are_256_budgets_at_most_and_as_many_models_with_a_memory_of_their_own() {
        let budgets = |n| {
            (0..n).map(|at| {
                format!("[budgets.b{at:03}]\nof = \"tenant\"\nper = \"day\"\namount = \"1\"\n")
            })
        };
        let memory = |n| (0..n).map(|at| format!("m{at:03} = 64\n"));
        let file = |budgets_n, memory_n| {
            let head = "[limits.usual]\nrows_max = 1\n[prices]\ncurrency = \"USD\"\nper_request = \"0\"\n\
                        per_gb_second = \"0\"\n[prices.memory_of]\n";
            [head.to_owned()]
                .into_iter()
                .chain(memory(memory_n))
                .chain(budgets(budgets_n))
                .collect::<String>()
        };
        assert_eq!(load(&file(256, 256)).1, "");
        assert!(load(&file(257, 0)).1.contains("more than 256 budgets"));
        assert!(load(&file(0, 257)).1.contains("more than 256"));
    }

    #[test]
    fn a_number_that_one_profile_alone_has_holds_for_both_together() {
        let (limits, mistakes) = load(ALL);
        assert_eq!(mistakes, "");
        let together = limits.unwrap().strictest_of(&[]);
        let number = |n: u32| NonZeroU32::new(n).unwrap();
        let rate = Rate { per_minute: number(30), burst: number(5) };
        assert_eq!(together.rate(), Some(rate));
        assert_eq!(together.concurrent_max(), Some(number(4)));
        assert_eq!(together.rows_per_day(), Some(number(500)));
        assert_eq!(together.tenant_rows_per_month(), Some(number(9000)));
    }

    #[test]
    fn a_number_that_lets_nothing_pass_is_a_mistake() {
        for field in ["burst", "concurrent_max", "rows_per_day", "tenant_rows_per_month"] {
            let (_, mistakes) = load(&format!("[limits.a]\nrows_max = 1\n{field} = 0\n"));
            let expected = format!(
                "line 3 column {}: `{field}` is 0, so no request could pass",
                field.len() + 4
            );
            assert!(mistakes.contains(&expected), "{mistakes}");
        }
    }

    #[test]
    fn a_rate_without_its_burst_is_a_mistake() {
        let (_, mistakes) = load("[limits.a]\nrows_max = 1\nrate_per_minute = 60\n");
        assert!(
            mistakes.contains("line 3 column 19: `rate_per_minute` needs `burst`"),
            "{mistakes}"
        );
        let (_, mistakes) = load("[limits.a]\nrows_max = 1\nburst = 60\n");
        assert!(
            mistakes.contains("line 3 column 9: `burst` needs `rate_per_minute`"),
            "{mistakes}"
        );
    }

    #[test]
    fn a_day_with_fewer_rows_than_one_request_is_warned_of() {
        let (limits, mistakes) = load("[limits.a]\nrows_max = 100\nrows_per_day = 99\n");
        assert!(limits.is_some());
        assert!(
            mistakes.contains("line 3 column 16: `rows_per_day` is less than `rows_max`"),
            "{mistakes}"
        );
    }
}
