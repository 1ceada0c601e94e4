//! A worker without a gateway, a socket and walls: what runs as a function of somebody's platform.
//!
//! A request's way is the worker's own: sealed under a grant, opened, decoded, inferred, cut, sealed,
//! with a receipt. Only that both ends of the hop are this process, and that the grant is the
//! function's configuration: no policy has decided, so the receipt's policy digest is zeros. What
//! comes in the clear is `unsealed` in its receipt.
//!
//! What a worker has and this has not: keys that die with the process, since the platform starts,
//! freezes, copies and ends processes as it likes and clients must be able to seal to all of them; a
//! memory of its own of what it opened; a sandbox. See `docs/threats.md`.

mod replays;
mod secrets;
#[cfg(test)]
mod tests;

use std::time::Instant;

use sealgate_keys::control::refused;
use sealgate_keys::evidence::NoncePath;
use sealgate_keys::frame::{HEADER_BYTES, Header};
use sealgate_keys::{
    Action, AnswerOpener, Base64, Cleartext, Grant, InnerAnswer, InnerRequest, KeyError, Keyset,
    Mode, ReleaseProfile, RequestSealer, Secret, SessionSecret,
};
use sealgate_model::Digest;
use serde::Serialize;

pub use self::replays::{ReplayStore, Replays, StoreError};
pub use self::secrets::FunctionKeys;
use crate::client_keys::NotOpened;
use crate::clients::{Clients, now_s};
use crate::loaded::Loaded;
use crate::opener::RequestOpener;
use crate::pipeline::{Arrived, Pipeline, Unopened};
use crate::protocol::Route;
use crate::run::Engine;
use crate::session::SelfDescription;

/// A model that answers within one process.
pub struct Function {
    sealer: RequestSealer,
    opener: RequestOpener,
    model: Box<Loaded>,
    clients: Clients,
    keyset: Keyset,
    key_list: Vec<u8>,
    release: ReleaseProfile,
    rows_max: u32,
}

/// What a function is told about itself.
pub struct FunctionOptions<'a> {
    /// The model's name, in paths and in the keyset.
    pub name: &'a str,
    /// The model's version.
    pub version: &'a str,
    /// What may leave.
    pub release: ReleaseProfile,
    /// The most rows of one request.
    pub rows_max: u32,
    /// SHA-256 of the program file.
    pub build_digest: [u8; 32],
    /// The engine.
    pub engine: &'a Engine,
}

/// The answer to what a client sealed.
pub struct SealedResponse {
    /// The id that the receipt inside names, in hex.
    pub request_id: String,
    /// Sealed for the client (`message/ohttp-res`).
    pub response: Vec<u8>,
}

/// What a client that asks for keys is shown; of the same form as a gateway's answer.
#[derive(Serialize)]
struct Attestation<'a> {
    keyset: &'a Keyset,
    keyset_digest: String,
    key_list: Base64,
    evidence: serde_json::Value,
    nonce_path: NoncePath,
    /// There is no gateway, and nothing that its key could have signed.
    gateway_receipt_key: Base64,
}

