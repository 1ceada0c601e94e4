//! The streams of one HTTP/2 connection: their answers are written in the connection's own turn.
//!
//! A client that sees the head of a refusal may end its request at once, though it announced more (curl does), and
//! such a request is malformed: its stream is reset and what was not written yet is lost (RFC 9113, section 8.1.1).
//! So head and body must leave together. hyper hands each stream to an executor; on a task of its own, a stream could
//! be held up between the two while the connection writes and reads. Here the task of the connection polls its streams
//! too, and what the streams wait for, the service, has the task of its own. So an answer's body must neither block nor
//! panic when it is polled: all streams of the connection would feel it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::stream::{FuturesUnordered, Stream as _};
use tokio::task::{JoinError, JoinHandle};

use super::service::BoxError;

/// hyper's executor for one connection: keeps what it is given until the connection's task polls it.
#[derive(Clone, Default)]
pub(super) struct Streams {
    begun: Arc<Mutex<Vec<BoxedStream>>>,
}

type BoxedStream = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Streams {
    fn take(&self) -> Vec<BoxedStream> {
        std::mem::take(&mut self.begun.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, stream: F) {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(stream));
    }
}

/// A connection together with its streams.
pub(super) struct WithStreams<C> {
    connection: C,
    streams: Streams,
    running: FuturesUnordered<BoxedStream>,
}

impl<C> WithStreams<C> {
    /// The connection must have been built with a clone of `streams`.
    pub(super) fn new(connection: C, streams: Streams) -> Self {
        Self { connection, streams, running: FuturesUnordered::new() }
    }

    pub(super) fn connection(&mut self) -> &mut C {
        &mut self.connection
    }

    fn poll_running(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(())) = Pin::new(&mut self.running).poll_next(cx) {}
    }
}

impl<C: Future + Unpin> Future for WithStreams<C> {
    type Output = C::Output;

    /// Streams first, for what they have to say is written by the connection in the same turn. Those begun in this
    /// turn have their first poll at its end; if one has an answer already, h2 wakes the connection again.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        let this = &mut *self;
        this.poll_running(cx);
        if let Poll::Ready(output) = Pin::new(&mut this.connection).poll(cx) {
            return Poll::Ready(output);
        }
        this.running.extend(this.streams.take());
        this.poll_running(cx);
        Poll::Pending
    }
}

impl<C> Drop for WithStreams<C> {
    /// A stream holds its executor. One that began as its connection ended would hold itself for ever.
    fn drop(&mut self) {
        drop(self.streams.take());
    }
}

/// An answer made on a task of its own, which ends with this one.
pub(super) async fn apart<T, E>(
    answer: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, BoxError>
where
    T: Send + 'static,
    E: Into<BoxError> + Send + 'static,
{
    Apart(tokio::spawn(answer)).await?.map_err(E::into)
}

struct Apart<T>(JoinHandle<T>);

impl<T> Future for Apart<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for Apart<T> {
    /// A stream that its client reset, or whose connection is gone, asks for nothing any more.
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Weak;

    use hyper::rt::Executor as _;

    use super::*;

    /// A stream that ends with its executor alone, and who lives as long as it does.
    fn begin(streams: &Streams) -> Weak<()> {
        let (executor, mark) = (streams.clone(), Arc::new(()));
        let lives = Arc::downgrade(&mark);
        streams.execute(async move {
            let _held = (executor, mark);
            pending::<()>().await;
        });
        lives
    }

    #[tokio::test]
    async fn a_stream_that_begins_as_its_connection_ends_goes_with_it() {
        let streams = Streams::default();
        let last = streams.clone();
        let connection = Box::pin(async move { begin(&last) });
        let lives = WithStreams::new(connection, streams).await;
        assert!(lives.upgrade().is_none());
    }

    #[test]
    fn a_stream_goes_with_a_connection_that_is_given_up() {
        let streams = Streams::default();
        let lives = begin(&streams);
        drop(WithStreams::new(Box::pin(pending::<()>()), streams));
        assert!(lives.upgrade().is_none());
    }
}
