//! What the child processes do inside the sandbox.

use sealgate_worker::sandbox::{Level, Locked, Probe, Prober, Report, Sandbox, SandboxError};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fs, net, panic};

/// Plays one scene and prints what it found.
pub(crate) fn play(scene: &str) {
    match scene {
        "probe" => say(&probed(2).map(|report| report.words().join("\n"))),
        "entered" => {
            let _sandbox = Sandbox::enter(Level::Require).unwrap();
            for deed in landlocked_deeds() {
                println!("{deed}");
            }
        }
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

type Deed = (&'static str, fn() -> io::Result<()>);

/// The names of what could be done although it must not.
fn done(deeds: &[Deed]) -> Vec<&'static str> {
    let is_done = |attempt: io::Result<()>| {
        !attempt.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    deeds.iter().filter(|(_, deed)| is_done(deed())).map(|(name, _)| *name).collect()
}

fn landlocked_deeds() -> Vec<&'static str> {
    done(&[
        ("read a file", || fs::read("/etc/passwd").map(drop)),
        ("list a folder", || fs::read_dir("/").map(drop)),
        ("create a file", || fs::write("/tmp/sealgate-sandbox-test", b"").map(drop)),
        ("start a program", || Command::new("/bin/true").spawn().map(drop)),
        ("connect by tcp", || net::TcpStream::connect(("127.0.0.1", 9)).map(drop)),
        ("listen by tcp", || net::TcpListener::bind(("127.0.0.1", 9)).map(drop)),
    ])
}

fn hostile_deeds() -> Vec<&'static str> {
    done(&[
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
    ])
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
