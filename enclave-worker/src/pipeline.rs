//! A request's way through the worker: opened and decoded in [`Pipeline::open`], run and sealed in
//! [`Pipeline::answer`]. Between the two, requests that wait together may be scored together
//! (`batching`).

use std::time::{Duration, Instant};

use sealgate_keys::control::refused;
use sealgate_keys::frame::Header;
use sealgate_keys::grpc::{MESSAGE_HEADER, SERVICE_PATH};
use sealgate_keys::{
    Action, Cleartext, Grant, InnerAnswer, InnerRequest, JSON_BYTES_HEADER, KeyError, Mode,
    Outcome, Secret,
};
use sealgate_model::{ModelError, Outputs, Rows};
use zeroize::Zeroizing;

use crate::client_keys::NotOpened;
use crate::clients::Clients;
use crate::conditions;
use crate::loaded::Loaded;
use crate::opened::Opened;
use crate::opener::RequestOpener;
use crate::protocol::{self, Answer, Decoded, Question, Refusal, ReplyShape, Route};
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

/// A request that was opened and read, or is to be refused under its answer's key, before its turn.
pub(crate) struct Waiting {
    pub(crate) question: Result<Opened<(Asked, Option<Scored>)>, Opened<Refused>>,
    clock: Clock,
    proof: Proof,
    keys_wanted: bool,
}

/// What the network said to a request in one pass with others.
pub(crate) struct Scored {
    pub(crate) outputs: Result<Outputs, ModelError>,
    /// Its part of the pass.
    pub(crate) took: Duration,
}

