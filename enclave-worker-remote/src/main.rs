//! `sealgate-worker-remote`: the worker on a host of its own.
//!
//! A service manager starts it. It reads its certificate, its key and the one gateway's certificate, binds
//! its listener, shuts itself in, and only then accepts: the gateway of that certificate, over TLS 1.3, for
//! one session. PSK and nonce of the hop come out of the TLS exporter, so that hop and connection are one.
//! When the session ends, so does the process, and its keys with it; the service manager starts another.
//!
//! The worker that a gateway starts itself is another binary and links nothing of this.

mod identity;
mod listener;
mod pinned;
mod stream;

use std::process::ExitCode;

use burn::tensor::Device;
use sealgate_worker::{Engine, WorkerError, run_with};

use listener::Listener;

/// Rows pass through many buffers that are freed and forgotten; this wipes each of them.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    run_with(&Engine { name: "flex", device: Device::flex }, |config| {
        let missing = || WorkerError::Listen("the configuration has no `[remote]`".to_owned());
        let remote = config.remote.as_ref().ok_or_else(missing)?;
        let listener = Listener::open(remote);
        Ok(Box::new(listener.map_err(|error| WorkerError::Listen(error.to_string()))?))
    })
}
