//! What a process in the sandbox can and cannot do, asked of real processes.
//!
//! The list of system calls cannot be taken back, so each claim starts this program again and lets
//! the child play one scene on its main thread. That is why this file has a `main` of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "a child reports to its parent, and `main` to the reader")]

#[path = "sandbox/scenes.rs"]
mod scenes;

use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{env, fs, panic};

fn main() {
    if let Ok(scene) = env::var(SCENE) {
        return scenes::play(&scene);
    }
    let filter = env::args().skip(1).find(|word| !word.starts_with('-')).unwrap_or_default();
    let chosen = CLAIMS.iter().filter(|(name, _)| name.contains(&filter));
    let failed: Vec<_> = chosen
        .filter(|(name, claim)| {
            let held = panic::catch_unwind(claim).is_ok();
            println!("test {name} ... {}", if held { "ok" } else { "FAILED" });
            !held
        })
        .collect();
    assert!(failed.is_empty(), "{} claims failed", failed.len());
}

const CLAIMS: &[(&str, fn())] = &[
    ("every_thread_is_shut_in_and_says_so", every_thread_is_shut_in_and_says_so),
    ("an_ordinary_account_is_shut_in_as_well", an_ordinary_account_is_shut_in_as_well),
    ("root_becomes_nobody", root_becomes_nobody),
    ("no_capability_is_left", no_capability_is_left),
    (
        "the_kernel_confirms_the_filter_and_no_new_privileges",
        the_kernel_confirms_the_filter_and_no_new_privileges,
    ),
    (
        "files_and_tcp_are_out_of_reach_before_the_lock",
        files_and_tcp_are_out_of_reach_before_the_lock,
    ),
    ("no_core_file_and_few_descriptors", no_core_file_and_few_descriptors),
    ("the_network_is_another_and_empty_one", the_network_is_another_and_empty_one),
    ("nothing_can_be_opened_connected_or_started", nothing_can_be_opened_connected_or_started),
    ("a_thread_made_before_the_lock_is_bound_too", a_thread_made_before_the_lock_is_bound_too),
    ("ordinary_work_still_works", ordinary_work_still_works),
    ("the_gateways_socket_still_works", the_gateways_socket_still_works),
    ("a_thread_that_did_not_probe_is_noticed", a_thread_that_did_not_probe_is_noticed),
    ("a_thread_before_the_sandbox_is_noticed", a_thread_before_the_sandbox_is_noticed),
    ("the_report_level_goes_on_and_does_not_claim", the_report_level_goes_on_and_does_not_claim),
    ("the_process_is_not_dumpable", the_process_is_not_dumpable),
];

fn every_thread_is_shut_in_and_says_so() {
    let words = run("probe");
    assert_eq!(words.lines().next(), Some("enforced"), "{words}");
}

fn an_ordinary_account_is_shut_in_as_well() {
    // When the tests themselves run under an ordinary account, every claim here says this already.
    if is_root() {
        let words = finish(child("probe").uid(ORDINARY).gid(ORDINARY));
        assert_eq!(words.lines().next(), Some("enforced"), "{words}");
    }
}

fn root_becomes_nobody() {
    if is_root() {
        let status = status_of_a_locked_process();
        assert_eq!(status.line("Uid"), "65534 65534 65534 65534");
        assert_eq!(status.line("Gid"), "65534 65534 65534 65534");
        assert_eq!(status.line("Groups"), "");
    }
}

fn no_capability_is_left() {
    let status = status_of_a_locked_process();
    // Emptying the bounding set takes a right that an ordinary account may lack.
    let bounding = is_root().then_some("CapBnd");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"].into_iter().chain(bounding) {
        assert_eq!(status.line(set), "0000000000000000", "{set}");
    }
}

fn the_kernel_confirms_the_filter_and_no_new_privileges() {
    let status = status_of_a_locked_process();
    assert_eq!((status.line("Seccomp").as_str(), status.line("NoNewPrivs").as_str()), ("2", "1"));
}

fn files_and_tcp_are_out_of_reach_before_the_lock() {
    // So Landlock stands on its own, and not only behind the list of system calls.
    assert_eq!(run("entered"), "");
}

fn no_core_file_and_few_descriptors() {
    let limits = status_of_a_locked_process().limits;
    let limit = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(limit("Max core file size"), "0 0");
    assert_eq!(limit("Max open files"), "32 32");
}

fn the_network_is_another_and_empty_one() {
    // Only root may look at another's namespaces.
    if is_root() {
        let ours = fs::read_link("/proc/self/ns/net").unwrap();
        assert_ne!(status_of_a_locked_process().network.unwrap(), ours);
    }
}

fn nothing_can_be_opened_connected_or_started() {
    assert_eq!(run("hostile"), "");
}

fn a_thread_made_before_the_lock_is_bound_too() {
    assert_eq!(run("hostile_thread"), "");
}

fn ordinary_work_still_works() {
    assert_eq!(run("work"), "worked\n");
}

fn the_gateways_socket_still_works() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let theirs = OwnedFd::from(theirs);
    let mut child = child("socket").stdin(Stdio::from(theirs)).spawn().unwrap();
    (&ours).write_all(b"a request\n").unwrap();
    let mut answer = String::new();
    BufReader::new(&ours).read_line(&mut answer).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(answer, "a request\n");
}

fn a_thread_that_did_not_probe_is_noticed() {
    assert!(run("silent_thread").starts_with("sandbox guard `probes` is required but missing"));
}

fn a_thread_before_the_sandbox_is_noticed() {
    assert!(
        run("early_thread").starts_with("sandbox guard `single_thread` is required but missing")
    );
}

fn the_report_level_goes_on_and_does_not_claim() {
    let words = run("early_thread_reported");
    assert!(words.starts_with("partial\nsingle_thread:failed\n"), "{words}");
}

fn the_process_is_not_dumpable() {
    // The kernel gives the /proc entries of a process that may not be dumped to root, whatever its
    // account. The child is nobody, so the owner tells.
    assert_eq!(status_of_a_locked_process().owner, 0);
}

/// What the kernel says about a process that stands in the sandbox and waits.
struct Status {
    text: String,
    limits: String,
    owner: u32,
    network: io::Result<PathBuf>,
}

impl Status {
    fn line(&self, name: &str) -> String {
        let line = self.text.lines().find(|line| line.starts_with(&format!("{name}:"))).unwrap();
        line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    }
}

fn status_of_a_locked_process() -> Status {
    let mut child = child("wait").stdin(Stdio::piped()).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    assert_eq!(ready, "ready\n");
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    let owner = fs::metadata(process.join("status")).unwrap().uid();
    let text = fs::read_to_string(process.join("status")).unwrap();
    let limits = fs::read_to_string(process.join("limits")).unwrap();
    let network = fs::read_link(process.join("ns/net"));
    drop(child.stdin.take());
    child.wait().unwrap();
    Status { text, limits, owner, network }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn run(scene: &str) -> String {
    finish(&mut child(scene))
}

fn finish(command: &mut Command) -> String {
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {complaint}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn child(scene: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env(SCENE, scene).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

const SCENE: &str = "SEALGATE_TEST_SCENE";
const ORDINARY: u32 = 65_533;
