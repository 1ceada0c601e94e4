//! What a worker does while its session stands: read frames, keep the queue, send answers.

use std::io::{self, BufReader, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use sealgate_keys::control::{ControlOpener, ControlSealer, ToGateway, ToWorker, refused};
use sealgate_keys::frame::{HEADER_BYTES, Header, Kind, PAYLOAD_BYTES_MAX};
use sealgate_model::split::RunningPart;

use crate::batching::Batching;
use crate::client_keys::Life;
use crate::clients::Clients;
use crate::error::WorkerError;
use crate::keeper::Bell;
use crate::loaded::{Incoming, LoadError, Loaded, Ready};
use crate::opener::RequestOpener;
use crate::parts::{self, Head};
use crate::pipeline::{Answered, Arrived, Pipeline, Unopened};
use crate::queue::Queue;

/// Shared by the reader and the inference threads.
pub(crate) struct Service {
    opener: RequestOpener,
    model: RwLock<Option<Arc<Loaded>>>,
    /// Instead of a model: a part of one, for a head.
    part: OnceLock<RunningPart>,
    head: Head,
    queue: Queue<Arrived>,
    outbox: Mutex<Outbox>,
    clients: Clients,
    bell: Bell,
    rows_max: usize,
    request_bytes_max: usize,
    batching: Batching,
    device: Device,
}

/// The way out. Control messages are numbered, so they are sealed and written under one lock.
struct Outbox {
    writer: Box<dyn Write + Send>,
    control: ControlSealer,
}

impl Service {
    pub(crate) fn new(
        opener: RequestOpener,
        writer: Box<dyn Write + Send>,
        control: ControlSealer,
        clients: Clients,
        head: Head,
        device: Device,
        limits: Limits,
    ) -> Self {
        Self {
            opener,
            model: RwLock::new(None),
            part: OnceLock::new(),
            head,
            queue: Queue::new(limits.queue_requests_max),
            outbox: Mutex::new(Outbox { writer, control }),
            clients,
            bell: Bell::default(),
            rows_max: limits.rows_max,
            request_bytes_max: limits.request_bytes_max,
            batching: Batching { rows_max: limits.batch_rows_max, threads: limits.threads },
            device,
        }
    }

    /// Reads until the gateway closes the socket, which is how a worker's life ends well.
    ///
    /// A small request with nothing behind it is answered by the reader itself: handing it over
    /// would cost more than running it.
    pub(crate) fn read(
        &self,
        reader: &mut BufReader<impl Read>,
        mut control: ControlOpener,
    ) -> Result<(), WorkerError> {
        let mut incoming = None;
        let result = loop {
            let (header, mut payload) = match read_frame(reader, PAYLOAD_BYTES_MAX) {
                Ok(Some(frame)) => frame,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            let step = match header.kind {
                Kind::Request | Kind::SealedRequest => {
                    let alone = reader.buffer().is_empty() && payload.len() <= INLINE_BYTES_MAX;
                    let request = Arrived { header, payload, at: Instant::now() };
                    if alone {
                        self.answer_and_forget(vec![request])
                    } else {
                        self.enqueue(request)
                    }
                }
                Kind::Control => control
                    .open(&header, &mut payload)
                    .map_err(WorkerError::from)
                    .and_then(|message| self.control(message, &mut incoming))
                    // Keys are made on this stack.
                    .inspect(|()| wipe_stack()),
                _ => Err(WorkerError::Protocol),
            };
            if let Err(error) = step {
                break Err(error);
            }
        };
        self.queue.close();
        self.bell.over();
        result
    }

    /// The life of an inference thread.
    pub(crate) fn infer(&self) {
        let share = self.batching.share();
        while let Some(requests) = self.queue.take(&share) {
            // A gateway that is gone ends the reader, and with it the process.
            let _ = self.answer_and_forget(requests);
        }
    }

    /// The life of the thread that destroys clients' keys at their end.
    pub(crate) fn keep(&self) {
        self.bell.keep(&self.clients);
    }

    /// No allocator wipes a stack: the last blocks that were decrypted would stay on it.
    fn answer_and_forget(&self, requests: Vec<Arrived>) -> Result<(), WorkerError> {
        let answered = self.answer(requests);
        wipe_stack();
        answered
    }

    fn pipeline<'a>(&'a self, model: &'a Loaded) -> Pipeline<'a> {
        let rows_max = model.rows_within(self.request_bytes_max).min(self.rows_max);
        Pipeline { opener: &self.opener, model, clients: &self.clients, rows_max }
    }

    /// Answers each request, or says that it was refused; what may be is scored together. A panic
    /// costs the one request its answer, not the others their thread.
    #[inline(never)]
    fn answer(&self, requests: Vec<Arrived>) -> Result<(), WorkerError> {
        if let Some(part) = self.part.get() {
            return requests.into_iter().try_for_each(|request| {
                let (epoch, id) = (request.header.epoch, request.header.id);
                match unwound(|| parts::answer(&self.opener, part, request)) {
                    Ok(frame) => self.send(&frame),
                    Err(Unopened(code)) => self.refuse(epoch, id, code),
                }
            });
        }
        let model = self.model.read().unwrap_or_else(PoisonError::into_inner).clone();
        let pipeline = model.as_deref().map(|model| self.pipeline(model));
        let mut waiting = Vec::with_capacity(requests.len());
        for request in requests {
            let place = (request.header.epoch, request.header.id);
            let opened = match &pipeline {
                Some(pipeline) => unwound(|| pipeline.open(request)),
                None => Err(Unopened(refused::ENVELOPE)),
            };
            match opened {
                Ok(request) => waiting.push((place, request)),
                Err(unopened) => self.reply(place, Err(unopened))?,
            }
        }
        let Some(pipeline) = &pipeline else { return Ok(()) };
        let mut together: Vec<_> = waiting.iter_mut().map(|(_, request)| request).collect();
        let rows_max = self.batching.rows_max.min(pipeline.rows_max);
        let batching = Batching { rows_max, ..self.batching };
        batching.score(&mut together, &|rows| pipeline.model.model.infer_together(rows));
        for (place, request) in waiting {
            self.reply(place, unwound(|| pipeline.answer(request)))?;
        }
        Ok(())
    }

    /// Sends what became of the request of an epoch and id.
    fn reply(
        &self,
        (epoch, id): (u32, u64),
        answer: Result<Answered, Unopened>,
    ) -> Result<(), WorkerError> {
        match answer {
            Ok(Answered { frame, keys_wanted }) => {
                self.send(&frame)?;
                if keys_wanted { self.tell(&ToGateway::KeysWanted) } else { Ok(()) }
            }
            Err(Unopened(code)) => self.refuse(epoch, id, code),
        }
    }

    fn enqueue(&self, request: Arrived) -> Result<(), WorkerError> {
        match self.queue.offer(request) {
            Ok(()) => Ok(()),
            Err(full) => self.refuse(full.header.epoch, full.header.id, refused::BUSY),
        }
    }

    fn control(
        &self,
        message: ToWorker,
        incoming: &mut Option<Incoming>,
    ) -> Result<(), WorkerError> {
        let complete = match (message, incoming.as_mut()) {
            (
                ToWorker::Load { .. }
                | ToWorker::LoadSplit { .. }
                | ToWorker::LoadPart { .. }
                | ToWorker::Part(_),
                _,
            ) if self.is_loaded() => {
                // Keys, keysets and evidence speak of the model that is here.
                return Err(WorkerError::Protocol);
            }
            (ToWorker::Load { model, version, digest, bytes, dek }, _) => {
                begun(incoming, Incoming::new(model, version, digest, bytes, dek))
            }
            (ToWorker::LoadSplit { model, version, digest, pieces }, _) => {
                begun(incoming, Incoming::split(model, version, digest, &pieces))
            }
            (ToWorker::LoadPart { digest, bytes }, _) => {
                begun(incoming, Incoming::part(digest, bytes))
            }
            (ToWorker::Part(part), Some(model)) => model.push(&part),
            (ToWorker::Part(_), None) => Err(LoadError::unannounced()),
            (ToWorker::NewKeys { x_wing_id, x25519_id, active_ms, overlap_ms }, _) => {
                let life = Life {
                    active: Duration::from_millis(active_ms.into()),
                    overlap: Duration::from_millis(overlap_ms.into()),
                };
                return self.renew([x_wing_id, x25519_id], life);
            }
            (ToWorker::Offered { keyset_digest }, _) => {
                self.clients.offer(keyset_digest);
                return Ok(());
            }
            (ToWorker::Attest { ask, keyset_digest, nonce_root }, _) => {
                let now = Instant::now();
                let evidence = self.clients.evidence(&keyset_digest, &nonce_root, now)?;
                return self.tell(&ToGateway::Evidence { ask, evidence });
            }
        };
        let reply = match complete {
            Ok(false) => return Ok(()),
            Ok(true) => {
                incoming.take().ok_or_else(LoadError::unannounced).and_then(|m| self.load(m))
            }
            Err(error) => Err(error),
        };
        self.tell(&match reply {
            Ok(digest) => ToGateway::Loaded { digest },
            Err(error) => ToGateway::LoadRefused { reason: error.to_string() },
        })
    }

    /// Makes new keys for clients of the model that is loaded.
    fn renew(&self, key_ids: [u8; 2], life: Life) -> Result<(), WorkerError> {
        let model = self.model.read().unwrap_or_else(PoisonError::into_inner).clone();
        let model = model.ok_or(WorkerError::Protocol)?;
        let (keyset, key_list) = self.clients.renew(key_ids, life, &model, Instant::now())?;
        self.bell.renewed();
        self.tell(&ToGateway::Keys { keyset, key_list })
    }

    fn is_loaded(&self) -> bool {
        self.part.get().is_some()
            || self.model.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn load(&self, incoming: Incoming) -> Result<[u8; 32], LoadError> {
        match incoming.load(&self.head, &self.clients, &self.device)? {
            Ready::Model(loaded) if loaded.rows_within(self.request_bytes_max) == 0 => {
                Err(LoadError::RowTooLarge { max: self.request_bytes_max })
            }
            Ready::Model(loaded) => {
                let digest = *loaded.model.digest().as_bytes();
                let loaded = Some(Arc::from(loaded));
                *self.model.write().unwrap_or_else(PoisonError::into_inner) = loaded;
                Ok(digest)
            }
            Ready::Part(part) => {
                let digest = *part.digest().as_bytes();
                self.part.set(part).map_err(|_| LoadError::unannounced())?;
                Ok(digest)
            }
        }
    }

    fn refuse(&self, epoch: u32, id: u64, code: &str) -> Result<(), WorkerError> {
        self.tell(&ToGateway::RequestRefused { epoch, id, code: code.to_owned() })
    }

    pub(crate) fn tell(&self, message: &ToGateway) -> Result<(), WorkerError> {
        let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        let frame = outbox.control.seal(message)?;
        Ok(outbox.writer.write_all(&frame)?)
    }

    fn send(&self, frame: &[u8]) -> Result<(), WorkerError> {
        let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(outbox.writer.write_all(frame)?)
    }
}

/// What was announced is what comes next; none of it is there yet.
fn begun(
    incoming: &mut Option<Incoming>,
    new: Result<Incoming, LoadError>,
) -> Result<bool, LoadError> {
    new.map(|new| {
        *incoming = Some(new);
        false
    })
}

/// Writes over the part of the stack that the calls before this one used.
#[inline(never)]
fn wipe_stack() {
    std::hint::black_box(&mut [0_u8; STACK_USED_BYTES]);
}

/// A step of one request, a panic of which is that request's alone.
fn unwound<T>(step: impl FnOnce() -> Result<T, Unopened>) -> Result<T, Unopened> {
    catch_unwind(AssertUnwindSafe(step)).unwrap_or(Err(Unopened(refused::ENVELOPE)))
}

/// What a service bears.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) queue_requests_max: usize,
    pub(crate) rows_max: usize,
    pub(crate) request_bytes_max: usize,
    pub(crate) batch_rows_max: usize,
    pub(crate) threads: usize,
}

/// The next frame; none at a clean end.
pub(crate) fn read_frame(
    reader: &mut impl Read,
    bytes_max: usize,
) -> Result<Option<(Header, Vec<u8>)>, WorkerError> {
    let mut header = [0; HEADER_BYTES];
    match reader.read_exact(&mut header) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let header = Header::decode(&header)?;
    let bytes = header.payload_bytes as usize;
    if bytes > bytes_max {
        return Err(WorkerError::Protocol);
    }
    let mut payload = vec![0; bytes];
    reader.read_exact(&mut payload)?;
    Ok(Some((header, payload)))
}

/// Requests up to this size are a few dozen rows, which take some ten microseconds.
const INLINE_BYTES_MAX: usize = 16 << 10;

/// More than an answer takes on the stack.
const STACK_USED_BYTES: usize = 32 << 10;

#[cfg(test)]
mod tests;
