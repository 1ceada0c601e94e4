//! One session with one worker: frames out, frames in, each answer to whoever waits for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use sealgate_keys::control::{ControlOpener, ControlSealer, ToGateway, ToWorker, refused};
use sealgate_keys::evidence::NonceTree;
use sealgate_keys::frame::{Header, Kind, PAYLOAD_BYTES_MAX};
use sealgate_keys::{AnswerOpener, Cleartext, Grant, HopPsk, OpenedAnswer, RequestSealer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::client_keys::{Asked, Attested, Questions, ShownKeys};
use super::handshake::{self, Demands, Facts, Session, read_frame};
use super::{Stages, WorkerError};
use crate::models::Artifact;

/// A session that stands, with a model loaded.
pub struct Connection {
    sealer: RequestSealer,
    outbox: mpsc::Sender<Outgoing>,
    waiting: Arc<Waiting>,
    ended: watch::Receiver<bool>,
    hang_up: Arc<Notify>,
    facts: Facts,
    model: ModelId,
    control: tokio::sync::Mutex<ControlSealer>,
    questions: Arc<Questions>,
    quoting: tokio::sync::Mutex<()>,
    keys: ArcSwapOption<ShownKeys>,
}

/// The end of a session, for who does not hold it open.
pub(super) struct HangUp {
    ended: watch::Receiver<bool>,
    now: Arc<Notify>,
}

/// Which model a worker has loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelId {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its artifact.
    pub digest: [u8; 32],
}

/// A request on its way.
pub struct Call {
    opener: AnswerOpener,
    reply: oneshot::Receiver<Reply>,
    _place: Place,
}

/// Who waits for which answer.
#[derive(Default)]
struct Waiting {
    line: Mutex<Line>,
    /// Whether anything was answered.
    answered: AtomicBool,
    /// Whether nothing will be any more.
    over: AtomicBool,
}

/// A frame on its way out; if it is a request, whose place it has in the line.
struct Outgoing {
    request: Option<(u32, u64)>,
    frame: Vec<u8>,
}

#[derive(Default)]
struct Line {
    asking: HashMap<(u32, u64), Asking>,
    /// Once the session has ended: whose requests the worker may have had.
    lost: Option<Vec<String>>,
}

/// A request on its way: whose it is, and where its answer goes.
struct Asking {
    caller: String,
    /// Whether any of it may have been given to the socket. From then on nobody can say that the
    /// worker did not begin with it.
    sent: bool,
    reply: oneshot::Sender<Reply>,
}

/// One entry of [`Waiting`]; it leaves with whoever waits, so that an abandoned request does not
/// stay behind.
struct Place {
    key: (u32, u64),
    waiting: Arc<Waiting>,
}

enum Reply {
    Answer(Header, Vec<u8>),
    Refused(String),
    NotStarted,
}

impl Connection {
    /// Opens a session with a worker that has just started and gives it the model.
    ///
    /// # Errors
    /// [`WorkerError`], saying which step failed; the worker is then of no use.
    pub async fn open(
        (read, mut write): (
            impl AsyncRead + Unpin + Send + 'static,
            impl AsyncWrite + Unpin + Send + 'static,
        ),
        psk: HopPsk,
        nonce: &[u8; 32],
        demands: &Demands,
        artifact: &Artifact,
        stages: &mut Stages,
    ) -> Result<Self, WorkerError> {
        let mut read = BufReader::with_capacity(READ_BUFFER_BYTES, read);
        let mut ends = (&mut read, &mut write);
        let session = handshake::open(&mut ends, psk, nonce, demands, artifact, stages).await?;
        let model = ModelId {
            name: artifact.name.clone(),
            version: artifact.version.clone(),
            digest: artifact.digest,
        };
        Ok(Self::start(read, write, session, model))
    }

    /// Goes on with a session that stands.
    fn start(
        read: BufReader<impl AsyncRead + Unpin + Send + 'static>,
        write: impl AsyncWrite + Unpin + Send + 'static,
        session: Session,
        model: ModelId,
    ) -> Self {
        let waiting = Arc::new(Waiting::default());
        let questions = Arc::new(Questions::default());
        let (outbox, to_send) = mpsc::channel(OUTBOX_FRAMES);
        let (end, ended) = watch::channel(false);
        let hang_up = Arc::new(Notify::new());
        tokio::spawn({
            let (waiting, questions) = (waiting.clone(), questions.clone());
            let hang_up = hang_up.clone();
            async move {
                // A session needs both halves: when either ends, so does the other.
                tokio::select! {
                    error = read_frames(read, session.from_worker, &waiting, &questions) => {
                        tracing::debug!(%error, "the hop ended");
                    }
                    () = write_frames(write, to_send, &waiting) => {}
                    () = hang_up.notified() => {}
                }
                waiting.end();
                questions.clear();
                // Last: whoever is told may ask at once whose requests were lost.
                let _ = end.send(true);
            }
        });
        let sealer = RequestSealer::new(&session.secret, Instant::now());
        Self {
            sealer,
            outbox,
            waiting,
            ended,
            hang_up,
            facts: session.facts,
            model,
            control: tokio::sync::Mutex::new(session.to_worker),
            questions,
            quoting: tokio::sync::Mutex::default(),
            keys: ArcSwapOption::empty(),
        }
    }

