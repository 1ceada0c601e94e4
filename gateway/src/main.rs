//! `sealgate-gateway`: see [`sealgate_gateway`].

use std::process::ExitCode;

/// In gateway-sealed mode requests pass through this process's memory; what is freed is wiped.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    sealgate_gateway::run()
}
