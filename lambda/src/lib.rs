//! The worker's library as a custom runtime of AWS Lambda.
//!
//! An event comes in, an answer goes out, and nothing else: no socket but the runtime's own, no file
//! after the start but those of the store of what was opened. What the platform makes of such a
//! process, and what therefore does not hold here that holds of a worker, is in `docs/threats.md`.
//!
//! Reading order: [`Package`] is what a function starts from, [`Handler`] an event's way, `event` and
//! `proxy` its shapes, [`FileReplays`] the memory of what was opened on one machine, [`keys`] what
//! makes a function's keys.

mod config;
mod event;
mod handler;
pub mod keys;
mod package;
mod proxy;
mod replays;
pub mod start;

pub use config::{Config, ConfigError, Kek, Log, Replay, Sealed};
pub use handler::Handler;
pub use package::{Package, StartError};
pub use replays::FileReplays;