    /// Has the worker make new keys for clients under `ids`. They are shown to nobody before
    /// [`Connection::show`].
    ///
    /// # Errors
    /// [`WorkerError`] when the worker is gone or shows something else.
    pub async fn new_keys(
        &self,
        ids: [u8; 2],
        active: Duration,
        overlap: Duration,
    ) -> Result<ShownKeys, WorkerError> {
        let answer = self.questions.ask_keys(ids);
        let [x_wing_id, x25519_id] = ids;
        let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        let (active_ms, overlap_ms) = (millis(active), millis(overlap));
        let ask = ToWorker::NewKeys { x_wing_id, x25519_id, active_ms, overlap_ms };
        let (keyset, key_list) = self.answered(&ask, answer).await?;
        Ok(ShownKeys::new(ids, &keyset, key_list)?)
    }

    /// Tells the worker that this keyset is on record and its receipts may name it.
    ///
    /// # Errors
    /// [`WorkerError::Lost`] when the worker is gone.
    pub async fn offer(&self, keyset_digest: [u8; 32]) -> Result<(), WorkerError> {
        let offered = ToWorker::Offered { keyset_digest };
        tokio::time::timeout(ANSWER_PATIENCE, self.tell(&offered))
            .await
            .unwrap_or(Err(WorkerError::TooSlow))
    }

    /// Offers these keys to clients from now on.
    pub fn show(&self, keys: Arc<ShownKeys>) {
        self.keys.store(Some(keys));
    }

    /// The keys that clients are given now.
    #[must_use]
    pub fn keys(&self) -> Option<Arc<ShownKeys>> {
        self.keys.load_full()
    }

    /// Evidence for a keyset that answers `nonce`. Nonces that wait together share one quote.
    ///
    /// # Errors
    /// [`WorkerError::Lost`] when the worker or the keyset is gone, [`WorkerError::TooSlow`] when
    /// it does not answer.
    pub async fn attest(
        &self,
        keyset_digest: [u8; 32],
        nonce: [u8; 32],
    ) -> Result<Attested, WorkerError> {
        let shared = async {
            loop {
                let (reply, mut answer) = oneshot::channel();
                self.questions.add_nonce(Asked { keyset_digest, nonce, reply });
                let _one_at_a_time = self.quoting.lock().await;
                match answer.try_recv() {
                    Ok(attested) => return attested.ok_or(WorkerError::Lost),
                    // Whoever asked for us too went away before the answer was there.
                    Err(TryRecvError::Closed) => {}
                    Err(TryRecvError::Empty) => {
                        self.quote_for_all(&keyset_digest).await;
                        let attested = answer.try_recv().map_err(|_| WorkerError::Lost)?;
                        return attested.ok_or(WorkerError::Lost);
                    }
                }
            }
        };
        let patience = ANSWER_PATIENCE * 2;
        tokio::time::timeout(patience, shared).await.unwrap_or(Err(WorkerError::TooSlow))
    }

    /// One quote for all nonces that wait; if there is none, all of them learn it.
    async fn quote_for_all(&self, keyset_digest: &[u8; 32]) {
        let asked = self.questions.take_nonces(keyset_digest);
        let nonces: Vec<[u8; 32]> = asked.iter().map(|asked| asked.nonce).collect();
        let Some(tree) = NonceTree::new(&nonces) else { return };
        let evidence = match self.quote(*keyset_digest, tree.root()).await {
            Ok(evidence) => Some(evidence),
            Err(error) => {
                tracing::warn!(%error, "no evidence from a worker");
                None
            }
        };
        for (index, asked) in asked.into_iter().enumerate() {
            let path = tree.path(index);
            let attested = evidence.clone().zip(path);
            let _ = asked.reply.send(attested.map(|(evidence, path)| Attested { evidence, path }));
        }
    }

