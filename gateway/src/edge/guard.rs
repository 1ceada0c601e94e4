//! The guard before hyper on an HTTP/1 connection: hyper reads through it and sees only whole, unambiguous heads.
//!
//! The usual request arrives in one read: it is judged where hyper will parse it, nothing is copied or allocated.
//! A head cut by the network is held back until it is whole. In place of a refused request hyper is given a harmless
//! one, whose number [`Activity`] remembers; the service answers it with the refusal, in order behind the answers to
//! earlier pipelined requests, and nothing behind it is read.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;
use super::follower::{Followed, Follower};
use super::head::HeadLimits;

/// A stream whose readers see no ambiguous request.
pub(super) struct Guard<S> {
    stream: S,
    follower: Follower,
    activity: Arc<Activity>,
    /// The beginning of a head that has not ended.
    held: Vec<u8>,
    /// Judged bytes that wait for a reader, and how many of them it took.
    passed: Vec<u8>,
    taken: usize,
    end: End,
    write_stalled: bool,
}

/// Whether anything more will be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Refused,
    Broken,
}

impl<S> Guard<S> {
    pub(super) fn new(stream: S, limits: HeadLimits, activity: Arc<Activity>) -> Self {
        Self {
            stream,
            follower: Follower::new(limits),
            activity,
            held: Vec::new(),
            passed: Vec::new(),
            taken: 0,
            end: End::Open,
            write_stalled: false,
        }
    }

    /// The stream, for whoever closes it.
    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// Gives waiting bytes to the reader; `false` when there are none.
    fn pass_on(&mut self, reader: &mut ReadBuf<'_>) -> bool {
        let waiting = self.passed.get(self.taken..).unwrap_or_default();
        let (now, later) = waiting.split_at(waiting.len().min(reader.remaining()));
        reader.put_slice(now);
        let (gave, is_last) = (now.len(), later.is_empty());
        self.taken += gave;
        if is_last {
            self.passed.clear();
            self.taken = 0;
        }
        gave > 0
    }

    /// Judges what was just read into `reader` behind `before`; leaves there what may pass.
    fn judge(&mut self, reader: &mut ReadBuf<'_>, before: usize) {
        if self.held.is_empty() {
            let fresh = reader.filled().get(before..).unwrap_or_default();
            let followed = self.follower.follow(fresh);
            if let Followed::PartialHead { from } = followed {
                self.held.extend_from_slice(fresh.get(from..).unwrap_or_default());
            }
            let passing = self.settle(&followed, fresh.len());
            reader.set_filled(before + passing);
        } else {
            let fresh = reader.filled().get(before..).unwrap_or_default();
            self.held.extend_from_slice(fresh);
            // A head ends, and a malformed line shows, with a line feed; without one only the bound matters.
            let may_have_ended =
                fresh.contains(&b'\n') || self.held.len() >= self.follower.head_bytes_max();
            reader.set_filled(before);
            if may_have_ended {
                self.judge_held();
            }
        }
        self.activity.set_open_body(self.follower.open_body());
    }

    fn judge_held(&mut self) {
        let mut held = std::mem::take(&mut self.held);
        let followed = self.follower.follow(&held);
        if let Followed::PartialHead { from: 0 } = followed {
            self.held = held;
            return;
        }
        self.activity.head_ended();
        if let Followed::PartialHead { from } = followed {
            self.held = held.split_off(from);
        }
        let passing = self.settle(&followed, held.len());
        held.truncate(passing);
        // The judged bytes go before a stand-in that `settle` may have put here.
        held.append(&mut self.passed);
        self.passed = held;
    }

