//! One issuer's keys at one address: who uses them, who waits for them, when they are fetched.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use sealgate_policies::RemoteIssuer;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use super::JwksError;
use super::config::Pace;
use super::fetch::{Fetched, Fetcher};
use super::last_good::{Kept, LastGood};
use super::record::{Origin, Recorder};

/// Fetched by one task; asked for by any number of requests.
pub(super) struct Source {
    issuer: Arc<str>,
    url: Arc<str>,
    state: Mutex<State>,
    demand: Notify,
    /// How many fetches have ended, well or not.
    rounds: watch::Sender<u64>,
    recorder: Recorder,
}

#[derive(Default)]
struct State {
    /// One for each living policy set.
    uses: Vec<RemoteIssuer>,
    last_good: Option<Kept>,
    /// When a token last asked for a fetch.
    demanded_at: Option<Instant>,
    /// A fetch is under way or about to be.
    under_way: bool,
}

impl Source {
    pub(super) fn new(issuer: &RemoteIssuer, recorder: Recorder) -> Self {
        Self {
            issuer: Arc::clone(issuer.issuer()),
            url: Arc::clone(issuer.jwks_url()),
            // The first fetch begins with the task.
            state: Mutex::new(State { under_way: true, ..State::default() }),
            demand: Notify::new(),
            rounds: watch::Sender::new(0),
            recorder,
        }
    }

    /// Gives a policy set's issuer the keys there are, and each new set of them from now on.
    pub(super) fn provide(&self, issuer: RemoteIssuer) {
        let mut state = self.state();
        if let Some(kept) = &state.last_good {
            self.report(issuer.set_keys(&kept.text).err().map(JwksError::Keys));
        }
        state.uses.push(issuer);
    }

    /// Whether a living policy set names it.
    pub(super) fn is_used(&self) -> bool {
        let mut state = self.state();
        state.uses.retain(|issuer| !issuer.is_gone());
        !state.uses.is_empty()
    }

    /// Returns when the first fetch has ended.
    pub(super) async fn tried(&self) {
        // The sender is `self`: it cannot be gone.
        let _ = self.rounds.subscribe().wait_for(|rounds| *rounds > 0).await;
    }

    /// What changes when the next fetch ends: the one under way, or a new one if the last that was
    /// asked for is `gap` ago. `None`: no fetch for now.
    pub(super) fn ask(&self, gap: Duration) -> Option<watch::Receiver<u64>> {
        let mut state = self.state();
        let rounds = self.rounds.subscribe();
        if state.under_way {
            return Some(rounds);
        }
        if state.demanded_at.is_some_and(|asked_at| asked_at.elapsed() < gap) {
            return None;
        }
        state.demanded_at = Some(Instant::now());
        state.under_way = true;
        self.demand.notify_one();
        Some(rounds)
    }

    /// Fetches for ever.
    pub(super) async fn run(
        self: Arc<Self>,
        fetcher: Arc<Fetcher>,
        last_good: Arc<LastGood>,
        pace: Pace,
    ) {
        loop {
            self.state().under_way = true;
            let fetched = fetcher.fetch(&self.url).await;
            let next = match fetched.and_then(|fetched| self.take(fetched)) {
                Ok((kept, max_age)) => {
                    self.keep(&last_good, kept).await;
                    pace.after_success(max_age)
                }
                Err(error) => {
                    self.recorder.not_renewed(&error);
                    self.report(Some(error));
                    self.make_do(&last_good, pace.stale_max).await;
                    pace.after_failure()
                }
            };
            self.state().under_way = false;
            self.rounds.send_modify(|rounds| *rounds += 1);
            tokio::select! {
                () = sleep(next) => {}
                () = self.demand.notified() => {}
            }
        }
    }

    fn take(&self, fetched: Fetched) -> Result<(Kept, Option<Duration>), JwksError> {
        let kept = Kept { text: fetched.text, fetched_at: SystemTime::now() };
        self.hand_out(kept.clone(), Origin::Fetched)?;
        Ok((kept, fetched.max_age))
    }

    /// The newest policy set judges: what it refuses, nobody gets.
    fn hand_out(&self, kept: Kept, origin: Origin) -> Result<(), JwksError> {
        let mut state = self.state();
        let mut newest_first = state.uses.iter().rev();
        if let Some(newest) = newest_first.next() {
            let warnings = newest.set_keys(&kept.text).map_err(JwksError::Keys)?;
            tracing::debug!(issuer = &*self.issuer, %warnings, "issuer's keys renewed");
        }
        for older in newest_first {
            self.report(older.set_keys(&kept.text).err().map(JwksError::Keys));
        }
        self.recorder.in_use(&kept.text, origin);
        state.last_good = Some(kept);
        Ok(())
    }

    /// A set that cannot be kept counts all the same; the next start may miss it.
    async fn keep(&self, last_good: &Arc<LastGood>, kept: Kept) {
        let (folder, issuer, url) = (last_good.clone(), self.issuer.clone(), self.url.clone());
        let write = move || folder.keep(&issuer, &url, &kept.text);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(write).await {
            tracing::warn!(issuer = &*self.issuer, %error, "the issuer's keys cannot be kept");
        }
    }

    /// The keys of before stay; at the first try those on disk; none once they are too old.
    async fn make_do(&self, last_good: &Arc<LastGood>, stale_max: Duration) {
        let there = self.state().last_good.as_ref().map(|kept| kept.is_older_than(stale_max));
        match there {
            Some(false) => {}
            Some(true) => self.forget(),
            None => match self.kept(last_good).await {
                Ok(Some(kept)) if !kept.is_older_than(stale_max) => self.go_by(kept),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(issuer = &*self.issuer, %error, "kept keys are not used");
                }
            },
        }
    }

    async fn kept(&self, last_good: &Arc<LastGood>) -> io::Result<Option<Kept>> {
        let (folder, issuer, url) = (last_good.clone(), self.issuer.clone(), self.url.clone());
        let read = tokio::task::spawn_blocking(move || folder.read(&issuer, &url));
        read.await.unwrap_or_else(|_| Err(io::Error::other("the reader ended")))
    }

    fn go_by(&self, kept: Kept) {
        match self.hand_out(kept, Origin::Kept) {
            Err(error) => self.report(Some(error)),
            Ok(()) => {
                tracing::warn!(
                    issuer = &*self.issuer,
                    "going by the keys fetched before the start"
                );
            }
        }
    }

    fn forget(&self) {
        let mut state = self.state();
        tracing::error!(issuer = &*self.issuer, "the issuer's keys are too old to be believed");
        self.recorder.too_old();
        state.last_good = None;
        state.uses.iter().for_each(RemoteIssuer::forget_keys);
    }

    fn report(&self, error: Option<JwksError>) {
        if let Some(error) = error {
            let (issuer, why) = (&*self.issuer, error.to_string());
            tracing::warn!(issuer, why, "the issuer's keys are not renewed");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// A clock that has gone back makes nothing old.
    fn is_older_than(&self, max: Duration) -> bool {
        self.fetched_at.elapsed().is_ok_and(|age| age > max)
    }
}
