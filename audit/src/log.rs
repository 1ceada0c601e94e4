//! The log as a gateway holds it.

use crate::chain::Succession;
use crate::checkpoint::Checkpoint;
use crate::copy::{CheckpointCopy, CopyHealth};
use crate::error::{AppendError, AuditError};
use crate::event::{Event, LogStarted, PreviousLog, Recovered};
use crate::keeper::{Keeper, Kept, News};
use crate::key::{CheckpointKey, Origin, VerifierKey};
use crate::lock::FolderLock;
use crate::queue::{Pending, Queue, Ticket};
use crate::reader::LogReader;
use crate::record::Draft;
use crate::resume::{Place, Wanted};
use crate::retention::{Dropped, Retention};
use crate::segment::FORMAT;
use crate::space::{FreeBytes, Space, free_bytes};
use crate::writer::{Batch, Writer};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Says what time it is, in microseconds of Unix time.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// How a log is kept.
#[derive(Clone)]
pub struct Options {
    /// The log's folder: created if missing, mode 0700, nothing in it but the log.
    pub dir: PathBuf,
    /// The log's name, for instance `gateway.example.org/audit`.
    pub origin: Origin,
    /// Bytes of a segment, at least 4096; a record that needs more gets a longer one.
    pub segment_bytes: u64,
    /// How many records may wait while a batch is written.
    pub queue_records: usize,
    /// Bytes that must stay free on the disk.
    pub low_water_bytes: u64,
    /// How long a record waits for a checkpoint at most.
    pub checkpoint_every: Duration,
    /// How many records wait for one at most, beside those of one batch.
    pub checkpoint_records: u64,
    /// A file outside the folder that always holds the latest checkpoint.
    pub checkpoint_copy: Option<PathBuf>,
    /// The log that a new one goes on from.
    pub previous_log: Option<PreviousLog>,
    /// Which records may go.
    pub retention: Retention,
    /// Who says how much is free.
    pub free_bytes: FreeBytes,
}

impl Options {
    /// The usual options for a log of this name in this folder.
    pub fn new(dir: impl Into<PathBuf>, origin: Origin) -> Self {
        Self {
            dir: dir.into(),
            origin,
            segment_bytes: 16 << 20,
            queue_records: 16_384,
            low_water_bytes: 64 << 20,
            checkpoint_every: Duration::from_secs(1),
            checkpoint_records: 1_000,
            checkpoint_copy: None,
            previous_log: None,
            retention: Retention::default(),
            free_bytes: free_bytes(),
        }
    }
}

/// The key that signs a log, and the one that did so far if it is another.
pub struct Signers {
    /// Signs from now on.
    pub key: CheckpointKey,
    /// Signed so far; not needed once the log says that the key has changed.
    pub previous: Option<CheckpointKey>,
}

impl From<CheckpointKey> for Signers {
    fn from(key: CheckpointKey) -> Self {
        Self { key, previous: None }
    }
}

/// In what state a log was found.
#[derive(Clone, Debug, PartialEq)]
pub enum Opened {
    /// There was none.
    Fresh,
    /// It was whole.
    Whole,
    /// A torn tail was cut, which the log says now too.
    Recovered(Recovered),
}

/// An open log. Appending is for many threads, writing is for one that belongs to this.
///
/// Dropping it ends the log in good order if that works; [`Log::close`] says whether it did.
pub struct Log {
    dir: PathBuf,
    queue: Arc<Queue>,
    boot: String,
    clock: Clock,
    newest_us: AtomicU64,
    key: VerifierKey,
    failure: Arc<OnceLock<String>>,
    copy: CopyHealth,
    kept: Arc<Kept>,
    writer: Option<JoinHandle<Option<Checkpoint>>>,
}

