//! What the worker gives up before it may see a request, and the proof that it did.
//!
//! The worker holds other people's plaintext, so a flaw in it must not be able to read a file, open a
//! connection, start a program or leave a core file. The guards must go on in this order, because
//! several of them bind only the calling thread and one of them ends the making of threads:
//!
//! 1. `main`, alone in the process, calls [`Sandbox::enter`]: no core file, few descriptors, own
//!    namespaces without network, an unprivileged account, no capabilities, not dumpable, no new
//!    privileges, Landlock without one rule. Threads inherit all of this.
//! 2. `main` starts every thread it will ever need.
//! 3. [`Sandbox::lock_threads`] puts a list of allowed system calls on all threads at once. It counts
//!    them, and from here on none can be made.
//! 4. Every thread, `main` too, receives a [`Prober`] and tries what must fail.
//! 5. [`Locked::conclude`] compares the probes with the count. Only its [`Report`] says `enforced`.
//!
//! ```no_run
//! use sealgate_worker::sandbox::{Level, Sandbox};
//! use std::{sync::mpsc, thread};
//!
//! let sandbox = Sandbox::enter(Level::Require)?;
//! let (hand, receive) = mpsc::channel();
//! let helper = thread::spawn(move || receive.recv().map(sealgate_worker::sandbox::Prober::probe));
//! let locked = sandbox.lock_threads()?;
//! let prober = locked.prober();
//! hand.send(prober)?;
//! let mut probes = vec![prober.probe()];
//! probes.extend(helper.join().ok().and_then(Result::ok));
//! let report = locked.conclude(probes)?;
//! assert!(report.is_enforced());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is absent: no call here loosens a guard, and no [`Level`] skips one. Writable and executable
//! memory is refused by the system call list rather than by `PR_SET_MDWE`, which has no safe binding.

mod files;
mod probe;
mod process;
mod report;
mod syscalls;
mod threads;

pub use probe::{Probe, Prober};
pub use report::{Guard, Outcome, Report};

use serde::Deserialize;
use std::collections::BTreeSet;
use std::os::fd::BorrowedFd;
use threads::ThreadCount;

/// The first half of the guards stands; threads may now be started.
#[must_use = "the system call list is not in place before `lock_threads`"]
pub struct Sandbox {
    level: Level,
    report: Report,
    threads: Option<ThreadCount>,
}

impl Sandbox {
    /// Applies every guard that must precede the first thread.
    ///
    /// # Errors
    /// At [`Level::Require`], the first essential guard that could not be applied.
    pub fn enter(level: Level) -> Result<Self, SandboxError> {
        let mut report = Report::default();
        let (alone, threads) = ThreadCount::alone();
        report.add(Guard::SingleThread, alone);
        report.add(Guard::NoCore, process::forbid_core());
        report.add(Guard::FewDescriptors, process::limit_descriptors());
        report.add(Guard::Namespaces, process::leave_namespaces());
        report.add(Guard::NoBounding, process::empty_bounding_set());
        report.add(Guard::Account, process::become_nobody());
        report.add(Guard::NoCapabilities, process::drop_capabilities());
        report.add(Guard::NotDumpable, process::forbid_dumping());
        report.add(Guard::NoNewPrivileges, process::forbid_new_privileges());
        let landlock = files::close();
        report.add(Guard::LandlockFiles, landlock.files);
        report.add(Guard::LandlockNetwork, landlock.network);
        report.add(Guard::LandlockScope, landlock.scope);
        level.judge(&report)?;
        Ok(Self { level, report, threads })
    }

    /// Puts the list of allowed system calls on all threads. None can be started afterwards.
    ///
    /// # Errors
    /// At [`Level::Require`], if the list could not be put on every thread.
    pub fn lock_threads(self) -> Result<Locked, SandboxError> {
        self.lock(None)
    }

    /// The same for a worker whose gateway is yet to come: connections to `listener`, which it has
    /// bound before the sandbox closed, may be accepted, and to nothing else.
    ///
    /// # Errors
    /// As of [`Sandbox::lock_threads`].
    pub fn lock_threads_but_accept(self, listener: BorrowedFd<'_>) -> Result<Locked, SandboxError> {
        self.lock(Some(listener))
    }

