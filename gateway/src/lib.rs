//! The gateway: TLS, tokens, policy, sealing, forwarding, recording.
//!
//! Reading order: [`run`] is the life of the process; `routes` the paths; `forward` a request's
//! way, in two modes: `gateway_sealed` and `client_sealed`, both over `hop`; `client_keys` what
//! clients ask before they seal; `jwks` where issuers' keys come from; `record`, `callers`, [`limits`],
//! `cost`, `journal` and [`worker`] what all of that needs; `policy` the folder that decides, and its reload;
//! [`edge`] everything before it.
//!
//! What is absent: a model, a parser of bodies (`grpc` alone looks for a name in one), an opener of requests, a key to what clients seal,
//! and any setting that turns sealing, policy or audit off.

mod admin;
mod admit;
mod announce;
mod app;
mod attestation;
mod authorities;
mod body;
mod callers;
mod capacity;
mod catalog;
mod certificate;
mod client_keys;
mod client_sealed;
mod config;
mod cost;
pub mod edge;
mod emergency;
mod forward;
mod gateway_sealed;
mod grpc;
mod harden;
mod hop;
mod journal;
mod jwks;
pub mod key_ids;
pub mod limits;
mod log;
mod metrics;
mod models;
mod names;
mod observed;
mod openapi;
mod policy;
pub mod pool;
mod proof;
mod readiness;
mod receipts;
mod record;
mod refusal;
mod repository;
mod request_id;
mod routes;
mod run;
mod served;
mod trace;
pub mod worker;

pub use config::{Config, ConfigError};
pub use models::{Artifact, Keks};
pub use run::{RunError, run};
