//! A request as operators see it: counted once it is over, however that comes about, and told as a
//! span if it is among those that are traced.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response};

use crate::app::App;
use crate::forward::{Target, Work};
use crate::metrics::{Ended, OfModel, Stage, closed};
use crate::record::Account;
use crate::refusal::Refusal;
use crate::routes::Authenticated;
use crate::served::Version;
use crate::trace::{Context, Span, TRACEPARENT, Tracer};

/// A request on its way.
pub struct Observed {
    of: Arc<OfModel>,
    begun: Instant,
    ended: Ended,
    rows: u32,
    stages_us: Vec<(&'static str, u32)>,
    /// What the answer tells of the trace it belongs to.
    passed_on: Option<HeaderValue>,
    traced: Option<Traced>,
}

/// What a span needs beyond what is counted.
struct Traced {
    tracer: Arc<Tracer>,
    context: Context,
    began: SystemTime,
    name: &'static str,
    request_id: String,
    model: Option<String>,
    version: Option<Arc<Version>>,
}

impl Observed {
    /// It begins. Until something else is said of it, its client went away.
    #[must_use]
    pub fn begin(
        app: &App,
        caller: &Authenticated,
        target: &Target<'_>,
        headers: &HeaderMap,
    ) -> Self {
        // What a path names and nobody serves is the caller's word, and goes nowhere.
        let model = app.models.serves(target.model).then_some(target.model);
        let context = app.tracer.context(headers);
        let traced = context.as_ref().filter(|context| context.is_sampled).map(|context| Traced {
            tracer: app.tracer.clone(),
            context: *context,
            began: SystemTime::now(),
            name: name(target),
            request_id: caller.id.as_str().to_owned(),
            model: model.map(str::to_owned),
            version: None,
        });
        Self {
            of: app.metrics.of(model),
            begun: Instant::now(),
            ended: Ended {
                mode: target.mode,
                protocol: target.protocol,
                status: 499,
                code: "client_gone",
            },
            rows: 0,
            stages_us: Vec::new(),
            passed_on: context.map(|context| context.header()),
            traced,
        }
    }

    /// Which version answers.
    pub fn goes_to(&mut self, version: &Arc<Version>) {
        if let Some(traced) = &mut self.traced {
            traced.version = Some(version.clone());
        }
    }

    /// What came of it, and how long the answer waited for its record.
    pub fn came_to(&mut self, result: Result<&Account, Refusal>, audit_us: u32) {
        if let Ok(account) = result {
            self.ended.code = closed(&account.code);
            self.ended.status = account.status;
            self.rows = account.rows;
            self.stages_us.clone_from(&account.stages_us);
            self.stages_us.push((Stage::AuditWait.name(), audit_us));
        }
    }

    /// It is answered so.
    pub fn answered(mut self, response: &mut Response<Body>) {
        if let Some(refusal) = response.extensions().get::<Refusal>() {
            self.ended.code = closed(refusal.recorded_code());
            self.ended.status = refusal.status().as_u16();
        }
        if let Some(passed_on) = self.passed_on.take() {
            response.headers_mut().insert(TRACEPARENT, passed_on);
        }
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        let time = self.begun.elapsed();
        self.of.ended(self.ended, time);
        self.of.rows.fetch_add(self.rows.into(), Ordering::Relaxed);
        for &(stage, us) in &self.stages_us {
            if let Some(stage) = Stage::named(stage) {
                self.of.stage(stage, Duration::from_micros(us.into()));
            }
        }
        let Some(traced) = self.traced.take() else { return };
        let Traced { tracer, context, began, name, request_id, model, version } = traced;
        tracer.take(Span {
            context,
            name,
            began,
            time,
            request_id,
            model,
            version: version.map(|version| version.artifact().version.clone()),
            mode: self.ended.mode.as_str(),
            protocol: self.ended.protocol.as_str(),
            code: self.ended.code,
            status: self.ended.status,
            rows: self.rows,
            stages_us: std::mem::take(&mut self.stages_us),
        });
    }
}

/// What is done, in a word of ours.
fn name(target: &Target<'_>) -> &'static str {
    match target.work {
        Work::KeyList => "key_list",
        Work::Attestation(_) => "attestation",
        Work::GatewaySealed | Work::ClientSealed => target.action.as_str(),
    }
}
