//! One request's cost, from what is reserved to what is recorded.

use std::sync::Arc;

use sealgate_audit::{Charge, Text, Usage};
use sealgate_policies::{Money, Work};

use super::Costs;
use super::ledger::Entry;
use crate::forward::Done;
use crate::policy::InForce;
use crate::refusal::Refusal;

/// What a request may cost. Given back when dropped, until [`Metered::keep`] is called; then all of
/// it is spent, unless [`Metered::settle`] says otherwise.
#[must_use = "dropped, what is reserved is given back or spent"]
pub struct Metered {
    memory_mb: u32,
    reserved: Option<Reserved>,
}

/// What a worker used for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// Microseconds it was at work.
    pub busy_us: u32,
    /// Bytes that went to it, as they were padded.
    pub bytes_in: u64,
    /// Bytes that came from it, as they were padded.
    pub bytes_out: u64,
}

/// Who is charged, as the record names him.
pub struct Whose {
    pub issuer: Text,
    pub subject: Text,
    pub tenant: Text,
}

struct Reserved {
    costs: Arc<Costs>,
    /// Prices and budgets stay those that the request began with.
    policy: Arc<InForce>,
    entry: Entry,
    whose: Whose,
    kept: bool,
}

impl Metered {
    /// Of a request that no worker works on, or no price is for.
    pub const fn without_price(memory_mb: u32) -> Self {
        Self { memory_mb, reserved: None }
    }

    pub(super) const fn reserved(
        costs: Arc<Costs>,
        policy: Arc<InForce>,
        entry: Entry,
        whose: Whose,
        memory_mb: u32,
    ) -> Self {
        let reserved = Reserved { costs, policy, entry, whose, kept: false };
        Self { memory_mb, reserved: Some(reserved) }
    }

    /// What the record of the decision says.
    #[must_use]
    pub fn charge(&self) -> Option<Charge> {
        let entry = self.reserved.as_ref()?.entry;
        Some(Charge { day: entry.day.0, reserved: entry.amount.picos() })
    }

    /// From now on it is spent, unless settled.
    pub const fn keep(mut self) -> Self {
        if let Some(reserved) = &mut self.reserved {
            reserved.kept = true;
        }
        self
    }

    /// Gives back what was not used, and says what was, for the record. None where nobody knows:
    /// then all of it is spent.
    pub fn settle(mut self, carried: &Result<Done, Refusal>) -> Option<Usage> {
        let (used, rows) = match carried {
            Ok(done) => (done.account.used.unwrap_or(Used::NOTHING), done.account.rows),
            Err(refusal) if refusal.is_before_work() => (Used::NOTHING, 0),
            Err(_) => return None,
        };
        let Used { busy_us, bytes_in, bytes_out } = used;
        let began = carried.as_ref().is_ok_and(|done| done.account.used.is_some());
        let charge = self.reserved.take().map(|reserved| {
            let work = Work { rows, busy_us, memory_mb: self.memory_mb };
            reserved.settle(began.then_some(&work)).picos()
        });
        let usage = Usage { busy_us, bytes_in, bytes_out, charge, memory_mb: self.memory_mb };
        // What nobody worked on and nobody pays for needs no words.
        (began || charge.is_some()).then_some(usage)
    }
}

impl Reserved {
    /// What the work cost; without any, nothing.
    fn settle(mut self, work: Option<&Work>) -> Money {
        let prices = self.policy.set.costs().prices();
        let cost = work.zip(prices).map_or(Money::ZERO, |(work, prices)| prices.charge(work));
        let cost = cost.min(self.entry.amount);
        self.kept = true;
        self.end(cost);
        self.entry.amount = Money::ZERO;
        cost
    }

    fn end(&self, used: Money) {
        self.costs.settle(&self.policy, &self.entry, &self.whose, used);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if self.entry.amount > Money::ZERO {
            self.end(if self.kept { self.entry.amount } else { Money::ZERO });
        }
    }
}

impl Used {
    const NOTHING: Self = Self { busy_us: 0, bytes_in: 0, bytes_out: 0 };
}
