//! What is told of a request.

use std::time::{Duration, SystemTime};

use super::Context;

/// One request. There is no field for anything that a caller wrote.
#[derive(Debug, Clone)]
pub struct Span {
    /// Its place in a trace.
    pub context: Context,
    /// What was done.
    pub name: &'static str,
    /// When it began.
    pub began: SystemTime,
    /// How long it took.
    pub time: Duration,
    /// The gateway's id of it.
    pub request_id: String,
    /// The model, if it is one that is served.
    pub model: Option<String>,
    /// The version that it was given to.
    pub version: Option<String>,
    /// Who sealed.
    pub mode: &'static str,
    /// In which protocol it came.
    pub protocol: &'static str,
    /// How it ended.
    pub code: &'static str,
    /// With which status.
    pub status: u16,
    /// Rows that were scored.
    pub rows: u32,
    /// Microseconds by stage.
    pub stages_us: Vec<(&'static str, u32)>,
}
