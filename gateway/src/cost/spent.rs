//! A budget that has not as much left as a request may cost.

use sealgate_policies::{BudgetName, BudgetOf, BudgetPer};

use super::ledger::NotTaken;
use crate::limits::{Day, SOON_S};

/// Why nothing was reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReserved {
    /// A budget is spent.
    Spent(Spent),
    /// There are more callers than can be counted.
    Unavailable,
}

/// A budget that is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// Its name.
    pub budget: BudgetName,
    /// Seconds until the same request may pass.
    pub retry_after_s: u32,
    of: BudgetOf,
    per: BudgetPer,
    /// When it is renewed, in days since 1970.
    renewed: Day,
    soon: bool,
}

impl NotReserved {
    pub(super) fn of(why: NotTaken, today: Day, now_s: u64) -> Self {
        let NotTaken::Over { budget, of, per, soon } = why else { return Self::Unavailable };
        let renewed = match per {
            BudgetPer::Day => today.next(),
            BudgetPer::Month => today.next_month(),
        };
        let retry_after_s = if soon { SOON_S } else { renewed.begins_in_s(now_s) };
        Self::Spent(Spent { budget, of, per, renewed, soon, retry_after_s })
    }
}

impl Spent {
    /// The stable code.
    pub const CODE: &'static str = "budget_spent";

    /// What the client is told.
    #[must_use]
    pub fn sentence(&self) -> String {
        let whose = match self.of {
            BudgetOf::Tenant => "your tenant's",
            BudgetOf::Caller => "your",
        };
        let (budget, per, renewed) = (self.budget.as_str(), self.per.as_str(), self.renewed);
        match self.soon {
            false => format!(
                "{whose} budget `{budget}` of this {per} has not as much left as this request may \
                 cost; it is renewed at {renewed}"
            ),
            true => format!(
                "what is left of {whose} budget `{budget}` of this {per} is held by requests in \
                 flight; it is renewed at {renewed}"
            ),
        }
    }
}
