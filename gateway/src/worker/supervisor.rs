//! One model's worker: started, watched, started again.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use nix::sys::signal::Signal;
use tokio::sync::{Notify, mpsc, watch};

use super::{
    Begun, Connection, Demands, Facts, Identity, Keyring, Origin, Stages, Supply, WorkerError,
};
use crate::models::Artifact;

/// Keeps one worker running for one model.
pub struct Supervisor {
    settings: Settings,
    attendance: Arc<dyn Attendance>,
    current: ArcSwapOption<Connection>,
    orders: Orders,
}

/// What a worker is started with.
pub struct Settings {
    /// Where it comes from.
    pub supply: Supply,
    /// What it must be.
    pub demands: Demands,
    /// What it runs.
    pub artifact: Arc<Artifact>,
    /// Whose requests it gets alone, if it is not for everybody.
    pub tenant: Option<Arc<str>>,
    /// Where its keys for clients are kept.
    pub keyring: Arc<Keyring>,
}

/// Who is told at once what becomes of a worker.
pub trait Attendance: Send + Sync {
    /// It can be asked.
    fn came(&self);
    /// It has new keys.
    fn renewed(&self);
    /// It cannot be asked any more; whether it had answered anything.
    fn went(&self, had_answered: bool);
    /// It could not be started.
    fn failed(&self, why: &str);
}

/// What an admin has it do out of turn.
#[derive(Default)]
struct Orders {
    end: Notify,
    rotate: Notify,
    /// Of the worker that runs.
    identity: ArcSwapOption<Identity>,
}

/// What happens to a worker, for the audit log, the operator's log and whoever started us.
pub enum WorkerEvent {
    /// It has its model and answers.
    Started {
        /// The model's name.
        model: String,
        /// SHA-256 of the model's artifact.
        model_digest: [u8; 32],
        /// Which one.
        identity: Identity,
        /// What it said of itself.
        facts: Box<Facts>,
        /// How long each step of its start took.
        stages: Stages,
    },
    /// It is gone.
    Ended {
        /// The model's name.
        model: String,
        /// Which one.
        identity: Identity,
        /// Why, in words.
        why: String,
        /// Whether it crashed, and not by a `SIGKILL` from outside: then callers whose requests it
        /// had, as the record has them. How a worker of another host ended nobody can tell.
        crashed_under: Vec<String>,
    },
    /// It could not be started.
    Failed {
        /// The model's name.
        model: String,
        /// SHA-256 of the model's artifact.
        model_digest: [u8; 32],
        /// Why.
        error: WorkerError,
    },
}

impl Supervisor {
    /// A supervisor of one worker; [`Supervisor::run`] starts it.
    #[must_use]
    pub fn new(settings: Settings, attendance: Arc<dyn Attendance>) -> Self {
        let (current, orders) = (ArcSwapOption::empty(), Orders::default());
        Self { settings, attendance, current, orders }
    }

    /// The worker that answers now, if one does.
    #[must_use]
    pub fn connection(&self) -> Option<Arc<Connection>> {
        self.current.load_full()
    }

