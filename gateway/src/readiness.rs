//! Whether requests can be served, and why not: words for whoever watches, and nothing about a model,
//! a caller or a file, for nobody needs a token to ask.

use axum::Json;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde_json::json;

use crate::app::App;
use crate::journal::now_s;

/// Something that an operator should look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The log takes no records.
    AuditUnwritable,
    /// A model's workers keep dying.
    CircuitOpen,
    /// The clock is behind the record.
    ClockBehind,
    /// The log's disk is nearly full.
    DiskLow,
    /// The gateway has been told to stop.
    Draining,
    /// An admin has stopped everything.
    LockedDown,
    /// A model has no worker that answers, and should have one; or there is no model.
    ModelWithoutWorker,
    /// The newest policy folder is not in force.
    PolicyRefused,
}

impl Reason {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::AuditUnwritable,
        Self::CircuitOpen,
        Self::ClockBehind,
        Self::DiskLow,
        Self::Draining,
        Self::LockedDown,
        Self::ModelWithoutWorker,
        Self::PolicyRefused,
    ];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AuditUnwritable => "audit_unwritable",
            Self::CircuitOpen => "circuit_open",
            Self::ClockBehind => "clock_behind",
            Self::DiskLow => "disk_low",
            Self::Draining => "draining",
            Self::LockedDown => "locked_down",
            Self::ModelWithoutWorker => "model_without_worker",
            Self::PolicyRefused => "policy_refused",
        }
    }

    /// Whether requests had better go elsewhere. Where others still answer, or the last good policy
    /// is in force, they need not.
    #[must_use]
    pub const fn is_unready(self) -> bool {
        !matches!(self, Self::CircuitOpen | Self::PolicyRefused)
    }

    fn holds(self, app: &App) -> bool {
        match self {
            Self::AuditUnwritable => !app.journal.takes_records(),
            Self::CircuitOpen => app.models.pools().iter().any(|pool| pool.is_failing()),
            Self::ClockBehind => app.journal.clock_is_behind(now_s()),
            Self::DiskLow => !app.journal.has_room(),
            Self::Draining => app.is_draining(),
            Self::LockedDown => app.emergency.is_locked_down(),
            Self::ModelWithoutWorker => !app.models.are_ready(),
            Self::PolicyRefused => !app.policy.is_newest(),
        }
    }
}

/// All that hold now.
#[must_use]
pub fn reasons(app: &App) -> Vec<Reason> {
    Reason::ALL.into_iter().filter(|reason| reason.holds(app)).collect()
}

/// Whether requests can be served.
#[must_use]
pub fn is_ready(reasons: &[Reason]) -> bool {
    reasons.iter().all(|reason| !reason.is_unready())
}

/// `/readyz`.
#[must_use]
pub fn answer(app: &App) -> Response<Body> {
    let reasons = reasons(app);
    let (ready, codes) = (is_ready(&reasons), reasons.iter().map(|reason| reason.code()));
    let policy = if reasons.contains(&Reason::PolicyRefused) { "last_good" } else { "newest" };
    let told = json!({"ready": ready, "policy": policy, "reasons": codes.collect::<Vec<_>>()});
    (status(ready), Json(told)).into_response()
}

/// 200, or 503.
#[must_use]
pub const fn status(ready: bool) -> StatusCode {
    if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
