//! What all pages share, and which there are.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use maud::Markup;

use super::guard::{Guard, by_its_name, with_session};
use super::rules::Rules;
use super::watch::Watch;
use super::{
    PageOptions, events, export, frame, integrity, overview, policies, requests, sign_in, story,
};
use crate::error::ReviewError;
use crate::index::Index;

/// What all pages share.
pub(super) struct Site {
    index: Mutex<Index>,
    /// For those who need one for themselves for long.
    pub(super) dir: PathBuf,
    pub(super) index_file: PathBuf,
    pub(super) rules: Option<Rules>,
    pub(super) watch: Watch,
    /// The log's name.
    pub(super) origin: String,
    /// Whether there is a way out: whoever signed in can leave.
    pub(super) signed_in: bool,
}

impl Site {
    /// Opens everything and begins to watch. The index must have been refreshed once.
    pub(super) fn new(options: &PageOptions, signed_in: bool) -> Result<Self, ReviewError> {
        let PageOptions { dir, index: file, .. } = options;
        let index = Index::open(dir, file)?;
        let watch = Watch::default();
        let site = Self {
            origin: index.log_name()?,
            index: Mutex::new(index),
            dir: dir.clone(),
            index_file: file.clone(),
            rules: options.policies.as_deref().map(Rules::read).transpose()?,
            watch: watch.clone(),
            signed_in,
        };
        watch.follow(Index::open(dir, file)?);
        watch.verify(dir.clone(), options.against.clone());
        Ok(site)
    }

    /// Answers from the index, in a thread that may block.
    pub(super) async fn page(
        self: Arc<Self>,
        page: impl FnOnce(&Self, &Index) -> Result<Markup, ReviewError> + Send + 'static,
    ) -> Response {
        let site = Arc::clone(&self);
        let written = tokio::task::spawn_blocking(move || {
            let index = site.index.lock().unwrap_or_else(PoisonError::into_inner);
            page(&site, &index)
        });
        match written.await {
            Ok(Ok(page)) => Html(page.into_string()).into_response(),
            Ok(Err(error)) => self.failed(&error),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }

    /// Says what went wrong, with the hint that belongs to it.
    pub(super) fn failed(&self, error: &ReviewError) -> Response {
        let status = match error {
            ReviewError::NoRequest(_) => StatusCode::NOT_FOUND,
            ReviewError::Moment(_) | ReviewError::Number { .. } => StatusCode::BAD_REQUEST,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Html(frame::failure(self, error).into_string())).into_response()
    }
}

/// All pages, and who may see them.
pub(super) fn router(site: Arc<Site>, guard: Arc<Guard>) -> Router {
    let inside = Router::new()
        .route("/", get(overview::page))
        .route("/requests", get(requests::page))
        .route("/requests/{id}", get(story::page))
        .route("/export/{format}", get(export::page))
        .route("/events", get(events::page))
        .route("/policies", get(policies::page))
        .route("/integrity", get(integrity::page))
        .with_state(site)
        .route_layer(from_fn_with_state(Arc::clone(&guard), with_session));
    Router::new()
        .route("/style.css", get(style))
        .merge(inside)
        .merge(sign_in::router(Arc::clone(&guard)))
        .layer(from_fn_with_state(guard, by_its_name))
}

async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("style.css")).into_response()
}
