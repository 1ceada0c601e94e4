//! Trying what must fail, on the thread that has to be shown to be shut in.

use nix::unistd::{Pid, gettid};
use std::fs::{File, OpenOptions};
use std::io;
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::thread;

/// The right to probe: it comes from [`super::Locked`], so nothing can be probed too early.
#[derive(Clone, Copy)]
pub struct Prober(());

impl Prober {
    pub(super) const fn new() -> Self {
        Self(())
    }

    /// Tries the forbidden on the calling thread.
    #[must_use]
    pub fn probe(self) -> Probe {
        let allowed = ATTEMPTS.iter().filter(|(_, attempt)| !is_refused(&attempt()));
        Probe { thread: gettid(), allowed: allowed.map(|(deed, _)| *deed).collect() }
    }
}

/// What one thread could still do.
pub struct Probe {
    thread: Pid,
    allowed: Vec<&'static str>,
}

impl Probe {
    pub(super) const fn thread(&self) -> Pid {
        self.thread
    }

    pub(super) fn allowed(&self) -> impl Iterator<Item = &'static str> {
        self.allowed.iter().copied()
    }

    #[cfg(test)]
    pub(super) fn refused_on(thread: i32) -> Self {
        Self { thread: Pid::from_raw(thread), allowed: Vec::new() }
    }
}

/// Only the system's refusal counts: a missing file or an unreachable host shows nothing.
fn is_refused(attempt: &io::Result<()>) -> bool {
    attempt.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

type Attempt = (&'static str, fn() -> io::Result<()>);

const ATTEMPTS: &[Attempt] = &[
    // World-readable, so that only a guard and not the account can refuse them.
    ("open its own status", || File::open("/proc/self/status").map(drop)),
    ("open a system file", || File::open("/etc/passwd").map(drop)),
    ("open the null device for writing", || {
        OpenOptions::new().write(true).open("/dev/null").map(drop)
    }),
    ("open a tcp connection", || TcpStream::connect(("127.0.0.1", DISCARD_PORT)).map(drop)),
    ("open a udp socket", || UdpSocket::bind(("127.0.0.1", 0)).map(drop)),
    ("open a unix socket", || UnixDatagram::unbound().map(drop)),
    ("start a thread", || thread::Builder::new().spawn(|| ()).map(drop)),
];

const DISCARD_PORT: u16 = 9;