    /// Notes what follows from a judgement; gives how many of the `length` bytes may pass.
    fn settle(&mut self, followed: &Followed, length: usize) -> usize {
        match *followed {
            Followed::Whole => length,
            Followed::PartialHead { from } => {
                self.activity.head_begun();
                from
            }
            Followed::Refused { from, refusal } => {
                self.activity.refuse(self.follower.next_message(), refusal);
                self.passed.extend_from_slice(STAND_IN);
                self.end = End::Refused;
                from
            }
            Followed::BrokenBody => {
                self.end = End::Broken;
                0
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        reader: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.pass_on(reader) {
                return Poll::Ready(Ok(()));
            }
            match this.end {
                End::Open => {}
                // The refusal is being written, which wakes the task; reading is over.
                End::Refused => return Poll::Pending,
                End::Broken => {
                    return Poll::Ready(Err(io::Error::from(io::ErrorKind::InvalidData)));
                }
            }
            let before = reader.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(cx, reader))?;
            if reader.filled().len() == before {
                return Poll::Ready(Ok(()));
            }
            this.judge(reader, before);
            if reader.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> Guard<S> {
    /// Notices a reader that was slow and has moved.
    fn watch_write(&mut self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if outcome.is_ready() && self.write_stalled {
            self.activity.stalled_write_moved();
        }
        self.write_stalled = outcome.is_pending();
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.watch_write(outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.watch_write(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    /// Only flushes: the connection is closed behind hyper's back, slowly, so that the answer arrives.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// What hyper reads instead of a refused request.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;
    use crate::edge::EdgeLimits;

    const GOOD: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const BAD: &str = "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";

    /// What a reader sees of `bytes` when they arrive `piece` at a time and are read `window` at a time.
    fn seen(bytes: &str, piece: usize, window: usize) -> (Vec<u8>, Arc<Activity>) {
        let limits = HeadLimits { bytes_max: 256, fields_max: 9 };
        let activity = Activity::begin_connection(&EdgeLimits::default());
        let mut stream = tokio_test_stream(bytes, piece);
        let mut guard = Guard::new(&mut stream, limits, Arc::clone(&activity));
        let mut seen = Vec::new();
        let mut space = vec![0; window];
        let mut cx = Context::from_waker(std::task::Waker::noop());
        loop {
            let mut reader = ReadBuf::new(&mut space);
            match Pin::new(&mut guard).poll_read(&mut cx, &mut reader) {
                Poll::Ready(Ok(())) if reader.filled().is_empty() => break,
                Poll::Ready(Ok(())) => seen.extend_from_slice(reader.filled()),
                Poll::Ready(Err(_)) | Poll::Pending => break,
            }
        }
        (seen, activity)
    }

    /// A stream that gives at most `piece` bytes per read.
    fn tokio_test_stream(bytes: &str, piece: usize) -> impl AsyncRead + Unpin + use<> {
        struct Pieces(Vec<u8>, usize);
        impl AsyncRead for Pieces {
            fn poll_read(
                mut self: Pin<&mut Self>,
                _: &mut Context<'_>,
                reader: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let length = self.1.min(self.0.len()).min(reader.remaining());
                let rest = self.0.split_off(length);
                reader.put_slice(&self.0);
                self.0 = rest;
                Poll::Ready(Ok(()))
            }
        }
        Pieces(bytes.as_bytes().to_vec(), piece)
    }

    #[test]
    fn good_requests_pass_unchanged_however_they_are_cut() {
        for piece in 1..GOOD.len() + 1 {
            for window in [1, 7, 4096] {
                assert_eq!(seen(GOOD, piece, window).0, GOOD.as_bytes(), "{piece} {window}");
            }
        }
    }

    #[test]
    fn a_refused_request_is_replaced_however_it_is_cut() {
        let bytes = format!("{GOOD}{BAD}{GOOD}");
        let expected = [GOOD.as_bytes(), STAND_IN].concat();
        for piece in 1..bytes.len() + 1 {
            for window in [1, 7, 4096] {
                let (seen, activity) = seen(&bytes, piece, window);
                assert_eq!(seen, expected, "{piece} {window}");
                let refused: Vec<bool> =
                    (0..3).map(|_| activity.begin_request().refusal().is_some()).collect();
                assert_eq!(refused, [false, false, true]);
            }
        }
    }

    #[tokio::test]
    async fn nothing_of_an_unfinished_head_is_seen() {
        let limits = HeadLimits { bytes_max: 256, fields_max: 9 };
        let activity = Activity::begin_connection(&EdgeLimits::default());
        let mut guard = Guard::new(&b"GET / HTTP/1.1\r\nHost: a\r\n"[..], limits, activity);
        let mut seen = Vec::new();
        guard.read_to_end(&mut seen).await.unwrap();
        assert!(seen.is_empty());
    }
}