    /// What the worker that runs now is named by.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        self.orders.identity.load().as_deref().copied()
    }

    /// Has the worker make new keys for clients; the old ones stay for their overlap.
    pub fn rotate_keys(&self) {
        self.orders.rotate.notify_waiters();
    }

    /// Ends the worker, and with it all its keys; another one is started.
    pub fn end_worker(&self) {
        self.orders.end.notify_waiters();
    }

    /// Keeps a worker running until `stop` says so; then closes its socket, upon which it exits.
    ///
    /// A worker that ends is started again after a short pause if it lived for a while or had answered
    /// anything, and with doubling pauses if it had not.
    pub async fn run(&self, events: mpsc::Sender<WorkerEvent>, mut stop: watch::Receiver<bool>) {
        let mut pause = PAUSE_MIN;
        while !*stop.borrow() {
            let started = Instant::now();
            let start = tokio::select! {
                start = self.start() => start,
                _ = stop.wait_for(|&stop| stop) => return,
            };
            let was_of_use = match start {
                Ok(worker) => self.watch(worker, &events, &mut stop).await,
                Err(error) => {
                    let why = error.to_string();
                    let model_digest = self.settings.artifact.digest;
                    let failed = WorkerEvent::Failed { model: self.name(), model_digest, error };
                    let _ = events.send(failed).await;
                    // On record before anybody goes by it.
                    self.attendance.failed(&why);
                    false
                }
            };
            pause = if was_of_use || started.elapsed() > STEADY {
                PAUSE_MIN
            } else {
                (pause * 2).min(PAUSE_MAX)
            };
            let _ = tokio::time::timeout(pause, stop.wait_for(|&stop| stop)).await;
        }
    }

    async fn start(&self) -> Result<Worker, WorkerError> {
        let Settings { supply, demands, artifact, tenant, keyring } = &self.settings;
        let mut stages = Stages::begin();
        let Begun { read, write, psk, nonce, origin } =
            supply.worker(artifact.other_parts()).await?;
        let identity = origin.identify();
        stages.done(if identity.address.is_some() { "connect" } else { "spawn" });
        let open = Connection::open((read, write), psk, &nonce, demands, artifact, &mut stages);
        let opened = tokio::time::timeout(START_TIMEOUT, open).await;
        let connection = Arc::new(opened.map_err(|_| WorkerError::TooSlow)??);
        // Whatever it answers, it answers with a receipt, which names its keyset.
        let keys = keyring.renew(artifact, tenant.as_ref(), &connection).await;
        if keys.is_err() {
            keyring.release(&connection);
        }
        stages.done("client_keys");
        keys.map(|()| Worker { connection, origin, identity, stages })
    }

    /// Offers the worker until its session ends or everything stops; whether it had answered anything.
    async fn watch(
        &self,
        worker: Worker,
        events: &mpsc::Sender<WorkerEvent>,
        stop: &mut watch::Receiver<bool>,
    ) -> bool {
        let Worker { connection, origin, identity, stages } = worker;
        let Settings { demands, artifact, tenant, keyring, .. } = &self.settings;
        // An order that comes from here on is heard, whenever this is awaited.
        let ordered = self.orders.end.notified();
        let started = WorkerEvent::Started {
            model: self.name(),
            model_digest: artifact.digest,
            identity,
            facts: Box::new(connection.facts().clone()),
            stages,
        };
        self.orders.identity.store(Some(Arc::new(identity)));
        self.current.store(Some(connection.clone()));
        self.attendance.came();
        let _ = events.send(started).await;

        let renewed = || self.attendance.renewed();
        let rotate = &self.orders.rotate;
        let Facts { measurement, build_digest, .. } = connection.facts();
        let by_itself = tokio::select! {
            () = connection.ended() => true,
            () = keyring.keep(artifact, tenant.as_ref(), &connection, renewed, rotate) => false,
            () = ordered => false,
            // Also if that was while it started.
            () = demands.revoked.come_to_name(measurement.as_deref(), build_digest) => false,
            _ = stop.wait_for(|&stop| stop) => false,
        };
        self.current.store(None);
        self.orders.identity.store(None);
        let had_answered = connection.has_answered();
        self.attendance.went(had_answered || !by_itself);
        keyring.release(&connection);
        let asking = connection.callers_lost();
        let hang_up = connection.hang_up();
        drop(connection);
        let ended = origin.end(hang_up, END_PATIENCE).await;
        let crashed_under = if ended.is_some_and(is_crash) { asking } else { Vec::new() };
        let unknown = || match (identity.address, by_itself) {
            (None, _) => "unknown".to_owned(),
            (Some(_), true) => "its connection ended".to_owned(),
            (Some(_), false) => "let go".to_owned(),
        };
        let why = ended.map_or_else(unknown, |status| status.to_string());
        let ended = WorkerEvent::Ended { model: self.name(), identity, why, crashed_under };
        let _ = events.send(ended).await;
        had_answered
    }

    fn name(&self) -> String {
        self.settings.artifact.name.clone()
    }
}

/// A worker that has its model and keys.
struct Worker {
    connection: Arc<Connection>,
    origin: Origin,
    identity: Identity,
    stages: Stages,
}

/// Whether a request can have been the cause: not when somebody has killed it.
fn is_crash(status: ExitStatus) -> bool {
    let from_outside = [Signal::SIGKILL, Signal::SIGTERM].map(|signal| Some(signal as i32));
    !status.success() && !from_outside.contains(&status.signal())
}

const START_TIMEOUT: Duration = Duration::from_secs(10);
const END_PATIENCE: Duration = Duration::from_secs(2);
const STEADY: Duration = Duration::from_secs(30);
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(10);