impl Log {
    /// Opens the log, checks all of it, and begins to write.
    pub fn open(
        options: Options,
        signers: impl Into<Signers>,
        clock: Clock,
    ) -> Result<(Self, Opened), AuditError> {
        let Signers { key, previous } = signers.into();
        let Options { dir, origin, .. } = &options;
        let verifier = key.verifier(origin)?;
        let previous_verifier = previous.as_ref().map(|key| key.verifier(origin)).transpose()?;
        let lock = FolderLock::take(dir)?;
        if let Some(copy) = options.checkpoint_copy.as_deref().filter(|copy| is_within(copy, dir)) {
            return Err(AuditError::CopyInside(copy.to_owned()));
        }
        let space = Space {
            dir: dir.clone(),
            low_water_bytes: options.low_water_bytes,
            free_bytes: Arc::clone(&options.free_bytes),
        };
        space.demand()?;
        let segment_bytes = options.segment_bytes.max(SEGMENT_BYTES_MIN);
        let place = Place::find(&Wanted {
            dir,
            origin,
            signer: &verifier,
            previous: previous_verifier.as_ref(),
            copy: options.checkpoint_copy.as_deref(),
            segment_bytes,
        })?;
        let newest_us = AtomicU64::new(place.chain.newest_us);
        let adopted = place.adopted();
        let queue = Arc::new(Queue::new(options.queue_records));
        let keeper = Keeper {
            dir: dir.clone(),
            edge: place.chain.tree.clone(),
            newest: (place.segment.sequence, place.newest),
            synced: options.retention.settle(dir, place.segment.sequence)?,
        };
        let (mut teller, kept) = keeper.start()?;
        let copy = CheckpointCopy::start(options.checkpoint_copy)?;
        let copy_health = copy.health();
        // A crash may have come between the word and the deed.
        let first_kept = place.chain.first_kept();
        teller.tell(News::Dropped(Dropped { first_kept }));
        let boot = boot_id()?;
        // A log changes hands under its old key.
        let (signs, next) = match (place.succession, previous) {
            (Succession::Change, Some(previous)) => (previous, Some(key)),
            (Succession::Changing, previous) => (key, previous),
            (_, _) => (key, None),
        };
        let mut writer = Writer {
            dir: options.dir.clone(),
            origin: options.origin,
            key: signs,
            boot: boot.clone(),
            clock: Arc::clone(&clock),
            segment: place.segment,
            segment_bytes,
            signed: place.chain.tree.size() - place.chain.unsigned(),
            tree: place.chain.tree.frontier(),
            checkpoint_every: options.checkpoint_every,
            checkpoint_records: options.checkpoint_records,
            checkpoint_at: None,
            space,
            retention: options.retention,
            ended: place.ended.into_iter().filter(|ended| ended.sequence >= first_kept).collect(),
            newest_us: place.chain.newest_us,
            retention_due: Instant::now(),
            queue: Arc::clone(&queue),
            teller,
            copy,
            batch: Batch::default(),
            _lock: lock,
        };
        if place.fresh {
            writer.begin(LogStarted {
                format: FORMAT,
                key: verifier.to_string().into(),
                origin: verifier.origin().as_str().into(),
                previous: options.previous_log,
            })?;
        }
        // Before anything signs them.
        if let Some(adopted) = adopted {
            writer.adopt(adopted)?;
        }
        match (place.succession, next) {
            (Succession::Change, Some(next)) => writer.change_key(next)?,
            (Succession::Changing, Some(previous)) => writer.end_change(&previous)?,
            _ => {}
        }
        let mut log = Self {
            dir: options.dir,
            queue,
            boot,
            clock,
            newest_us,
            key: verifier,
            failure: Arc::default(),
            copy: copy_health,
            kept,
            writer: None,
        };
        log.start(writer)?;
        let opened = match place.recovered {
            Some(recovered) => {
                log.append_and_wait(&Event::Recovered(recovered.clone()))?;
                Opened::Recovered(recovered)
            }
            None if place.fresh => Opened::Fresh,
            None => Opened::Whole,
        };
        Ok((log, opened))
    }

