//! How a worker's one gateway reaches it: over the socket that the worker was born with, or however
//! another crate's binary says. The worker itself knows no network.

use std::io::{Read, Write};
use std::os::fd::BorrowedFd;

use sealgate_keys::HopPsk;

use crate::error::WorkerError;

/// A way to the gateway. It is made while there still are files and sockets, and taken when there are
/// none any more.
pub trait Transport {
    /// The listener from which connections may be accepted behind the walls; none where nothing is
    /// accepted.
    fn listener(&self) -> Option<BorrowedFd<'_>>;

    /// Waits for the gateway. Behind the walls: nothing can be opened, set or duplicated.
    ///
    /// # Errors
    /// [`WorkerError`], which ends the worker.
    fn gateway(self: Box<Self>) -> Result<Ends, WorkerError>;
}

/// Both ways to the gateway, and what it and this worker alone know of them.
pub struct Ends {
    /// From the gateway.
    pub reader: Box<dyn Read + Send>,
    /// To the gateway. What is written is sent.
    pub writer: Box<dyn Write + Send>,
    /// Only a gateway that has it gets a session.
    pub psk: HopPsk,
    /// What evidence must answer.
    pub nonce: [u8; HopPsk::NONCE_BYTES],
}
