//! A request's way through the worker: opened, decoded, run, sealed. Four lines, in [`answer`].

use std::time::Instant;

use sealgate_keys::control::refused;
use sealgate_keys::frame::Header;
use sealgate_keys::{
    Action, Cleartext, Grant, InnerAnswer, InnerRequest, KeyError, Mode, Outcome, Secret,
};
use sealgate_model::{ModelError, Rows};

use crate::client_keys::NotOpened;
use crate::clients::Clients;
use crate::conditions;
use crate::loaded::Loaded;
use crate::opened::Opened;
use crate::opener::RequestOpener;
use crate::protocol::{self, Decoded, Refusal, ReplyShape, Route};
use crate::receipts::{Commitments, Proof, Receipted};

/// A request as it came off the socket.
pub(crate) struct Arrived {
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
    pub(crate) at: Instant,
}

/// What an inference thread works with.
pub(crate) struct Pipeline<'a> {
    pub(crate) opener: &'a RequestOpener,
    pub(crate) model: &'a Loaded,
    pub(crate) clients: &'a Clients,
    pub(crate) rows_max: usize,
}

/// A sealed answer.
pub(crate) struct Answered {
    pub(crate) frame: Vec<u8>,
    /// Whether new keys for clients are wanted.
    pub(crate) keys_wanted: bool,
}

