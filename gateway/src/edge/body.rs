//! The body of a request, which outlives a service that did not want it.
//!
//! Over HTTP/2 a server that answers early resets the stream (RFC 9113, section 8.1), and clients still sending, curl
//! among them, then throw away an answer that came with the reset. So a body dropped unread is read on, within a
//! bound of time and of bytes, and the stream ends without a reset. HTTP/1 has `linger` for the same need.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// A request's body as the edge hands it to the service: hyper's, without a copy.
pub struct RequestBody {
    /// Present until it is dropped.
    incoming: Option<Incoming>,
    unread: Unread,
}

/// What becomes of a body that nobody reads to its end.
#[derive(Clone, Copy)]
pub(super) enum Unread {
    /// It goes with its connection.
    Leave,
    /// It is read on, for so long and so far.
    Drain { time: Duration, bytes_max: u64 },
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, unread: Unread) -> Self {
        Self { incoming: Some(incoming), unread }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.incoming {
            Some(incoming) => Pin::new(incoming).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let Unread::Drain { time, bytes_max } = self.unread else { return };
        let Some(incoming) = self.incoming.take().filter(|incoming| !incoming.is_end_stream())
        else {
            return;
        };
        // Outside a runtime there is no connection left to be polite to.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(time, drain(incoming, bytes_max)));
        }
    }
}

async fn drain(mut incoming: Incoming, bytes_max: u64) {
    let mut left = bytes_max;
    while let Some(Ok(frame)) = incoming.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        match left.checked_sub(length) {
            Some(less) => left = less,
            None => return,
        }
    }
}
