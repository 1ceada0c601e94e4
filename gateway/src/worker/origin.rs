//! What a session is opened with, wherever its worker runs, and how the worker is named.

use std::net::SocketAddr;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sealgate_keys::HopPsk;
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::HangUp;
use super::remote::Lease;
use super::{Process, Started};

/// A worker that nothing was said to yet.
pub struct Begun {
    /// From it.
    pub read: Box<dyn AsyncRead + Send + Unpin>,
    /// To it.
    pub write: Box<dyn AsyncWrite + Send + Unpin>,
    /// What it and we alone know.
    pub psk: HopPsk,
    /// What its evidence must answer.
    pub nonce: [u8; HopPsk::NONCE_BYTES],
    /// Where it runs.
    pub origin: Origin,
}

/// Where a worker runs.
pub enum Origin {
    /// On this host: we have started it.
    Process(Process),
    /// On another, which its service manager starts anew.
    Host(Lease),
}

/// One worker of all that this gateway has had. A process id may come again, an address does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WorkerNumber(u64);

/// What a worker is named by.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// Its own alone.
    pub number: WorkerNumber,
    /// Its process id, on this host.
    pub pid: Option<u32>,
    /// Where it was reached, on another.
    pub address: Option<SocketAddr>,
}

impl WorkerNumber {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Origin {
    /// A name for the worker.
    #[must_use]
    pub fn identify(&self) -> Identity {
        let (pid, address) = match self {
            Self::Process(process) => (Some(process.pid()), None),
            Self::Host(lease) => (None, Some(lease.address())),
        };
        Identity { number: WorkerNumber::next(), pid, address }
    }

    /// Waits for the end of a worker that is needed no more, for so long and then makes it: the status
    /// of a process, and nothing of another host, where nobody can say how it ended.
    pub(super) async fn end(self, session: HangUp, patience: Duration) -> Option<ExitStatus> {
        match self {
            Self::Process(process) => process.end(patience).await,
            Self::Host(lease) => {
                session.end(patience).await;
                // Only now may somebody else have the address.
                drop(lease);
                None
            }
        }
    }
}

impl From<Started> for Begun {
    fn from(started: Started) -> Self {
        let Started { process, socket, psk, nonce } = started;
        let (read, write) = socket.into_split();
        let origin = Origin::Process(process);
        Self { read: Box::new(read), write: Box::new(write), psk, nonce, origin }
    }
}
