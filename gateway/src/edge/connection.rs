//! The life of one connection: PROXY header, handshake, requests, close.

use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;

use http_body::Body;
use hyper::body::Incoming;
use hyper::rt::bounds::Http2ServerConnExec;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, Service as _, service_fn};
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::server::TlsStream;

use super::activity::{Activity, Silence};
use super::address::is_trusted;
use super::admission::{AddressSlot, Admission, ConnectionSlot};
use super::body::Unread;
use super::counters::{EdgeCounters, count};
use super::guard::Guard;
use super::head::HeadLimits;
use super::service::{Answer, BoxError, Origin, Routes, front};
use super::streams::{self, Streams, WithStreams};
use super::{EdgeLimits, TlsIdentity, identity, linger, proxy_protocol};

/// What all connections share.
pub(super) struct Shared {
    pub(super) limits: EdgeLimits,
    pub(super) identity: TlsIdentity,
    pub(super) trusted: Arc<[IpNet]>,
    pub(super) proxy_protocol: bool,
    pub(super) admission: Arc<Admission>,
    pub(super) counters: Arc<EdgeCounters>,
    pub(super) http1: http1::Builder,
}

/// How far the edge is on its way to its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Serving.
    Open,
    /// Requests in flight may finish, no others begin.
    Draining,
    /// Nothing may go on.
    Over,
}

/// Serves one connection to its end. The slot is held as long.
pub(super) async fn run<S: Routes<B>, B: Answer>(
    shared: Arc<Shared>,
    stream: TcpStream,
    peer: IpAddr,
    routes: S,
    mut stage: watch::Receiver<Stage>,
    _slot: ConnectionSlot,
) {
    // Answers are small and written at once; waiting to fill a segment only delays them.
    let _ = stream.set_nodelay(true);
    let admitted = tokio::select! {
        admitted = timeout(shared.limits.handshake_timeout(), admit(&shared, stream, peer)) => admitted,
        () = reached(&mut stage, Stage::Draining) => return,
    };
    let Ok(admitted) = admitted else {
        return count(&shared.counters.handshake_timed_out);
    };
    let Some((stream, origin, _address_slot)) = admitted else { return };
    let activity = Activity::begin_connection(&shared.limits);
    let service = front(
        routes,
        origin,
        Arc::clone(&activity),
        shared.unread_http2(),
        Arc::clone(&shared.counters),
    );
    if stream.get_ref().1.alpn_protocol() == Some(identity::H2) {
        let streams = Streams::default();
        let service = service_fn(move |request| streams::apart(service.call(request)));
        let connection = http2_builder(&shared.limits, streams.clone())
            .serve_connection(TokioIo::new(stream), service);
        let connection = WithStreams::new(connection, streams);
        drive(connection, &shared, &activity, &mut stage).await;
    } else {
        let guard = Guard::new(stream, shared.head_limits(), Arc::clone(&activity));
        let connection = shared.http1.serve_connection(TokioIo::new(guard), service);
        if let Some(done) = drive(connection, &shared, &activity, &mut stage).await {
            let stream = done.into_parts().io.into_inner().into_inner();
            close(stream, &shared, &mut stage).await;
        }
    }
}

impl Shared {
    fn unread_http2(&self) -> Unread {
        Unread::Drain { time: self.limits.linger_time(), bytes_max: self.limits.linger_bytes_max }
    }

    fn head_limits(&self) -> HeadLimits {
        HeadLimits {
            bytes_max: self.limits.header_bytes_max,
            fields_max: self.limits.header_count_max,
        }
    }
}

