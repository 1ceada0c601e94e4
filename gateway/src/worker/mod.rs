//! Workers as the gateway sees them: processes to start or hosts to reach, sessions to open, calls to make, keys to
//! hand on to clients.

mod archive;
mod client_keys;
mod connection;
mod error;
mod handshake;
mod keyring;
mod origin;
mod process;
mod remote;
mod revoked;
mod shelf;
mod source;
mod stages;
mod supervisor;
mod supply;
mod told;

pub use archive::Archive;
pub use client_keys::{Attested, ShownKeys};
pub use connection::{Call, Connection, ModelId};
pub use error::WorkerError;
pub use handshake::{Demands, Facts};
pub use keyring::{KeyLife, Keyring, Reached};
pub use origin::{Begun, Identity, Origin, WorkerNumber};
pub use process::{Process, Program, SECRET_FD, Started};
pub use remote::{Addresses, Remote};
pub use revoked::RevokedMeasurements;
pub use source::Source;
pub use stages::Stages;
pub use supervisor::{Attendance, Settings, Supervisor, WorkerEvent};
pub use supply::Supply;
pub use told::tell;
