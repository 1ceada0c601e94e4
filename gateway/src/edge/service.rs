//! Between hyper and the router: who asks, and what the edge refuses.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version, header};
use http_body::Body;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use ipnet::IpNet;
use tower::{Service, ServiceExt as _};

use super::activity::Activity;
use super::address::{ClientAddress, client_address, is_trusted};
use super::body::{RequestBody, Unread};
use super::counters::{EdgeCounters, count};
use super::http2;

/// What serves the requests: an `axum::Router`, or any tower service that cannot fail.
pub(super) trait Routes<B>:
    Service<
        Request<RequestBody>,
        Response = Response<B>,
        Error = Infallible,
        Future: Send + 'static,
    > + Clone
    + Send
    + 'static
{
}

impl<B, S> Routes<B> for S where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static
{
}

/// A body that can be sent.
pub(super) trait Answer: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static {}

impl<B> Answer for B where B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static {}

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Whose connection this is.
pub(super) enum Origin {
    /// No proxy, so every request is theirs.
    Client(IpAddr),
    /// A listed proxy, so each request may have another client.
    Proxy { peer: IpAddr, proxy_v2: Option<IpAddr>, trusted: Arc<[IpNet]> },
}

impl Origin {
    pub(super) fn new(peer: IpAddr, proxy_v2: Option<IpAddr>, trusted: &Arc<[IpNet]>) -> Self {
        let nearest = client_address(peer, proxy_v2, &HeaderMap::new(), trusted);
        if is_trusted(nearest, trusted) {
            Self::Proxy { peer, proxy_v2, trusted: Arc::clone(trusted) }
        } else {
            Self::Client(nearest)
        }
    }

    fn client(&self, headers: &HeaderMap) -> ClientAddress {
        ClientAddress(match self {
            Self::Client(address) => *address,
            Self::Proxy { peer, proxy_v2, trusted } => {
                client_address(*peer, *proxy_v2, headers, trusted)
            }
        })
    }
}

/// The service of one connection.
pub(super) fn front<S: Routes<B>, B: Answer>(
    routes: S,
    origin: Origin,
    activity: Arc<Activity>,
    unread_http2: Unread,
    counters: Arc<EdgeCounters>,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = Response<Either<B, Full<Bytes>>>,
    Error = Infallible,
    Future: Send + 'static,
> + Send {
    service_fn(move |mut request: Request<Incoming>| {
        let in_flight = activity.begin_request();
        let (refusal, unread) = match request.version() {
            Version::HTTP_2 => (http2::check(&request).err(), unread_http2),
            _ => (in_flight.refusal(), Unread::Leave),
        };
        let answer = match refusal {
            Some(refusal) => {
                count(&counters.requests_refused);
                drop(RequestBody::new(request.into_body(), unread));
                Err(refusal)
            }
            None => {
                count(&counters.requests);
                let client = origin.client(request.headers());
                request.extensions_mut().insert(client);
                Ok(routes.clone().oneshot(request.map(|body| RequestBody::new(body, unread))))
            }
        };
        async move {
            let mut response = match answer {
                Ok(answer) => answer.await?.map(Either::Left),
                Err(refusal) => refusal.response().map(Either::Right),
            };
            // Answered before the body was sent: the rest of it is no request, so nothing may follow it here.
            if in_flight.is_body_open() {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response)
        }
    })
}
