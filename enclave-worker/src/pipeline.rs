//! A request's way through the worker: opened, decoded, run, sealed. Four lines, in [`answer`].

use std::time::Instant;

use sealgate_keys::frame::Header;
use sealgate_keys::{Action, Cleartext, Grant, InnerAnswer, InnerRequest, KeyError, Outcome};
use sealgate_model::{ModelError, Rows};

use crate::loaded::Loaded;
use crate::opener::RequestOpener;
use crate::protocol::{self, Decoded, Refusal, ReplyShape, Route};
use crate::release::cut;

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
    pub(crate) rows_max: usize,
}

impl Pipeline<'_> {
    /// The sealed answer to a request, or nothing when its envelope is refused.
    pub(crate) fn answer(&self, request: Arrived) -> Result<Vec<u8>, KeyError> {
        let mut clock = Clock::start(request.at);
        let opened = self.opener.open(&request.header, request.payload, clock.now())?;
        clock.check(opened.grant())?;
        let answered = opened
            .map(|grant, message| self.decode(grant, &message).inspect(|_| clock.opened()))
            .and_then(|question| question.map(|grant, q| self.infer(grant, q)));
        match answered {
            Ok(reply) => reply.seal(|grant, said| self.encode(grant, said, &clock)),
            Err(refused) => refused.seal(|grant, why| self.refuse(grant, &why, &clock)),
        }
    }

    fn decode(&self, grant: &Grant, message: &Cleartext) -> Result<Question, Refusal> {
        let request =
            InnerRequest::decode(message.expose()).map_err(|_| Refusal::MessageMalformed)?;
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

    fn infer(&self, grant: &Grant, question: Question) -> Result<Said, Refusal> {
        let (rows, reply) = match question {
            Question::Metadata => return Ok(Said::Metadata),
            Question::Ready => return Ok(Said::Ready),
            Question::Score(Decoded { rows, reply }) => (rows, reply),
        };
        let scores = self.run(&rows)?;
        let scores = scores.iter().map(|&score| cut(grant.release, score)).collect();
        Ok(Said::Scores { reply, scores })
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
        said: Said,
        clock: &Clock,
    ) -> Result<(Outcome, Cleartext), KeyError> {
        let interface = self.model.interface();
        let (body, rows) = match said {
            Said::Metadata => (protocol::encode_metadata(&interface), 0),
            Said::Ready => (Ok(protocol::encode_ready()), 0),
            Said::Scores { reply, scores } => {
                (protocol::encode_answer(&reply, &interface, &scores), scores.len())
            }
        };
        match body {
            Ok(body) => self.seal(200, "ok", rows, JSON, body, clock),
            Err(refusal) => self.refuse(grant, &refusal, clock),
        }
    }

    /// A refusal after opening is sealed like an answer; only status, code and rows show.
    fn refuse(
        &self,
        grant: &Grant,
        refusal: &Refusal,
        clock: &Clock,
    ) -> Result<(Outcome, Cleartext), KeyError> {
        let body = refusal.to_json(&hex::encode(grant.request_id));
        self.seal(refusal.status(), refusal.code(), 0, PROBLEM, body, clock)
    }

    fn seal(
        &self,
        status: u16,
        code: &str,
        rows: usize,
        content_type: &str,
        body: Vec<u8>,
        clock: &Clock,
    ) -> Result<(Outcome, Cleartext), KeyError> {
        let outcome = Outcome {
            status,
            code: code.to_owned(),
            rows: u32::try_from(rows).unwrap_or(u32::MAX),
            model_digest: *self.model.model.digest().as_bytes(),
            model_version: self.model.version.clone(),
            queue_us: clock.queue_us,
            open_us: clock.open_us,
            infer_us: clock.since_opened_us(),
            receipt_digest: None,
        };
        let content_type = content_type.to_owned();
        let answer =
            InnerAnswer { status, content_type, headers: Vec::new(), body: Cleartext::new(body) };
        Ok((outcome, answer.encode(0)?))
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
    Scores { reply: ReplyShape, scores: Vec<f32> },
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

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
