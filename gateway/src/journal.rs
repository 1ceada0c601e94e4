//! What the gateway writes into the audit log, and the wait until it is durable.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sealgate_audit::{AppendError, Event, Health, Log, LogReader, Outcome, Refusals, Text};
use tokio::sync::oneshot;

use crate::metrics::{Histogram, count};
use crate::names::Names;

/// The log, as the gateway uses it.
pub struct Journal {
    /// Gone once the journal is closed; what comes later is refused.
    log: RwLock<Option<Log>>,
    refusals: Mutex<Refusals>,
    reader: LogReader,
    /// Whether the operator knows that nothing is published any more.
    told: AtomicBool,
    /// Whether the operator knows that copies of checkpoints do not get to their place.
    told_of_copy: AtomicBool,
    names: Names,
    dir: PathBuf,
    low_water_bytes: u64,
    /// What became of records.
    pub counts: Arc<RecordCounts>,
}

/// Records of this run.
#[derive(Default)]
pub struct RecordCounts {
    /// Handed over, and not known to be durable yet.
    pub waiting: AtomicU64,
    /// Durable.
    pub durable: AtomicU64,
    /// Handed over in vain.
    pub lost: AtomicU64,
    /// How long becoming durable took, of those that somebody waits for.
    pub lag: Histogram,
    /// Requests of nobody known that were refused, by code.
    pub unauthenticated: Mutex<BTreeMap<&'static str, u64>>,
}

/// A record that has been handed over; awaiting it says whether it is durable.
#[must_use = "nothing may leave before its record is durable"]
pub struct Durable(oneshot::Receiver<Result<u64, AppendError>>);

impl Journal {
    /// Takes the log in `dir` over.
    #[must_use]
    pub fn new(log: Log, names: Names, dir: PathBuf, low_water_bytes: u64) -> Self {
        let (reader, refusals) = (log.reader(), Mutex::default());
        let [told, told_of_copy] = [false; 2].map(AtomicBool::new);
        let (log, counts) = (RwLock::new(Some(log)), Arc::default());
        Self { log, refusals, reader, told, told_of_copy, names, dir, low_water_bytes, counts }
    }

    /// For reading what was written.
    #[must_use]
    pub const fn reader(&self) -> &LogReader {
        &self.reader
    }

    /// How people are named in it.
    #[must_use]
    pub const fn names(&self) -> &Names {
        &self.names
    }

    /// Hands a record over. It is written with whatever else waits.
    pub fn append(&self, event: &Event) -> Durable {
        let (sender, receiver) = oneshot::channel();
        if let Some(log) = &*self.log() {
            let came_to = self.counts.handed_over(true);
            log.append(event, move |result| {
                came_to(result.is_ok());
                // Nobody may wait any more: the client is gone, the record stays.
                let _ = sender.send(result);
            });
        }
        Durable(receiver)
    }

    /// Hands over a record that nobody waits for: the answer's own record is durable already.
    pub fn note(&self, event: &Event) {
        if let Some(log) = &*self.log() {
            let came_to = self.counts.handed_over(false);
            log.append_quietly(event, move |result| {
                came_to(result.is_ok());
                if let Err(error) = result {
                    tracing::error!(%error, "an audit record was lost");
                }
            });
        }
    }

    /// Counts a refusal of somebody unknown. A flood of them writes one record per reason and
    /// second.
    pub fn count_refusal(&self, reason: &'static str, now_s: u64) {
        let unauthenticated = &self.counts.unauthenticated;
        let mut counts = unauthenticated.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(reason).or_default() += 1;
        drop(counts);
        let ended = self.refusals().note(reason, now_s);
        self.write_refusals(ended);
    }

    /// Writes the counts of seconds that are over; called every second.
    pub fn tick(&self, now_s: u64) {
        let ended = self.refusals().ended(now_s);
        self.write_refusals(ended);
        self.tell(&self.health());
        if let Err(error) = self.names.renew(now_s) {
            tracing::error!(%error, "the pseudonyms of the month before go on to be used");
        }
    }

    /// What has failed of the log so far.
    #[must_use]
    pub fn health(&self) -> Health {
        self.log().as_ref().map(Log::health).unwrap_or_default()
    }

    /// Tells the operator what does not work any more, or works again: once.
    fn tell(&self, health: &Health) {
        let failure = health.proofs_failure.as_ref();
        if let Some(failure) = failure.filter(|_| !self.told.swap(true, Ordering::Relaxed)) {
            tracing::error!(%failure, "no proofs of new records until the gateway starts again");
        }
        let failed = health.checkpoint_copy_failed;
        match (self.told_of_copy.swap(failed, Ordering::Relaxed), failed) {
            (false, true) => tracing::error!(
                "the copy of the audit log's checkpoint cannot be written: nobody can show later \
                 that the end of the log was cut off"
            ),
            (true, false) => {
                tracing::info!("the copy of the audit log's checkpoint is written again");
            }
            _ => {}
        }
    }

    /// Writes what is still counted, and closes the log with a last checkpoint.
    ///
    /// # Errors
    /// When the log could not be ended in good order.
    pub fn close(&self, why: &str) -> Result<(), sealgate_audit::AuditError> {
        let rest = self.refusals().drain();
        self.write_refusals(rest);
        self.note(&Event::Stopped(sealgate_audit::Stopped { why: why.into() }));
        let log = self.log.write().unwrap_or_else(PoisonError::into_inner).take();
        log.map_or(Ok(()), |log| log.close().map(drop))
    }

