//! Verification: reads, never writes, and may run while a gateway is writing.

mod derived;
mod requests;

pub use requests::Unended;

use crate::chain::Chain;
use crate::checkpoint::Checkpoint;
use crate::error::AuditError;
use crate::finding::{Finding, What};
use crate::key::VerifierKey;
use crate::lock;
use crate::merkle::Hash;
use crate::published::Published;
use crate::segment::{self, HEADER_BYTES, Header};
use crate::tiles::{Edge, Reader, Tile};
use crate::walk::{FINDINGS_MAX, Seen, Walk, Watch};
use derived::Derived;
use requests::Requests;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// What a log is held against beside itself.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// The key that must have signed the log. Without it the log's own word is taken, which
    /// whoever replaced the whole log has chosen.
    pub pinned_key: Option<VerifierKey>,
    /// A checkpoint kept elsewhere, as its signed note. Only such a one shows that records at the
    /// end were cut off, or that the holder of the key rewrote the log.
    pub outside_checkpoint: Option<String>,
}

/// What a verification found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// What is wrong, in the order it was found; at most 100.
    pub findings: Vec<Finding>,
    /// How many findings there were beyond those.
    pub findings_dropped: u64,
    /// The number of the first record; those before it were dropped.
    pub first_record: u64,
    /// How many records were read.
    pub records: u64,
    /// How many checkpoints held.
    pub checkpoints: u64,
    /// The last checkpoint that held.
    pub checkpoint: Option<Checkpoint>,
    /// Records behind the last checkpoint, which nothing signed covers yet.
    pub unsigned_records: u64,
    /// Requests that were allowed and of which the log does not say how they ended: their gateway
    /// did not live to tell.
    pub unended: Unended,
    /// The key that signs the log, by its own records.
    pub key: Option<VerifierKey>,
    /// Whether the pinned key is that one, or one that signed the change that led to it.
    pub key_is_pinned: bool,
    /// Whether a gateway was writing the log.
    pub live: bool,
    /// Bytes of all files of the log.
    pub bytes: u64,
}

impl Report {
    /// Whether nothing was found, not even a torn tail.
    pub fn is_well(&self) -> bool {
        self.findings.is_empty()
    }

    /// The root under the last checkpoint that held.
    pub fn root(&self) -> Option<Hash> {
        self.checkpoint.map(|checkpoint| checkpoint.root)
    }
}

/// Verifies the log in `dir`. `progress` is told bytes done and bytes in all, now and then.
///
/// ```no_run
/// use sealgate_audit::{VerifyOptions, verify};
/// let report = verify("audit".as_ref(), &VerifyOptions::default(), &mut |_, _| {})?;
/// for finding in &report.findings {
///     eprintln!("{finding}");
/// }
/// # Ok::<(), sealgate_audit::AuditError>(())
/// ```
pub fn verify(
    dir: &Path,
    options: &VerifyOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, AuditError> {
    // A gateway drops segments meanwhile, if it must. Then the log begins later.
    let mut tries = 0..TRIES;
    loop {
        tries.next();
        match once(dir, options, progress) {
            Err(AuditError::Io { source, .. })
                if source.kind() == ErrorKind::NotFound
                    && !tries.is_empty()
                    && lock::is_live(dir) => {}
            done => return done,
        }
    }
}

fn once(
    dir: &Path,
    options: &VerifyOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, AuditError> {
    let bytes = log_bytes(dir)?;
    let live = lock::is_live(dir);
    let mut check = Check {
        outside: Published::of(options.outside_checkpoint.clone()),
        derived: Derived::new(dir, live)?,
        requests: Requests::default(),
        progress: Progress { bytes, done: 0, told: 0, tell: progress },
    };
    let walk = Walk::through(dir, PATIENCE, &mut check)?;
    let Walk { chain, findings, findings_dropped, end, .. } = walk;
    check.derived.end(&chain, end.is_some_and(|end| end.sealed) && !live)?;
    let first = segment::list(dir)?.segments.first().copied().unwrap_or(1);
    let begin = |what| Finding {
        file: segment::name(first),
        offset: HEADER_BYTES as u64,
        record: chain.first_record(),
        what,
    };
    let pinned = options.pinned_key.as_ref();
    let key_is_pinned = pinned.is_some_and(|pinned| chain.signers().contains(pinned));
    let mut more = Vec::new();
    if let (false, Some(_), Some(key)) = (key_is_pinned, pinned, chain.key()) {
        more.push(begin(What::OtherKey(key.to_string())));
    }
    // A log that begins this instant is not yet signed.
    let asked = pinned.is_some() || options.outside_checkpoint.is_some();
    if chain.checkpoint.is_none() && findings.is_empty() && (asked || !live) {
        more.push(begin(What::NoCheckpoint));
    } else {
        more.extend(chain.too_little_signed().map(begin));
    }
    if chain.next_key.is_some() && !live {
        more.push(begin(What::KeyRotation));
    }
    let record = chain.next();
    more.extend(judge_outside(&check.outside, dir, &chain)?.map(|what| {
        let end = end.map_or((first, 0), |end| (end.sequence, end.at));
        Finding { file: segment::name(end.0), offset: end.1, record, what }
    }));
    let derived = check.derived.found.into_iter();
    more.extend(derived.map(|(file, what)| Finding { file, offset: 0, record, what }));
    check.progress.end();
    let mut report = Report {
        findings,
        findings_dropped,
        first_record: chain.first_record(),
        records: chain.records,
        checkpoints: chain.checkpoints,
        checkpoint: chain.checkpoint,
        unsigned_records: chain.unsigned(),
        unended: check.requests.end(live),
        key: chain.key().cloned(),
        key_is_pinned,
        live,
        bytes,
    };
    let room = FINDINGS_MAX.saturating_sub(report.findings.len());
    report.findings_dropped += more.len().saturating_sub(room) as u64;
    report.findings.extend(more.into_iter().take(room));
    Ok(report)
}

/// All that is looked at in one walk.
struct Check<'a> {
    outside: Published,
    derived: Derived,
    requests: Requests,
    progress: Progress<'a>,
}

impl Watch for Check<'_> {
    fn take_up(&mut self, header: &Header) {
        self.derived.take_up(header);
    }

    fn tile(&mut self, chain: &Chain, tile: Tile, hashes: &[Hash]) {
        self.derived.tile(chain, tile, hashes);
    }

    fn leaf(&mut self, chain: &Chain, seen: &Seen<'_>) {
        self.derived.leaf(chain, seen);
        if let Some(head) = &seen.head {
            self.requests.see(head);
        }
    }

    fn frame(&mut self, chain: &Chain, frame_bytes: u64) {
        self.derived.frame(chain);
        self.outside.look(chain);
        self.progress.add(frame_bytes);
    }

    fn ended(&mut self, chain: &Chain, sequence: u32, _: u64) {
        self.derived.ended(chain, sequence);
    }
}

