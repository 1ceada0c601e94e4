//! The life of a worker process.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::thread;

use burn::tensor::Device;
use clap::Parser;
use sealgate_keys::control::{ToGateway, worker_ends};
use sealgate_keys::frame::{Kind, encode};
use sealgate_keys::hop::{HELLO_BYTES_MAX, Hello};
use sealgate_keys::link::LinkReader;
use sealgate_keys::{HopPsk, SessionSecret};
use sealgate_model::split::PARTS_MAX;
use sha2::{Digest as _, Sha256};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use zeroize::Zeroizing;

use crate::clients::Clients;
use crate::config::{Config, Log, LogFormat};
use crate::error::WorkerError;
use crate::opener::RequestOpener;
use crate::parts::{Head, Inherited, Reader, receive};
use crate::sandbox::{Level, Probe, Prober, Report, Sandbox};
use crate::service::{Limits, Service, read_frame};
use crate::session::{HopKey, SelfDescription};
use crate::transport::{Ends, Transport};

/// The engine a worker infers with: burn's device, and the name that stands in the hello.
pub struct Engine {
    /// `flex` or `ndarray`.
    pub name: &'static str,
    /// The device; made only after the sandbox has closed.
    pub device: fn() -> Device,
}

/// Runs the network in a process of its own, for one gateway.
///
/// A gateway starts it with one end of a socketpair as stdin and a secret on descriptor 3. The remote
/// worker is started by a service manager and waits for the gateway that its configuration pins.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// The configuration, `worker.toml`.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Overrides the configuration's `sandbox`.
    #[arg(long, value_name = "LEVEL", value_parser = ["require", "report"])]
    sandbox: Option<String>,
}

/// Parse, sandbox, threads, lock, session, serve. Returns when the gateway has closed the socket.
#[must_use]
pub fn run(engine: &Engine) -> ExitCode {
    begin(engine, |config| {
        if config.remote.is_some() {
            return Err(WorkerError::NotForRemote);
        }
        let (born, parts) = inheritance().map_err(WorkerError::NotStartedByGateway)?;
        Ok(Way { transport: Box::new(born), parts })
    })
}

/// The same for a worker whose gateway comes another way. `prepare` is called while there still are
/// files and sockets.
#[must_use]
pub fn run_with(
    engine: &Engine,
    prepare: impl FnOnce(&Config) -> Result<Box<dyn Transport>, WorkerError>,
) -> ExitCode {
    begin(engine, |config| Ok(Way { transport: prepare(config)?, parts: Vec::new() }))
}

/// How the gateway comes, and which other parts of the model came with it.
struct Way {
    transport: Box<dyn Transport>,
    parts: Vec<Inherited>,
}

fn begin(engine: &Engine, prepare: impl FnOnce(&Config) -> Result<Way, WorkerError>) -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let asked_for = !error.use_stderr();
            let _ = error.print();
            return ExitCode::from(if asked_for { 0 } else { 64 });
        }
    };
    let config = Config::read(&arguments.config).map_err(WorkerError::from);
    let is_json = config.as_ref().is_ok_and(|config| config.log_format == LogFormat::Json);
    match config.and_then(|config| live(&arguments, config, engine, prepare)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if is_json {
                tracing::error!(%error, "ended");
            } else {
                let _ = writeln!(io::stderr(), "error: {error}");
            }
            ExitCode::from(error.exit_code())
        }
    }
}

