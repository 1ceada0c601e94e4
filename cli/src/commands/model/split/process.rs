//! A part as a process: a worker that is started here and asked over a sealed hop.

use std::io::{self, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use sealgate_keys::link::{Link, LinkError, Opening};
use sealgate_keys::{Grant, HopPsk, Secret};
use sealgate_model::split::{Awaited, Elsewhere};
use sealgate_model::{Digest, ModelError};
use zeroize::Zeroizing;

use crate::error::CliError;
use crate::siblings;

/// A worker; it ends when this is dropped.
pub(super) struct Started {
    child: Child,
}

/// The part that it has.
pub(super) struct Far(Link<UnixStream>);

impl Started {
    /// Starts a worker and gives it the file of a part. What it shows of itself is not judged: it is
    /// asked about rows that are nobody's.
    pub(super) fn new(file: &[u8]) -> Result<(Self, Far), CliError> {
        let program = siblings::find("sealgate-worker")?;
        let failed = |source| CliError::Io { doing: "start", path: program.clone(), source };
        let broken = |error| CliError::Part(LinkError::Key(error));
        let psk = HopPsk::random().map_err(broken)?;
        let nonce = Secret::random().map_err(broken)?;
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let dir = tempfile::tempdir().map_err(failed)?;
        let config = dir.path().join("worker.toml");
        std::fs::write(&config, CONFIG).map_err(failed)?;
        let child = spawn(&program, &config, theirs, &psk, &nonce).map_err(failed)?;
        let started = Self { child };

        let read = BufReader::new(ours.try_clone().map_err(failed)?);
        let mut opening = Opening::open(read, ours, &psk, |_| Ok(())).map_err(CliError::Part)?;
        opening.load_part(*Digest::of(file).as_bytes(), file).map_err(CliError::Part)?;
        let (link, reader) = opening.start();
        thread::spawn(move || reader.run());
        Ok((started, Far(link)))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(
    program: &Path,
    config: &Path,
    socket: UnixStream,
    psk: &HopPsk,
    nonce: &Secret,
) -> io::Result<Child> {
    let (secret_reader, mut secret_writer) = io::pipe()?;
    secret_writer.write_all(psk.expose())?;
    secret_writer.write_all(nonce.expose())?;
    drop(secret_writer);
    let mapping = FdMapping { parent_fd: OwnedFd::from(secret_reader), child_fd: SECRET_FD };
    Command::new(program)
        .arg("--config")
        .arg(config)
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::null())
        .fd_mappings(vec![mapping])
        .map_err(io::Error::other)?
        .spawn()
}

impl Elsewhere for Far {
    fn ask(&self, question: &[u8]) -> Result<Awaited, ModelError> {
        let lost = |_: LinkError| ModelError::PartLost;
        let pending = self.0.ask(&Grant::for_part(), question).map_err(lost)?;
        Ok(Box::new(move || {
            let answer = pending.answer(PATIENCE).map_err(lost)?;
            match answer.outcome.status {
                200 => Ok(Zeroizing::new(answer.message.expose().to_vec())),
                _ => Err(ModelError::PartLost),
            }
        }))
    }
}

/// One thread, as the head here has one; and walls as far as they can be had.
const CONFIG: &str = "threads = 1\nsandbox = \"report\"\nlog = \"error\"\n";
const SECRET_FD: i32 = 3;
const PATIENCE: Duration = Duration::from_secs(30);