/// Why there is no function, or no answer.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// The artifact was not taken.
    #[error("the model was not taken: {0}")]
    Model(String),
    /// The keys have ended.
    #[error("the function's keys have ended")]
    KeysEnded,
    /// The keys were made for another version of the function.
    #[error("the keys were made for a function with another {0}")]
    OtherVersion(&'static str),
    /// The client is told to seal anew.
    #[error("the sealed request was not opened")]
    NotOpened(NotOpened),
    /// Something sealed could not be made or opened.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Function {
    /// Loads an artifact and runs it once. Keys that were made for another function are refused.
    ///
    /// # Errors
    /// [`FunctionError`].
    pub fn load(
        artifact: &[u8],
        of: &FunctionOptions<'_>,
        keys: &FunctionKeys,
        replays: Replays,
    ) -> Result<Self, FunctionError> {
        let device = (of.engine.device)();
        let model = Loaded::of_artifact(of.name, of.version, artifact, &device)
            .map_err(|why| FunctionError::Model(why.to_string()))?;
        if keys.not_after_s() <= now_s()? {
            return Err(FunctionError::KeysEnded);
        }
        let described = SelfDescription {
            engine: of.engine.name.to_owned(),
            threads: 1,
            build_digest: of.build_digest,
            sandbox: WALLS.map(str::to_owned).to_vec(),
            enforced: false,
        };
        let (clients, keyset, key_list) = Clients::of_function(described, keys, replays, &model)?;
        if let Some(other) = keys.made_for.as_ref().and_then(|other| differs(&keyset, other)) {
            return Err(FunctionError::OtherVersion(other));
        }
        let session = SessionSecret::new(Secret::random()?);
        Ok(Self {
            sealer: RequestSealer::new(&session, Instant::now()),
            opener: RequestOpener::new(&session),
            model,
            clients,
            keyset,
            key_list,
            release: of.release,
            rows_max: of.rows_max,
        })
    }

    /// Answers what came in the clear: a request of any protocol that the worker speaks.
    ///
    /// # Errors
    /// [`FunctionError::Key`] when there is no answer at all; refusals are answers.
    pub fn plain(&self, request: &InnerRequest) -> Result<InnerAnswer, FunctionError> {
        let describes = Route::parse(&request.method, &request.path)
            .is_ok_and(|route| !route.question.infers());
        let action = if describes { Action::DescribeModel } else { Action::Infer };
        let message = request.encode()?;
        let grant = Grant { action, ..self.grant(Mode::GatewaySealed, self.rows_max)? };
        let answer = self.ask(&grant, message.expose())?;
        Ok(InnerAnswer::decode(answer.expose())?)
    }

    /// Answers what a client sealed (`message/ohttp-req`), sealed for the client
    /// (`message/ohttp-res`). `rows`, if the client says so in the clear, is the most it holds: the
    /// answer is as long as one to so many rows.
    ///
    /// # Errors
    /// [`FunctionError::NotOpened`], whatever was wrong; [`FunctionError::Key`].
    pub fn sealed(
        &self,
        request: &[u8],
        rows: Option<u32>,
    ) -> Result<SealedResponse, FunctionError> {
        // The process may have been frozen past their end, and its clocks with it.
        if self.ended()? {
            return Err(FunctionError::NotOpened(NotOpened::KeyUnknown));
        }
        let rows = rows.unwrap_or(self.rows_max).min(self.rows_max);
        let grant = self.grant(Mode::ClientSealed, rows)?;
        let request_id = hex::encode(grant.request_id);
        let ciphertext_sha256 = Some(*Digest::of(request).as_bytes());
        let answer = self.ask(&Grant { ciphertext_sha256, ..grant }, request)?;
        // It is ciphertext: the client alone opens it.
        Ok(SealedResponse { request_id, response: answer.into_public() })
    }

    /// The function's keyset.
    #[must_use]
    pub const fn keyset(&self) -> &Keyset {
        &self.keyset
    }

    /// The function's key list, `application/ohttp-keys`.
    #[must_use]
    pub fn key_list(&self) -> &[u8] {
        &self.key_list
    }

    /// What a client judges before it seals: keyset, key list and evidence for `nonce`, as JSON.
    ///
    /// # Errors
    /// [`FunctionError::KeysEnded`]; [`FunctionError::Key`].
    pub fn attestation(&self, nonce: &[u8; 32]) -> Result<Vec<u8>, FunctionError> {
        let digest = self.keyset.digest();
        let path = NoncePath::alone();
        let root = path.root(nonce).ok_or(KeyError::Refused)?;
        let evidence = self.clients.evidence(&digest, &root, Instant::now())?;
        if evidence.is_empty() || self.ended()? {
            return Err(FunctionError::KeysEnded);
        }
        let malformed = |_| FunctionError::Key(KeyError::Malformed("evidence"));
        let shown = Attestation {
            keyset: &self.keyset,
            keyset_digest: hex::encode(digest),
            key_list: Base64(self.key_list.clone()),
            evidence: serde_json::from_slice(&evidence).map_err(malformed)?,
            nonce_path: path,
            gateway_receipt_key: Base64(Vec::new()),
        };
        serde_json::to_vec(&shown).map_err(malformed)
    }

    /// For how many seconds clients may still seal to the function's keys.
    ///
    /// # Errors
    /// [`FunctionError::KeysEnded`] when they may not any more.
    pub fn keys_left_s(&self) -> Result<u64, FunctionError> {
        if self.ended()? {
            return Err(FunctionError::KeysEnded);
        }
        Ok(self.keyset.not_after_s.saturating_sub(now_s()?))
    }

    /// Whether the time of the keys is over; then they are destroyed.
    fn ended(&self) -> Result<bool, KeyError> {
        let ended = now_s()? >= self.keyset.not_after_s;
        if ended {
            self.clients.expire(Instant::now());
        }
        Ok(ended)
    }

    fn grant(&self, mode: Mode, rows_reserved: u32) -> Result<Grant, KeyError> {
        let mut request_id = [0; 16];
        getrandom::fill(&mut request_id).map_err(|_| KeyError::Randomness)?;
        Ok(Grant {
            request_id,
            caller: CALLER.to_owned(),
            tenant: CALLER.to_owned(),
            model: self.model.name.clone(),
            version: Some(self.model.version.clone()),
            action: Action::Infer,
            rows_reserved,
            declared_fields: Vec::new(),
            release: self.release,
            policy_digest: [0; 32],
            mode,
            ciphertext_sha256: None,
            valid_ms: Grant::VALID_MS_MAX,
            batch_across_tenants: false,
        })
    }

    /// The hop, with both ends here.
    fn ask(&self, grant: &Grant, message: &[u8]) -> Result<Cleartext, FunctionError> {
        let (frame, answer) = self.sealer.seal(grant, message, Instant::now())?;
        let (header, payload) = split(&frame)?;
        let request = Arrived { header, payload, at: Instant::now() };
        let pipeline = Pipeline {
            opener: &self.opener,
            model: &self.model,
            clients: &self.clients,
            rows_max: self.rows_max as usize,
        };
        let waiting = pipeline.open(request).map_err(not_opened)?;
        let answered = pipeline.answer(waiting).map_err(not_opened)?;
        opened(answer, &answered.frame)
    }
}

