//! A request's way in client-sealed mode.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use sealgate_keys::ohttp::{KEY_PROBLEM, REQUEST_TYPE};
use tokio::sync::Mutex;

use super::answer::open;
use super::message::Question;
use super::receipt::of_refusal;
use super::{Demands, SealedAnswer, VerifiedKeys};
use crate::gateway::{Gateway, Reply, segment};
use crate::{Body, ClientError, Refusal};

/// How long keys are used before they are fetched and judged again, if they live that long.
pub const KEYS_AGE_MAX: Duration = Duration::from_secs(240);

/// Speaks to one gateway with one token, and says nothing that the gateway could read: each request
/// is sealed to a worker whose evidence was judged.
///
/// It never falls back to plaintext and follows no redirect. There is no method to send anything
/// unsealed, and nothing to seal to but [`VerifiedKeys`].
///
/// ```compile_fail
/// fn print(client: sealgate_client::SealedClient) {
///     println!("{client:?}");
/// }
/// ```
pub struct SealedClient {
    gateway: Gateway,
    demands: Demands,
    remembered: Mutex<HashMap<String, Remembered>>,
}

struct Remembered {
    keys: Arc<VerifiedKeys>,
    since: Instant,
}

impl SealedClient {
    /// A client for the gateway at `url` (`https://host[:port]`), trusted for the way because one
    /// of the certificates in `ca_pem` signed its own, with the bearer token `token`. What is
    /// trusted with the rows stands in `demands`.
    ///
    /// # Errors
    ///
    /// When `url` is anything else, when `ca_pem` holds no usable certificate, or when `token`
    /// cannot stand in a header.
    pub fn new(
        url: &str,
        ca_pem: &[u8],
        token: &str,
        demands: Demands,
    ) -> Result<Self, ClientError> {
        let gateway = Gateway::new(url, ca_pem, token)?;
        Ok(Self { gateway, demands, remembered: Mutex::default() })
    }

    /// Keys of `model`, judged: those remembered, while they may be used, or fetched now.
    ///
    /// # Errors
    ///
    /// [`ClientError::Keys`] by the name of the check that did not hold; [`ClientError::Refused`]
    /// when the gateway shows none; otherwise what broke on the way.
    pub async fn keys(&self, model: &str) -> Result<Arc<VerifiedKeys>, ClientError> {
        self.keys_but(model, None).await
    }

    /// Seals a body of the Open Inference Protocol V2, in JSON or binary, for the default version
    /// of `model`, sends it, opens the answer and checks its receipt. `rows` is announced to the gateway, which
    /// then reserves no more.
    ///
    /// When the gateway has no key that opens the request, keys are fetched and judged once more
    /// and the request is sealed anew, once.
    ///
    /// # Errors
    ///
    /// As [`SealedClient::keys`]; [`ClientError::KeysSpent`] when the second request was not opened
    /// either; [`ClientError::WorkerRefused`] and [`ClientError::Refused`] with the reason;
    /// [`ClientError::Answer`] by the name of what the answer lacks.
    pub async fn infer_v2(
        &self,
        model: &str,
        body: impl Into<Body>,
        rows: Option<u32>,
    ) -> Result<SealedAnswer, ClientError> {
        let path = format!("/v2/models/{}/infer", segment(model)?);
        let mut question = Question::v2(&path, body.into(), &self.demands);
        let keys = self.keys(model).await?;
        let unopened = match self.ask(&path, &mut question, &keys, rows).await? {
            Asked::Answered(answer) => return Ok(*answer),
            Asked::NotOpened(_) => keys,
        };
        let keys = self.keys_but(model, Some(&unopened)).await?;
        match self.ask(&path, &mut question, &keys, rows).await? {
            Asked::Answered(answer) => Ok(*answer),
            Asked::NotOpened(refusal) => Err(ClientError::KeysSpent(refusal)),
        }
    }

    pub(super) async fn ask(
        &self,
        path: &str,
        question: &mut Question,
        keys: &VerifiedKeys,
        rows: Option<u32>,
    ) -> Result<Asked, ClientError> {
        let (sealed, opener) = question.seal(keys, SystemTime::now()).map_err(ClientError::Seal)?;
        let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static(REQUEST_TYPE))];
        headers.extend(rows.map(|rows| (ROWS, HeaderValue::from(rows))));
        let reply = self.gateway.ask(Method::POST, path, &headers, sealed.into()).await?;
        if reply.status.is_success() {
            let answer = open(&reply, opener, keys, question.body(), now_s())?;
            return Ok(Asked::Answered(Box::new(answer)));
        }
        match self.refusal(&reply)? {
            refusal if is_key_problem(&refusal) => Ok(Asked::NotOpened(refusal)),
            refusal => Err(ClientError::Refused(refusal)),
        }
    }

    /// The keys remembered, unless they may not be used or are `spent`; else fetched ones. One
    /// fetch at a time: who waits takes what the other fetched.
    async fn keys_but(
        &self,
        model: &str,
        spent: Option<&Arc<VerifiedKeys>>,
    ) -> Result<Arc<VerifiedKeys>, ClientError> {
        let mut remembered = self.remembered.lock().await;
        remembered.retain(|_, of| of.usable());
        if let Some(of) = remembered.get(model)
            && !spent.is_some_and(|spent| Arc::ptr_eq(spent, &of.keys))
        {
            return Ok(of.keys.clone());
        }
        let since = Instant::now();
        let keys = Arc::new(self.fetch(model).await?);
        if remembered.len() >= MODELS_MAX {
            remembered.clear();
        }
        remembered.insert(model.to_owned(), Remembered { keys: keys.clone(), since });
        Ok(keys)
    }

    pub(super) async fn fetch(&self, model: &str) -> Result<VerifiedKeys, ClientError> {
        let mut nonce = [0; 32];
        getrandom::fill(&mut nonce).map_err(|_| ClientError::Randomness)?;
        let path =
            format!("/v1/attestation?nonce={}&model={}", hex::encode(nonce), segment(model)?);
        let reply = self.gateway.ask(Method::GET, &path, &[], Bytes::new()).await?;
        if reply.status != StatusCode::OK {
            return Err(ClientError::Refused(self.refusal(&reply)?));
        }
        VerifiedKeys::verify(&reply.body, &nonce, model, &self.demands, now_s())
            .map_err(ClientError::Keys)
    }

    pub(super) const fn demands(&self) -> &Demands {
        &self.demands
    }

    /// The gateway's words, with its receipt verified where its key is pinned.
    fn refusal(&self, reply: &Reply) -> Result<Box<Refusal>, ClientError> {
        let refusal = Box::new(Refusal::of_gateway(reply));
        if let Some(pinned) = self.demands.gateway_receipt_key() {
            of_refusal(&refusal, &pinned)?;
        }
        Ok(refusal)
    }
}

pub(super) enum Asked {
    Answered(Box<SealedAnswer>),
    /// Under no key of the gateway's.
    NotOpened(Box<Refusal>),
}

impl Remembered {
    fn usable(&self) -> bool {
        self.since.elapsed() < KEYS_AGE_MAX && now_s() < self.keys.usable_until_s()
    }
}

fn is_key_problem(refusal: &Refusal) -> bool {
    refusal.status == StatusCode::BAD_REQUEST && refusal.kind.as_deref() == Some(KEY_PROBLEM)
}

/// Seconds since 1970. A clock before that is no clock: no keys are young enough for it.
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(u64::MAX, |since| since.as_secs())
}

const ROWS: HeaderName = HeaderName::from_static("sealgate-rows");
/// More models than one program asks.
const MODELS_MAX: usize = 64;