impl Pipeline<'_> {
    /// Opens and reads a request, or says why it was not opened.
    pub(crate) fn open(&self, request: Arrived) -> Result<Waiting, Unopened> {
        let mut clock = Clock::start(request.at);
        let opened = self.opener.open(&request.header, request.payload, clock.now())?;
        clock.check(opened.grant())?;
        let (opened, proof, keys_wanted) = self.unseal(opened, clock.now())?;
        let question = opened.map(|grant, message| {
            let asked = self.decode(grant, &proof, &message).inspect(|_| clock.opened())?;
            Ok((asked, None))
        });
        clock.pause();
        Ok(Waiting { question, clock, proof, keys_wanted })
    }

    /// The sealed answer to what was asked.
    pub(crate) fn answer(&self, request: Waiting) -> Result<Answered, Unopened> {
        let Waiting { question, mut clock, proof, keys_wanted } = request;
        clock.resume();
        let answered = question.and_then(|question| {
            question.map(|grant, (asked, scored)| {
                clock.took(scored.as_ref().map_or(Duration::ZERO, |scored| scored.took));
                self.infer(grant, &proof, asked, scored)
            })
        });
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
            return Ok((opened, Proof { commitment_key, keyset_digest, claim: None }, false));
        }
        let (mut keyset_digest, mut claim) = ([0; 32], None);
        let (opened, commitment_key, keys_wanted) = opened.unsealed(|grant, request| {
            let (opened, digest) = self.clients.open(&grant.caller, request.expose(), now)?;
            (keyset_digest, claim) = (digest, opened.claim);
            Ok(opened)
        })?;
        Ok((opened, Proof { commitment_key, keyset_digest, claim }, keys_wanted))
    }

    fn decode(&self, grant: &Grant, proof: &Proof, message: &Cleartext) -> Result<Asked, Refused> {
        let request = InnerRequest::decode(message.expose())
            .map_err(|_| Refused { form: Form::Http, why: Refusal::MessageMalformed })?;
        let form = Form::of(&request.path);
        self.question(grant, proof, &request)
            .map(|what| Asked { form, what })
            .map_err(|why| Refused { form, why })
    }

    fn question(
        &self,
        grant: &Grant,
        proof: &Proof,
        request: &InnerRequest,
    ) -> Result<Asks, Refusal> {
        conditions::check(request, &self.model.model.digest(), grant.mode)?;
        if let Some(claim) = &proof.claim {
            self.clients.claim(claim, conditions::dated(request)?)?;
        }
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
        self.agree(grant, &route, request.body)?;
        if !route.question.infers() {
            return Ok(Asks::Description(route.question));
        }
        let rows_max = self.rows_max.min(grant.rows_reserved as usize);
        let decoded = protocol::decode(&route, &request, &self.model.interface(), rows_max)?;
        Ok(Asks::Scores(decoded))
    }

    /// The inner request must be what the grant permits: same model, same version, same action.
    fn agree(&self, grant: &Grant, route: &Route, body: &[u8]) -> Result<(), Refusal> {
        if route.question.infers() != (grant.action == Action::Infer)
            || grant.model != self.model.name
        {
            return Err(Refusal::ModelUnknown);
        }
        let version = grant.version.as_deref().unwrap_or(&self.model.version);
        if version != self.model.version {
            return Err(Refusal::VersionUnknown);
        }
        route.agree(body, &grant.model, version)?;
        match self.model.undeclared(&grant.declared_fields) {
            Some(field) => Err(Refusal::FieldUndeclared { field: field.to_owned() }),
            None => Ok(()),
        }
    }

    fn infer(
        &self,
        grant: &Grant,
        proof: &Proof,
        asked: Asked,
        scored: Option<Scored>,
    ) -> Result<Said, Refused> {
        let Asked { form, what } = asked;
        let said = match what {
            Asks::Description(question) => Ok(Says::Description(question)),
            Asks::Scores(Decoded { rows, reply }) => {
                let outputs = scored.map_or_else(|| self.model.model.infer(&rows), |s| s.outputs);
                self.scores(grant, proof, &rows, reply, outputs)
            }
        };
        said.map(|what| Said { form, what }).map_err(|why| Refused { form, why })
    }

    fn scores(
        &self,
        grant: &Grant,
        proof: &Proof,
        rows: &Rows,
        reply: ReplyShape,
        outputs: Result<Outputs, ModelError>,
    ) -> Result<Says, Refusal> {
        let mut scores = scores(outputs)?;
        let cut = grant.release.cut(self.model.head, self.model.interface().width, &mut scores);
        cut.map_err(|_| Refusal::ReleaseUnsuited { profile: grant.release.to_string() })?;
        let commitments = proof.commitments(self.model, rows, &scores);
        Ok(Says::Scores { reply, scores, commitments })
    }

    fn encode(
        &self,
        grant: &Grant,
        proof: &Proof,
        said: Said,
        clock: &Clock,
    ) -> Result<(Outcome, Cleartext), KeyError> {
        let Said { form, what } = said;
        let interface = self.model.interface();
        let (answer, rows, commitments) = match what {
            Says::Description(question) => {
                (protocol::encode_description(question, &interface, self.rows_max), 0, None)
            }
            Says::Scores { reply, scores, commitments } => {
                let answer = protocol::encode_answer(&reply, &interface, &scores);
                (answer, scores.len() / interface.width.max(1), Some(commitments))
            }
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(why) => return self.refuse(grant, proof, &Refused { form, why }, clock),
        };
        let receipt = proof.receipt(self.clients, self.model, grant, "ok", commitments)?;
        let said = Words { status: 200, code: "ok", rows, answer, sentence: None };
        self.seal(grant, said, receipt, clock)
    }

    /// A refusal after opening is sealed like an answer; only status, code and rows show.
    fn refuse(
        &self,
        grant: &Grant,
        proof: &Proof,
        refused: &Refused,
        clock: &Clock,
    ) -> Result<(Outcome, Cleartext), KeyError> {
        let Refused { form, why } = refused;
        let (status, code) = (why.status(), why.code());
        let (answer, sentence) = match form {
            Form::Http => {
                let body = why.to_json(&hex::encode(grant.request_id));
                (Answer { content_type: PROBLEM, json_bytes: None, body }, None)
            }
            // Statuses of gRPC stand in header fields, and with them no message.
            Form::Grpc => (Answer::grpc(Vec::new()), Some(why.to_string())),
        };
        let receipt = proof.receipt(self.clients, self.model, grant, code, None)?;
        let said = Words { status, code, rows: 0, answer, sentence };
        self.seal(grant, said, receipt, clock)
    }

    fn seal(
        &self,
        grant: &Grant,
        said: Words,
        receipt: Receipted,
        clock: &Clock,
    ) -> Result<(Outcome, Cleartext), KeyError> {
        let Words { status, code, rows, answer, sentence } = said;
        let outcome = Outcome {
            status,
            code: code.to_owned(),
            rows: u32::try_from(rows).unwrap_or(u32::MAX),
            model_digest: *self.model.model.digest().as_bytes(),
            model_version: self.model.version.clone(),
            queue_us: clock.queue_us(),
            open_us: clock.open_us,
            infer_us: clock.since_opened_us(),
            receipt_digest: Some(receipt.digest),
            busy_us: clock.busy_us(),
        };
        let mut headers = receipt.headers;
        let json_bytes = answer.json_bytes.map(|bytes| bytes.to_string());
        headers.extend(json_bytes.map(|bytes| (JSON_BYTES_HEADER.to_owned(), bytes)));
        headers.extend(sentence.map(|sentence| (MESSAGE_HEADER.to_owned(), sentence)));
        let answer = InnerAnswer {
            status,
            content_type: answer.content_type.to_owned(),
            headers,
            body: Cleartext::new(answer.body),
        };
        Ok((outcome, answer.encode(self.bytes_min(grant))?))
    }

    /// The size below which no answer to this grant goes. What a client sealed is answered in the
    /// size of the most rows its grant allows, in the form that takes most, whatever became of it; a
    /// gateway-sealed answer's length shows on the TLS leg anyway.
    fn bytes_min(&self, grant: &Grant) -> usize {
        let rows = self.rows_max.min(grant.rows_reserved as usize);
        let row_bytes = self.model.interface().row_bytes_max();
        match grant.mode {
            Mode::GatewaySealed => 0,
            Mode::ClientSealed => HEAD_BYTES.saturating_add(rows.saturating_mul(row_bytes)),
        }
    }
}

