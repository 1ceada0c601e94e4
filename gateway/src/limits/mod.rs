//! How much a caller may ask: taken before the work, settled by the worker's outcome.
//!
//! A profile of the policy folder gives the numbers, and only the numbers: what counts against
//! them is kept per caller and model (the budget: per tenant and model), so that two profiles
//! that apply to the same caller never count twice. Requests in flight and rates live in memory;
//! rows per day and month are durable before they pass.
//!
//! What is absent: a way to be answered while the store is not written, and a counter that a
//! clock that steps back, a restart or a full table would make fresh again.

mod calendar;
mod concurrency;
pub mod counters;
mod key;
mod places;
mod rates;
mod shards;

use std::num::NonZeroU32;
use std::path::Path;

use sealgate_policies::{LimitProfile, Rate};

pub(crate) use calendar::Day;
use concurrency::{Concurrency, Slot};
pub(crate) use counters::Period;
pub use counters::StoreError;
use counters::{Counters, Held};
pub(crate) use key::{Key, Namer};
pub use places::{Place, Places};
use rates::Rates;

/// Everything that is counted.
pub struct Limits {
    namer: Namer,
    concurrency: Concurrency,
    rates: Rates,
    counters: Counters,
}

/// Whose share of what.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// The token's `iss`.
    pub issuer: &'a str,
    /// The token's `sub`.
    pub subject: &'a str,
    /// The caller's tenant; those without one share a budget.
    pub tenant: Option<&'a str>,
    /// The model.
    pub model: &'a str,
}

/// The numbers of a profile that hold over several requests; none means no such limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quotas {
    /// Requests per minute and at once, per caller and model.
    pub rate: Option<Rate>,
    /// Requests for rows in flight, per caller and model.
    pub concurrent_max: Option<NonZeroU32>,
    /// Rows in one UTC day, per caller and model.
    pub rows_per_day: Option<NonZeroU32>,
    /// Rows in one UTC month, per tenant and model.
    pub tenant_rows_per_month: Option<NonZeroU32>,
}

/// A limit of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `concurrent_max`
    Concurrent,
    /// `rate_per_minute` and `burst`
    Rate,
    /// `rows_per_day`
    RowsPerDay,
    /// `tenant_rows_per_month`
    Budget,
}

/// A limit that has been reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// Which.
    pub limit: Limit,
    /// Seconds until the same request may pass.
    pub retry_after_s: u32,
}

/// Why nothing was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// The caller has reached a limit.
    Exceeded(Exceeded),
    /// What was taken could not be kept, so nothing passes.
    Unavailable,
}

/// What one request has taken. Dropped without [`Taken::settle`], its rows are spent.
#[must_use = "dropped, the rows are spent"]
pub struct Taken {
    day: Option<Held>,
    month: Option<Held>,
    _slot: Option<Slot>,
}

impl Limits {
    /// Opens the store of counters, or makes it.
    ///
    /// # Errors
    /// When it cannot be used; see [`StoreError`].
    pub fn open(store: &Path, now_s: u64) -> Result<Self, StoreError> {
        let counters = Counters::open(store, now_s)?;
        Ok(Self {
            namer: Namer::new(counters.salt()),
            concurrency: Concurrency::default(),
            rates: Rates::default(),
            counters,
        })
    }

    /// Takes a request, and its `rows` if it is one for rows, out of what `quotas` leave. What
    /// was taken is given back when a later limit refuses.
    ///
    /// # Errors
    /// [`NotTaken`]; then nothing is charged.
    pub async fn take(
        &self,
        who: &Who<'_>,
        quotas: &Quotas,
        rows: Option<u32>,
        now_s: u64,
    ) -> Result<Taken, NotTaken> {
        let key = self.namer.caller(who);
        let exceeded = |limit, retry_after_s| NotTaken::Exceeded(Exceeded { limit, retry_after_s });
        let slot = match (rows, quotas.concurrent_max) {
            (Some(_), Some(max)) => {
                let slot = self.concurrency.enter(key, max.get());
                Some(slot.ok_or_else(|| exceeded(Limit::Concurrent, SOON_S))?)
            }
            _ => None,
        };
        if let Some(rate) = quotas.rate {
            self.rates.take(key, rate).map_err(|after| exceeded(Limit::Rate, after))?;
        }
        let Some(rows) = rows else { return Ok(Taken { day: None, month: None, _slot: slot }) };
        let counted = self.count(who, key, quotas, rows, now_s).await;
        if counted.is_err()
            && let Some(rate) = quotas.rate
        {
            self.rates.give_back(key, rate);
        }
        let (day, month) = counted?;
        Ok(Taken { day: day.map(Held::keep), month: month.map(Held::keep), _slot: slot })
    }

    /// Rows of the day and of the budget. A [`Held`] gives its rows back until it is kept.
    async fn count(
        &self,
        who: &Who<'_>,
        caller: Key,
        quotas: &Quotas,
        rows: u32,
        now_s: u64,
    ) -> Result<(Option<Held>, Option<Held>), NotTaken> {
        if quotas.rows_per_day.or(quotas.tenant_rows_per_month).is_none() {
            return Ok((None, None));
        }
        let today = self.counters.today(now_s);
        let day = match quotas.rows_per_day {
            Some(limit) => {
                let held = self.counters.take(Period::day(today), caller, rows, limit).await;
                Some(held.map_err(|over| over.told(Limit::RowsPerDay, today.ends_in_s(now_s)))?)
            }
            None => None,
        };
        let month = match quotas.tenant_rows_per_month {
            Some(limit) => {
                let tenant = self.namer.tenant(who);
                let held = self.counters.take(Period::month(today), tenant, rows, limit).await;
                Some(held.map_err(|over| over.told(Limit::Budget, today.month_ends_in_s(now_s)))?)
            }
            None => None,
        };
        Ok((day, month))
    }

    /// Gives unused leases back and closes the store. What is taken later is refused.
    pub fn close(&self) {
        self.counters.close();
    }
}

impl From<&LimitProfile> for Quotas {
    fn from(profile: &LimitProfile) -> Self {
        Self {
            rate: profile.rate(),
            concurrent_max: profile.concurrent_max(),
            rows_per_day: profile.rows_per_day(),
            tenant_rows_per_month: profile.tenant_rows_per_month(),
        }
    }
}

impl Taken {
    /// Gives back what was reserved and not used. `rows` comes from the worker's outcome.
    pub fn settle(self, rows: u32) {
        for held in [self.day, self.month].into_iter().flatten() {
            held.settle(rows);
        }
    }
}

impl Limit {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Concurrent => "limit_concurrent",
            Self::Rate => "limit_rate",
            Self::RowsPerDay => "limit_rows_per_day",
            Self::Budget => "limit_budget",
        }
    }

    /// What the client is told.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Concurrent => "you have as many requests in flight as you may",
            Self::Rate => "you have sent requests faster than you may",
            Self::RowsPerDay => "these rows would be more than you may ask for in one day (UTC)",
            Self::Budget => {
                "these rows would be more than your tenant may ask for in one month (UTC)"
            }
        }
    }
}

/// When what is in the way are requests that are still in flight.
pub(crate) const SOON_S: u32 = 1;

#[cfg(test)]
mod tests;