fn live(
    arguments: &Arguments,
    mut config: Config,
    engine: &Engine,
    prepare: impl FnOnce(&Config) -> Result<Way, WorkerError>,
) -> Result<(), WorkerError> {
    if let Some(level) = &arguments.sandbox {
        config.sandbox = if level == "report" { Level::Report } else { Level::Require };
    }
    log_to_stderr(config.log, config.log_format);
    // The default hook prints a panic's message, which may hold anything.
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(at = panic.location().map(ToString::to_string), "panicked");
    }));
    let Way { transport, parts } = prepare(&config)?;
    let voucher = config.voucher()?;
    let build_digest = build_digest().map_err(WorkerError::Program)?;

    let sandbox = Sandbox::enter(config.sandbox)?;
    let mut threads = Threads::start(config.threads.get())?;
    let parts = threads.listen(parts)?;
    let report = threads.lock(sandbox, transport.listener())?;
    tracing::info!(enforced = report.is_enforced(), engine = engine.name, "sandbox closed");

    let Ends { reader, mut writer, psk, nonce } = transport.gateway()?;
    let mut reader = BufReader::with_capacity(READ_BUFFER_BYTES, reader);
    let of = SelfDescription {
        engine: engine.name.to_owned(),
        threads: u16::try_from(threads.count()).unwrap_or(u16::MAX),
        build_digest,
        sandbox: report.words(),
        enforced: report.is_enforced(),
    };
    let key = HopKey::generate(of.clone());
    let hello = key.hello(&voucher, &nonce)?;
    let secret = shake_hands(&mut writer, &mut reader, &psk, key, &hello)?;
    drop(psk);
    let (seal_control, open_control) = worker_ends(&secret);
    let limits = Limits {
        queue_requests_max: config.queue_requests_max.get(),
        rows_max: config.rows_max.get(),
        request_bytes_max: config.request_bytes_max.get(),
        batch_rows_max: config.batch_rows_max.get(),
        threads: threads.count(),
    };
    let opener = RequestOpener::new(&secret);
    drop(secret);
    let service = Arc::new(Service::new(
        opener,
        writer,
        seal_control,
        Clients::new(of, voucher)?,
        Head::new(parts),
        (engine.device)(),
        limits,
    ));
    threads.serve(&service)?;
    service.tell(&ToGateway::Ready)?;
    let ended = service.read(&mut reader, open_control);
    threads.join();
    ended
}

/// What a worker is born with.
struct Born(Ends);

impl Transport for Born {
    fn listener(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn gateway(self: Box<Self>) -> Result<Ends, WorkerError> {
        Ok(self.0)
    }
}

/// The socket and the secret, and the other parts of the model, if it is split.
fn inheritance() -> io::Result<(Born, Vec<Inherited>)> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    socket.local_addr()?;
    let mut secrets = Zeroizing::new(Vec::with_capacity(SECRETS_BYTES_MAX + 1));
    // Opening the descriptor anew needs no unsafe code, and a pipe yields its bytes once.
    File::open(SECRET_PATH)?.take(SECRETS_BYTES_MAX as u64 + 1).read_to_end(&mut secrets)?;
    let (secret, of_parts) = secrets.split_at_checked(SECRET_BYTES).unwrap_or_default();
    let (psk, nonce) = secret.split_at_checked(HopPsk::BYTES).unwrap_or_default();
    let psk = HopPsk::from_slice(psk).map_err(io::Error::other)?;
    let nonce = nonce.try_into().map_err(io::Error::other)?;
    let parts = receive(&socket, of_parts)?;
    // Once to read and once to write: behind the system call list no descriptor can be duplicated any
    // more.
    let (reader, writer) = (Box::new(socket.try_clone()?), Box::new(socket));
    Ok((Born(Ends { reader, writer, psk, nonce }), parts))
}

