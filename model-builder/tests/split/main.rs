//! Split models answer what whole ones answer, and parts are taken for nothing else.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod answers;
mod files;
mod near;
#[allow(dead_code, reason = "a part of it is used")]
#[path = "../../../model/tests/model/sample.rs"]
mod sample;