/// From a socket to an encrypted stream whose origin is known and has room; otherwise `None`, counted.
async fn admit(
    shared: &Shared,
    mut stream: TcpStream,
    peer: IpAddr,
) -> Option<(TlsStream<TcpStream>, Origin, Option<AddressSlot>)> {
    let is_proxy = is_trusted(peer, &shared.trusted);
    let mut proxy_v2 = None;
    if is_proxy && shared.proxy_protocol {
        match proxy_protocol::read_header(&mut stream).await {
            Ok(source) => proxy_v2 = source,
            Err(_) => {
                count(&shared.counters.refused_proxy_header);
                return None;
            }
        }
    }
    // Behind a proxy many clients share one address, so only the one named by PROXY v2 is counted.
    let counted = if is_proxy { proxy_v2 } else { Some(peer) };
    let slot = match counted.map(|address| shared.admission.address(address)) {
        Some(None) => {
            count(&shared.counters.refused_address);
            return None;
        }
        slot => slot.flatten(),
    };
    match shared.identity.acceptor().accept(stream).await {
        Ok(stream) => Some((stream, Origin::new(peer, proxy_v2, &shared.trusted), slot)),
        Err(_) => {
            count(&shared.counters.handshake_failed);
            None
        }
    }
}

/// Runs the connection; gives it back when it ended in order and its stream may be closed in order too.
async fn drive<C: Drivable>(
    mut connection: C,
    shared: &Shared,
    activity: &Activity,
    stage: &mut watch::Receiver<Stage>,
) -> Option<C> {
    let mut sleep = pin!(sleep_until(Instant::now() + shared.limits.idle_timeout()));
    let mut next_stage = Stage::Draining;
    let silence = loop {
        tokio::select! {
            biased;
            _ = &mut connection => return Some(connection),
            silence = activity.silence(sleep.as_mut()) => break silence,
            () = reached(stage, next_stage) => {
                if next_stage == Stage::Over {
                    return None;
                }
                Pin::new(&mut connection).stop();
                next_stage = Stage::Over;
            }
        }
    };
    count(match silence {
        Silence::FirstByte => &shared.counters.first_byte_timed_out,
        Silence::Head => &shared.counters.header_timed_out,
        Silence::Idle => &shared.counters.idle_timed_out,
    });
    if silence != Silence::Idle {
        return None;
    }
    Pin::new(&mut connection).stop();
    timeout(shared.limits.linger_time(), &mut connection).await.ok()?.ok()?;
    Some(connection)
}

async fn close(stream: TlsStream<TcpStream>, shared: &Shared, stage: &mut watch::Receiver<Stage>) {
    tokio::select! {
        () = linger::close(stream, shared.limits.linger_time(), shared.limits.linger_bytes_max) => {}
        () = reached(stage, Stage::Over) => {}
    }
}

/// Waits until the edge is as far as this, or gone.
async fn reached(stage: &mut watch::Receiver<Stage>, wanted: Stage) {
    let _ = stage.wait_for(|stage| *stage >= wanted).await;
}

/// What the two kinds of connections have in common.
trait Drivable: Future<Output = hyper::Result<()>> + Unpin {
    /// Lets the requests in flight finish and takes no others.
    fn stop(self: Pin<&mut Self>);
}

impl<I, S, B> Drivable for http1::Connection<I, S>
where
    Self: Future<Output = hyper::Result<()>>,
    S: HttpService<Incoming, ResBody = B, Error: Into<BoxError>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: Body<Error: Into<BoxError>> + 'static,
{
    fn stop(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S, B> Drivable for WithStreams<http2::Connection<I, S, Streams>>
where
    http2::Connection<I, S, Streams>: Future<Output = hyper::Result<()>> + Unpin,
    S: HttpService<Incoming, ResBody = B, Error: Into<BoxError>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: Body<Error: Into<BoxError>> + 'static,
    Streams: Http2ServerConnExec<S::Future, B>,
{
    fn stop(self: Pin<&mut Self>) {
        Pin::new(self.get_mut().connection()).graceful_shutdown();
    }
}

fn http2_builder(limits: &EdgeLimits, streams: Streams) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(streams);
    builder
        .max_concurrent_streams(limits.h2_streams_max)
        .max_header_list_size(limits.h2_header_list_bytes_max)
        .max_pending_accept_reset_streams(limits.h2_pending_reset_streams_max)
        .max_local_error_reset_streams(limits.h2_error_reset_streams_max)
        .initial_stream_window_size(H2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(H2_SEND_BUFFER_BYTES);
    builder
}

/// What a client may send on one stream, and on one connection, before somebody reads it.
const H2_STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const H2_CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// What waits for one stream's client to read it.
const H2_SEND_BUFFER_BYTES: usize = 256 * 1024;
