//! A worker process: born with one end of a socketpair as its stdin and a secret on a pipe.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use sealgate_keys::{HopPsk, Secret};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

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
    /// Starts a worker with nothing but a socket, a secret and our stderr.
    ///
    /// The environment is emptied: what an operator's shell holds is none of the worker's business.
    ///
    /// # Errors
    /// [`WorkerError::Start`] when the binary cannot be run.
    pub fn start(&self) -> Result<Started, WorkerError> {
        let start = |source| WorkerError::Start { program: self.path.clone(), source };
        let psk = HopPsk::random()?;
        let nonce = *Secret::random()?.expose();
        let (ours, theirs) = StdUnixStream::pair().map_err(start)?;
        let (secret_reader, mut secret_writer) = std::io::pipe().map_err(start)?;
        secret_writer.write_all(psk.expose()).map_err(start)?;
        secret_writer.write_all(&nonce).map_err(start)?;
        drop(secret_writer);

        let mut command = std::process::Command::new(&self.path);
        command
            .arg("--config")
            .arg(&self.config)
            .env_clear()
            .current_dir("/")
            // Ctrl-C in a terminal is for the gateway, which drains before it lets workers go.
            .process_group(0)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .fd_mappings(vec![FdMapping {
                parent_fd: OwnedFd::from(secret_reader),
                child_fd: SECRET_FD,
            }])
            .map_err(|_| WorkerError::Descriptor)?;
        let child = Command::from(command).kill_on_drop(true).spawn().map_err(start)?;
        let pid = child.id().ok_or(WorkerError::Descriptor)?;

        ours.set_nonblocking(true).map_err(start)?;
        let socket = UnixStream::from_std(ours).map_err(start)?;
        Ok(Started { process: Process { child, pid }, socket, psk, nonce })
    }
}

impl Process {
    /// The process id.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for the end of a process whose socket is closed already, and kills it when it does
    /// not end by itself.
    pub async fn end(mut self, patience: Duration) -> Option<ExitStatus> {
        if let Ok(status) = tokio::time::timeout(patience, self.child.wait()).await {
            return status.ok();
        }
        let _ = self.child.start_kill();
        self.child.wait().await.ok()
    }
}

/// Where a worker finds its secret; the first descriptor after the standard three.
pub const SECRET_FD: i32 = 3;
