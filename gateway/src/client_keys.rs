//! What clients ask before they seal: a worker's key list, and evidence for whose keys these are.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, header};
use axum::response::IntoResponse;
use sealgate_keys::control::refused;
use sealgate_keys::evidence::NoncePath;
use sealgate_keys::ohttp::KEYS_TYPE;
use sealgate_keys::{Base64, Keyset};
use serde::Serialize;

use crate::app::App;
use crate::forward::{Allowed, Done};
use crate::record::Account;
use crate::refusal::Refusal;
use crate::worker::{Connection, ShownKeys};

/// The query of `/v1/attestation`: the client's nonce, and which keys.
#[derive(Clone, Copy)]
pub struct Question {
    nonce: [u8; 32],
    key_id: Option<u8>,
}

/// What `/v1/attestation` answers.
#[derive(Serialize)]
struct Attestation<'a> {
    keyset: &'a Keyset,
    keyset_digest: String,
    key_list: Base64,
    evidence: serde_json::Value,
    nonce_path: NoncePath,
    gateway_receipt_key: Base64,
}

impl Question {
    /// The key that is asked about, if one is.
    #[must_use]
    pub const fn key_id(&self) -> Option<u8> {
        self.key_id
    }

    /// Reads `nonce=<64 hex>[&key_id=N][&model=M]`; each at most once, nothing else. The second
    /// part is the model.
    ///
    /// # Errors
    /// [`Refusal::AttestationQuery`].
    pub fn read(query: &str) -> Result<(Self, Option<&str>), Refusal> {
        let (mut nonce, mut key_id, mut model) = (None, None, None);
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').ok_or(Refusal::AttestationQuery)?;
            let again = match name {
                "nonce" => nonce.replace(value).is_some(),
                "key_id" => key_id.replace(value).is_some(),
                "model" => model.replace(value).is_some(),
                _ => true,
            };
            if again {
                return Err(Refusal::AttestationQuery);
            }
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(nonce.ok_or(Refusal::AttestationQuery)?, &mut bytes)
            .map_err(|_| Refusal::AttestationQuery)?;
        let key_id = key_id.map(|id| id.parse().map_err(|_| Refusal::AttestationQuery));
        Ok((Self { nonce: bytes, key_id: key_id.transpose()? }, model))
    }
}

/// One replica's key list.
///
/// # Errors
/// [`Refusal::WorkerUnavailable`] when no worker has keys to offer, also after some waiting.
pub async fn key_list(app: &App, allowed: &Allowed<'_>) -> Result<Done, Refusal> {
    let (_, keys) = offered(app, allowed).await?;
    keys.give();
    let mut response = Response::new(Body::from(keys.key_list.clone()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(KEYS_TYPE));
    keep_for(headers, app.keyring.life().list_age_max());
    Ok(Done { response, account: account(allowed, &keys) })
}

/// Evidence for one replica's keys that answers the client's nonce, with the keys themselves.
///
/// # Errors
/// [`Refusal::WorkerUnavailable`], or [`Refusal::OhttpKey`] for a key id that this model does not
/// have.
pub async fn attest(
    app: &App,
    allowed: &Allowed<'_>,
    question: &Question,
) -> Result<Done, Refusal> {
    let (connection, keys) = match question.key_id {
        None => offered(app, allowed).await?,
        Some(id) => {
            let reached = app.keyring.reach(id, allowed.target.model, allowed.pool.tenant());
            let reached = reached.ok_or(Refusal::OhttpKey(refused::KEY_UNKNOWN))?;
            (reached.connection, reached.keys)
        }
    };
    let attested = connection.attest(keys.digest, question.nonce).await;
    let attested = attested.map_err(|_| Refusal::WorkerUnavailable)?;
    keys.give();
    let answer = Attestation {
        keyset: &keys.keyset,
        keyset_digest: hex::encode(keys.digest),
        key_list: Base64(keys.key_list.clone()),
        evidence: serde_json::from_slice(&attested.evidence).map_err(|_| Refusal::Internal)?,
        nonce_path: attested.path,
        gateway_receipt_key: Base64(app.receipts.public().to_vec()),
    };
    Ok(Done { response: Json(answer).into_response(), account: account(allowed, &keys) })
}

async fn offered(
    app: &App,
    allowed: &Allowed<'_>,
) -> Result<(Arc<Connection>, Arc<ShownKeys>), Refusal> {
    let keys = |connection: &Arc<Connection>| app.keyring.offered(connection);
    allowed.pool.soon(START_PATIENCE, keys).await.ok_or(Refusal::WorkerUnavailable)
}

fn keep_for(headers: &mut HeaderMap, age_max: Duration) {
    // Private: it answers to one caller's token, and a shared cache could serve one client's list
    // to another for as long as it likes.
    let value = format!("private, max-age={}", age_max.as_secs());
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(header::CACHE_CONTROL, value);
    }
}

fn account(allowed: &Allowed<'_>, keys: &ShownKeys) -> Account {
    Account {
        code: "ok".to_owned(),
        status: 200,
        rows: 0,
        length_class: None,
        model_digest: allowed.version.artifact().digest,
        keyset_digest: Some(keys.digest),
        receipt_digest: None,
        stages_us: Vec::new(),
        used: None,
    }
}

/// How long a client waits for a worker that is being started.
const START_PATIENCE: Duration = Duration::from_secs(5);