/// SHA-256 of the program that runs, read while there is still a file system. A part at a time: memory for all of it
/// would cost as much time as its hash.
fn build_digest() -> io::Result<[u8; 32]> {
    let mut program = File::open("/proc/self/exe")?;
    let (mut hash, mut part) = (Sha256::new(), vec![0; PROGRAM_PART_BYTES]);
    loop {
        match program.read(&mut part) {
            Ok(0) => return Ok(hash.finalize().into()),
            Ok(length) => hash.update(part.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Shows a fresh key and accepts the one gateway that holds the secret.
fn shake_hands(
    writer: &mut impl Write,
    reader: &mut impl Read,
    psk: &HopPsk,
    key: HopKey,
    hello: &Hello,
) -> Result<SessionSecret, WorkerError> {
    writer.write_all(&encode(Kind::Hello, 0, 0, &hello.encode())?)?;
    let Some((header, payload)) = read_frame(reader, HELLO_BYTES_MAX)? else {
        return Err(WorkerError::Protocol);
    };
    if header.kind != Kind::Open {
        return Err(WorkerError::Protocol);
    }
    Ok(key.accept(psk, &payload)?)
}

/// The inference threads. They exist before the system call list does, because none can be made
/// after it; each waits for its prober, says what it could do, then waits for work.
struct Threads {
    /// Those that infer, and one that keeps keys.
    working: Vec<Thread>,
    /// One for each other part of the model. Nobody waits for their end: each reads until its part
    /// is gone, and is gone itself when the process ends.
    listening: Vec<Thread>,
}

struct Thread {
    prober: mpsc::SyncSender<Prober>,
    probe: mpsc::Receiver<Probe>,
    work: mpsc::SyncSender<Arc<Service>>,
    handle: thread::JoinHandle<()>,
}

impl Threads {
    fn start(count: usize) -> Result<Self, WorkerError> {
        let keeper = std::iter::once_with(|| Thread::start("keys".to_owned(), Service::keep));
        let working = (0..count)
            .map(|number| Thread::start(format!("infer-{number}"), Service::infer))
            .chain(keeper)
            .collect::<io::Result<_>>()
            .map_err(|_| WorkerError::Thread)?;
        Ok(Self { working, listening: Vec::new() })
    }

    /// A thread for what each part answers, which it reads once there is a session.
    fn listen(&mut self, parts: Vec<Inherited>) -> Result<Vec<(Inherited, Reader)>, WorkerError> {
        let mut listened = Vec::with_capacity(parts.len());
        for (index, part) in parts.into_iter().enumerate() {
            let (reader, session) = mpsc::sync_channel::<LinkReader<UnixStream>>(1);
            let life = move |_: &Service| {
                let Ok(session) = session.recv() else { return };
                let over = session.run();
                // Half a model answers nothing. The gateway starts all of it anew.
                tracing::error!(%over, "a part of the model is gone");
                std::process::exit(i32::from(WorkerError::PartLost.exit_code()));
            };
            let thread = Thread::start(format!("part-{}", index + 1), life);
            self.listening.push(thread.map_err(|_| WorkerError::Thread)?);
            listened.push((part, reader));
        }
        Ok(listened)
    }

    fn all(&self) -> impl Iterator<Item = &Thread> {
        self.working.iter().chain(&self.listening)
    }

    const fn count(&self) -> usize {
        // One keeps the keys.
        self.working.len() - 1
    }

    fn lock(
        &self,
        sandbox: Sandbox,
        listener: Option<BorrowedFd<'_>>,
    ) -> Result<Report, WorkerError> {
        let locked = match listener {
            Some(listener) => sandbox.lock_threads_but_accept(listener)?,
            None => sandbox.lock_threads()?,
        };
        let mut probes = vec![locked.prober().probe()];
        for thread in self.all() {
            thread.prober.send(locked.prober()).map_err(|_| WorkerError::Thread)?;
        }
        for thread in self.all() {
            probes.push(thread.probe.recv().map_err(|_| WorkerError::Thread)?);
        }
        Ok(locked.conclude(probes)?)
    }

    fn serve(&self, service: &Arc<Service>) -> Result<(), WorkerError> {
        let give = |thread: &Thread| thread.work.send(service.clone());
        self.all().try_for_each(give).map_err(|_| WorkerError::Thread)
    }

    fn join(self) {
        for thread in self.working {
            drop((thread.prober, thread.work));
            let _ = thread.handle.join();
        }
    }
}

impl Thread {
    fn start(name: String, life: impl FnOnce(&Service) + Send + 'static) -> io::Result<Self> {
        let (prober, receive_prober) = mpsc::sync_channel::<Prober>(1);
        let (send_probe, probe) = mpsc::sync_channel(1);
        let (work, receive_work) = mpsc::sync_channel::<Arc<Service>>(1);
        let handle = thread::Builder::new().name(name).spawn(move || {
            let Ok(prober) = receive_prober.recv() else { return };
            if send_probe.send(prober.probe()).is_err() {
                return;
            }
            if let Ok(service) = receive_work.recv() {
                life(&service);
            }
        })?;
        Ok(Self { prober, probe, work, handle })
    }
}

/// The worker writes a few lines of its life; no request, caller, row or score is among them, and
/// no event of a library, at whatever level.
fn log_to_stderr(level: Log, format: LogFormat) {
    let level = match level {
        Log::Error => tracing::Level::ERROR,
        Log::Warn => tracing::Level::WARN,
        Log::Info => tracing::Level::INFO,
        Log::Debug => tracing::Level::DEBUG,
        Log::Trace => tracing::Level::TRACE,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
    let ours = Targets::new().with_target("sealgate", level);
    let registry = tracing_subscriber::registry();
    let _ = match format {
        LogFormat::Text => registry.with(lines.with_filter(ours)).try_init(),
        LogFormat::Json => {
            registry.with(lines.json().flatten_event(true).with_filter(ours)).try_init()
        }
    };
}

/// Descriptor 3, where a gateway puts the secret.
const SECRET_PATH: &str = "/proc/self/fd/3";
const SECRET_BYTES: usize = HopPsk::BYTES + HopPsk::NONCE_BYTES;
/// Its own, and those of the other parts of the model.
const SECRETS_BYTES_MAX: usize = SECRET_BYTES * PARTS_MAX;
const READ_BUFFER_BYTES: usize = 64 << 10;
const PROGRAM_PART_BYTES: usize = 256 << 10;
