//! The list of system calls the worker may still make, put on all threads at once.
//!
//! Anything else fails with `EPERM` instead of ending the process: a killed probe could not report,
//! and a library that tries for a file and does without it (a panic's backtrace, the number of cores)
//! must not take the requests of others down with it.

use super::Outcome;
use nix::libc;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};
use std::collections::BTreeMap;

/// Puts the list on every thread of the process; all or none.
pub(super) fn lock() -> Outcome {
    match program() {
        Ok(program) => seccompiler::apply_filter_all_threads(&program).into(),
        Err(error) => Outcome::failed(error.to_string()),
    }
}

fn program() -> Result<BpfProgram, BackendError> {
    let free = FREE.iter().map(|call| (*call, Vec::new()));
    let rules: BTreeMap<_, _> = free.chain(bound()?).collect();
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let refuse = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    SeccompFilter::new(rules, refuse, SeccompAction::Allow, arch)?.try_into()
}

/// Allowed whatever the arguments: none of them names a path, a peer or another process.
const FREE: &[libc::c_long] = &[
    // The gateway's socket and the log, both open since before the sandbox.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_shutdown,
    libc::SYS_close,
    // Memory.
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    // Threads that already exist: waiting, yielding, ending. A thread that was made just before the
    // lock still registers itself, hence the robust list and restartable sequences.
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_membarrier,
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_restart_syscall,
    // Signals to oneself: the stack guard's handler, `abort`.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    // Time and randomness.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
];

/// Allowed only with these arguments.
fn bound() -> Result<[(libc::c_long, Vec<SeccompRule>); 5], BackendError> {
    let exec = u64::from(libc::PROT_EXEC.cast_unsigned());
    let anonymous = u64::from(libc::MAP_ANONYMOUS.cast_unsigned());
    let own_process = u64::from(std::process::id());
    Ok([
        // No memory becomes executable, and none is mapped from a descriptor.
        (
            libc::SYS_mmap,
            vec![SeccompRule::new(vec![
                bits(2, exec, 0)?,
                bits(3, anonymous, anonymous)?,
            ])?],
        ),
        (libc::SYS_mprotect, vec![SeccompRule::new(vec![bits(2, exec, 0)?])?]),
        // On the connected socket only: a destination would be a new peer.
        (libc::SYS_sendto, vec![SeccompRule::new(vec![equal(4, 0)?])?]),
        // `abort` signals its own thread; no other process.
        (libc::SYS_tgkill, vec![SeccompRule::new(vec![equal(0, own_process)?])?]),
        // A new thread sets its name; the allocator may name its memory.
        (
            libc::SYS_prctl,
            vec![
                SeccompRule::new(vec![equal(0, u64::from(libc::PR_SET_NAME.cast_unsigned()))?])?,
                SeccompRule::new(vec![equal(0, u64::from(libc::PR_SET_VMA.cast_unsigned()))?])?,
            ],
        ),
    ])
}

/// All 64 bits of the argument are `value`.
fn equal(argument: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, value)
}

/// The bits of the argument under `mask` are `value`.
fn bits(argument: u8, mask: u64, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(mask), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_compiles_for_this_machine() {
        assert!(program().is_ok());
    }

    #[test]
    fn no_call_that_opens_connects_or_starts_is_free() {
        let forbidden = [
            libc::SYS_openat,
            libc::SYS_openat2,
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_clone,
            libc::SYS_clone3,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
            libc::SYS_sendmsg,
            libc::SYS_recvmsg,
            libc::SYS_io_uring_setup,
            libc::SYS_memfd_create,
            libc::SYS_kill,
        ];
        assert!(!forbidden.iter().any(|call| FREE.contains(call)));
    }
}
