//! The gateway: TLS, tokens, policy, sealing, forwarding, recording.
//!
//! Reading order: [`run`] is the life of the process; `routes` the paths; `forward` a request's
//! way; `callers`, `journal` and [`worker`] what that way needs; [`edge`] everything before it.
//!
//! What is absent: a model, a parser of bodies, an opener of requests, and any setting that turns
//! sealing, policy or audit off.

mod announce;
mod app;
mod attestation;
mod callers;
mod config;
pub mod edge;
mod forward;
mod harden;
mod journal;
pub mod key_ids;
mod models;
mod refusal;
mod request_id;
mod routes;
mod run;
pub mod worker;

pub use config::{Config, ConfigError};
pub use models::Artifact;
pub use run::{RunError, run};
