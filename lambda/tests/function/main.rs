//! A function of AWS Lambda, as its platform and as its clients see it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod client;
mod events;
mod scene;
// The client's own tests speak to the same one.
#[path = "../../../client/tests/sealed/server.rs"]
mod server;
