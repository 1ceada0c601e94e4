//! Workers on other hosts: TLS 1.3 in both directions, one session an address.
//!
//! A worker waits for one gateway, by its certificate. PSK and nonce of the hop come out of the exporter of
//! the very connection that the hop goes over, so whoever stands in between has other ones: it gets no
//! session, and evidence that it passes on answers another nonce.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::net::sockopt;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use sealgate_keys::{HopPsk, KeyError, labels};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Begun, Origin, WorkerError};

/// Where workers of other hosts are, and how to speak with them.
pub struct Remote {
    connector: TlsConnector,
    server_name: ServerName<'static>,
    /// Host and port whose addresses change, if they do.
    name: Option<(String, u16)>,
    book: Mutex<Book>,
}

/// Where to look for workers.
#[derive(Debug, Clone)]
pub enum Addresses {
    /// There and nowhere else.
    Listed(Vec<SocketAddr>),
    /// Wherever the name of this host says, on this port.
    Named(String, u16),
}

/// Addresses: those that are known, and those that a session has.
#[derive(Default)]
struct Book {
    known: Vec<SocketAddr>,
    leased: BTreeSet<SocketAddr>,
    /// Which one's turn it is.
    turn: usize,
}

/// The right to the one session with a worker. Dropping it gives the address back.
pub struct Lease {
    address: SocketAddr,
    of: Arc<Remote>,
}

impl Remote {
    /// Workers at these addresses, each of which must show a certificate for `server_name`.
    #[must_use]
    pub fn new(
        addresses: Addresses,
        tls: Arc<ClientConfig>,
        server_name: ServerName<'static>,
    ) -> Self {
        let (known, name) = match addresses {
            Addresses::Listed(addresses) => (addresses, None),
            Addresses::Named(host, port) => (Vec::new(), Some((host, port))),
        };
        let book = Mutex::new(Book { known, ..Book::default() });
        Self { connector: TlsConnector::from(tls), server_name, name, book }
    }

    /// How many workers are known, and how many more have a session although they are no longer.
    #[must_use]
    pub fn known(&self) -> usize {
        let book = self.book();
        let forgotten = book.leased.iter().filter(|address| !book.known.contains(address)).count();
        book.known.len() + forgotten
    }

