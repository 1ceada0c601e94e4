//! Other processes: pausing them, waiting until they are idle, and the cores they may leave.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::wait_until;

/// A process that stands still for as long as this lives.
pub struct Paused(Pid);

impl Paused {
    pub fn new(pid: i32) -> Self {
        kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
        wait_until("it stands still", PATIENCE, || states(pid).iter().all(|&state| state == 'T'));
        Self(Pid::from_raw(pid))
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGCONT);
    }
}

/// Until all threads wait and no time has been used for a while.
pub fn wait_until_idle(pid: i32) {
    let mut since = (Instant::now(), cpu_ticks(pid));
    wait_until("the process is idle", PATIENCE, || {
        let ticks = cpu_ticks(pid);
        if ticks != since.1 || states(pid).iter().any(|state| !matches!(state, 'S' | 'T')) {
            since = (Instant::now(), ticks);
        }
        since.0.elapsed() >= Duration::from_millis(300)
    });
}

/// User and system time together.
fn cpu_ticks(pid: i32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let (_, fields) = stat.rsplit_once(')').unwrap();
    fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

/// One letter per thread.
fn states(pid: i32) -> Vec<char> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("a process");
    let stats = tasks.flatten().map(|task| std::fs::read_to_string(task.path().join("stat")));
    let state = |stat: String| stat.rsplit(')').next()?.trim_start().chars().next();
    stats.flatten().filter_map(state).collect()
}

/// What it holds in memory just now.
pub fn resident_bytes(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

/// The owner of its entries below `/proc`. The kernel gives those of a process that may not be dumped
/// to root, so this tells for all processes but root's own.
pub fn owner(pid: i32) -> u32 {
    std::fs::metadata(format!("/proc/{pid}/status")).expect("a process").uid()
}

/// Lets whatever the tests start write a core, unless it forbids that to itself.
pub fn allow_cores() {
    let (_, hard) = getrlimit(Resource::RLIMIT_CORE).unwrap();
    assert!(hard > 0, "no process here may leave a core, so no test can tell who would");
    setrlimit(Resource::RLIMIT_CORE, hard, hard).unwrap();
}

/// Soft and hard.
pub fn core_limit(pid: i32) -> Vec<String> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    line.split_whitespace().take(2).map(str::to_owned).collect()
}

/// Files in a folder that are called as cores are.
pub fn cores_in(folder: &Path) -> Vec<PathBuf> {
    let names = std::fs::read_dir(folder).unwrap().flatten();
    let is_core = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        path.is_file() && (name == "core" || name.starts_with("core."))
    };
    names.map(|entry| entry.path()).filter(is_core).collect()
}

/// How long anything here may take.
pub const PATIENCE: Duration = Duration::from_secs(60);
