//! What the record says of prices and budgets.

use sealgate_audit::{BudgetSet, BudgetWarned, Event, PricesSet, Text};
use sealgate_policies::{Budget, BudgetOf, Costs};

use super::ledger::Reached;
use super::metered::Whose;
use crate::limits::Day;
use crate::policy::InForce;

/// The record of the prices and budgets in force, if those before were others.
#[must_use]
pub fn in_force(policy: &InForce, before: Option<&InForce>) -> Option<Event> {
    let costs = policy.set.costs();
    let nothing = Costs::default();
    let old = before.map_or(&nothing, |before| before.set.costs());
    (costs != old).then(|| Event::PricesSet(prices_set(costs, &policy.digest)))
}

fn prices_set(costs: &Costs, policy_digest: &Text) -> PricesSet {
    let (prices, memory) = (costs.prices(), costs.memory());
    let decimal =
        |price: Option<sealgate_policies::Money>| Text::from(price.unwrap_or_default().to_string());
    PricesSet {
        budgets: costs.budgets().iter().map(budget_set).collect(),
        currency: prices.map_or("", |prices| prices.currency()).into(),
        memory_mb: memory.usual_mb(),
        memory_of: memory.exceptions().map(|(model, mb)| (Text::from(&**model), mb)).collect(),
        per_gb_second: decimal(prices.map(|prices| prices.per_gb_second())),
        per_request: decimal(prices.map(|prices| prices.per_request())),
        per_row: decimal(prices.map(|prices| prices.per_row())),
        policy_digest: policy_digest.clone(),
    }
}

fn budget_set(budget: &Budget) -> BudgetSet {
    BudgetSet {
        amount: budget.amount().to_string().into(),
        name: budget.name().as_str().into(),
        of: budget.of().as_str().into(),
        per: budget.per().as_str().into(),
        tenant: budget.tenant().map(|tenant| Text::from(&**tenant)),
    }
}

/// The record of a threshold that was reached.
pub(super) fn warned(
    costs: &Costs,
    budget: &Budget,
    reached: &Reached,
    day: Day,
    whose: &Whose,
) -> BudgetWarned {
    let of_caller = budget.of() == BudgetOf::Caller;
    BudgetWarned {
        amount: budget.amount().to_string().into(),
        budget: budget.name().as_str().into(),
        currency: costs.prices().map_or("", |prices| prices.currency()).into(),
        day: day.0,
        issuer: of_caller.then(|| whose.issuer.clone()),
        per: budget.per().as_str().into(),
        percent: reached.percent.into(),
        spent: reached.spent.to_string().into(),
        subject: of_caller.then(|| whose.subject.clone()),
        tenant: whose.tenant.clone(),
    }
}
