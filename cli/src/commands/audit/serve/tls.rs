//! TLS 1.3 in front of the pages: few connections, none of them slow.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener as Bound};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::config::Tls;
use crate::error::CliError;

/// A bound address and who answers there.
pub(super) struct Listener {
    listener: TcpListener,
    address: SocketAddr,
    acceptor: TlsAcceptor,
}

impl Listener {
    pub(super) fn bind(address: SocketAddr, tls: &Tls) -> Result<Self, CliError> {
        let config = server_config(tls)?;
        let cannot = |source| CliError::Listen { address, source };
        let bound = Bound::bind(address).map_err(cannot)?;
        bound.set_nonblocking(true).map_err(cannot)?;
        let listener = TcpListener::from_std(bound).map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        Ok(Self { listener, address, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// The address, with the real port.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`. Pages only show, so nothing is waited for then.
    pub(super) async fn serve(self, pages: Router, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let accepted = tokio::select! {
                () = &mut stop => return,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                // Without room it is dropped, before a handshake that costs us more than him.
                Ok((stream, _)) => {
                    if let Ok(place) = Arc::clone(&room).try_acquire_owned() {
                        tokio::spawn(connection(
                            self.acceptor.clone(),
                            stream,
                            pages.clone(),
                            place,
                        ));
                    }
                }
                // Out of descriptors: accept would fail again at once.
                Err(_) => sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

/// One connection to its end, which is what an error is, too: nobody could be told.
async fn connection(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    pages: Router,
    _place: OwnedSemaphorePermit,
) {
    let Ok(Ok(stream)) = timeout(HANDSHAKE_TIME_MAX, acceptor.accept(stream)).await else { return };
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME_MAX).max_buf_size(HEAD_BYTES_MAX);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages));
    let _ = timeout(CONNECTION_TIME_MAX, connection).await;
}

fn server_config(tls: &Tls) -> Result<ServerConfig, CliError> {
    let unusable = |path: &Path, why: String| CliError::Pem { path: path.to_owned(), why };
    let chain = CertificateDer::pem_file_iter(&tls.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(&tls.cert, error.to_string()))?;
    let key = private_key(&tls.key)?;
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| unusable(&tls.cert, error.to_string()))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, CliError> {
    let file = File::open(path).map_err(CliError::io("open", path))?;
    // Asked of the open file, so that the file that is judged is the file that is read.
    let mode = file.metadata().map_err(CliError::io("read", path))?.permissions().mode();
    if mode & GROUP_AND_OTHERS != 0 {
        let source = io::Error::new(io::ErrorKind::PermissionDenied, "others may open it");
        return Err(CliError::Io { doing: "trust", path: path.to_owned(), source });
    }
    PrivateKeyDer::from_pem_reader(file)
        .map_err(|error| CliError::Pem { path: path.to_owned(), why: error.to_string() })
}

const CONNECTIONS_MAX: usize = 64;
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// Also how long a connection may be idle.
const HEAD_TIME_MAX: Duration = Duration::from_secs(15);
/// The longest export, at a slow reader's.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(60 * 60);
const HEAD_BYTES_MAX: usize = 32 * 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The permission bits of everybody but the owner.
const GROUP_AND_OTHERS: u32 = 0o077;