struct Progress<'a> {
    bytes: u64,
    done: u64,
    told: u64,
    tell: &'a mut dyn FnMut(u64, u64),
}

impl Progress<'_> {
    fn add(&mut self, bytes: u64) {
        self.done += bytes;
        if self.done - self.told >= PROGRESS_BYTES {
            self.told = self.done;
            (self.tell)(self.done.min(self.bytes), self.bytes);
        }
    }

    fn end(&mut self) {
        (self.tell)(self.bytes, self.bytes);
    }
}

/// What a checkpoint kept elsewhere says against the log.
fn judge_outside(
    outside: &Published,
    dir: &Path,
    chain: &Chain,
) -> Result<Option<What>, AuditError> {
    let (Some(note), Some(key)) = (&outside.note, chain.key()) else {
        return Ok(None);
    };
    // The key that signed it may have been changed since.
    let by_any = Checkpoint::open_any(note, chain.keys());
    let checkpoint = by_any.map_or_else(|| Checkpoint::open(note, key), Ok)?;
    let first = chain.first_record();
    let root = outside.root.or_else(|| root_before(dir, checkpoint.size, first));
    Ok(match root {
        Some(root) if root == checkpoint.root => None,
        Some(_) => Some(What::Forked),
        None if chain.next() < checkpoint.size => Some(What::RolledBack(checkpoint.size)),
        // What was dropped is in the tiles, or was found to be missing there.
        None if checkpoint.size <= first => Some(What::Missing),
        // The tree was broken before: that was found.
        None => None,
    })
}

/// The root of an earlier tree of a log whose first records were dropped.
fn root_before(dir: &Path, size: u64, first_record: u64) -> Option<Hash> {
    let tiles = Reader::new(dir, first_record);
    let edge = (size <= first_record).then(|| Edge::of(size, |tile| tiles.tile(tile)));
    Some(edge?.ok()?.root())
}

fn log_bytes(dir: &Path) -> Result<u64, AuditError> {
    let segments = segment::list(dir)?.segments;
    if segments.is_empty() {
        return Err(AuditError::NoLog(dir.to_owned()));
    }
    segments.into_iter().try_fold(0, |sum, sequence| {
        let file = segment::open(dir, sequence)?;
        let facts = file.metadata().map_err(AuditError::io("look at", dir))?;
        Ok(sum + facts.len())
    })
}

/// How long a bad frame at the end of a live log may be a write under way.
const PATIENCE: Duration = Duration::from_millis(500);
const PROGRESS_BYTES: u64 = 1 << 20;
const TRIES: usize = 5;
