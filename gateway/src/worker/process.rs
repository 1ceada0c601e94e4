//! A worker process: born with one end of a socketpair as its stdin and a secret on a pipe.

use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use sealgate_keys::{HopPsk, Secret};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use super::WorkerError;

/// What to start.
#[derive(Debug, Clone)]
pub struct Program {
    /// The worker's binary.
    pub path: PathBuf,
    /// Its configuration file.
    pub config: PathBuf,
}

/// A running worker. Dropping it kills the process.
pub struct Process {
    child: Child,
    pid: u32,
    /// The other parts of its model. They end when it does.
    parts: Vec<Child>,
}

/// What the gateway keeps of a worker it has started.
pub struct Started {
    /// The process.
    pub process: Process,
    /// Our end of its only socket.
    pub socket: UnixStream,
    /// The secret it was given.
    pub psk: HopPsk,
    /// What its evidence must answer; it came with the secret.
    pub nonce: [u8; HopPsk::NONCE_BYTES],
}

impl Program {
    /// Starts a worker with nothing but a socket, a secret and our stderr; and, if its model is split,
    /// a worker for each of the other `parts`, whose only socket is the first one's. The first gets
    /// their sockets' other ends in one message, and their secrets behind its own.
    ///
    /// The environment is emptied: what an operator's shell holds is none of the worker's business.
    ///
    /// # Errors
    /// [`WorkerError::Start`] when the binary cannot be run.
    pub fn start(&self, parts: usize) -> Result<Started, WorkerError> {
        let (psk, nonce) = (HopPsk::random()?, *Secret::random()?.expose());
        let (ours, theirs) = StdUnixStream::pair().map_err(|source| self.failed(source))?;
        let mut secrets = Zeroizing::new([&psk.expose()[..], &nonce].concat());
        let (mut others, mut sockets) = (Vec::with_capacity(parts), Vec::with_capacity(parts));
        for _ in 0..parts {
            let (psk, nonce) = (HopPsk::random()?, *Secret::random()?.expose());
            let secret = Zeroizing::new([&psk.expose()[..], &nonce].concat());
            let (heads, its) = StdUnixStream::pair().map_err(|source| self.failed(source))?;
            others.push(self.spawn(its, &secret)?);
            sockets.push(heads);
            // Longer than it was made for, it would leave itself behind.
            secrets = Zeroizing::new([&secrets[..], &secret].concat());
        }
        if parts > 0 {
            pass_on(&ours, &sockets).map_err(|source| self.failed(source))?;
        }
        drop(sockets);
        let child = self.spawn(theirs, &secrets)?;
        let pid = child.id().ok_or(WorkerError::Descriptor)?;

        ours.set_nonblocking(true).map_err(|source| self.failed(source))?;
        let socket = UnixStream::from_std(ours).map_err(|source| self.failed(source))?;
        Ok(Started { process: Process { child, pid, parts: others }, socket, psk, nonce })
    }

    fn spawn(&self, socket: StdUnixStream, secret: &[u8]) -> Result<Child, WorkerError> {
        let (secret_reader, mut secret_writer) =
            std::io::pipe().map_err(|source| self.failed(source))?;
        secret_writer.write_all(secret).map_err(|source| self.failed(source))?;
        drop(secret_writer);

        let mut command = std::process::Command::new(&self.path);
        command
            .arg("--config")
            .arg(&self.config)
            .env_clear()
            .current_dir("/")
            // Ctrl-C in a terminal is for the gateway, which drains before it lets workers go.
            .process_group(0)
            .stdin(Stdio::from(OwnedFd::from(socket)))
            .stdout(Stdio::null())
            .fd_mappings(vec![FdMapping {
                parent_fd: OwnedFd::from(secret_reader),
                child_fd: SECRET_FD,
            }])
            .map_err(|_| WorkerError::Descriptor)?;
        Command::from(command).kill_on_drop(true).spawn().map_err(|source| self.failed(source))
    }

    fn failed(&self, source: std::io::Error) -> WorkerError {
        WorkerError::Start { program: self.path.clone(), source }
    }
}

/// Leaves the sockets of parts in the socket of a worker that is not started yet, with one byte that
/// comes before anything else.
fn pass_on(to: &StdUnixStream, sockets: &[StdUnixStream]) -> std::io::Result<()> {
    let sockets: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
    let rights = SendAncillaryMessage::ScmRights(&sockets);
    let mut space = vec![MaybeUninit::uninit(); rights.size()];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(rights) {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    sendmsg(to, &[IoSlice::new(&[0])], &mut control, SendFlags::empty())?;
    Ok(())
}

impl Process {
    /// The process id.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it runs.
    pub fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for the end of a process whose socket is closed already, and kills it when it does
    /// not end by itself.
    pub async fn end(mut self, patience: Duration) -> Option<ExitStatus> {
        let status = Self::ended(&mut self.child, patience).await;
        for part in &mut self.parts {
            // Its socket is closed since the first one is gone.
            Self::ended(part, patience).await;
        }
        status
    }

    async fn ended(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
        if let Ok(status) = tokio::time::timeout(patience, child.wait()).await {
            return status.ok();
        }
        let _ = child.start_kill();
        child.wait().await.ok()
    }
}

/// Where a worker finds its secret; the first descriptor after the standard three.
pub const SECRET_FD: i32 = 3;