    /// Whether the clock is behind the newest record by more than clocks are set by. Such a clock
    /// would let tokens count that have expired.
    #[must_use]
    pub fn clock_is_behind(&self, now_s: u64) -> bool {
        let newest_s = self.log().as_ref().map_or(0, |log| log.newest_us() / 1_000_000);
        newest_s > now_s.saturating_add(CLOCK_STEP_MAX_S)
    }

    /// Whether the log has not failed and is not closed.
    #[must_use]
    pub fn takes_records(&self) -> bool {
        self.log().as_ref().is_some_and(|log| log.health().failure.is_none())
    }

    /// Whether tiles and checkpoints are published.
    #[must_use]
    pub fn is_published(&self) -> bool {
        self.log().as_ref().is_some_and(|log| log.health().proofs_failure.is_none())
    }

    /// Whether its disk has room for more. Asks the file system.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.free_bytes().is_some_and(|free| free >= self.low_water_bytes)
    }

    /// What is free on its disk. Asks the file system.
    #[must_use]
    pub fn free_bytes(&self) -> Option<u64> {
        sealgate_audit::free_bytes()(&self.dir).ok()
    }

    /// What must stay free there.
    #[must_use]
    pub const fn low_water_bytes(&self) -> u64 {
        self.low_water_bytes
    }

    /// When the newest checkpoint was published. Asks the file system.
    #[must_use]
    pub fn checkpointed_at(&self) -> Option<SystemTime> {
        std::fs::metadata(self.dir.join(PUBLISHED_CHECKPOINT)).ok()?.modified().ok()
    }

    fn log(&self) -> RwLockReadGuard<'_, Option<Log>> {
        self.log.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_refusals(&self, refused: Vec<sealgate_audit::Refused>) {
        for refused in refused {
            self.note(&Event::Refused(refused));
        }
    }

    fn refusals(&self) -> std::sync::MutexGuard<'_, Refusals> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Durable {
    /// Waits until the record is on the disk, but not for ever: a disk that hangs must not hold
    /// every request that comes.
    ///
    /// # Errors
    /// Why it is not known to be there.
    pub async fn wait(self) -> Result<(), AppendError> {
        self.wait_at_most(DURABLE_TIMEOUT).await
    }

    async fn wait_at_most(self, patience: Duration) -> Result<(), AppendError> {
        let answer = tokio::time::timeout(patience, self.0).await;
        answer.unwrap_or(Ok(Err(AppendError::Failed))).unwrap_or(Err(AppendError::Failed)).map(drop)
    }
}

/// Records an outcome when a request ends, however it ends: also when the client goes away and
/// the work on its request is simply dropped.
pub struct PendingOutcome {
    journal: Arc<Journal>,
    outcome: Option<Outcome>,
}

impl PendingOutcome {
    /// An outcome that says `client_gone` unless [`PendingOutcome::settle`] says otherwise.
    #[must_use]
    pub fn new(journal: Arc<Journal>, request_id: &str) -> Self {
        let outcome = Outcome {
            code: "client_gone".into(),
            keyset_digest: None,
            length_class: "".into(),
            model_digest: None,
            receipt_digest: None,
            request_id: request_id.into(),
            rows: 0,
            stages_us: [].into(),
            status: 499,
            usage: None,
        };
        Self { journal, outcome: Some(outcome) }
    }

    /// Says how the request ended.
    pub fn settle(mut self, change: impl FnOnce(&mut Outcome)) {
        if let Some(outcome) = &mut self.outcome {
            change(outcome);
        }
    }
}

impl Drop for PendingOutcome {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            self.journal.note(&Event::Outcome(Box::new(outcome)));
        }
    }
}

/// The address class that records show: the network, not the host.
#[must_use]
pub fn address_class(address: IpAddr) -> Text {
    let network = match address {
        IpAddr::V4(address) => ipnet::IpNet::new(address.into(), 24),
        IpAddr::V6(address) => ipnet::IpNet::new(address.into(), 48),
    };
    network.map_or_else(|_| "".into(), |network| network.trunc().to_string().into())
}

impl RecordCounts {
    /// One more; to be told what it came to.
    fn handed_over(self: &Arc<Self>, is_urgent: bool) -> impl FnOnce(bool) + Send + 'static {
        let (counts, since) = (self.clone(), Instant::now());
        count(&counts.waiting);
        move |is_durable| {
            counts.waiting.fetch_sub(1, Ordering::Relaxed);
            if is_durable {
                count(&counts.durable);
                if is_urgent {
                    counts.lag.observe(since.elapsed());
                }
            } else {
                count(&counts.lost);
            }
        }
    }
}

/// Seconds since 1970.
#[must_use]
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Microseconds since 1970.
#[must_use]
pub fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// How far the clock may be behind the newest record.
const CLOCK_STEP_MAX_S: u64 = 5;
/// The file of the newest checkpoint in a log's folder, as C2SP tlog-tiles has it.
const PUBLISHED_CHECKPOINT: &str = "checkpoint";
const DURABLE_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
