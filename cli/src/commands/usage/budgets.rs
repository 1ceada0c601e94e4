//! What is left of budgets.

use sealgate_audit::{BudgetSet, PricesSet};
use sealgate_policies::Money;
use sealgate_review::{Filter, Index, UsageBy, Used};
use serde::Serialize;

use super::money::exact;
use super::month::{begins_us, day_begins_us};
use crate::error::CliError;

/// One payer's budget of the day or month that it is now.
#[derive(Serialize)]
pub(super) struct BudgetLeft {
    pub(super) budget: String,
    pub(super) per: String,
    /// The tenant, or the caller and its tenant.
    pub(super) whose: String,
    pub(super) spent: String,
    pub(super) amount: String,
    pub(super) percent: u64,
    #[serde(skip)]
    pub(super) picos: u128,
}

/// Those of whom something is spent, the fullest first, at most [`SHOWN_MAX`].
pub(super) fn left(
    index: &Index,
    set: &PricesSet,
    tenant: Option<&str>,
    now_us: u64,
) -> Result<Vec<BudgetLeft>, CliError> {
    let mut all = Vec::new();
    for budget in &set.budgets {
        let named = budget.tenant.as_ref().map(|tenant| tenant.as_str());
        if tenant.is_some_and(|asked| named.is_some_and(|named| named != asked)) {
            continue;
        }
        let begin = if budget.per.as_str() == "day" { day_begins_us } else { begins_us };
        let filter = Filter {
            since_us: Some(begin(now_us)),
            tenant: named.or(tenant).map(str::to_owned),
            ..Filter::default()
        };
        let by: &[UsageBy] = match budget.of.as_str() {
            "tenant" => &[UsageBy::Tenant],
            _ => &[UsageBy::Tenant, UsageBy::Issuer, UsageBy::Caller],
        };
        let used = index.used(&filter, by)?;
        all.extend(used.iter().filter_map(|used| one(budget, used)));
    }
    all.sort_by(|a, b| b.percent.cmp(&a.percent).then_with(|| b.picos.cmp(&a.picos)));
    all.truncate(SHOWN_MAX);
    Ok(all)
}

fn one(budget: &BudgetSet, used: &Used) -> Option<BudgetLeft> {
    let amount: Money = budget.amount.as_str().parse().ok()?;
    let percent = (used.picos * 100).checked_div(amount.picos().into())?;
    (used.picos > 0).then(|| BudgetLeft {
        budget: budget.name.to_string(),
        per: budget.per.to_string(),
        whose: used.key.iter().rev().map(String::as_str).collect::<Vec<_>>().join(" of "),
        spent: exact(used.picos),
        amount: budget.amount.to_string(),
        percent: u64::try_from(percent).unwrap_or(u64::MAX),
        picos: used.picos,
    })
}

const SHOWN_MAX: usize = 20;