/// Why a request was not even opened, as `control::refused` words it.
pub(crate) struct Unopened(pub(crate) &'static str);

impl From<KeyError> for Unopened {
    fn from(_: KeyError) -> Self {
        Self(refused::ENVELOPE)
    }
}

impl From<NotOpened> for Unopened {
    fn from(why: NotOpened) -> Self {
        Self(match why {
            NotOpened::KeyUnknown => refused::KEY_UNKNOWN,
            NotOpened::Sealed => refused::NOT_OPENED,
            NotOpened::Replayed => refused::REPLAYED,
            NotOpened::KeySpent => refused::KEY_SPENT,
            NotOpened::CallerShare => refused::CALLER_SHARE,
        })
    }
}

impl Pipeline<'_> {
    /// The sealed answer to a request, or why it was not opened.
    pub(crate) fn answer(&self, request: Arrived) -> Result<Answered, Unopened> {
        let mut clock = Clock::start(request.at);
        let opened = self.opener.open(&request.header, request.payload, clock.now())?;
        clock.check(opened.grant())?;
        let (opened, proof, keys_wanted) = self.unseal(opened, clock.now())?;
        let answered = opened
            .map(|grant, message| self.decode(grant, &message).inspect(|_| clock.opened()))
            .and_then(|question| question.map(|grant, q| self.infer(grant, &proof, q)));
        let frame = match answered {
            Ok(reply) => reply.seal(|grant, said| self.encode(grant, &proof, said, &clock)),
            Err(refused) => refused.seal(|grant, why| self.refuse(grant, &proof, &why, &clock)),
        }?;
        Ok(Answered { frame, keys_wanted })
    }

    /// Takes off what the client sealed, where it did, and readies the receipt. The opener has
    /// seen to it that mode, frame and ciphertext agree.
    fn unseal(
        &self,
        opened: Opened<Cleartext>,
        now: Instant,
    ) -> Result<(Opened<Cleartext>, Proof, bool), Unopened> {
        if opened.grant().mode == Mode::GatewaySealed {
            let commitment_key = Secret::random()?;
            let keyset_digest = self.clients.offered().ok_or(KeyError::Refused)?;
            return Ok((opened, Proof { commitment_key, keyset_digest }, false));
        }
        let mut keyset_digest = [0; 32];
        let (opened, commitment_key, keys_wanted) = opened.unsealed(|grant, request| {
            let (opened, digest) = self.clients.open(&grant.caller, request.expose(), now)?;
            keyset_digest = digest;
            Ok(opened)
        })?;
        Ok((opened, Proof { commitment_key, keyset_digest }, keys_wanted))
    }

    fn decode(&self, grant: &Grant, message: &Cleartext) -> Result<Question, Refusal> {
        let request =
            InnerRequest::decode(message.expose()).map_err(|_| Refusal::MessageMalformed)?;
        conditions::check(&request, &self.model.model.digest(), grant.mode)?;
        let headers: Vec<(&str, &str)> = request
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), std::str::from_utf8(value).ok()?)))
            .collect();
        let request = protocol::InnerRequest {
            method: &request.method,
            path: &request.path,
            headers: &headers,
            body: request.body.expose(),
        };
        let route = Route::parse(request.method, request.path)?;
        self.agree(grant, &route)?;
        match route {
            Route::Metadata { .. } => Ok(Question::Metadata),
            Route::Ready { .. } => Ok(Question::Ready),
            Route::Infer { .. } | Route::Invocations => {
                let rows_max = self.rows_max.min(grant.rows_reserved as usize);
                let decoded =
                    protocol::decode(&route, &request, &self.model.interface(), rows_max)?;
                Ok(Question::Score(decoded))
            }
        }
    }

    /// The inner request must be what the grant permits: same model, same version, same action.
    fn agree(&self, grant: &Grant, route: &Route) -> Result<(), Refusal> {
        let infers = matches!(route, Route::Infer { .. } | Route::Invocations);
        if infers != (grant.action == Action::Infer) || grant.model != self.model.name {
            return Err(Refusal::ModelUnknown);
        }
        let version = grant.version.as_deref().unwrap_or(&self.model.version);
        if version != self.model.version {
            return Err(Refusal::VersionUnknown);
        }
        route.agree(&grant.model, version)?;
        match self.model.undeclared(&grant.declared_fields) {
            Some(field) => Err(Refusal::FieldUndeclared { field: field.to_owned() }),
            None => Ok(()),
        }
    }

    fn infer(&self, grant: &Grant, proof: &Proof, question: Question) -> Result<Said, Refusal> {
        let (rows, reply) = match question {
            Question::Metadata => return Ok(Said::Metadata),
            Question::Ready => return Ok(Said::Ready),
            Question::Score(Decoded { rows, reply }) => (rows, reply),
        };
        let scores = self.run(&rows)?;
        let scores: Vec<f32> = scores.iter().map(|&score| grant.release.cut(score)).collect();
        let commitments = proof.commitments(self.model, &rows, &scores);
        Ok(Said::Scores { reply, scores, commitments })
    }

    fn run(&self, rows: &Rows) -> Result<Vec<f32>, Refusal> {
        match self.model.model.infer(rows) {
            Ok(outputs) => Ok(outputs.values().to_vec()),
            Err(ModelError::ValueNotFinite { .. } | ModelError::OutputNotFinite { .. }) => {
                Err(Refusal::ValueTooLarge)
            }
            Err(_) => Err(Refusal::InferenceFailed),
        }
    }

    fn encode(
        &self,
        grant: &Grant,
        proof: &Proof,
        said: Said,
        clock: &Clock,
    ) -> Result<(Outcome, Cleartext), KeyError> {
        let interface = self.model.interface();
        let (body, rows, commitments) = match said {
            Said::Metadata => (protocol::encode_metadata(&interface), 0, None),
            Said::Ready => (Ok(protocol::encode_ready()), 0, None),
            Said::Scores { reply, scores, commitments } => {
                let body = protocol::encode_answer(&reply, &interface, &scores);
                (body, scores.len(), Some(commitments))
            }
        };
        let body = match body {
            Ok(body) => body,
            Err(refusal) => return self.refuse(grant, proof, &refusal, clock),
        };
        let receipt = proof.receipt(self.clients, self.model, grant, "ok", commitments)?;
        let said = Words { status: 200, code: "ok", rows, content_type: JSON, body };
        self.seal(grant, said, receipt, clock)
    }

    /// A refusal after opening is sealed like an answer; only status, code and rows show.
    fn refuse(
        &self,
        grant: &Grant,
        proof: &Proof,
        refusal: &Refusal,
        clock: &Clock,
    ) -> Result<(Outcome, Cleartext), KeyError> {
        let (status, code) = (refusal.status(), refusal.code());
        let body = refusal.to_json(&hex::encode(grant.request_id));
        let receipt = proof.receipt(self.clients, self.model, grant, code, None)?;
        let said = Words { status, code, rows: 0, content_type: PROBLEM, body };
        self.seal(grant, said, receipt, clock)
    }

    fn seal(
        &self,
        grant: &Grant,
        said: Words,
        receipt: Receipted,
        clock: &Clock,
    ) -> Result<(Outcome, Cleartext), KeyError> {
        let Words { status, code, rows, content_type, body } = said;
        let outcome = Outcome {
            status,
            code: code.to_owned(),
            rows: u32::try_from(rows).unwrap_or(u32::MAX),
            model_digest: *self.model.model.digest().as_bytes(),
            model_version: self.model.version.clone(),
            queue_us: clock.queue_us,
            open_us: clock.open_us,
            infer_us: clock.since_opened_us(),
            receipt_digest: Some(receipt.digest),
        };
        let content_type = content_type.to_owned();
        let headers = receipt.headers;
        let answer = InnerAnswer { status, content_type, headers, body: Cleartext::new(body) };
        Ok((outcome, answer.encode(bytes_min(grant, self.rows_max))?))
    }
}

