//! The only place where a request is open.
//!
//! A worker is one process with one connection: the socket it was born with, or the one that a
//! [`Transport`] accepts. It makes its keys in
//! memory, shows them, gets a model, and from then on does four things with each request:
//! open, decode, infer, seal. Nothing that was opened leaves it unsealed, and it has no file
//! system and no network to leave by.
//!
//! Reading order: [`run`] is the life of the process, `service` its loop, `pipeline` a request's
//! way, [`RequestOpener`] and [`Opened`] the cryptography, [`protocol`] the bodies, [`sandbox`] the
//! walls.
//!
//! [`function`] is the same way for whoever runs it without a gateway, a socket and walls.
//!
//! There is no asynchronous runtime here: one connection needs one reader, and inference needs
//! threads that exist before the sandbox closes.

mod batching;
mod client_keys;
mod clients;
mod conditions;
mod config;
mod error;
pub mod function;
mod keeper;
mod loaded;
mod opened;
mod opener;
mod parts;
mod pipeline;
pub mod protocol;
mod queue;
mod receipts;
mod run;
pub mod sandbox;
mod service;
mod session;
mod transport;
mod window;

pub use client_keys::{ClientKeys, Life, NotOpened, OpenedByClientKey};
pub use config::{Config, ConfigError, EvidenceConfig, EvidenceKind, Log, RemoteConfig};
pub use error::WorkerError;
pub use opened::Opened;
pub use opener::RequestOpener;
pub use run::{Engine, run, run_with};
pub use session::{HopKey, SelfDescription, Voucher};
pub use transport::{Ends, Transport};
