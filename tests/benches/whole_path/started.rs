//! A gateway that a benchmark has started, and what it says of its workers.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A gateway whose workers answer. It ends with [`StartedGateway::end`].
pub struct StartedGateway {
    child: Child,
    pub address: String,
    pub workers: Vec<u32>,
    /// Microseconds of each step of the first worker's start.
    pub stages_us: BTreeMap<String, u64>,
    audit: PathBuf,
    events: mpsc::Receiver<(Instant, Value)>,
}

impl StartedGateway {
    /// Starts one with this configuration and waits for so many workers.
    pub fn start(program: PathBuf, config: PathBuf, audit: PathBuf, workers: usize) -> Self {
        let mut child = Command::new(program)
            .arg("--config")
            .arg(config)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (told, events) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap();
                if told.send((Instant::now(), event)).is_err() {
                    return;
                }
            }
        });
        let (address, stages_us) = (String::new(), BTreeMap::new());
        let mut started = Self { child, address, workers: Vec::new(), stages_us, audit, events };
        started.address = started.until("listening").1["address"].as_str().unwrap().to_owned();
        while started.workers.len() < workers {
            let (_, event) = started.until("worker_started");
            started.workers.push(u32::try_from(event["pid"].as_u64().unwrap()).unwrap());
            if started.stages_us.is_empty() {
                started.stages_us = serde_json::from_value(event["stages_us"].clone()).unwrap();
            }
        }
        started
    }

    /// Waits until it says so; when it did, and what.
    pub fn until(&mut self, what: &str) -> (Instant, Value) {
        loop {
            let patience = Duration::from_secs(60);
            let (at, event) = self.events.recv_timeout(patience).expect("the gateway ended");
            assert_ne!(event["event"], "worker_failed", "{event}");
            if event["event"] == what {
                return (at, event);
            }
        }
    }

    /// The gateway and its workers.
    pub fn pids(&self) -> Vec<u32> {
        [&[self.child.id()], &self.workers[..]].concat()
    }

    /// The process, for whoever ends it later.
    pub fn into_child(self) -> Child {
        self.child
    }

    /// Ends it and removes its log.
    pub fn end(mut self) {
        terminate(&mut self.child);
        std::fs::remove_dir_all(self.audit).unwrap();
    }
}

/// Asks a process to end, and waits until it has.
pub fn terminate(child: &mut Child) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
    let _ = child.wait();
}
