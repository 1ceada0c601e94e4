//! `sealgate-worker-ndarray`: the same worker on burn-ndarray.

use std::process::ExitCode;

use burn::tensor::Device;
use sealgate_worker::{Engine, run};

/// Rows pass through many buffers that are freed and forgotten; this wipes each of them.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);

#[expect(deprecated, reason = "the engine upstream has left behind is what this binary is for")]
fn main() -> ExitCode {
    run(&Engine { name: "ndarray", device: Device::ndarray })
}
