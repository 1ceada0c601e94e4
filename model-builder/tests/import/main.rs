//! Networks of other frameworks as artifacts that run.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod answers;
mod fixture;
mod meaning;
