//! Files of other frameworks, good and bad.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod fixture;
mod frameworks;
mod hostile;
mod linear;
mod proto;
mod refusals;