    async fn quote(
        &self,
        keyset_digest: [u8; 32],
        nonce_root: [u8; 32],
    ) -> Result<Vec<u8>, WorkerError> {
        let (ask, answer) = self.questions.ask_evidence();
        let ask = ToWorker::Attest { ask, keyset_digest, nonce_root };
        let evidence = self.answered(&ask, answer).await?;
        if evidence.is_empty() { Err(WorkerError::Lost) } else { Ok(evidence) }
    }

    /// Asks, and waits for the answer; a worker that hangs holds nobody up for ever.
    async fn answered<T>(
        &self,
        ask: &ToWorker,
        answer: oneshot::Receiver<T>,
    ) -> Result<T, WorkerError> {
        let exchange = async {
            self.tell(ask).await?;
            answer.await.map_err(|_| WorkerError::Lost)
        };
        tokio::time::timeout(ANSWER_PATIENCE, exchange).await.unwrap_or(Err(WorkerError::TooSlow))
    }

    /// Returns when the worker says that it wants new keys.
    pub async fn keys_wanted(&self) {
        self.questions.wanted.notified().await;
    }

    /// Control messages are numbered: sealing and queueing are one step.
    async fn tell(&self, message: &ToWorker) -> Result<(), WorkerError> {
        let mut control = self.control.lock().await;
        let place = self.outbox.reserve().await.map_err(|_| WorkerError::Lost)?;
        // Nothing is awaited from here on: who goes away leaves no gap in the numbers.
        place.send(Outgoing { request: None, frame: control.seal(message)? });
        Ok(())
    }

    /// Seals a message for this worker and sends it.
    ///
    /// # Errors
    /// [`WorkerError::NotStarted`] when the session has ended, [`WorkerError::Seal`] when the
    /// message cannot be sealed.
    pub async fn call(&self, grant: &Grant, message: Cleartext) -> Result<Call, WorkerError> {
        let (frame, opener) = self.sealer.seal(grant, message.expose(), Instant::now())?;
        // Sealed, it is not needed any more: it must not stay for as long as the answer takes.
        drop(message);
        let (sender, reply) = oneshot::channel();
        let place = Place { key: opener.key(), waiting: self.waiting.clone() };
        let asking = Asking { caller: grant.caller.clone(), sent: false, reply: sender };
        self.waiting.add(place.key, asking)?;
        let outgoing = Outgoing { request: Some(place.key), frame };
        // What the writer never took was never sent.
        self.outbox.send(outgoing).await.map_err(|_| WorkerError::NotStarted)?;
        Ok(Call { opener, reply, _place: place })
    }

    /// Returns when the session is over.
    pub async fn ended(&self) {
        let _ = self.ended.clone().wait_for(|&over| over).await;
    }

    /// What ends the session when this is dropped and others still have it.
    pub(super) fn hang_up(&self) -> HangUp {
        HangUp { ended: self.ended.clone(), now: self.hang_up.clone() }
    }

    /// Whether it answers nothing any more; known before any of those it leaves unanswered are told.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.waiting.over.load(Ordering::Acquire)
    }

    /// Whether it has answered a request.
    #[must_use]
    pub fn has_answered(&self) -> bool {
        self.waiting.answered.load(Ordering::Relaxed)
    }

    /// The callers whose requests it may have had when its session ended.
    #[must_use]
    pub fn callers_lost(&self) -> Vec<String> {
        self.waiting.lock().lost.clone().unwrap_or_default()
    }

    /// How many requests wait for it.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.waiting.lock().asking.len()
    }

    /// The model that it runs.
    #[must_use]
    pub const fn model(&self) -> &ModelId {
        &self.model
    }

    /// What the worker said of itself.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }
}

impl HangUp {
    /// Returns when the session is over: by itself within `patience`, or at once after that.
    pub(super) async fn end(mut self, patience: Duration) {
        let over = self.ended.wait_for(|&over| over);
        if tokio::time::timeout(patience, over).await.is_err() {
            self.now.notify_one();
            let _ = self.ended.wait_for(|&over| over).await;
        }
    }
}

impl Call {
    /// Waits for the answer and opens it.
    ///
    /// # Errors
    /// [`WorkerError::Lost`] when the worker is gone and may have had it,
    /// [`WorkerError::NotStarted`] when it is gone and cannot have, [`WorkerError::Busy`] and
    /// [`WorkerError::Refused`] when it took nothing, [`WorkerError::Seal`] when the answer does
    /// not verify.
    pub async fn answer(self) -> Result<OpenedAnswer, WorkerError> {
        match self.reply.await.map_err(|_| WorkerError::Lost)? {
            Reply::Answer(header, mut payload) => Ok(self.opener.open(&header, &mut payload)?),
            Reply::Refused(code) => Err(unopened(&code)),
            Reply::NotStarted => Err(WorkerError::NotStarted),
        }
    }
}

