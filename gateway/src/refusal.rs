//! Everything the gateway itself refuses, and how it says so: in one place.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use sealgate_keys::ohttp::KEY_PROBLEM;
use sealgate_policies::{BudgetName, TokenRefusal};
use serde::Serialize;

use crate::cost::Spent;
use crate::limits::Exceeded;
use crate::pool::Unavailable;
use crate::request_id::RequestId;

/// A refusal by the gateway. The client learns a status, a stable code and a sentence; causes are
/// for the operator's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No valid token.
    Token(TokenRefusal),
    /// The policy says no; an unknown model looks exactly the same.
    Forbidden,
    /// No such path.
    NotFound,
    /// The caller has made no such request, as far as anybody can tell.
    NoSuchRequest,
    /// The request is on record, and no checkpoint covers it yet.
    ProofPending,
    /// The path has other methods.
    MethodNotAllowed,
    /// `Sealgate-Rows` is not a number from 1 up, stands twice, or is over the caller's limit.
    RowsHeader,
    /// More rows announced than one request of this caller may hold.
    RowsLimit,
    /// The caller has reached a limit of its own.
    Limit(Exceeded),
    /// A budget of the caller or its tenant has not as much left as the request may cost.
    Budget(Spent),
    /// What the caller has asked cannot be counted, so nothing is carried out.
    LimitsUnavailable,
    /// The body is over the limit.
    BodyTooLarge,
    /// The body did not come in time.
    BodyTimeout,
    /// The body broke off.
    BodyIncomplete,
    /// The body is not one frame of gRPC with a message that names a model.
    Frame,
    /// The message of gRPC is compressed.
    FrameCompressed,
    /// No worker opens what the client sealed; the word is for the record alone, so that who sends
    /// it learns nothing of why (RFC 9458, section 5.3).
    OhttpKey(&'static str),
    /// The caller has opened as much as one caller may under one key.
    CallerShare {
        /// Seconds until there are other keys.
        retry_after_s: u32,
    },
    /// The attestation endpoint was not asked in its form.
    AttestationQuery,
    /// Too many requests in flight.
    Overloaded {
        /// Seconds until some of them can be expected to have ended.
        retry_after_s: u32,
    },
    /// The model's worker is not there; it is being started.
    WorkerUnavailable,
    /// As many requests wait for the model's workers as may, or longer than there is time.
    QueueFull {
        /// Seconds until the queue of now can be expected to be done.
        retry_after_s: u32,
    },
    /// The model's workers keep dying.
    WorkerFailing {
        /// Seconds until it is tried again.
        retry_after_s: u32,
    },
    /// The caller's requests were with workers when these crashed.
    CallerQuarantined {
        /// Seconds until he is let in again.
        retry_after_s: u32,
    },
    /// The worker ended while it had the request.
    WorkerLost,
    /// The worker's queue is full.
    WorkerBusy {
        /// Seconds until some of it can be expected to have been answered.
        retry_after_s: u32,
    },
    /// The worker did not answer in time.
    WorkerTimeout {
        /// Seconds until the queue of now can be expected to be done.
        retry_after_s: u32,
    },
    /// The decision could not be recorded, so there is no answer.
    AuditUnavailable,
    /// The clock is behind the record, so nobody can say whether a token still counts.
    ClockBehind,
    /// An admin has stopped everything.
    LockedDown,
    /// The body is no order.
    Order,
    /// More orders than can be kept.
    TooManyOrders,
    /// The order holds, but would not after a restart.
    OrderNotKept,
    /// Something that should not happen.
    Internal,
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Token(refusal) => refusal.code(),
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::NoSuchRequest => "no_such_request",
            Self::ProofPending => "proof_pending",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RowsHeader => "rows_header",
            Self::RowsLimit => "too_many_rows",
            Self::Limit(exceeded) => exceeded.limit.code(),
            Self::Budget(_) => Spent::CODE,
            Self::LimitsUnavailable => "limits_unavailable",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTimeout => "body_timeout",
            Self::BodyIncomplete => "body_incomplete",
            Self::Frame => "grpc_frame",
            Self::FrameCompressed => "grpc_compressed",
            Self::OhttpKey(_) => "ohttp_key",
            Self::CallerShare { .. } => "caller_share",
            Self::AttestationQuery => "attestation_query",
            Self::Overloaded { .. } => "overloaded",
            Self::WorkerUnavailable => "worker_unavailable",
            Self::QueueFull { .. } => "queue_full",
            Self::WorkerFailing { .. } => "worker_failing",
            Self::CallerQuarantined { .. } => "caller_quarantined",
            Self::WorkerLost => "worker_lost",
            Self::WorkerBusy { .. } => "worker_busy",
            Self::WorkerTimeout { .. } => "worker_timeout",
            Self::AuditUnavailable => "audit_unavailable",
            Self::ClockBehind => "clock_behind",
            Self::LockedDown => "locked_down",
            Self::Order => "order",
            Self::TooManyOrders => "too_many_orders",
            Self::OrderNotKept => "order_not_kept",
            Self::Internal => "internal",
        }
    }

    /// The code that the record has: where the client is told less, the exact one.
    #[must_use]
    pub fn recorded_code(self) -> &'static str {
        match self {
            Self::OhttpKey(exact) => exact,
            other => other.code(),
        }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound | Self::NoSuchRequest => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RowsHeader
            | Self::BodyIncomplete
            | Self::Frame
            | Self::FrameCompressed
            | Self::OhttpKey(_)
            | Self::AttestationQuery
            | Self::Order => StatusCode::BAD_REQUEST,
            Self::CallerShare { .. } | Self::Limit(_) | Self::Budget(_) => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::RowsLimit | Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Overloaded { .. }
            | Self::LimitsUnavailable
            | Self::WorkerUnavailable
            | Self::QueueFull { .. }
            | Self::WorkerFailing { .. }
            | Self::CallerQuarantined { .. }
            | Self::WorkerLost
            | Self::WorkerBusy { .. }
            | Self::WorkerTimeout { .. }
            | Self::AuditUnavailable
            | Self::ClockBehind
            | Self::ProofPending
            | Self::LockedDown => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooManyOrders => StatusCode::CONFLICT,
            Self::Internal | Self::OrderNotKept => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether no worker can have computed anything for the request, so that its rows are not used.
    /// Whoever goes unanswered otherwise may have been computed for.
    #[must_use]
    pub const fn is_before_work(self) -> bool {
        matches!(
            self,
            Self::BodyTooLarge
                | Self::BodyTimeout
                | Self::BodyIncomplete
                | Self::OhttpKey(_)
                | Self::CallerShare { .. }
                | Self::Overloaded { .. }
                | Self::WorkerUnavailable
                | Self::QueueFull { .. }
                | Self::WorkerFailing { .. }
                | Self::WorkerBusy { .. }
                // Of work that goes on: a second turn is not sent without its record.
                | Self::AuditUnavailable
        )
    }

    /// The budget that is spent, if that is why.
    #[must_use]
    pub const fn budget(self) -> Option<BudgetName> {
        match self {
            Self::Budget(spent) => Some(spent.budget),
            _ => None,
        }
    }

    /// What the client is told.
    #[must_use]
    pub fn sentence(self) -> String {
        match self {
            Self::Token(refusal) => return refusal.to_string(),
            Self::Forbidden => "you may not do this with this model, or there is no such model",
            Self::NotFound => "there is nothing at this path",
            Self::MethodNotAllowed => "this path takes another method",
            Self::RowsHeader => "`Sealgate-Rows` must be one number from 1 up",
            Self::RowsLimit => {
                "`Sealgate-Rows` is over the rows that one request of yours may hold"
            }
            Self::Limit(exceeded) => exceeded.limit.sentence(),
            Self::Budget(spent) => return spent.sentence(),
            Self::LimitsUnavailable => "your limits cannot be counted, so nothing is carried out",
            Self::BodyTooLarge => "the body is too large",
            Self::BodyTimeout => "the body did not come in time",
            Self::BodyIncomplete => "the body broke off",
            Self::Frame => "the body must be one frame with a message that names a model once",
            Self::FrameCompressed => "messages are not taken compressed",
            Self::NoSuchRequest => "you have made no request of this id",
            Self::ProofPending => "the next checkpoint, within a second, covers the request",
            Self::OhttpKey(_) => "no key here opens this message: fetch the keys again",
            Self::CallerShare { .. } => {
                "you have sent as many requests as one caller may under one key"
            }
            Self::AttestationQuery => {
                "`nonce` must be 64 hexadecimal digits, with `model` or `key_id` at most once each"
            }
            Self::Overloaded { .. } => "too many requests are in flight",
            Self::WorkerUnavailable => "the model's worker is starting",
            Self::QueueFull { .. } => "too many requests wait for the model's workers",
            Self::WorkerFailing { .. } => "the model's workers keep failing",
            Self::CallerQuarantined { .. } => {
                "workers crashed while they had requests of yours: you are let in later"
            }
            Self::WorkerLost => "the model's worker ended while it had the request",
            Self::WorkerBusy { .. } => "the model's worker has too many requests waiting",
            Self::WorkerTimeout { .. } => "the model's worker did not answer in time",
            Self::AuditUnavailable => {
                "the decision could not be recorded, so it is not carried out"
            }
            Self::ClockBehind => "the clock is behind the record: no token can be checked",
            Self::LockedDown => "an admin has stopped everything",
            Self::Order => "the body is no order, or names something too long",
            Self::TooManyOrders => "there are too many orders: write them into the policy folder",
            Self::OrderNotKept => "the order holds, but would not after a restart",
            Self::Internal => "something went wrong that should not",
        }
        .to_owned()
    }

    /// The problem type of RFC 9457.
    const fn kind(self) -> &'static str {
        match self {
            Self::OhttpKey(_) => KEY_PROBLEM,
            _ => NO_TYPE,
        }
    }

    /// The whole response: the problem, and the header fields that its status asks for.
    #[must_use]
    pub fn response(self, id: RequestId) -> Response<Body> {
        let status = self.status();
        let mut response = problem(status, self.kind(), self.code(), &self.sentence(), Some(&id));
        // Where another protocol says it in its own words.
        response.extensions_mut().insert(self);
        let headers = response.headers_mut();
        match self {
            // RFC 6750, section 3: no error code when no token was sent.
            Self::Token(TokenRefusal::Missing) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Token(_) => {
                headers.insert(header::WWW_AUTHENTICATE, INVALID_TOKEN);
            }
            Self::CallerShare { retry_after_s }
            | Self::Limit(Exceeded { retry_after_s, .. })
            | Self::Budget(Spent { retry_after_s, .. })
            | Self::Overloaded { retry_after_s }
            | Self::QueueFull { retry_after_s }
            | Self::WorkerFailing { retry_after_s }
            | Self::CallerQuarantined { retry_after_s }
            | Self::WorkerBusy { retry_after_s }
            | Self::WorkerTimeout { retry_after_s } => {
                headers.insert(header::RETRY_AFTER, retry_after_s.into());
            }
            _ if status == StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

impl From<Unavailable> for Refusal {
    fn from(why: Unavailable) -> Self {
        match why {
            Unavailable::NoWorker | Unavailable::Gone => Self::WorkerUnavailable,
            Unavailable::Full { retry_after_s } => Self::QueueFull { retry_after_s },
            Unavailable::Failing { retry_after_s } => Self::WorkerFailing { retry_after_s },
        }
    }
}

/// A refusal as every client sees it, from the router and from the edge: the members of RFC 9457,
/// and the `error` that clients of the Open Inference Protocol look for.
pub(crate) fn problem<B: From<Vec<u8>>>(
    status: StatusCode,
    kind: &str,
    code: &str,
    sentence: &str,
    id: Option<&RequestId>,
) -> Response<B> {
    let problem = Problem {
        error: sentence,
        kind,
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        code,
        request_id: id.map(RequestId::as_str),
    };
    // Strings and a number cannot fail to serialise.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(B::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, PROBLEM_JSON);
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    if let Some(id) = id {
        headers.insert(RequestId::HEADER, id.header());
    }
    response
}

#[derive(Serialize)]
struct Problem<'a> {
    error: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    title: &'a str,
    status: u16,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// The type of problems that have none of their own (RFC 9457, section 4.2.1).
pub(crate) const NO_TYPE: &str = "about:blank";
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const INVALID_TOKEN: HeaderValue = HeaderValue::from_static("Bearer error=\"invalid_token\"");
