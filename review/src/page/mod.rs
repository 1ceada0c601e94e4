//! The review page: a log in a browser, on this machine for one person, or for the reviewers of a
//! gateway.
//!
//! Pages are written here and nothing is fetched from anywhere: no script, no font, no picture. They
//! can be read and cannot change anything, so every request but signing in and out is a GET.

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
mod reception;
mod requests;
mod rules;
mod secret;
mod sign_in;
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
use guard::{Door, Guard};
use reception::Reception;
pub use reception::{ASKED_AGAIN_AFTER, IDLE_MAX, NotAdmitted, Reviewers};
use site::Site;

/// What is shown.
#[derive(Clone, Debug)]
pub struct PageOptions {
    /// The log's folder.
    pub dir: PathBuf,
    /// The file of its index.
    pub index: PathBuf,
    /// A policy folder whose rules are told in words where it is the one that decided.
    pub policies: Option<PathBuf>,
    /// What the log is held against.
    pub against: VerifyOptions,
}

/// The pages as they are asked for under `host` (name and port) over TLS, which is the caller's to
/// end, open to whom `reviewers` lets in. Begins to verify the log.
///
/// # Errors
/// When the log, its index or the policies cannot be read.
pub fn for_reviewers(
    options: &PageOptions,
    host: String,
    reviewers: Arc<dyn Reviewers>,
) -> Result<axum::Router, ReviewError> {
    let door = Door::Reviewers(Reception::new(reviewers));
    let site = Site::new(options, true)?;
    Ok(site::router(Arc::new(site), Arc::new(Guard::new("https", host, door))))
}

/// Pages for one person on this machine, ready to be served.
pub struct Pages {
    listener: TcpListener,
    router: axum::Router,
    url: String,
}

impl Pages {
    /// Reads what is to be shown, binds an address that no other machine reaches, and begins to
    /// verify the log.
    ///
    /// # Errors
    /// When the address is not loopback or taken, or the log, its index or the policies cannot be
    /// read.
    pub async fn bind(address: SocketAddr, options: &PageOptions) -> Result<Self, ReviewError> {
        if !address.ip().is_loopback() {
            return Err(ReviewError::NotLoopback(address));
        }
        let bound = TcpListener::bind(address).await;
        let listener = bound.map_err(|source| ReviewError::Listen { address, source })?;
        let address =
            listener.local_addr().map_err(|source| ReviewError::Listen { address, source })?;
        let (entrance, token) = Entrance::new(address.port())?;
        let guard = Guard::new("http", address.to_string(), Door::Local(entrance));
        let router = site::router(Arc::new(Site::new(options, false)?), Arc::new(guard));
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
