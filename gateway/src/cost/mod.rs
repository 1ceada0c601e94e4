//! What requests cost: metered by what the worker says, reserved before the work, settled after.
//!
//! `limits.toml` has the prices and the budgets. What a request may cost at most is taken from its
//! tenant's and its caller's budgets before anything is done for it, and stands in the record of
//! its decision; what it did cost stands in the record of its outcome. A gateway that starts reads
//! both: so a budget holds over a `kill -9`, and there is no second book that could say otherwise.
//! A cache saves it from reading all of them.
//!
//! What is absent: a float, and a charge above what was reserved.

mod cache;
mod fold;
mod ledger;
mod metered;
mod recorded;
mod spent;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sealgate_audit::{AuditError, Name};
use sealgate_policies::{Money, Permit, Work};
use tokio::sync::watch;

use crate::journal::{Journal, now_s};
use crate::limits::{Day, Namer};
use crate::policy::InForce;
use crate::routes::Authenticated;
use fold::Fold;
use ledger::{Entry, Ledger, Payer};
pub use metered::{Metered, Used};
pub use recorded::in_force;
pub use spent::{NotReserved, Spent};

/// What everybody has spent.
pub struct Costs {
    ledger: Mutex<Ledger>,
    namer: Namer,
    kept: Mutex<Kept>,
    journal: Arc<Journal>,
    answer_timeout_ms: u32,
}

/// What a restart would know.
struct Kept {
    dir: PathBuf,
    cache: PathBuf,
    salt: [u8; 16],
    fold: Fold,
}

/// Keeps what is spent up to date for the next start.
pub async fn keep(costs: Arc<Costs>, mut stopped: watch::Receiver<bool>) {
    loop {
        let pause = tokio::time::timeout(BETWEEN_KEEPS, stopped.wait_for(|&stop| stop));
        if pause.await.is_ok() {
            return;
        }
        let costs = costs.clone();
        let kept = tokio::task::spawn_blocking(move || costs.keep(now_s()));
        if kept.await.is_err() {
            tracing::error!("keeping what is spent ended badly");
        }
    }
}

impl Costs {
    /// Reads from the log in `dir` what is spent of this day and month, from where `cache` ends if
    /// there is one. Only what is recorded before this is called counts as over.
    ///
    /// # Errors
    /// When the log cannot be read, or there is no randomness.
    pub fn open(
        dir: &Path,
        cache: PathBuf,
        journal: Arc<Journal>,
        answer_timeout_ms: u32,
        now_s: u64,
    ) -> Result<Arc<Self>, AuditError> {
        let (salt, mut fold) = match cache::read(&cache, ACCOUNTS_MAX) {
            Some(known) => known,
            None => {
                let mut salt = [0; 16];
                getrandom::fill(&mut salt).map_err(|_| AuditError::Crypto)?;
                (salt, Fold::new(ACCOUNTS_MAX))
            }
        };
        let namer = Namer::new(&salt);
        let begun = Instant::now();
        let read = fold.advance(dir, &namer, now_s)?;
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(records = read, ms, "read from the record what is spent");
        if !fold.reaches_back {
            tracing::warn!(
                "the record's beginning of this month was dropped: what was spent then is not counted"
            );
        }
        let ledger = Mutex::new(fold.ledger.clone());
        let kept = Mutex::new(Kept { dir: dir.to_owned(), cache, salt, fold });
        Ok(Arc::new(Self { ledger, namer, kept, journal, answer_timeout_ms }))
    }

    /// Counts for the next start what is on record by now. Blocks: not for a runtime's thread.
    pub fn keep(&self, now_s: u64) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { dir, cache, salt, fold } = &mut *kept;
        match fold.advance(dir, &self.namer, now_s) {
            Ok(0) => return,
            // The newest record may be one that is being written.
            Ok(_) | Err(AuditError::Damaged(_)) => {}
            Err(error) => tracing::warn!(%error, "what is spent cannot be read from the record"),
        }
        if let Err(error) = cache::write(cache, salt, fold) {
            tracing::warn!(%error, "the next start will have to read the whole month");
        }
    }

    /// Takes what a request may cost at most: the rows it reserves, and the longest that it may be
    /// worked on. Given back when dropped, until it is kept.
    ///
    /// # Errors
    /// [`NotReserved`]; then nothing is taken.
    pub fn reserve(
        self: &Arc<Self>,
        caller: &Authenticated,
        permit: &Permit,
        rows: u32,
    ) -> Result<Metered, NotReserved> {
        let costs = caller.policy.set.costs();
        let memory_mb = costs.memory().of(permit.model().name());
        let Some(prices) = costs.prices() else { return Ok(Metered::without_price(memory_mb)) };
        let most_ms = prices.busy_ms_max().unwrap_or(self.answer_timeout_ms);
        let most = Work { rows, busy_us: most_ms.saturating_mul(1_000), memory_mb };
        let amount = prices.charge(&most);
        let recorded = &caller.verified.recorded.caller;
        // As the record names him: that is what can be read back.
        let (issuer, subject) = (recorded.issuer.as_str(), recorded.subject.as_str());
        let subject = self.journal.names().name(Name::Subject { issuer, subject });
        let payer = payer(&self.namer, &recorded.issuer, &subject, &recorded.tenant);
        let mut ledger = self.ledger();
        let day = ledger.today(Day::of(caller.now_s));
        let entry = Entry { payer, day, amount };
        let taken = ledger.reserve(&entry, costs.budgets_for(recorded.tenant.as_str()));
        drop(ledger);
        taken.map_err(|why| NotReserved::of(why, day, caller.now_s))?;
        let whose = metered::Whose {
            subject,
            issuer: recorded.issuer.clone(),
            tenant: recorded.tenant.clone(),
        };
        Ok(Metered::reserved(self.clone(), caller.policy.clone(), entry, whose, memory_mb))
    }

    fn settle(&self, policy: &InForce, entry: &Entry, whose: &metered::Whose, used: Money) {
        let costs = policy.set.costs();
        let budgets = || costs.budgets_for(whose.tenant.as_str());
        let reached = self.ledger().settle(entry, used, budgets());
        for reached in reached {
            if let Some(budget) = budgets().find(|budget| budget.name() == reached.budget) {
                let warned = recorded::warned(costs, budget, &reached, entry.day, whose);
                tracing::warn!(
                    budget = warned.budget.as_str(),
                    percent = warned.percent,
                    "so much of a budget is spent"
                );
                self.journal.note(&sealgate_audit::Event::BudgetWarned(warned));
            }
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose accounts a request is charged to, by the words of its record.
fn payer(
    namer: &Namer,
    issuer: &sealgate_audit::Text,
    subject: &sealgate_audit::Text,
    tenant: &sealgate_audit::Text,
) -> Payer {
    Payer {
        tenant: namer.key(b'T', ["", tenant.as_str(), ""]),
        caller: namer.key(b'C', [issuer.as_str(), subject.as_str(), tenant.as_str()]),
    }
}

/// About a hundred bytes each; a caller has four in a month, with its tenant's.
const ACCOUNTS_MAX: usize = 1 << 20;
const BETWEEN_KEEPS: Duration = Duration::from_secs(60);

#[cfg(test)]
mod on_disk;
#[cfg(test)]
mod tests;
