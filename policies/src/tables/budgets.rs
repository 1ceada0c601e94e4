//! `[budgets]` of `limits.toml`: what may be spent.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::limits::File;
use super::prices::{Memory, Prices, amount};
use super::{Models, Parsed, Roles, parse_text};
use crate::mistake::Mistakes;
use crate::money::Money;

/// What requests cost, and what may be spent on them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Costs {
    prices: Option<Prices>,
    memory: Memory,
    /// By name.
    budgets: Vec<Budget>,
}

/// So much may be spent in a day or a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    name: BudgetName,
    of: BudgetOf,
    tenant: Option<Arc<str>>,
    per: BudgetPer,
    amount: Money,
    warn_percent: Vec<u8>,
}

/// A budget's name: short, so that refusals carry it about.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BudgetName {
    bytes: [u8; BudgetName::BYTES_MAX],
    length: u8,
}

/// Whose each budget is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BudgetOf {
    /// A tenant's.
    Tenant,
    /// A caller's.
    Caller,
}

/// How long it lasts, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BudgetPer {
    /// A day.
    Day,
    /// A month.
    Month,
}

impl Costs {
    /// What requests cost; without prices they cost nothing.
    pub fn prices(&self) -> Option<&Prices> {
        self.prices.as_ref()
    }

    /// The memory accounted for workers, with prices or without.
    pub fn memory(&self) -> &Memory {
        self.prices.as_ref().map_or(&self.memory, Prices::memory)
    }

    /// Every budget, by name.
    pub fn budgets(&self) -> &[Budget] {
        &self.budgets
    }

    /// The budgets that a tenant's requests count towards. Callers without a tenant count towards
    /// those that are everybody's.
    pub fn budgets_for<'a>(&'a self, tenant: &'a str) -> impl Iterator<Item = &'a Budget> {
        self.budgets
            .iter()
            .filter(move |budget| budget.tenant.as_ref().is_none_or(|named| **named == *tenant))
    }

    /// Reads the prices and budgets of a `limits.toml` alone, such as one that is considered. Names
    /// of tenants and models are taken as they are.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of_limits(text: &str) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::default();
        let parsed = parse_text("limits.toml", text, &mut mistakes);
        let costs = parsed.map(|parsed| Self::read(&parsed, None, None, &mut mistakes));
        match costs {
            Some(costs) if !mistakes.stop_the_folder() => Ok(costs),
            _ => Err(mistakes.sorted()),
        }
    }

    pub(super) fn read(
        parsed: &Parsed<'_, File>,
        roles: Option<&Roles>,
        models: Option<&Models>,
        mistakes: &mut Mistakes,
    ) -> Self {
        let File { prices, budgets, .. } = &parsed.rows;
        let prices = prices.as_ref().map(|row| row.read(parsed, models, mistakes));
        if let (None, Some(name)) = (&prices, budgets.keys().next()) {
            mistakes
                .error(parsed.place(name), "there is a budget, but `[prices]` is missing")
                .hint("write what a request costs: `currency`, `per_request`, `per_gb_second`");
        }
        if let Some(name) = budgets.keys().nth(BUDGETS_MAX) {
            mistakes
                .error(parsed.place(name), format!("more than {BUDGETS_MAX} budgets"))
                .hint("a budget without `tenant` is one for each tenant");
        }
        let budgets = budgets.iter().filter_map(|(name, row)| {
            let budget = row.read(name, parsed, mistakes)?;
            row.judge(&budget, prices.as_ref(), roles, parsed, mistakes);
            Some(budget)
        });
        let budgets = budgets.collect();
        Self { memory: Memory::default(), prices, budgets }
    }
}

impl Budget {
    /// Its name.
    pub fn name(&self) -> BudgetName {
        self.name
    }

    /// Whose it is.
    pub fn of(&self) -> BudgetOf {
        self.of
    }

    /// The one tenant it is for, or whose callers; none is each.
    pub fn tenant(&self) -> Option<&Arc<str>> {
        self.tenant.as_ref()
    }

