//! The gateway as a child process: its events, its end.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::error::CliError;
use crate::state::State;

/// A running gateway. If the demo is killed, the pipe to it closes and it stops by itself.
pub(super) struct Gateway {
    child: Child,
    events: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
    admin: Option<SocketAddr>,
    workers: BTreeMap<u32, String>,
    /// Why the last worker ended or never began.
    why_no_worker: Option<String>,
    stops_when_closed: Option<ChildStdin>,
}

/// What the gateway says, as far as the demo wants to know.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event {
    Listening {
        address: SocketAddr,
    },
    AdminListening {
        address: SocketAddr,
    },
    WorkerStarted {
        model: String,
        /// 0 on another host.
        #[serde(default)]
        pid: u32,
    },
    WorkerEnded {
        #[serde(default)]
        pid: u32,
        why: String,
    },
    WorkerFailed {
        why: String,
    },
    #[serde(other)]
    Other,
}

impl Gateway {
    /// Starts it on a configuration. What it logs goes to a file in the state folder.
    pub(super) fn start(program: &Path, config: &Path, state: &State) -> Result<Self, CliError> {
        let log = state.path("gateway.log");
        let failed = CliError::io("start", program);
        let mut child = Command::new(program)
            .arg("--config")
            .arg(config)
            .arg("--stop-with-parent")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(create(&log)?)
            // Ctrl-C is for the demo, which then stops the gateway in good order.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let Some((stdin, stdout)) = pipes else {
            return Err(CliError::io("start", program)(std::io::ErrorKind::BrokenPipe.into()));
        };
        let events = BufReader::new(stdout).lines();
        let workers = BTreeMap::new();
        Ok(Self {
            child,
            events,
            log,
            admin: None,
            workers,
            why_no_worker: None,
            stops_when_closed: Some(stdin),
        })
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Where it listens to admins.
    pub(super) fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Its workers' process ids, in order.
    pub(super) fn workers(&self) -> Vec<u32> {
        self.workers.keys().copied().collect()
    }

    /// The next thing it says; `None` when it will say nothing more. Can be dropped and asked anew.
    pub(super) async fn event(&mut self) -> Option<Event> {
        let line = self.events.next_line().await.ok().flatten()?;
        let event = serde_json::from_str(&line).unwrap_or(Event::Other);
        match &event {
            Event::WorkerStarted { model, pid } => {
                self.workers.insert(*pid, model.clone());
            }
            Event::WorkerEnded { pid, why } => {
                self.workers.remove(pid);
                self.why_no_worker = Some(why.clone());
            }
            Event::WorkerFailed { why } => self.why_no_worker = Some(why.clone()),
            Event::Listening { .. } | Event::Other => {}
            Event::AdminListening { address } => self.admin = Some(*address),
        }
        Some(event)
    }

    /// Asks it to stop and waits; then makes it.
    pub(super) async fn stop(mut self) {
        self.ask_to_stop();
        if tokio::time::timeout(STOP_TIME_MAX, self.child.wait()).await.is_err() {
            // It had its time to drain. Its workers end when their sockets close.
            let _ = self.child.kill().await;
        }
    }

    /// It ended, or will not get ready: what it said last, as an error.
    pub(super) async fn failed(mut self, what: &str) -> CliError {
        self.ask_to_stop();
        let ended = tokio::time::timeout(STOP_TIME_MAX, self.child.wait()).await;
        let status = ended.ok().and_then(Result::ok).map(|status: ExitStatus| status.to_string());
        let words = last_words(&self.log);
        let errors = || words.iter().filter_map(|line| line.strip_prefix("error: "));
        let last = errors().next_back().or(words.last().map(String::as_str)).map(str::to_owned);
        let mut blamed = errors().chain(self.why_no_worker.as_deref());
        let sandbox = blamed.any(|words| words.contains("sandbox"));
        let why = self.why_no_worker.clone().or(last);
        let mut what = what.to_owned();
        for more in [status, why].into_iter().flatten() {
            what = format!("{what}: {more}");
        }
        CliError::Gateway { what, log: self.log.clone(), sandbox }
    }

    /// In both ways it knows: a signal, and the end of its standard input.
    fn ask_to_stop(&mut self) {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            // It may have ended by itself a moment ago.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        self.stops_when_closed = None;
    }
}

fn create(log: &Path) -> Result<File, CliError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(log)
        .map_err(CliError::io("create", log))
}

/// The last lines of the log that are not empty; none if it cannot be read.
fn last_words(log: &Path) -> Vec<String> {
    let read = || {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LAST_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(LAST_BYTES).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    let text = String::from_utf8_lossy(&read().unwrap_or_default()).into_owned();
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| line.chars().filter(|c| !c.is_control()).collect()).collect()
}

/// Longer than a gateway drains and waits for its workers, so that the log gets its last checkpoint.
const STOP_TIME_MAX: Duration = Duration::from_secs(15);
const LAST_BYTES: u64 = 2048;
