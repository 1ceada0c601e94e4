//! What a process in the sandbox can and cannot do, asked of real processes.
//!
//! The list of system calls cannot be taken back, so each claim starts this program again and lets
//! the child play one scene on its main thread. That is why this file has a `main` of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "a child reports to its parent, and `main` to the reader")]

use sealgate_worker::sandbox::{Level, Locked, Probe, Prober, Report, Sandbox, SandboxError};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{env, fs, net, panic};

fn main() {
    if let Ok(scene) = env::var(SCENE) {
        return play(&scene);
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
    assert!(run("early_thread").starts_with("sandbox guard `single_thread` is required but missing"));
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
    owner: u32,
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
    let path = format!("/proc/{}/status", child.id());
    let owner = fs::metadata(&path).unwrap().uid();
    let text = fs::read_to_string(&path).unwrap();
    drop(child.stdin.take());
    child.wait().unwrap();
    Status { text, owner }
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

// The scenes, played by the child.

fn play(scene: &str) {
    match scene {
        "probe" => say(&probed(2).map(|report| report.words().join("\n"))),
        "hostile" => {
            let _locked = locked();
            for deed in hostile_deeds() {
                println!("{deed}");
            }
        }
        "hostile_thread" => {
            for deed in on_earlier_thread(hostile_deeds) {
                println!("{deed}");
            }
        }
        "work" => {
            on_earlier_thread(work);
            work();
            println!("worked");
        }
        "socket" => echo(),
        "silent_thread" => {
            let sandbox = Sandbox::enter(Level::Require).unwrap();
            let (_start, _handle) = waiting(|| ());
            let locked = sandbox.lock_threads().unwrap();
            let own = locked.prober().probe();
            say(&locked.conclude(vec![own]).map(|_| "concluded"));
        }
        "early_thread" => {
            let (_start, _handle) = waiting(|| ());
            say(&Sandbox::enter(Level::Require).map(|_| "entered"));
        }
        "early_thread_reported" => {
            let (_start, _handle) = waiting(|| ());
            let locked = Sandbox::enter(Level::Report).unwrap().lock_threads().unwrap();
            let own = locked.prober().probe();
            say(&locked.conclude(vec![own]).map(|report| report.words().join("\n")));
        }
        "wait" => {
            let _locked = locked();
            println!("ready");
            io::stdin().read_to_end(&mut Vec::new()).unwrap();
        }
        other => panic!("no scene `{other}`"),
    }
}

fn say<T: AsRef<str>>(outcome: &Result<T, SandboxError>) {
    match outcome {
        Ok(words) => println!("{}", words.as_ref()),
        Err(error) => println!("{error}"),
    }
}

fn locked() -> Locked {
    Sandbox::enter(Level::Require).unwrap().lock_threads().unwrap()
}

/// The whole way as the worker goes it, with `helpers` threads beside the main one.
fn probed(helpers: usize) -> Result<Report, SandboxError> {
    let sandbox = Sandbox::enter(Level::Require)?;
    let helpers: Vec<_> = (0..helpers).map(|_| prober_thread()).collect();
    let locked = sandbox.lock_threads()?;
    let mut probes = vec![locked.prober().probe()];
    for (hand, handle) in helpers {
        hand.send(locked.prober()).unwrap();
        probes.push(handle.join().unwrap());
    }
    locked.conclude(probes)
}

fn prober_thread() -> (Sender<Prober>, JoinHandle<Probe>) {
    let (hand, receive): (_, Receiver<Prober>) = channel();
    (hand, thread::spawn(move || receive.recv().unwrap().probe()))
}

/// A thread that exists before the lock and acts only when told to.
fn waiting<T: Send + 'static>(deed: fn() -> T) -> (Sender<()>, JoinHandle<T>) {
    let (start, told) = channel();
    let handle = thread::spawn(move || {
        told.recv().unwrap();
        deed()
    });
    (start, handle)
}

/// Lets a thread act that was made between entering and locking, as the worker's are.
fn on_earlier_thread<T: Send + 'static>(deed: fn() -> T) -> T {
    let sandbox = Sandbox::enter(Level::Require).unwrap();
    let (start, handle) = waiting(deed);
    let _locked = sandbox.lock_threads().unwrap();
    start.send(()).unwrap();
    handle.join().unwrap()
}

fn echo() {
    let gateway = UnixStream::from(io::stdin().as_fd().try_clone_to_owned().unwrap());
    let _locked = locked();
    let mut request = String::new();
    BufReader::new(&gateway).read_line(&mut request).unwrap();
    (&gateway).write_all(request.as_bytes()).unwrap();
}

/// The names of what could be done although it must not.
fn hostile_deeds() -> Vec<&'static str> {
    type Deed = (&'static str, fn() -> io::Result<()>);
    let deeds: &[Deed] = &[
        ("read a file", || fs::read("/etc/passwd").map(drop)),
        ("list a folder", || fs::read_dir("/").map(drop)),
        ("create a file", || fs::write("/tmp/sealgate-sandbox-test", b"").map(drop)),
        ("remove a file", || fs::remove_file("/tmp/sealgate-sandbox-test")),
        ("read its own memory", || fs::read("/proc/self/mem").map(drop)),
        ("connect by tcp", || net::TcpStream::connect(("127.0.0.1", 9)).map(drop)),
        ("listen by tcp", || net::TcpListener::bind(("127.0.0.1", 0)).map(drop)),
        ("send by udp", || net::UdpSocket::bind(("127.0.0.1", 0)).map(drop)),
        ("make a socket pair", || UnixStream::pair().map(drop)),
        ("start a thread", || thread::Builder::new().spawn(|| ()).map(drop)),
        ("start a program", || Command::new("/bin/true").spawn().map(drop)),
        ("become a program", || {
            nix::unistd::execv(c"/bin/true", &[c"true"]).map(|_| ()).map_err(Into::into)
        }),
        ("make a namespace", || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER).map_err(Into::into)
        }),
        ("signal its parent", || {
            nix::sys::signal::kill(nix::unistd::getppid(), None).map_err(Into::into)
        }),
        ("become dumpable again", || nix::sys::prctl::set_dumpable(true).map_err(Into::into)),
    ];
    let done = |attempt: io::Result<()>| {
        !attempt.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    deeds.iter().filter(|(_, deed)| done(deed())).map(|(name, _)| *name).collect()
}

/// What an inference thread does all day.
fn work() {
    let large = vec![7_u8; 64 << 20];
    assert_eq!(large.iter().map(|byte| u64::from(*byte)).sum::<u64>(), 7 * (64 << 20));
    drop(large);
    let start = Instant::now();
    thread::sleep(Duration::from_millis(1));
    assert!(start.elapsed() >= Duration::from_millis(1));
    assert!(std::time::SystemTime::now() > std::time::UNIX_EPOCH);
    panic::set_hook(Box::new(|_| ()));
    assert!(panic::catch_unwind(|| panic!("on purpose")).is_err());
}
