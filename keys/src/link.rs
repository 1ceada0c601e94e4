//! The gateway's side of a hop for whoever blocks: the head of a split model, which asks its parts,
//! and whoever measures them.
//!
//! The session, the envelope and the refusal of replays are those of the hop between gateway and
//! worker, byte for byte. What sockets are, and who waits in which thread, is the caller's business.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::control::{
    ControlOpener, ControlSealer, PART_BYTES_MAX, ToGateway, ToWorker, gateway_ends,
};
use crate::frame::{HEADER_BYTES, Header, Kind, PAYLOAD_BYTES_MAX, encode};
use crate::hop::{HELLO_BYTES_MAX, Hello, open_session};
use crate::{AnswerOpener, Grant, HopPsk, KeyError, OpenedAnswer, RequestSealer};

/// A session that stands, over which nothing has been asked yet.
pub struct Opening<R, W> {
    read: R,
    write: W,
    sealer: RequestSealer,
    to_worker: ControlSealer,
    from_worker: ControlOpener,
}

/// Asks. It can be used from many threads at once.
pub struct Link<W> {
    sealer: RequestSealer,
    write: Mutex<W>,
    waiting: Arc<Waiting>,
}

/// Takes answers to whoever waits for them.
pub struct LinkReader<R> {
    read: R,
    control: ControlOpener,
    waiting: Arc<Waiting>,
}

/// A question on its way.
pub struct Pending {
    opener: AnswerOpener,
    reply: Receiver<Reply>,
    waiting: Arc<Waiting>,
}

enum Reply {
    Answer(Header, Vec<u8>),
    Refused,
}

/// Who waits for which answer; nobody can any more once the session is over.
struct Waiting(Mutex<Option<Senders>>);

/// By epoch and id of the question.
type Senders = HashMap<(u32, u64), SyncSender<Reply>>;

/// Why there is no session, or no answer.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The other side is gone.
    #[error("the other side is gone")]
    Lost,
    /// There was no answer in time.
    #[error("there was no answer in time")]
    TooSlow,
    /// The other side broke the protocol, or something sealed did not verify.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The other side did not take what it was to load.
    #[error("the part was not taken: {0}")]
    Load(String),
}

impl From<io::Error> for LinkError {
    fn from(_: io::Error) -> Self {
        Self::Lost
    }
}

impl<R: Read, W: Write> Opening<R, W> {
    /// Opens a session with a worker that has just started, if `judge` accepts what it shows.
    ///
    /// # Errors
    /// [`LinkError::Key`] with what `judge` says, or when the worker breaks the protocol;
    /// [`LinkError::Lost`].
    pub fn open(
        mut read: R,
        mut write: W,
        psk: &HopPsk,
        judge: impl FnOnce(&Hello) -> Result<(), KeyError>,
    ) -> Result<Self, LinkError> {
        let (header, payload) = read_frame(&mut read, HELLO_BYTES_MAX)?;
        if header.kind != Kind::Hello {
            return Err(KeyError::Refused.into());
        }
        let hello = Hello::decode(&payload)?;
        judge(&hello)?;
        let (open, secret) = open_session(&hello.identity, psk)?;
        write.write_all(&encode(Kind::Open, 0, 0, &open)?)?;
        let (to_worker, mut from_worker) = gateway_ends(&secret);
        let ToGateway::Ready = read_control(&mut read, &mut from_worker)? else {
            return Err(KeyError::Refused.into());
        };
        let sealer = RequestSealer::new(&secret, Instant::now());
        Ok(Self { read, write, sealer, to_worker, from_worker })
    }

    /// Gives the worker the file of a part, which has this digest.
    ///
    /// # Errors
    /// [`LinkError::Load`] with what the worker says; as of [`Opening::open`].
    pub fn load_part(&mut self, digest: [u8; 32], file: &[u8]) -> Result<(), LinkError> {
        let load = ToWorker::LoadPart { digest, bytes: file.len() as u64 };
        self.write.write_all(&self.to_worker.seal(&load)?)?;
        for piece in file.chunks(PART_BYTES_MAX) {
            self.write.write_all(&self.to_worker.seal(&ToWorker::Part(piece.to_vec()))?)?;
        }
        match read_control(&mut self.read, &mut self.from_worker)? {
            ToGateway::Loaded { digest: loaded } if loaded == digest => Ok(()),
            ToGateway::LoadRefused { reason } => Err(LinkError::Load(reason)),
            _ => Err(KeyError::Refused.into()),
        }
    }

