//! What operators see and do: readiness, metrics, logs, traces, certificates, stopping, packages.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod certificates;
mod collector;
mod drain;
mod logs;
mod metrics;
mod packaging;
mod readiness;
mod scene;
#[path = "../support/mod.rs"]
mod support;
mod traces;