    /// Appends a record; `on_durable` is called exactly once, with the record's number when it is
    /// on the disk, or with the reason why it never will be.
    ///
    /// It is called in the writer's thread, or in this one if the record is refused at once, and
    /// should only pass the answer on.
    pub fn append(
        &self,
        event: &Event,
        on_durable: impl FnOnce(Result<u64, AppendError>) + Send + 'static,
    ) {
        self.put(event, Ticket::new(on_durable), true);
    }

    /// Appends a record that nobody waits for: it is written together with the next that somebody
    /// does wait for, or within half a second. `on_durable` learns of it as for [`Log::append`].
    pub fn append_quietly(
        &self,
        event: &Event,
        on_durable: impl FnOnce(Result<u64, AppendError>) + Send + 'static,
    ) {
        self.put(event, Ticket::new(on_durable), false);
    }

    fn put(&self, event: &Event, ticket: Ticket, urgent: bool) {
        let now_us = (self.clock)();
        self.newest_us.fetch_max(now_us, Ordering::Relaxed);
        match Draft::new(event, &self.boot, now_us) {
            Ok(draft) => self.queue.push(Pending { draft, ticket, urgent }),
            Err(error) => ticket.answer(Err(error)),
        }
    }

    /// Appends a record and waits until it is durable.
    pub fn append_and_wait(&self, event: &Event) -> Result<u64, AppendError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.append(event, move |result| {
            let _ = sender.send(result);
        });
        receiver.recv().unwrap_or(Err(AppendError::Failed))
    }

    /// The latest time that any record of the log has, in microseconds of Unix time. A clock that
    /// says less has stepped back, or did not run while the machine was off.
    pub fn newest_us(&self) -> u64 {
        self.newest_us.load(Ordering::Relaxed)
    }

    /// The name of this run in its records.
    pub fn boot(&self) -> &str {
        &self.boot
    }

    /// The key that verifies the log.
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.key
    }

    /// What has failed so far, for the operator.
    pub fn health(&self) -> Health {
        Health {
            failure: self.failure.get().cloned(),
            checkpoint_copy_failed: self.copy.has_failed(),
            proofs_failure: self.kept.failure().map(ToOwned::to_owned),
        }
    }

    /// For reading what was written, also after the log is closed.
    pub fn reader(&self) -> LogReader {
        LogReader::beside(&self.dir, Arc::clone(&self.kept))
    }

    /// Writes what waits, signs a last checkpoint, and gives back the room not needed.
    pub fn close(mut self) -> Result<Checkpoint, AuditError> {
        self.end().ok_or_else(|| {
            let failure = self.failure.get().cloned();
            AuditError::WriterFailed(failure.unwrap_or_else(|| "it ended early".to_owned()))
        })
    }

    fn start(&mut self, writer: Writer) -> Result<(), AuditError> {
        let failure = Arc::clone(&self.failure);
        let dir = writer.dir.clone();
        let run = move || writer.run(&failure);
        let thread = std::thread::Builder::new()
            .name("audit-writer".to_owned())
            .spawn(run)
            .map_err(AuditError::io("start a writer for", dir))?;
        self.writer = Some(thread);
        Ok(())
    }

    fn end(&mut self) -> Option<Checkpoint> {
        self.queue.close();
        self.writer.take().and_then(|writer| writer.join().ok()?)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.end();
    }
}

/// What an operator should know about a log that is open.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Health {
    /// Why the log takes no more records.
    pub failure: Option<String>,
    /// Whether the last copy of a checkpoint could not be written, or has been on its way for long.
    pub checkpoint_copy_failed: bool,
    /// Why no tiles and checkpoints are published any more, until the log is opened again.
    pub proofs_failure: Option<String>,
}

fn boot_id() -> Result<String, AuditError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|_| AuditError::Crypto)?;
    Ok(hex::encode(id))
}

fn is_within(file: &Path, dir: &Path) -> bool {
    let folder = file.parent().and_then(|folder| folder.canonicalize().ok());
    dir.canonicalize().ok().zip(folder).is_some_and(|(dir, folder)| folder.starts_with(dir))
}

const SEGMENT_BYTES_MIN: u64 = 4096;
