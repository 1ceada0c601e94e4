//! Rows per day and month, durable before they pass.
//!
//! A counter serves from a lease: a mark that was on the disk before any row below it passes.
//! After a crash the mark counts as used, so a crash costs at most one lease (the larger of one
//! request and a 64th of the limit) beside what was in flight; a clean stop writes what was
//! really used. The store has a thread of its own, which commits whatever waits at once.

mod counter;
mod store;
mod writer;

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use counter::{Counter, Step};
use store::Store;
pub use store::StoreError;
use writer::{Order, Writer};

use super::calendar::Day;
use super::key::Key;
use super::shards::Shards;
use super::{Exceeded, Limit, NotTaken};

/// All counters of rows.
pub struct Counters {
    live: Shards<Slot, Arc<Counter>>,
    writer: Writer,
    salt: [u8; 16],
    newest_day: AtomicU32,
}

/// What a counter counts, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot {
    period: Period,
    key: Key,
}

/// A UTC day or month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// Days since 1970.
    Day(u32),
    /// Months since year 0.
    Month(u32),
}

/// Rows that a request holds. Given back when dropped, unless [`Held::keep`] was called; then
/// they are spent unless [`Held::settle`] says otherwise.
pub struct Held {
    counter: Arc<Counter>,
    writer: Writer,
    rows: u32,
    limit: u32,
    kept: bool,
}

/// No rows for this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRows {
    /// There would be more than the limit.
    Over {
        /// Whether they fit if the requests in flight use none of theirs.
        soon: bool,
    },
    /// The store does not write.
    Unavailable,
}

impl Counters {
    /// Opens the store, or makes it.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn open(path: &Path, now_s: u64) -> Result<Self, StoreError> {
        let store = Store::open(path)?;
        let (today, newest) = (Day::of(now_s), store.newest_day());
        if newest > today {
            tracing::warn!(
                days = newest.0 - today.0,
                "the clock is behind the days that were counted: they go on until it has caught up"
            );
        }
        Ok(Self {
            live: Shards::new(LIVE_MAX),
            salt: *store.salt(),
            newest_day: AtomicU32::new(newest.0),
            writer: Writer::start(store),
        })
    }

    /// What keys are hashed with.
    pub const fn salt(&self) -> &[u8; 16] {
        &self.salt
    }

    /// The day that counts: never one before a day that has counted already, whatever the clock
    /// says.
    pub fn today(&self, now_s: u64) -> Day {
        let today = Day::of(now_s);
        let before = Day(self.newest_day.fetch_max(today.0, Ordering::Relaxed));
        if today > before {
            self.begin(today);
        }
        today.max(before)
    }

    /// Takes `rows` under `limit`; given back on drop until kept.
    ///
    /// # Errors
    /// [`NoRows`]; then nothing is taken.
    pub async fn take(
        &self,
        period: Period,
        key: Key,
        rows: u32,
        limit: NonZeroU32,
    ) -> Result<Held, NoRows> {
        let counter = self.counter(Slot { period, key }).ok_or(NoRows::Unavailable)?;
        let limit = limit.get();
        let first = counter.take(rows, limit, &self.writer);
        if first == Step::Wait {
            wait(&counter, rows, limit, &self.writer).await?;
        } else {
            first.done()?;
        }
        Ok(Held { counter, writer: self.writer.clone(), rows, limit, kept: false })
    }

    /// Gives unused leases back and ends the store's thread. What is taken later is refused.
    pub fn close(&self) {
        for counters in self.live.each() {
            counters.values().for_each(|counter| counter.give_lease_back(&self.writer));
        }
        self.writer.close();
    }

    /// The counter in memory; one that is new learns from the store where it stands. None when
    /// there are too many at work.
    fn counter(&self, slot: Slot) -> Option<Arc<Counter>> {
        let mut counters = self.live.of(slot.key);
        if let Some(counter) = counters.get(&slot) {
            return Some(Arc::clone(counter));
        }
        // Whoever uses one holds it: what nobody else holds can be written down and forgotten.
        let is_idle = |_: &Slot, counter: &Arc<Counter>| {
            let idle = Arc::strong_count(counter) == 1;
            if idle {
                counter.give_lease_back(&self.writer);
            }
            idle
        };
        if !self.live.has_room(&mut counters, is_idle) {
            return None;
        }
        let counter = Arc::new(Counter::new(slot));
        counters.insert(slot, Arc::clone(&counter));
        Some(counter)
    }

    /// A new day: what is older than yesterday is not needed any more. Yesterday is, by requests
    /// that came before midnight and take their rows only now.
    fn begin(&self, day: Day) {
        let kept = [Period::day(day), Period::month(day)].map(Period::before);
        self.writer.order(Order::Begin { day, kept });
        for mut counters in self.live.each() {
            counters.retain(|slot, _| kept.iter().all(|kept| !slot.period.is_older_than(*kept)));
        }
    }
}

/// Waits for the counter's lease, and for others' if there are many.
async fn wait(
    counter: &Arc<Counter>,
    rows: u32,
    limit: u32,
    writer: &Writer,
) -> Result<(), NoRows> {
    let failures = counter.failures();
    let leased = async {
        loop {
            // Made before looking, so that what comes in between is not missed.
            let news = counter.news();
            match counter.take(rows, limit, writer) {
                Step::Wait if counter.failures() == failures => news.await,
                Step::Wait => return Err(NoRows::Unavailable),
                step => return step.done(),
            }
        }
    };
    tokio::time::timeout(LEASE_TIMEOUT, leased).await.unwrap_or(Err(NoRows::Unavailable))
}

impl Held {
    /// From now on the rows are spent, unless settled.
    pub fn keep(mut self) -> Self {
        self.kept = true;
        self
    }

    /// Gives back all but `rows`.
    pub fn settle(mut self, rows: u32) {
        self.kept = true;
        self.end(rows);
        self.rows = 0;
    }

    fn end(&self, used: u32) {
        self.counter.settle(self.rows, used, self.limit, &self.writer);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.rows > 0 {
            self.end(if self.kept { self.rows } else { 0 });
        }
    }
}

impl NoRows {
    /// What the client is told: a moment if requests in flight may give rows back, else when the
    /// period ends.
    pub fn told(self, limit: Limit, ends_in_s: u32) -> NotTaken {
        match self {
            Self::Over { soon } => NotTaken::Exceeded(Exceeded {
                limit,
                retry_after_s: if soon { super::SOON_S } else { ends_in_s },
            }),
            Self::Unavailable => NotTaken::Unavailable,
        }
    }
}

impl Period {
    /// That day.
    pub const fn day(day: Day) -> Self {
        Self::Day(day.0)
    }

    /// The month of that day.
    pub fn month(day: Day) -> Self {
        Self::Month(day.month())
    }

    /// The one before.
    pub const fn before(self) -> Self {
        match self {
            Self::Day(day) => Self::Day(day.saturating_sub(1)),
            Self::Month(month) => Self::Month(month.saturating_sub(1)),
        }
    }

    /// Whether it is of the same kind and ended before the other began.
    pub const fn is_older_than(self, other: Self) -> bool {
        match (self, other) {
            (Self::Day(one), Self::Day(other)) | (Self::Month(one), Self::Month(other)) => {
                one < other
            }
            _ => false,
        }
    }
}

/// About 250 bytes each.
const LIVE_MAX: usize = 1 << 16;
/// A disk that hangs must not hold every request that comes.
const LEASE_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