    /// A worker that nobody here has a session with. Of those that are free a few are tried.
    ///
    /// # Errors
    /// [`WorkerError::NoneFree`], or why the last one that was tried is not to be had.
    pub(super) async fn reach(self: &Arc<Self>) -> Result<Begun, WorkerError> {
        // Held until one answers, so that none is tried twice.
        let mut in_vain = Vec::new();
        let mut why = WorkerError::NoneFree;
        while in_vain.len() < TRIES_MAX {
            let Some(lease) = self.lease() else { break };
            match self.connect(lease.address).await {
                Ok((stream, psk, nonce)) => {
                    let (read, write) = tokio::io::split(stream);
                    let (read, write) = (Box::new(read), Box::new(write));
                    return Ok(Begun { read, write, psk, nonce, origin: Origin::Host(lease) });
                }
                Err(source) => why = WorkerError::Connect { address: lease.address, source },
            }
            in_vain.push(lease);
        }
        Err(why)
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Connected> {
        let socket = timeout(CONNECT_TIME_MAX, TcpStream::connect(address)).await??;
        settle(&socket)?;
        let shaken = self.connector.connect(self.server_name.clone(), socket);
        let stream = timeout(HANDSHAKE_TIME_MAX, shaken).await??;
        let (_, tls) = stream.get_ref();
        let (psk, nonce) = HopPsk::exported(|bytes| {
            let exported = tls.export_keying_material(bytes, labels::TLS_EXPORTER, None);
            exported.map(drop).map_err(|_| KeyError::Refused)
        })
        .map_err(io::Error::other)?;
        Ok((stream, psk, nonce))
    }

    fn lease(self: &Arc<Self>) -> Option<Lease> {
        let address = self.book().lease()?;
        Some(Lease { address, of: self.clone() })
    }

    /// Looks the name up again and again.
    pub(super) async fn keep_looking_up(&self) {
        loop {
            sleep(LOOK_UP_AGAIN).await;
            self.look_up().await;
        }
    }

    /// Looks the name up, if there is one. If that fails, what was known stays.
    pub(super) async fn look_up(&self) {
        let Some((host, port)) = &self.name else { return };
        match timeout(LOOK_UP_TIME_MAX, lookup_host((host.as_str(), *port))).await {
            Ok(Ok(found)) => self.book().know(found),
            Ok(Err(error)) => tracing::warn!(%error, host, "no addresses of workers"),
            Err(_) => tracing::warn!(host, "no addresses of workers in time"),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Connected = (TlsStream<TcpStream>, HopPsk, [u8; HopPsk::NONCE_BYTES]);

impl Book {
    /// An address that no session has; they take turns.
    fn lease(&mut self) -> Option<SocketAddr> {
        let (before, after) = self.known.split_at_checked(self.turn % self.known.len().max(1))?;
        let free = after.iter().chain(before).find(|address| !self.leased.contains(address));
        let address = *free?;
        self.turn = self.known.iter().position(|&one| one == address)? + 1;
        self.leased.insert(address);
        Some(address)
    }

    /// These are all there are now. Sessions with others go on.
    fn know(&mut self, found: impl Iterator<Item = SocketAddr>) {
        let found: BTreeSet<_> = found.take(ADDRESSES_MAX).collect();
        if self.known.iter().ne(&found) {
            tracing::info!(workers = found.len(), "addresses of remote workers");
            self.known = found.into_iter().collect();
        }
    }
}

impl Lease {
    /// Where the worker is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.of.book().leased.remove(&self.address);
    }
}

/// A frame goes at once; and a worker that is silently cut off is noticed, whether something was sent to
/// it or not.
fn settle(socket: &TcpStream) -> io::Result<()> {
    sockopt::set_tcp_nodelay(socket, true)?;
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, PROBE_EVERY)?;
    sockopt::set_tcp_keepintvl(socket, PROBE_EVERY)?;
    sockopt::set_tcp_keepcnt(socket, PROBES)?;
    Ok(sockopt::set_tcp_user_timeout(socket, SILENCE_MAX_MS)?)
}

const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);
/// Longer than a worker waits for others, one of whom may be before us.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(8);
const PROBE_EVERY: Duration = Duration::from_secs(2);
const PROBES: u32 = 3;
const SILENCE_MAX_MS: u32 = 6_000;
const LOOK_UP_TIME_MAX: Duration = Duration::from_secs(5);
const LOOK_UP_AGAIN: Duration = Duration::from_secs(10);
/// A start that fails is tried again anyway.
const TRIES_MAX: usize = 4;
/// More than there may be workers.
const ADDRESSES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[tokio::test]
    async fn a_silent_worker_is_not_waited_for_much_longer_than_6_s() {
        let listener = tokio::net::TcpListener::bind(address(0)).await.unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        settle(&socket).unwrap();
        assert_eq!(sockopt::tcp_user_timeout(&socket).unwrap(), SILENCE_MAX_MS);
        assert!(sockopt::socket_keepalive(&socket).unwrap());
        let every = sockopt::tcp_keepintvl(&socket).unwrap();
        let probes = every * sockopt::tcp_keepcnt(&socket).unwrap();
        let silence = sockopt::tcp_keepidle(&socket).unwrap() + probes;
        assert!(silence <= Duration::from_secs(8), "{silence:?}");
        assert!(sockopt::tcp_nodelay(&socket).unwrap());
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn book(ports: &[u16]) -> Book {
        Book { known: ports.iter().map(|&port| address(port)).collect(), ..Book::default() }
    }

    #[test]
    fn an_address_has_one_session_and_addresses_take_turns() {
        let mut book = book(&[1, 2]);
        assert_eq!(book.lease(), Some(address(1)));
        book.leased.remove(&address(1));
        assert_eq!(book.lease(), Some(address(2)));
        assert_eq!(book.lease(), Some(address(1)));
        assert_eq!(book.lease(), None);
        assert_eq!(Book::default().lease(), None);
    }

    #[test]
    fn an_address_that_is_forgotten_is_not_leased_again() {
        let mut book = book(&[1, 2]);
        assert_eq!(book.lease(), Some(address(1)));
        book.know([address(2), address(3)].into_iter());
        book.leased.clear();
        assert_eq!(
            [book.lease(), book.lease(), book.lease()],
            [Some(address(3)), Some(address(2)), None]
        );
    }
}
