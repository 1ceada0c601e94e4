//! The guards that are properties of the process: limits, namespaces, account, capabilities, flags.

use super::Outcome;
use caps::CapSet;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Gid, Uid, geteuid, getresuid, setgroups, setresgid, setresuid};

/// A core file is the plaintext on a disk. A piped `core_pattern` ignores this limit, which is why
/// the process also stops being dumpable.
pub(super) fn forbid_core() -> Outcome {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).into()
}

pub(super) fn limit_descriptors() -> Outcome {
    setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS_MAX, DESCRIPTORS_MAX).into()
}

/// An ordinary account may make namespaces only inside a user namespace of its own, where nobody is
/// mapped. Root does not take that way: it could then no longer become nobody.
pub(super) fn leave_namespaces() -> Outcome {
    let own = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    let flags = if geteuid().is_root() { own } else { own | CloneFlags::CLONE_NEWUSER };
    unshare(flags).into()
}

/// Comes before the change of account, which takes away the right to do it.
pub(super) fn empty_bounding_set() -> Outcome {
    caps::clear(None, CapSet::Bounding).into()
}

/// Capabilities alone are not enough: uid 0 owns most files and may attach to most processes.
pub(super) fn become_nobody() -> Outcome {
    if geteuid().is_root()
        && let Err(error) = leave_root()
    {
        return Outcome::failed(error.to_string());
    }
    match getresuid() {
        Ok(ids) if [ids.real, ids.effective, ids.saved].iter().any(|id| id.is_root()) => {
            Outcome::failed("still root")
        }
        Ok(_) => Outcome::Enforced,
        Err(error) => Outcome::failed(error.to_string()),
    }
}

fn leave_root() -> nix::Result<()> {
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    setgroups(&[])?;
    setresgid(group, group, group)?;
    setresuid(user, user, user)
}

pub(super) fn drop_capabilities() -> Outcome {
    for set in [CapSet::Ambient, CapSet::Inheritable, CapSet::Permitted] {
        if let Err(error) = caps::clear(None, set) {
            return Outcome::failed(error.to_string());
        }
    }
    for set in [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable] {
        match caps::read(None, set) {
            Ok(left) if left.is_empty() => {}
            Ok(_) => return Outcome::failed("some are left"),
            Err(error) => return Outcome::failed(error.to_string()),
        }
    }
    Outcome::Enforced
}

/// Comes after the change of account, which sets the flag back.
pub(super) fn forbid_dumping() -> Outcome {
    if let Err(error) = prctl::set_dumpable(false) {
        return Outcome::failed(error.to_string());
    }
    match prctl::get_dumpable() {
        Ok(false) => Outcome::Enforced,
        Ok(true) => Outcome::failed("still dumpable"),
        Err(error) => Outcome::failed(error.to_string()),
    }
}

pub(super) fn forbid_new_privileges() -> Outcome {
    prctl::set_no_new_privs().into()
}

/// stdin is the gateway, stdout and stderr the log; the rest is room for the run-time library.
const DESCRIPTORS_MAX: u64 = 32;

/// The account that owns nothing, `nobody` on every common system.
const NOBODY: u32 = 65_534;