    /// How long it lasts.
    pub fn per(&self) -> BudgetPer {
        self.per
    }

    /// How much there is.
    pub fn amount(&self) -> Money {
        self.amount
    }

    /// At how many percent somebody is told, from the lowest up.
    pub fn warn_percent(&self) -> &[u8] {
        &self.warn_percent
    }
}

impl BudgetName {
    /// The longest name.
    pub const BYTES_MAX: usize = 32;

    /// A name of plain letters, digits, `-`, `_` and `.`, if it is one.
    pub fn new(name: &str) -> Option<Self> {
        let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
        if name.is_empty() || !name.bytes().all(plain) {
            return None;
        }
        let mut bytes = [0; Self::BYTES_MAX];
        bytes.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        Some(Self { bytes, length: u8::try_from(name.len()).ok()? })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        let name = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(name).unwrap_or_default()
    }
}

impl fmt::Debug for BudgetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl BudgetOf {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Caller => "caller",
        }
    }
}

impl BudgetPer {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BudgetRow {
    of: BudgetOf,
    tenant: Option<Spanned<String>>,
    per: BudgetPer,
    amount: Spanned<String>,
    warn_percent: Option<Spanned<Vec<u8>>>,
}

impl BudgetRow {
    fn read(
        &self,
        name: &Spanned<String>,
        parsed: &Parsed<'_, File>,
        mistakes: &mut Mistakes,
    ) -> Option<Budget> {
        let short = BudgetName::new(name.get_ref());
        if short.is_none() {
            mistakes
                .error(parsed.place(name), format!("`{}` is no name of a budget", name.get_ref()))
                .hint(format!(
                    "use up to {} letters, digits, `-`, `_` and `.`",
                    BudgetName::BYTES_MAX
                ));
        }
        let amount = amount("amount", &self.amount, parsed, mistakes).map_err(|mistake| {
            mistake.hint("write it as `\"250\"` or `\"0.50\"`: digits, with a point or without");
        });
        let mut warn_percent =
            self.warn_percent.as_ref().map_or(WARN_PERCENT.to_vec(), |list| list.get_ref().clone());
        warn_percent.sort_unstable();
        warn_percent.dedup();
        let tenant = self.tenant.as_ref().map(|tenant| tenant.get_ref().as_str().into());
        let (of, per, amount, name) = (self.of, self.per, amount.ok()?, short?);
        Some(Budget { name, of, tenant, per, amount, warn_percent })
    }

    fn judge(
        &self,
        budget: &Budget,
        prices: Option<&Prices>,
        roles: Option<&Roles>,
        parsed: &Parsed<'_, File>,
        mistakes: &mut Mistakes,
    ) {
        if budget.amount.is_zero() {
            mistakes
                .error(parsed.place(&self.amount), "`amount` is 0, so no request could pass")
                .hint("a rule with `forbid` says that somebody may not ask at all");
        } else if prices.is_some_and(|prices| prices.per_request() > budget.amount) {
            mistakes
                .warning(parsed.place(&self.amount), "`amount` is less than one request costs")
                .hint("no request would ever pass");
        }
        if let Some(list) = &self.warn_percent
            && list.get_ref().iter().any(|percent| !(1..=100).contains(percent))
        {
            mistakes
                .error(parsed.place(list), "`warn_percent` has a number that is no percentage")
                .hint("write numbers from 1 to 100, such as `[80, 95]`, or `[]` for no warning");
        }
        if let (Some(tenant), Some(roles)) = (&self.tenant, roles)
            && roles.tenant(tenant.get_ref()).is_none()
        {
            let message = format!("no tenant `{}` is declared", tenant.get_ref());
            mistakes
                .error(parsed.place(tenant), message)
                .did_you_mean(tenant.get_ref(), roles.tenants());
        }
    }
}

/// When nothing else is said.
const WARN_PERCENT: [u8; 2] = [80, 95];
/// All of them stand in one record, and each request looks at them.
const BUDGETS_MAX: usize = 256;

/// The rows of `[budgets]`.
pub(super) type BudgetRows = BTreeMap<Spanned<String>, BudgetRow>;
