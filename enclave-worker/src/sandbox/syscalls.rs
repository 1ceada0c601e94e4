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
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// Puts the list on every thread of the process; all or none. Only from `listener` may connections be
/// accepted.
pub(super) fn lock(listener: Option<BorrowedFd<'_>>) -> Outcome {
    match program(listener.map(|listener| listener.as_raw_fd())) {
        Ok(program) => seccompiler::apply_filter_all_threads(&program).into(),
        Err(error) => Outcome::failed(error.to_string()),
    }
}

fn program(listener: Option<RawFd>) -> Result<BpfProgram, BackendError> {
    let free = FREE.iter().map(|call| (*call, Vec::new()));
    let accepting = listener.map(accepting).transpose()?;
    let rules: BTreeMap<_, _> = free.chain(bound()?).chain(accepting).collect();
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
            vec![SeccompRule::new(vec![bits(2, exec, 0)?, bits(3, anonymous, anonymous)?])?],
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

/// On this one descriptor, and the connection is closed by whatever would be executed.
fn accepting(listener: RawFd) -> Result<(libc::c_long, Vec<SeccompRule>), BackendError> {
    let close_on_exec = u64::from(libc::SOCK_CLOEXEC.cast_unsigned());
    let listener = u64::from(listener.cast_unsigned());
    let rule = SeccompRule::new(vec![equal(0, listener)?, equal(3, close_on_exec)?])?;
    Ok((libc::SYS_accept4, vec![rule]))
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
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use seccompiler::sock_filter;

    /// What the list answers, by running it as the kernel would: most calls with a forbidden
    /// argument cannot be made from safe code.
    fn is_allowed(call: libc::c_long, arguments: [u64; 6]) -> bool {
        is_allowed_beside(None, call, arguments)
    }

    fn is_allowed_beside(listener: Option<RawFd>, call: libc::c_long, arguments: [u64; 6]) -> bool {
        let arch = if cfg!(target_arch = "x86_64") { 0xC000_003E_u32 } else { 0xC000_00B7 };
        let mut data = u32::try_from(call).unwrap().to_le_bytes().to_vec();
        data.extend(arch.to_le_bytes());
        data.extend([0; 8]);
        data.extend(arguments.iter().flat_map(|argument| argument.to_le_bytes()));
        run(&program(listener).unwrap(), &data) == libc::SECCOMP_RET_ALLOW
    }

    fn run(program: &[sock_filter], data: &[u8]) -> u32 {
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let step = &program[at];
            let branch = |holds| usize::from(if holds { step.jt } else { step.jf });
            at += 1 + match u32::from(step.code) {
                LOAD => {
                    let from = step.k as usize;
                    accumulator = u32::from_le_bytes(data[from..from + 4].try_into().unwrap());
                    0
                }
                AND => {
                    accumulator &= step.k;
                    0
                }
                JUMP => step.k as usize,
                JUMP_IF_EQUAL => branch(accumulator == step.k),
                JUMP_IF_GREATER => branch(accumulator > step.k),
                JUMP_IF_GREATER_OR_EQUAL => branch(accumulator >= step.k),
                RETURN => return step.k,
                other => panic!("unknown instruction {other:#x}"),
            };
        }
    }

    const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const AND: u32 = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
    const JUMP: u32 = libc::BPF_JMP | libc::BPF_JA;
    const JUMP_IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const JUMP_IF_GREATER: u32 = libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K;
    const JUMP_IF_GREATER_OR_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;

    fn word(flags: libc::c_int) -> u64 {
        u64::from(flags.cast_unsigned())
    }

    #[test]
    fn what_opens_connects_or_starts_is_refused_whatever_its_arguments() {
        for call in [
            libc::SYS_openat,
            libc::SYS_openat2,
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_bind,
            libc::SYS_listen,
            libc::SYS_accept,
            libc::SYS_accept4,
            libc::SYS_setsockopt,
            libc::SYS_dup,
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
            libc::SYS_ioctl,
            libc::SYS_fcntl,
            libc::SYS_bpf,
        ] {
            assert!(!is_allowed(call, [0; 6]), "{call}");
            assert!(!is_allowed(call, [u64::MAX; 6]), "{call}");
        }
    }

    #[test]
    fn connections_are_accepted_from_the_one_listener_alone() {
        let close_on_exec = word(libc::SOCK_CLOEXEC);
        let may = |listener, descriptor, flags| {
            is_allowed_beside(listener, libc::SYS_accept4, [descriptor, 1, 2, flags, 0, 0])
        };
        assert!(may(Some(5), 5, close_on_exec));
        assert!(!may(Some(5), 6, close_on_exec));
        assert!(!may(Some(5), 5 | 1 << 32, close_on_exec));
        assert!(!may(Some(5), 5, 0), "it would be inherited");
        assert!(!may(None, 5, close_on_exec));
        for call in [libc::SYS_accept, libc::SYS_bind, libc::SYS_listen, libc::SYS_socket] {
            assert!(!is_allowed_beside(Some(5), call, [5, 1, 2, close_on_exec, 0, 0]), "{call}");
        }
    }

    #[test]
    fn memory_for_data_is_allowed() {
        let (access, kind) = (
            word(libc::PROT_READ | libc::PROT_WRITE),
            word(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS),
        );
        assert!(is_allowed(libc::SYS_mmap, [0, 4096, access, kind, u64::MAX, 0]));
        assert!(is_allowed(libc::SYS_mprotect, [0, 4096, access, 0, 0, 0]));
    }

    #[test]
    fn no_memory_becomes_executable() {
        let (access, kind) = (
            word(libc::PROT_READ | libc::PROT_EXEC),
            word(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS),
        );
        assert!(!is_allowed(libc::SYS_mmap, [0, 4096, access, kind, u64::MAX, 0]));
        assert!(!is_allowed(libc::SYS_mprotect, [0, 4096, access, 0, 0, 0]));
    }

    #[test]
    fn no_descriptor_is_mapped() {
        let (access, kind) = (word(libc::PROT_READ), word(libc::MAP_PRIVATE));
        assert!(!is_allowed(libc::SYS_mmap, [0, 4096, access, kind, 0, 0]));
    }

    #[test]
    fn nothing_is_sent_to_a_new_destination() {
        assert!(is_allowed(libc::SYS_sendto, [0, 1, 1, 0, 0, 0]));
        assert!(!is_allowed(libc::SYS_sendto, [0, 1, 1, 0, 1, 16]));
        assert!(!is_allowed(libc::SYS_sendto, [0, 1, 1, 0, 1 << 32, 16]));
    }

    #[test]
    fn only_the_own_process_is_signalled() {
        let own = u64::from(std::process::id());
        assert!(is_allowed(libc::SYS_tgkill, [own, own, 6, 0, 0, 0]));
        assert!(!is_allowed(libc::SYS_tgkill, [own + 1, own, 6, 0, 0, 0]));
    }

    #[test]
    fn a_name_may_be_set_but_not_dumpability() {
        assert!(is_allowed(libc::SYS_prctl, [word(libc::PR_SET_NAME), 0, 0, 0, 0, 0]));
        assert!(!is_allowed(libc::SYS_prctl, [word(libc::PR_SET_DUMPABLE), 1, 0, 0, 0, 0]));
    }

    #[test]
    fn a_call_of_another_architecture_is_refused() {
        // The x32 form of `read`: the same number with bit 30 set.
        assert!(is_allowed(libc::SYS_read, [0; 6]));
        assert!(!is_allowed(libc::SYS_read | 0x4000_0000, [0; 6]));
    }
}