/// What a worker's word for a request that it did not open means.
fn unopened(code: &str) -> WorkerError {
    const KEY: [&str; 4] =
        [refused::KEY_UNKNOWN, refused::NOT_OPENED, refused::REPLAYED, refused::KEY_SPENT];
    match code {
        refused::BUSY => WorkerError::Busy,
        refused::CALLER_SHARE => WorkerError::CallerShare,
        code => match KEY.iter().find(|&&known| known == code) {
            Some(&known) => WorkerError::Key(known),
            None => WorkerError::Refused,
        },
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, key: (u32, u64), asking: Asking) -> Result<(), WorkerError> {
        let mut line = self.lock();
        if line.lost.is_some() {
            return Err(WorkerError::NotStarted);
        }
        line.asking.insert(key, asking);
        Ok(())
    }

    fn reply(&self, key: (u32, u64), reply: Reply) {
        let asking = self.lock().asking.remove(&key);
        if let Some(asking) = asking {
            // Nobody may wait any more; then the answer is dropped, and wiped, unopened.
            let _ = asking.reply.send(reply);
        }
    }

    /// These are about to be given to the socket.
    fn sending(&self, requests: &[(u32, u64)]) {
        let mut line = self.lock();
        for key in requests {
            if let Some(asking) = line.asking.get_mut(key) {
                asking.sent = true;
            }
        }
    }

    /// Nothing more is answered. Whoever's request was sent learns of the loss by its sender being
    /// dropped; the others are told that theirs was not.
    fn end(&self) {
        self.over.store(true, Ordering::Release);
        let mut line = self.lock();
        let (sent, unsent): (Vec<_>, Vec<_>) =
            line.asking.drain().map(|(_, asking)| asking).partition(|asking| asking.sent);
        line.lost = Some(sent.into_iter().map(|asking| asking.caller).collect());
        drop(line);
        for asking in unsent {
            let _ = asking.reply.send(Reply::NotStarted);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waiting.lock().asking.remove(&self.key);
    }
}

async fn write_frames(
    mut write: impl AsyncWrite + Unpin,
    mut frames: mpsc::Receiver<Outgoing>,
    waiting: &Waiting,
) {
    let mut requests = Vec::new();
    while let Some(Outgoing { request, frame: mut bytes }) = frames.recv().await {
        requests.clear();
        requests.extend(request);
        // Whoever else is ready gets its frame in first: one system call, and one waking of the
        // worker, then serves them all.
        tokio::task::yield_now().await;
        while bytes.len() < BATCH_BYTES {
            let Ok(Outgoing { request, frame }) = frames.try_recv() else { break };
            bytes.extend_from_slice(&frame);
            requests.extend(request);
        }
        // Before the first byte of it: what is not marked was not sent.
        waiting.sending(&requests);
        // A TLS stream keeps what is not flushed.
        if write.write_all(&bytes).await.is_err() || write.flush().await.is_err() {
            return;
        }
    }
}

/// Reads until the worker is gone or breaks the protocol; either way the session is over.
async fn read_frames(
    mut read: BufReader<impl AsyncRead + Unpin>,
    mut control: ControlOpener,
    waiting: &Waiting,
    questions: &Questions,
) -> WorkerError {
    loop {
        let (header, mut payload) = match read_frame(&mut read, PAYLOAD_BYTES_MAX).await {
            Ok(frame) => frame,
            Err(error) => return error,
        };
        match header.kind {
            Kind::Answer => {
                waiting.answered.store(true, Ordering::Relaxed);
                waiting.reply((header.epoch, header.id), Reply::Answer(header, payload));
            }
            Kind::Control => match control.open(&header, &mut payload) {
                Ok(ToGateway::RequestRefused { epoch, id, code }) => {
                    waiting.reply((epoch, id), Reply::Refused(code));
                }
                Ok(ToGateway::Keys { keyset, key_list }) => {
                    questions.keys(keyset, key_list);
                }
                Ok(ToGateway::Evidence { ask, evidence }) => questions.evidence(ask, evidence),
                Ok(ToGateway::KeysWanted) => questions.wanted.notify_one(),
                Ok(_) => return WorkerError::Protocol("unexpected control message"),
                Err(error) => return error.into(),
            },
            _ => return WorkerError::Protocol("unexpected frame"),
        }
    }
}

/// How long a worker may take to make keys or evidence.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);
const READ_BUFFER_BYTES: usize = 64 << 10;
const OUTBOX_FRAMES: usize = 256;
const BATCH_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests;
