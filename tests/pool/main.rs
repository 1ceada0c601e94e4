//! Workers that come and go with the load, fail, and are kept apart.

#![allow(clippy::print_stdout, reason = "how many answers there were belongs into the report")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/sealed.rs"]
mod sealed;

mod commands;
mod crashes;
mod kills;
mod load;
mod queue;
mod repository;
mod scene;
mod spares;
mod tenants;
