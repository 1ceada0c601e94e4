//! What the gateway gives up: core files and being read by others of its account. And the one thing
//! it takes: all the open files it may have.
//!
//! It needs the network, its files and new processes, so it cannot close itself in as a worker
//! does; the rows it briefly holds are the reason for the little it can do.

use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Applies what can be applied; says which failed.
///
/// # Errors
/// The name of the guard and what the kernel said.
pub fn harden() -> Result<(), (&'static str, nix::Error)> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(|error| ("no core file", error))?;
    // As many connections as the edge bears must not take the admin listener's and the log's.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| ("open files", error))?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).map_err(|error| ("open files", error))?;
    // A piped core_pattern ignores the limit; a process that is not dumpable has no core at all,
    // and its /proc/PID/mem is closed to its own account.
    prctl::set_dumpable(false).map_err(|error| ("not dumpable", error))?;
    prctl::set_no_new_privs().map_err(|error| ("no new privileges", error))
}