/// What an answer or a refusal says.
struct Words {
    status: u16,
    code: &'static str,
    rows: usize,
    content_type: &'static str,
    body: Vec<u8>,
}

/// The size below which no answer to this grant goes. What a client sealed is answered in the size
/// of the most rows its grant allows, whatever became of it; a gateway-sealed answer's length
/// shows on the TLS leg anyway.
fn bytes_min(grant: &Grant, rows_max: usize) -> usize {
    match grant.mode {
        Mode::GatewaySealed => 0,
        Mode::ClientSealed => HEAD_BYTES + ROW_BYTES * rows_max.min(grant.rows_reserved as usize),
    }
}

enum Question {
    Metadata,
    Ready,
    Score(Decoded),
}

enum Said {
    Metadata,
    Ready,
    Scores { reply: ReplyShape, scores: Vec<f32>, commitments: Commitments },
}

/// The worker's own, monotonic time: a grant's life and the stages' lengths.
struct Clock {
    arrived: Instant,
    started: Instant,
    opened: Instant,
    queue_us: u32,
    open_us: u32,
}

impl Clock {
    fn start(arrived: Instant) -> Self {
        let started = Instant::now();
        Self { arrived, started, opened: started, queue_us: micros(arrived, started), open_us: 0 }
    }

    const fn now(&self) -> Instant {
        self.started
    }

    /// A grant is for now: what waited longer than it lives is not run.
    fn check(&self, grant: &Grant) -> Result<(), KeyError> {
        let waited = self.started.saturating_duration_since(self.arrived);
        if waited.as_millis() <= u128::from(grant.valid_ms) {
            Ok(())
        } else {
            Err(KeyError::Refused)
        }
    }

    fn opened(&mut self) {
        self.opened = Instant::now();
        self.open_us = micros(self.started, self.opened);
    }

    fn since_opened_us(&self) -> u32 {
        micros(self.opened, Instant::now())
    }
}

fn micros(from: Instant, to: Instant) -> u32 {
    u32::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(u32::MAX)
}

/// More than an answer takes beside its scores: status, header fields with the receipt, names, an
/// id of usual length; and more than any refusal.
const HEAD_BYTES: usize = 1800;
/// More than a 32-bit float and its comma take as text.
const ROW_BYTES: usize = 20;

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
