//! What the gateway says on stdout, for whoever started it: one JSON object a line.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;

use serde::Serialize;

/// A line on stdout.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Announcement<'a> {
    /// The port is bound.
    Listening {
        /// Address and real port.
        address: SocketAddr,
    },
    /// The admin listener's port is bound.
    AdminListening {
        /// Address and real port.
        address: SocketAddr,
    },
    /// A worker answers.
    WorkerStarted {
        /// Its model.
        model: &'a str,
        /// Its process id, on this host.
        #[serde(skip_serializing_if = "Option::is_none")]
        pid: Option<u32>,
        /// Where it was reached, on another.
        #[serde(skip_serializing_if = "Option::is_none")]
        address: Option<SocketAddr>,
        /// How long each step of its start took, in microseconds.
        stages_us: BTreeMap<&'static str, u64>,
    },
    /// A worker is gone.
    WorkerEnded {
        /// Its model.
        model: &'a str,
        /// Its process id, on this host.
        #[serde(skip_serializing_if = "Option::is_none")]
        pid: Option<u32>,
        /// Where it was reached, on another.
        #[serde(skip_serializing_if = "Option::is_none")]
        address: Option<SocketAddr>,
        /// Why.
        why: &'a str,
    },
    /// A worker could not be started.
    WorkerFailed {
        /// Its model.
        model: &'a str,
        /// Why.
        why: &'a str,
    },
    /// Everything is closed.
    Stopped,
}

/// Writes the line. Whoever does not listen any more misses nothing that matters.
pub fn announce(announcement: &Announcement<'_>) {
    if let Ok(mut line) = serde_json::to_vec(announcement) {
        line.push(b'\n');
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(&line).and_then(|()| stdout.flush());
    }
}