    fn lock(mut self, listener: Option<BorrowedFd<'_>>) -> Result<Locked, SandboxError> {
        // Counted before the lock, which forbids counting. A thread started in between would have
        // to be started by a thread that is already counted, that is by the caller's own mistake;
        // it carries the list all the same.
        let threads = self.threads.take().and_then(ThreadCount::now);
        self.report.add(Guard::SystemCalls, syscalls::lock(listener));
        self.level.judge(&self.report)?;
        Ok(Locked { level: self.level, report: self.report, threads })
    }
}

/// Every guard stands; what is missing is the evidence of each thread.
#[must_use = "nothing is called enforced before `conclude`"]
pub struct Locked {
    level: Level,
    report: Report,
    threads: Option<u64>,
}

impl Locked {
    /// What each thread needs to try the forbidden; it exists only once the lock is on.
    #[must_use]
    pub const fn prober(&self) -> Prober {
        Prober::new()
    }

    /// Compares the probes with the threads that existed at the lock.
    ///
    /// # Errors
    /// At [`Level::Require`], when a thread is missing among the probes or could do the forbidden.
    pub fn conclude(mut self, probes: Vec<Probe>) -> Result<Report, SandboxError> {
        self.report.add(Guard::Probes, judge_probes(self.threads, &probes));
        self.level.judge(&self.report)?;
        Ok(self.report)
    }
}

fn judge_probes(threads: Option<u64>, probes: &[Probe]) -> Outcome {
    let Some(threads) = threads else {
        return Outcome::failed("the threads could not be counted");
    };
    let distinct: BTreeSet<_> = probes.iter().map(Probe::thread).collect();
    if distinct.len() as u64 != threads {
        return Outcome::failed(format!("{} of {threads} threads were probed", distinct.len()));
    }
    match probes.iter().flat_map(Probe::allowed).next() {
        Some(deed) => Outcome::failed(format!("a thread could {deed}")),
        None => Outcome::Enforced,
    }
}

/// How much of the sandbox the operator insists on.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Any essential guard that is missing ends the worker (exit code 78).
    Require,
    /// Apply what the system offers, and say in the report what it did not.
    Report,
}

impl Level {
    fn judge(self, report: &Report) -> Result<(), SandboxError> {
        match (self, report.missing().next()) {
            (Self::Require, Some((guard, reason))) => {
                Err(SandboxError { guard, reason: reason.to_owned() })
            }
            _ => Ok(()),
        }
    }
}

/// An essential guard is missing and the configuration requires it: exit with code 78.
#[derive(Debug, thiserror::Error)]
#[error(
    "sandbox guard `{guard}` is required but missing: {reason}\n\
     hint: run on Linux 5.13 or newer with Landlock and seccomp, or set `sandbox = \"report\"` \
     and accept what the report then lists"
)]
pub struct SandboxError {
    /// The guard that is missing.
    pub guard: Guard,
    /// What the system said when it was asked for.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_probe_at_all_is_not_enforcement() {
        assert!(matches!(judge_probes(Some(1), &[]), Outcome::Failed(_)));
    }

    #[test]
    fn one_thread_that_probes_twice_does_not_stand_for_two() {
        let twice = [Probe::refused_on(7), Probe::refused_on(7)];
        assert!(matches!(judge_probes(Some(2), &twice), Outcome::Failed(_)));
    }

    #[test]
    fn uncounted_threads_are_not_enforcement() {
        assert!(matches!(judge_probes(None, &[Probe::refused_on(7)]), Outcome::Failed(_)));
    }

    #[test]
    fn every_thread_refused_is_enforcement() {
        let both = [Probe::refused_on(7), Probe::refused_on(8)];
        assert_eq!(judge_probes(Some(2), &both), Outcome::Enforced);
    }

    #[test]
    fn a_thread_outside_the_sandbox_is_found_by_its_probe() {
        // The test process is in no sandbox, so its own probe must succeed at the forbidden.
        let probe = Prober::new().probe();
        assert!(matches!(judge_probes(Some(1), &[probe]), Outcome::Failed(_)));
    }
}