fn scores(outputs: Result<Outputs, ModelError>) -> Result<Zeroizing<Vec<f32>>, Refusal> {
    match outputs {
        Ok(outputs) => Ok(Zeroizing::new(outputs.values().to_vec())),
        Err(ModelError::ValueNotFinite { .. } | ModelError::OutputNotFinite { .. }) => {
            Err(Refusal::ValueTooLarge)
        }
        Err(_) => Err(Refusal::InferenceFailed),
    }
}

/// What an answer or a refusal says.
struct Words {
    status: u16,
    code: &'static str,
    rows: usize,
    answer: Answer,
    sentence: Option<String>,
}

/// How a refusal has to be said.
#[derive(Clone, Copy)]
enum Form {
    Http,
    Grpc,
}

impl Form {
    fn of(path: &str) -> Self {
        if path.starts_with(SERVICE_PATH) { Self::Grpc } else { Self::Http }
    }
}

/// Why there is no answer, and in which form that is said.
pub(crate) struct Refused {
    form: Form,
    why: Refusal,
}

/// What is asked, and in which form it has to be answered.
pub(crate) struct Asked {
    form: Form,
    what: Asks,
}

impl Asked {
    /// The rows that are to be scored, if any are.
    pub(crate) fn rows(&self) -> Option<&Rows> {
        match &self.what {
            Asks::Scores(Decoded { rows, .. }) => Some(rows),
            Asks::Description(_) => None,
        }
    }
}

enum Asks {
    Description(Question),
    Scores(Decoded),
}

struct Said {
    form: Form,
    what: Says,
}

enum Says {
    Description(Question),
    Scores { reply: ReplyShape, scores: Zeroizing<Vec<f32>>, commitments: Commitments },
}

/// The worker's own, monotonic time: a grant's life and the stages' lengths.
struct Clock {
    arrived: Instant,
    started: Instant,
    opened: Instant,
    paused: Instant,
    open_us: u32,
    /// Of the time since it was opened: what went to others.
    waited: Duration,
}

impl Clock {
    fn start(arrived: Instant) -> Self {
        let started = Instant::now();
        Self {
            arrived,
            started,
            opened: started,
            paused: started,
            open_us: 0,
            waited: Duration::ZERO,
        }
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
        self.open_us = micros(self.opened.saturating_duration_since(self.started));
    }

    /// Others may have their turn.
    fn pause(&mut self) {
        self.paused = Instant::now();
    }

    /// Its own turn again: what was between is waiting, and nobody's cost.
    fn resume(&mut self) {
        self.waited = self.paused.elapsed();
    }

    /// So much of what was between was its own all the same.
    fn took(&mut self, own: Duration) {
        self.waited = self.waited.saturating_sub(own);
    }

    fn queue_us(&self) -> u32 {
        micros(self.started.saturating_duration_since(self.arrived) + self.waited)
    }

    /// What this thread has spent on the request, of a pass with others its part; waiting is not in it.
    fn busy_us(&self) -> u32 {
        micros(self.started.elapsed().saturating_sub(self.waited))
    }

    fn since_opened_us(&self) -> u32 {
        micros(self.opened.elapsed().saturating_sub(self.waited))
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// More than an answer takes beside its scores: status, header fields with the receipt, names, an
/// id of usual length; and more than any refusal.
const HEAD_BYTES: usize = 1800;
const PROBLEM: &str = "application/problem+json";
