//! Workers as the gateway sees them: processes to start, sessions to open, calls to make.

mod client_keys;
mod connection;
mod error;
mod handshake;
mod process;
mod supervisor;

pub use client_keys::{Attested, ShownKeys};
pub use connection::{Call, Connection};
pub use error::WorkerError;
pub use handshake::{Demands, Facts};
pub use process::{Process, Program, SECRET_FD, Started};
pub use supervisor::{Supervisor, WorkerEvent};
