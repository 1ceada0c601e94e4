//! One session with one worker: frames out, frames in, each answer to whoever waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sealgate_keys::control::{ControlOpener, ToGateway};
use sealgate_keys::frame::{Header, Kind, PAYLOAD_BYTES_MAX};
use sealgate_keys::{AnswerOpener, Cleartext, Grant, HopPsk, OpenedAnswer, RequestSealer};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};

use super::WorkerError;
use super::handshake::{self, Demands, Facts, read_frame};
use crate::models::Artifact;

/// A session that stands, with a model loaded.
pub struct Connection {
    sealer: RequestSealer,
    outbox: mpsc::Sender<Vec<u8>>,
    waiting: Arc<Waiting>,
    ended: watch::Receiver<bool>,
    facts: Facts,
}

/// A request on its way.
pub struct Call {
    opener: AnswerOpener,
    reply: oneshot::Receiver<Reply>,
    _place: Place,
}

/// Who waits for which answer.
#[derive(Default)]
struct Waiting(Mutex<HashMap<(u32, u64), oneshot::Sender<Reply>>>);

/// One entry of [`Waiting`]; it leaves with whoever waits, so that an abandoned request does not
/// stay behind.
struct Place {
    key: (u32, u64),
    waiting: Arc<Waiting>,
}

enum Reply {
    Answer(Header, Vec<u8>),
    Refused(String),
}

impl Connection {
    /// Opens a session with a worker that has just started and gives it the model.
    ///
    /// # Errors
    /// [`WorkerError`], saying which step failed; the worker is then of no use.
    pub async fn open(
        socket: UnixStream,
        psk: HopPsk,
        nonce: &[u8; 32],
        demands: &Demands,
        artifact: &Artifact,
    ) -> Result<Self, WorkerError> {
        let (read, mut write) = socket.into_split();
        let mut read = BufReader::with_capacity(READ_BUFFER_BYTES, read);
        let session = handshake::open(&mut read, &mut write, psk, nonce, demands, artifact).await?;

        let waiting = Arc::new(Waiting::default());
        let (outbox, to_send) = mpsc::channel(OUTBOX_FRAMES);
        let (end, ended) = watch::channel(false);
        tokio::spawn({
            let waiting = waiting.clone();
            async move {
                // A session needs both halves: when either ends, so does the other.
                tokio::select! {
                    error = read_frames(read, session.control, &waiting) => {
                        tracing::debug!(%error, "the hop ended");
                    }
                    () = write_frames(write, to_send) => {}
                }
                let _ = end.send(true);
                // Whoever waits learns of the loss by the sender being dropped.
                waiting.lock().clear();
            }
        });
        let sealer = RequestSealer::new(&session.secret, Instant::now());
        Ok(Self { sealer, outbox, waiting, ended, facts: session.facts })
    }

    /// Seals a message for this worker and sends it.
    ///
    /// # Errors
    /// [`WorkerError::Lost`] when the session has ended, [`WorkerError::Seal`] when the message
    /// cannot be sealed.
    pub async fn call(&self, grant: &Grant, message: Cleartext) -> Result<Call, WorkerError> {
        let (frame, opener) = self.sealer.seal(grant, message.expose(), Instant::now())?;
        // Sealed, it is not needed any more: it must not stay for as long as the answer takes.
        drop(message);
        let (sender, reply) = oneshot::channel();
        let place = Place { key: opener.key(), waiting: self.waiting.clone() };
        self.waiting.lock().insert(place.key, sender);
        // Looked at after the entry is in: the reader sets it before it clears the entries, so an
        // entry is either cleared there or refused here, never left waiting.
        if *self.ended.borrow() {
            return Err(WorkerError::Lost);
        }
        self.outbox.send(frame).await.map_err(|_| WorkerError::Lost)?;
        Ok(Call { opener, reply, _place: place })
    }

    /// Returns when the session is over.
    pub async fn ended(&self) {
        let _ = self.ended.clone().wait_for(|&over| over).await;
    }

    /// What the worker said of itself.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }
}

impl Call {
    /// Waits for the answer and opens it.
    ///
    /// # Errors
    /// [`WorkerError::Lost`] when the worker is gone, [`WorkerError::Busy`] and
    /// [`WorkerError::Refused`] when it took nothing, [`WorkerError::Seal`] when the answer does
    /// not verify.
    pub async fn answer(self) -> Result<OpenedAnswer, WorkerError> {
        match self.reply.await.map_err(|_| WorkerError::Lost)? {
            Reply::Answer(header, mut payload) => Ok(self.opener.open(&header, &mut payload)?),
            Reply::Refused(code) if code == "busy" => Err(WorkerError::Busy),
            Reply::Refused(_) => Err(WorkerError::Refused),
        }
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, HashMap<(u32, u64), oneshot::Sender<Reply>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reply(&self, key: (u32, u64), reply: Reply) {
        let sender = self.lock().remove(&key);
        if let Some(sender) = sender {
            // Nobody may wait any more; then the answer is dropped, and wiped, unopened.
            let _ = sender.send(reply);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waiting.lock().remove(&self.key);
    }
}

async fn write_frames(mut write: OwnedWriteHalf, mut frames: mpsc::Receiver<Vec<u8>>) {
    while let Some(mut bytes) = frames.recv().await {
        // Whoever else is ready gets its frame in first: one system call, and one waking of the
        // worker, then serves them all.
        tokio::task::yield_now().await;
        while bytes.len() < BATCH_BYTES {
            let Ok(frame) = frames.try_recv() else { break };
            bytes.extend_from_slice(&frame);
        }
        if write.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// Reads until the worker is gone or breaks the protocol; either way the session is over.
async fn read_frames(
    mut read: BufReader<OwnedReadHalf>,
    mut control: ControlOpener,
    waiting: &Waiting,
) -> WorkerError {
    loop {
        let (header, mut payload) = match read_frame(&mut read, PAYLOAD_BYTES_MAX).await {
            Ok(frame) => frame,
            Err(error) => return error,
        };
        match header.kind {
            Kind::Answer => {
                waiting.reply((header.epoch, header.id), Reply::Answer(header, payload));
            }
            Kind::Control => match control.open(&header, &mut payload) {
                Ok(ToGateway::RequestRefused { epoch, id, code }) => {
                    waiting.reply((epoch, id), Reply::Refused(code));
                }
                Ok(_) => return WorkerError::Protocol("unexpected control message"),
                Err(error) => return error.into(),
            },
            _ => return WorkerError::Protocol("unexpected frame"),
        }
    }
}

const READ_BUFFER_BYTES: usize = 64 << 10;
const OUTBOX_FRAMES: usize = 256;
const BATCH_BYTES: usize = 64 << 10;
