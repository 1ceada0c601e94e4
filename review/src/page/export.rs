//! Exports of a selection, as they are written.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::form::Form;
use super::site::Site;
use crate::export::Format;
use crate::index::Index;

/// `GET /export/csv` and `GET /export/ocsf`
pub(super) async fn page(
    State(site): State<Arc<Site>>,
    Path(format): Path<String>,
    Query(form): Query<Form>,
) -> Response {
    let (format, kind, name) = match format.as_str() {
        "csv" => (Format::Csv, "text/csv; charset=utf-8", "requests.csv"),
        "ocsf" => (Format::Ocsf, "application/x-ndjson", "requests.ocsf.jsonl"),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let filter = match form.filter() {
        Ok(filter) => filter,
        Err(error) => return site.failed(&error),
    };
    let (sender, receiver) = channel(CHUNKS_WAITING);
    // A connection of its own: an export may take minutes, and pages must not wait for it.
    tokio::task::spawn_blocking(move || {
        let mut out = io::BufWriter::with_capacity(CHUNK_BYTES, Chunks(sender.clone()));
        let written = Index::open(&site.dir, &site.index_file)
            .and_then(|index| index.export(&filter, format, &mut out, &mut |_| {}));
        if let Err(error) = written {
            // The answer has begun: all that is left is to break it off, so that nobody takes a
            // part for the whole.
            let _ = sender.blocking_send(Err(io::Error::other(error)));
        }
    });
    let headers = [
        (CONTENT_TYPE, kind.to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, Body::new(Written(receiver))).into_response()
}

/// Hands on what is written, no faster than it is taken.
struct Chunks(Sender<io::Result<Bytes>>);

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chunk = Bytes::copy_from_slice(bytes);
        let sent = self.0.blocking_send(Ok(chunk));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What was written, as a body.
struct Written(Receiver<io::Result<Bytes>>);

impl HttpBody for Written {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<http_body::Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|chunk| Some(chunk?.map(http_body::Frame::data)))
    }
}

const CHUNK_BYTES: usize = 64 * 1024;
const CHUNKS_WAITING: usize = 4;
