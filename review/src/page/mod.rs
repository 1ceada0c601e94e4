//! The review page: a log in a browser, on this machine, for one person.
//!
//! Pages are written here and nothing is fetched from anywhere: no script, no font, no picture. They
//! can be read and cannot change anything, so every request is a GET.

mod chart;
mod entrance;
mod events;
mod export;
mod form;
mod frame;
mod guard;
mod integrity;
mod overview;
mod policies;
mod range;
mod requests;
mod rules;
mod site;
mod story;
mod watch;
mod words;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use sealgate_audit::VerifyOptions;
use tokio::net::TcpListener;

use crate::error::ReviewError;
use entrance::Entrance;
use guard::Guard;
use site::Site;

/// What is shown, and where.
#[derive(Clone, Debug)]
pub struct PageOptions {
    /// The log's folder.
    pub dir: PathBuf,
    /// The file of its index.
    pub index: PathBuf,
    /// Where to listen; must be an address of this machine that no other reaches.
    pub listen: SocketAddr,
    /// A policy folder whose rules are told in words where it is the one that decided.
    pub policies: Option<PathBuf>,
    /// What the log is held against.
    pub against: VerifyOptions,
}

/// A page that is ready to be served.
pub struct Pages {
    listener: TcpListener,
    router: axum::Router,
    url: String,
}

impl Pages {
    /// Reads what is to be shown, binds the address, and begins to verify the log.
    ///
    /// # Errors
    /// When the address is not loopback or taken, or the log, its index or the policies cannot be
    /// read.
    pub async fn bind(options: PageOptions) -> Result<Self, ReviewError> {
        if !options.listen.ip().is_loopback() {
            return Err(ReviewError::NotLoopback(options.listen));
        }
        let address = options.listen;
        let bound = TcpListener::bind(address).await;
        let listener = bound.map_err(|source| ReviewError::Listen { address, source })?;
        let address =
            listener.local_addr().map_err(|source| ReviewError::Listen { address, source })?;
        let (entrance, token) = Entrance::new(address.port())?;
        let site = Arc::new(Site::new(&options)?);
        let guard = Arc::new(Guard::new(address, entrance));
        let router = site::router(site, guard);
        Ok(Self { listener, router, url: format!("http://{address}/enter?token={token}") })
    }

    /// The URL that opens the pages, once.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Serves until `stop` comes.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(
        self,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ReviewError> {
        let served = axum::serve(self.listener, self.router).with_graceful_shutdown(stop);
        served.await.map_err(ReviewError::Serve)
    }
}