    /// Both ends, for the threads that ask and the one that reads.
    #[must_use]
    pub fn start(self) -> (Link<W>, LinkReader<R>) {
        let waiting = Arc::new(Waiting(Mutex::new(Some(HashMap::new()))));
        let (write, read) = (Mutex::new(self.write), self.read);
        let link = Link { sealer: self.sealer, write, waiting: waiting.clone() };
        (link, LinkReader { read, control: self.from_worker, waiting })
    }
}

impl<W: Write> Link<W> {
    /// Seals a message for the other side and sends it.
    ///
    /// # Errors
    /// [`LinkError::Lost`], [`LinkError::Key`] when it cannot be sealed.
    pub fn ask(&self, grant: &Grant, message: &[u8]) -> Result<Pending, LinkError> {
        let (frame, opener) = self.sealer.seal(grant, message, Instant::now())?;
        let (sender, reply) = sync_channel(1);
        let pending = Pending { opener, reply, waiting: self.waiting.clone() };
        let key = pending.opener.key();
        self.waiting.lock().as_mut().ok_or(LinkError::Lost)?.insert(key, sender);
        self.write.lock().unwrap_or_else(PoisonError::into_inner).write_all(&frame)?;
        Ok(pending)
    }
}

impl<R: Read> LinkReader<R> {
    /// Reads until the other side is gone or breaks the protocol; either way the session is over,
    /// and whoever waits learns it.
    pub fn run(mut self) -> LinkError {
        let over = loop {
            if let Err(over) = self.step() {
                break over;
            }
        };
        *self.waiting.lock() = None;
        over
    }

    fn step(&mut self) -> Result<(), LinkError> {
        let (header, mut payload) = read_frame(&mut self.read, PAYLOAD_BYTES_MAX)?;
        match header.kind {
            Kind::Answer => {
                self.waiting.reply((header.epoch, header.id), Reply::Answer(header, payload));
                Ok(())
            }
            Kind::Control => match self.control.open(&header, &mut payload)? {
                ToGateway::RequestRefused { epoch, id, .. } => {
                    self.waiting.reply((epoch, id), Reply::Refused);
                    Ok(())
                }
                _ => Err(KeyError::Refused.into()),
            },
            _ => Err(KeyError::Refused.into()),
        }
    }
}

impl Pending {
    /// Waits for the answer and opens it.
    ///
    /// # Errors
    /// [`LinkError::Lost`], [`LinkError::TooSlow`], or [`LinkError::Key`] when the question was
    /// refused or its answer does not verify.
    pub fn answer(self, patience: Duration) -> Result<OpenedAnswer, LinkError> {
        let reply = self.reply.recv_timeout(patience).map_err(|why| match why {
            RecvTimeoutError::Timeout => {
                // Nobody stays behind in the list of those who wait.
                if let Some(waiting) = self.waiting.lock().as_mut() {
                    waiting.remove(&self.opener.key());
                }
                LinkError::TooSlow
            }
            RecvTimeoutError::Disconnected => LinkError::Lost,
        })?;
        match reply {
            Reply::Answer(header, mut payload) => Ok(self.opener.open(&header, &mut payload)?),
            Reply::Refused => Err(KeyError::Refused.into()),
        }
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Option<Senders>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reply(&self, key: (u32, u64), reply: Reply) {
        let sender = self.lock().as_mut().and_then(|waiting| waiting.remove(&key));
        if let Some(sender) = sender {
            // Nobody may wait any more; then the answer is dropped unopened.
            let _ = sender.send(reply);
        }
    }
}

fn read_control(read: &mut impl Read, control: &mut ControlOpener) -> Result<ToGateway, LinkError> {
    let (header, mut payload) = read_frame(read, HELLO_BYTES_MAX)?;
    Ok(control.open(&header, &mut payload)?)
}

/// Reads one frame of at most `bytes_max` payload bytes.
fn read_frame(read: &mut impl Read, bytes_max: usize) -> Result<(Header, Vec<u8>), LinkError> {
    let mut header = [0; HEADER_BYTES];
    read.read_exact(&mut header)?;
    let header = Header::decode(&header)?;
    let bytes = header.payload_bytes as usize;
    if bytes > bytes_max {
        return Err(KeyError::Frame.into());
    }
    let mut payload = vec![0; bytes];
    read.read_exact(&mut payload)?;
    Ok((header, payload))
}