fn opened(answer: AnswerOpener, frame: &[u8]) -> Result<Cleartext, FunctionError> {
    let (header, mut payload) = split(frame)?;
    Ok(answer.open(&header, &mut payload)?.message)
}

fn split(frame: &[u8]) -> Result<(Header, Vec<u8>), KeyError> {
    let (header, payload) = frame.split_first_chunk::<HEADER_BYTES>().ok_or(KeyError::Refused)?;
    Ok((Header::decode(header)?, payload.to_vec()))
}

/// A client is told that its key is not ours or that its request is broken, and no more.
fn not_opened(why: Unopened) -> FunctionError {
    FunctionError::NotOpened(match why.0 {
        refused::KEY_UNKNOWN => NotOpened::KeyUnknown,
        _ => NotOpened::Sealed,
    })
}

/// What of a function is not as it was when its keys were made.
fn differs(own: &Keyset, made_for: &Keyset) -> Option<&'static str> {
    let of_program = |keyset: &Keyset| {
        (keyset.build.clone(), keyset.build_digest.clone(), keyset.engine.clone())
    };
    [
        ("model, model name or model version", own.model != made_for.model),
        ("program", of_program(own) != of_program(made_for)),
        ("answer to replays", own.replay != made_for.replay),
        ("keyset", own != made_for),
    ]
    .into_iter()
    .find_map(|(what, differs)| differs.then_some(what))
}

/// What the keyset says in the place of a sandbox.
const WALLS: [&str; 3] = [
    "sandbox: none",
    "platform: starts, freezes, copies and ends processes of this function",
    "keys: of the function's version, in each of its processes",
];
/// There is nobody whose pseudonym could stand in a grant.
const CALLER: &str = "function";
