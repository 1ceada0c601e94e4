//! The listener and the accept loop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::admission::Admission;
use super::connection::{self, Shared, Stage};
use super::counters::{EdgeCounters, count};
use super::service::{Answer, Routes};
use super::{EdgeConfig, EdgeError, EdgeLimits, RequestBody, TlsIdentity};

/// A bound edge, ready to serve.
pub struct Edge {
    listener: TcpListener,
    local_addr: SocketAddr,
    shared: Arc<Shared>,
}

impl Edge {
    /// Checks the settings and binds the address. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`EdgeError::Setting`] for a bad setting, [`EdgeError::Listen`] when the address cannot be had.
    pub fn bind(config: EdgeConfig, identity: TlsIdentity) -> Result<Self, EdgeError> {
        config.check()?;
        let failed = |source| EdgeError::Listen { address: config.listen, source };
        let listener = listen(config.listen).map_err(failed)?;
        let local_addr = listener.local_addr().map_err(failed)?;
        let limits = config.limits;
        let shared = Shared {
            identity,
            trusted: config.trusted_proxies.into(),
            proxy_protocol: config.proxy_protocol,
            admission: Admission::new(limits.connections_max, limits.connections_per_address_max),
            counters: Arc::default(),
            http1: http1_builder(&limits),
            limits,
        };
        Ok(Self { listener, local_addr, shared: Arc::new(shared) })
    }

    /// The address bound, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The counts, which stay readable after [`serve`](Self::serve) took the edge.
    pub fn counters(&self) -> Arc<EdgeCounters> {
        Arc::clone(&self.shared.counters)
    }

    /// Serves until `shutdown` completes; then takes no more connections, lets the requests in flight finish within
    /// the drain time-out, and returns when the last connection is closed.
    ///
    /// Each request carries a [`ClientAddress`](super::ClientAddress) in its extensions.
    pub async fn serve<S, B>(self, routes: S, shutdown: impl Future<Output = ()>)
    where
        S: tower::Service<
                http::Request<RequestBody>,
                Response = http::Response<B>,
                Error = std::convert::Infallible,
                Future: Send,
            > + Clone
            + Send
            + 'static,
        B: http_body::Body<Data = bytes::Bytes, Error: Into<super::service::BoxError>>
            + Send
            + 'static,
    {
        let (stage, _) = watch::channel(Stage::Open);
        tokio::select! {
            () = accept(&self.listener, &self.shared, &routes, &stage) => {}
            () = shutdown => {}
        }
        drop(self.listener);
        // Every connection holds a receiver: the channel is closed when the last of them has ended.
        stage.send_replace(Stage::Draining);
        if timeout(self.shared.limits.drain_timeout(), stage.closed()).await.is_err() {
            stage.send_replace(Stage::Over);
            stage.closed().await;
        }
    }
}

/// Accepts for ever.
async fn accept<S: Routes<B>, B: Answer>(
    listener: &TcpListener,
    shared: &Arc<Shared>,
    routes: &S,
    stage: &watch::Sender<Stage>,
) {
    let mut failing = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                failing = false;
                begin(shared, stream, peer, routes, stage);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                count(&shared.counters.accept_failed);
                if !failing {
                    tracing::warn!(%error, "cannot accept connections");
                }
                failing = true;
                // Out of descriptors or memory: only a connection that ends helps, and accept would fail at once.
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn begin<S: Routes<B>, B: Answer>(
    shared: &Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    routes: &S,
    stage: &watch::Sender<Stage>,
) {
    count(&shared.counters.accepted);
    let Some(slot) = shared.admission.connection() else {
        // Dropped here: before a handshake that would cost us more than the client.
        return count(&shared.counters.refused_total);
    };
    let peer = peer.ip().to_canonical();
    tokio::spawn(connection::run(
        Arc::clone(shared),
        stream,
        peer,
        routes.clone(),
        stage.subscribe(),
        slot,
    ));
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for the old connections' TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The client went away between its SYN and our accept: the next one is not concerned.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn http1_builder(limits: &EdgeLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // A client may close its sending side behind the request and still wants the answer.
        .half_close(true)
        // The guard keeps the time of heads.
        .header_read_timeout(None)
        .max_buf_size(H1_BUFFER_BYTES.max(2 * limits.header_bytes_max));
    builder
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const BACKLOG: u32 = 1_024;
/// What hyper may buffer for one HTTP/1 connection: four TLS records of body at a time.
const H1_BUFFER_BYTES: usize = 64 * 1024;
