//! One model's worker: started, watched, started again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::sync::{Notify, mpsc, watch};

use super::{Connection, Demands, Facts, Keyring, Process, Program, WorkerError};
use crate::models::Artifact;

/// Keeps one worker running for one model.
pub struct Supervisor {
    program: Program,
    demands: Demands,
    artifact: Arc<Artifact>,
    keyring: Arc<Keyring>,
    /// Rung whenever a worker or its keys are there that were not.
    news: Arc<Notify>,
    current: ArcSwapOption<Connection>,
    orders: Orders,
}

/// What an admin has it do out of turn.
#[derive(Default)]
struct Orders {
    end: Notify,
    rotate: Notify,
    /// Of the worker that runs; 0 when none does.
    pid: AtomicU32,
}

/// What happens to a worker, for the audit log, the operator's log and whoever started us.
pub enum WorkerEvent {
    /// It has its model and answers.
    Started {
        /// The model's name.
        model: String,
        /// SHA-256 of the model's artifact.
        model_digest: [u8; 32],
        /// Process id.
        pid: u32,
        /// What it said of itself.
        facts: Facts,
    },
    /// It is gone.
    Ended {
        /// The model's name.
        model: String,
        /// Process id.
        pid: u32,
        /// Why, in words.
        why: String,
    },
    /// It could not be started.
    Failed {
        /// The model's name.
        model: String,
        /// Why.
        error: WorkerError,
    },
}

impl Supervisor {
    /// A supervisor of one worker for `artifact`; [`Supervisor::run`] starts it.
    #[must_use]
    pub fn new(
        program: Program,
        demands: Demands,
        artifact: Arc<Artifact>,
        keyring: Arc<Keyring>,
        news: Arc<Notify>,
    ) -> Self {
        Self {
            program,
            demands,
            artifact,
            keyring,
            news,
            current: ArcSwapOption::empty(),
            orders: Orders::default(),
        }
    }

    /// The worker that answers now, if one does.
    #[must_use]
    pub fn connection(&self) -> Option<Arc<Connection>> {
        self.current.load_full()
    }

    /// Process id of the worker that runs now.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        Some(self.orders.pid.load(Ordering::Relaxed)).filter(|&pid| pid != 0)
    }

    /// Has the worker make new keys for clients; the old ones stay for their overlap.
    pub fn rotate_keys(&self) {
        self.orders.rotate.notify_waiters();
    }

    /// Ends the worker if an admin has revoked its measurement.
    pub fn end_if_revoked(&self) {
        if self.connection().is_some_and(|connection| self.is_distrusted(&connection)) {
            self.end_worker();
        }
    }

    fn is_distrusted(&self, connection: &Connection) -> bool {
        let Facts { measurement, build_digest, .. } = connection.facts();
        self.demands.revoked.name(measurement.as_deref(), build_digest)
    }

    /// Ends the worker, and with it all its keys; another one is started.
    pub fn end_worker(&self) {
        self.orders.end.notify_waiters();
    }

    /// Keeps a worker running until `stop` says so; then closes its socket, upon which it exits.
    ///
    /// A worker that ends is started again after a short pause if it lived for a while, and with
    /// doubling pauses if it did not.
    pub async fn run(&self, events: mpsc::Sender<WorkerEvent>, mut stop: watch::Receiver<bool>) {
        let mut pause = PAUSE_MIN;
        while !*stop.borrow() {
            let started = Instant::now();
            let start = tokio::select! {
                start = self.start() => start,
                _ = stop.wait_for(|&stop| stop) => return,
            };
            match start {
                Ok((connection, process)) => {
                    self.watch(connection, process, &events, &mut stop).await;
                }
                Err(error) => {
                    let _ = events.send(WorkerEvent::Failed { model: self.name(), error }).await;
                }
            }
            pause = if started.elapsed() > STEADY { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) };
            let _ = tokio::time::timeout(pause, stop.wait_for(|&stop| stop)).await;
        }
    }

    async fn start(&self) -> Result<(Arc<Connection>, Process), WorkerError> {
        let started = self.program.start()?;
        let open = Connection::open(
            started.socket,
            started.psk,
            &started.nonce,
            &self.demands,
            &self.artifact,
        );
        let opened = tokio::time::timeout(START_TIMEOUT, open).await;
        let connection = Arc::new(opened.map_err(|_| WorkerError::TooSlow)??);
        // Whatever it answers, it answers with a receipt, which names its keyset.
        let keys = self.keyring.renew(&self.artifact, &connection).await;
        if keys.is_err() {
            self.keyring.release(&connection);
        }
        keys.map(|()| (connection, started.process))
    }

    /// Offers the worker until its session ends or everything stops.
    async fn watch(
        &self,
        connection: Arc<Connection>,
        process: Process,
        events: &mpsc::Sender<WorkerEvent>,
        stop: &mut watch::Receiver<bool>,
    ) {
        let pid = process.pid();
        if self.is_distrusted(&connection) {
            // It was revoked while it started.
            self.orders.end.notify_one();
        }
        let started = WorkerEvent::Started {
            model: self.name(),
            model_digest: self.artifact.digest,
            pid,
            facts: connection.facts().clone(),
        };
        self.orders.pid.store(pid, Ordering::Relaxed);
        self.current.store(Some(connection.clone()));
        self.news.notify_waiters();
        let _ = events.send(started).await;

        tokio::select! {
            () = connection.ended() => {}
            () = self.keyring.keep(&self.artifact, &connection, &self.news, &self.orders.rotate) => {}
            () = self.orders.end.notified() => {}
            _ = stop.wait_for(|&stop| stop) => {}
        }
        self.current.store(None);
        self.orders.pid.store(0, Ordering::Relaxed);
        self.keyring.release(&connection);
        drop(connection);
        let why = match process.end(END_PATIENCE).await {
            Some(status) => status.to_string(),
            None => "unknown".to_owned(),
        };
        let _ = events.send(WorkerEvent::Ended { model: self.name(), pid, why }).await;
    }

    fn name(&self) -> String {
        self.artifact.name.clone()
    }
}

const START_TIMEOUT: Duration = Duration::from_secs(10);
const END_PATIENCE: Duration = Duration::from_secs(2);
const STEADY: Duration = Duration::from_secs(30);
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(10);
