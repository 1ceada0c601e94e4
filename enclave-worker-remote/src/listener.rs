//! Waiting for the gateway: bound before the walls close, accepted behind them.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::sockopt;
use rustls::{ServerConfig, ServerConnection};
use sealgate_keys::{HopPsk, KeyError, labels};
use sealgate_worker::{Ends, RemoteConfig, Transport, WorkerError};

use crate::identity::{IdentityError, server_config};
use crate::stream::halves;

/// A bound listener. It is gone once the gateway is there: nobody else is even connected.
pub(crate) struct Listener {
    listener: TcpListener,
    config: Arc<ServerConfig>,
}

impl Listener {
    /// Reads what is needed and binds.
    pub(crate) fn open(remote: &RemoteConfig) -> Result<Self, IdentityError> {
        let config = Arc::new(server_config(remote)?);
        let unbound = |error| IdentityError::Bind(remote.listen, error);
        let listener = TcpListener::bind(remote.listen).map_err(unbound)?;
        inherited(&listener).map_err(unbound)?;
        // Whoever started it may have let the system choose the port.
        let address = listener.local_addr().map_err(unbound)?;
        tracing::info!(%address, "waiting for the gateway");
        Ok(Self { listener, config })
    }
}

/// What each connection inherits: behind the walls nothing can be set any more.
fn inherited(listener: &TcpListener) -> io::Result<()> {
    sockopt::set_tcp_nodelay(listener, true)?;
    // A gateway that is silently gone is noticed, idle or not: the next one must be let in.
    sockopt::set_socket_keepalive(listener, true)?;
    sockopt::set_tcp_keepidle(listener, PROBE_EVERY)?;
    sockopt::set_tcp_keepintvl(listener, PROBE_EVERY)?;
    sockopt::set_tcp_keepcnt(listener, PROBES)?;
    sockopt::set_tcp_user_timeout(listener, SILENCE_MAX_MS)?;
    Ok(sockopt::set_socket_timeout(listener, sockopt::Timeout::Recv, Some(LOOK_UP))?)
}

impl Transport for Listener {
    fn listener(&self) -> Option<BorrowedFd<'_>> {
        Some(self.listener.as_fd())
    }

    /// One at a time. Who does not shake hands in time is dropped, and the next one's turn comes.
    fn gateway(self: Box<Self>) -> Result<Ends, WorkerError> {
        let mut others = Others::default();
        loop {
            let (socket, peer) = match self.listener.accept() {
                Ok(accepted) => accepted,
                // Nobody came for a while, or went away again.
                Err(error) if is_passing(&error) => continue,
                Err(error) => return Err(error.into()),
            };
            match shake_hands(&self.config, socket) {
                Ok(ends) => {
                    tracing::info!(%peer, "the gateway is here");
                    return Ok(ends);
                }
                Err(error) => others.came(peer, &error),
            }
        }
    }
}

/// Who came and was not the gateway. Anybody can come as often as he likes: they are counted, and told
/// once in a while.
#[derive(Default)]
struct Others {
    told: Option<Instant>,
    since: u64,
}

impl Others {
    fn came(&mut self, peer: SocketAddr, error: &io::Error) {
        self.since += 1;
        if self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            tracing::warn!(%peer, %error, count = self.since, "not the gateway");
            *self = Self { told: Some(Instant::now()), since: 0 };
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted
    )
}

/// A connection whose other end has shown the pinned certificate.
fn shake_hands(config: &Arc<ServerConfig>, socket: TcpStream) -> io::Result<Ends> {
    let deadline = Instant::now() + HANDSHAKE_TIME_MAX;
    let mut tls = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        if Instant::now() >= deadline {
            return Err(ErrorKind::TimedOut.into());
        }
        match tls.read_tls(&mut &socket) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        let processed = tls.process_new_packets();
        // Also what is wrong, if something is.
        while tls.wants_write() {
            tls.write_tls(&mut &socket)?;
        }
        processed.map_err(io::Error::other)?;
    }
    let (psk, nonce) = HopPsk::exported(|bytes| {
        let exported = tls.export_keying_material(bytes, labels::TLS_EXPORTER, None);
        exported.map(drop).map_err(|_| KeyError::Refused)
    })
    .map_err(io::Error::other)?;
    let (reader, writer) = halves(tls, socket);
    Ok(Ends { reader: Box::new(reader), writer: Box::new(writer), psk, nonce })
}

/// More than a handshake takes around the world, and far less than a gateway waits behind others.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(1);
/// How often it is said at most that others came.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// How long at most is waited for one peer before the deadline is looked at again.
const LOOK_UP: Duration = Duration::from_millis(500);
const PROBE_EVERY: Duration = Duration::from_secs(2);
const PROBES: u32 = 3;
const SILENCE_MAX_MS: u32 = 6_000;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn what_cannot_be_set_behind_the_walls_is_inherited() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        inherited(&listener).unwrap();
        let _gateway = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        assert!(
            sockopt::tcp_nodelay(&socket).unwrap() && sockopt::socket_keepalive(&socket).unwrap()
        );
        assert_eq!(sockopt::tcp_keepidle(&socket).unwrap(), PROBE_EVERY);
        assert_eq!(sockopt::tcp_keepintvl(&socket).unwrap(), PROBE_EVERY);
        assert_eq!(sockopt::tcp_keepcnt(&socket).unwrap(), PROBES);
        assert_eq!(sockopt::tcp_user_timeout(&socket).unwrap(), SILENCE_MAX_MS);
        let patience = sockopt::socket_timeout(&socket, sockopt::Timeout::Recv).unwrap();
        assert_eq!(patience, Some(LOOK_UP));
    }
}
