//! Another host: a service manager that keeps one remote worker running, and a wire that can be cut.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::support::{binary, wait_until};

/// The name in workers' certificates.
pub const WORKER: &str = "worker.test";

/// An authority and who it vouches for, in files.
pub struct Certificates {
    dir: TempDir,
}

impl Certificates {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = Self { dir };
        let key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        made.write("ca.pem", &authority.self_signed(&key).unwrap().pem());
        let authority = Issuer::new(authority, key);
        for (name, of, usage) in [
            ("worker", WORKER, ExtendedKeyUsagePurpose::ServerAuth),
            ("gateway", "gateway.test", ExtendedKeyUsagePurpose::ClientAuth),
            ("colleague", "gateway.test", ExtendedKeyUsagePurpose::ClientAuth),
        ] {
            let key = KeyPair::generate().unwrap();
            let mut leaf = CertificateParams::new(vec![of.to_owned()]).unwrap();
            leaf.extended_key_usages = vec![usage];
            let leaf = leaf.signed_by(&key, &authority).unwrap();
            made.write(&format!("{name}.pem"), &leaf.pem());
            made.write(&format!("{name}.key"), &key.serialize_pem());
        }
        made
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let mut options = fs::File::options();
        let file = options.create_new(true).write(true).mode(0o600).open(self.path(name));
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }
}

/// A host whose service manager starts the worker anew whenever it ends.
pub struct Host {
    address: SocketAddr,
    pid: Arc<AtomicI32>,
    starts: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    log: PathBuf,
    manager: Option<JoinHandle<()>>,
    _dir: TempDir,
}

impl Host {
    /// `more` comes before the sections of `worker.toml`.
    pub fn start(certificates: &Certificates, operator: &Path, more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Free a moment ago, and its own from now on.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let file = |name| certificates.path(name);
        let config = format!(
            "{more}\n[evidence]\nkind = \"software\"\nkey = {operator:?}\n\
             [remote]\nlisten = \"{address}\"\ncert = {:?}\nkey = {:?}\n\
             gateway_ca = {:?}\ngateway_cert = {:?}\n",
            file("worker.pem"),
            file("worker.key"),
            file("ca.pem"),
            file("gateway.pem"),
        );
        let (path, log) = (dir.path().join("worker.toml"), dir.path().join("log"));
        fs::write(&path, config).unwrap();
        let (pid, starts) = (Arc::new(AtomicI32::new(0)), Arc::new(AtomicUsize::new(0)));
        let over = Arc::new(AtomicBool::new(false));
        let manager = thread::spawn({
            let (pid, starts, over, log) = (pid.clone(), starts.clone(), over.clone(), log.clone());
            move || {
                while !over.load(Ordering::SeqCst) {
                    let mut worker = worker(&path, &log);
                    pid.store(i32::try_from(worker.id()).unwrap(), Ordering::SeqCst);
                    starts.fetch_add(1, Ordering::SeqCst);
                    while worker.try_wait().unwrap().is_none() && !over.load(Ordering::SeqCst) {
                        thread::sleep(Duration::from_millis(5));
                    }
                    let _ = worker.kill();
                    worker.wait().unwrap();
                }
            }
        });
        let host = Self { address, pid, starts, over, log, manager: Some(manager), _dir: dir };
        wait_until("a worker waits", Duration::from_secs(20), || {
            host.log().contains("waiting for")
        });
        host
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn pid(&self) -> i32 {
        self.pid.load(Ordering::SeqCst)
    }

    /// How many workers there have been.
    pub fn starts(&self) -> usize {
        self.starts.load(Ordering::SeqCst)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = self.manager.take().map(JoinHandle::join);
    }
}

fn worker(config: &Path, log: &Path) -> Child {
    let log = fs::File::options().create(true).append(true).open(log).unwrap();
    let mut command = Command::new(binary("sealgate-worker-remote"));
    command.arg("--config").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().unwrap()
}

/// What lies between gateway and host.
pub struct Wire {
    address: SocketAddr,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    pub fn to(host: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let open = Arc::new(Mutex::new(Vec::new()));
        thread::spawn({
            let open = open.clone();
            move || {
                for ours in listener.incoming() {
                    let ours = ours.unwrap();
                    let Ok(theirs) = TcpStream::connect(host) else { continue };
                    let both = [&ours, &theirs].map(|end| end.try_clone().unwrap());
                    open.lock().unwrap().extend(both);
                    let (back, forth) = (theirs.try_clone().unwrap(), ours.try_clone().unwrap());
                    thread::spawn(move || carry(ours, theirs));
                    thread::spawn(move || carry(back, forth));
                }
            }
        });
        Self { address, open }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection that goes over it now.
    pub fn cut(&self) {
        for end in self.open.lock().unwrap().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    for end in [from, to] {
        let _ = end.shutdown(Shutdown::Both);
    }
}
