//! Verification: reads, never writes, and may run while a gateway is writing.

use crate::chain::Chain;
use crate::checkpoint::Checkpoint;
use crate::error::AuditError;
use crate::finding::{Finding, What};
use crate::key::VerifierKey;
use crate::lock;
use crate::merkle::Hash;
use crate::segment::{self, HEADER_BYTES};
use crate::walk::Walk;
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
    /// How many records were read.
    pub records: u64,
    /// How many checkpoints held.
    pub checkpoints: u64,
    /// The last checkpoint that held.
    pub checkpoint: Option<Checkpoint>,
    /// Records behind the last checkpoint, which nothing signed covers yet.
    pub unsigned_records: u64,
    /// The key that the log names in its first record.
    pub key: Option<VerifierKey>,
    /// Whether that is the pinned one.
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
    let bytes = log_bytes(dir)?;
    let live = lock::is_live(dir);
    let mut outside = Outside::of(options);
    let mut done = 0;
    let mut told = 0;
    let mut watch = |chain: &Chain, frame_bytes: u64| {
        done += frame_bytes;
        if done - told >= PROGRESS_BYTES {
            told = done;
            progress(done.min(bytes), bytes);
        }
        outside.watch(chain);
    };
    let mut walk = Walk::through(dir, PATIENCE, &mut watch)?;
    let chain = std::mem::take(&mut walk.chain);
    let begin = |what| (segment::name(1), HEADER_BYTES as u64, what);
    let mut more = Vec::new();
    let key_is_pinned = options.pinned_key.is_some() && options.pinned_key == chain.key;
    if let (false, Some(_), Some(key)) = (key_is_pinned, &options.pinned_key, &chain.key) {
        more.push(begin(What::OtherKey(key.to_string())));
    }
    // A log that begins this instant is not yet signed.
    if chain.checkpoint.is_none() && walk.findings.is_empty() && !live {
        more.push(begin(What::NoCheckpoint));
    }
    let (findings, dropped, end) = (walk.findings, walk.findings_dropped, walk.end);
    let mut report = Report {
        findings,
        findings_dropped: dropped,
        records: chain.records,
        checkpoints: chain.checkpoints,
        checkpoint: chain.checkpoint,
        unsigned_records: chain.unsigned(),
        key: chain.key.clone(),
        key_is_pinned,
        live,
        bytes,
    };
    if let Some(what) = outside.judge(&chain)? {
        let end = end.map_or((1, 0), |end| (end.sequence, end.at));
        more.push((segment::name(end.0), end.1, what));
    }
    let record = chain.next();
    report.findings.extend(more.into_iter().map(|(file, offset, what)| Finding {
        file,
        offset,
        record: if offset == HEADER_BYTES as u64 { 0 } else { record },
        what,
    }));
    progress(bytes, bytes);
    Ok(report)
}

/// The checkpoint kept elsewhere, and the root that the log has at its size.
struct Outside<'a> {
    note: Option<&'a str>,
    size: Option<u64>,
    root: Option<Hash>,
}

impl<'a> Outside<'a> {
    fn of(options: &'a VerifyOptions) -> Self {
        let note = options.outside_checkpoint.as_deref();
        // Only where to look; the signature is checked when the key is known.
        let size = note.and_then(|note| note.lines().nth(1)?.parse().ok());
        Self { note, size, root: None }
    }

    fn watch(&mut self, chain: &Chain) {
        if let Some(size) = self.size.filter(|size| *size == chain.next()) {
            self.root = self.root.or_else(|| chain.root_at(size));
        }
    }

    fn judge(&self, chain: &Chain) -> Result<Option<What>, AuditError> {
        let (Some(note), Some(key)) = (self.note, &chain.key) else {
            return Ok(None);
        };
        let checkpoint = Checkpoint::open(note, key)?;
        Ok(match self.root {
            Some(root) if root == checkpoint.root => None,
            Some(_) => Some(What::Forked),
            None if chain.next() < checkpoint.size => Some(What::RolledBack(checkpoint.size)),
            // The tree was broken before: that was found.
            None => None,
        })
    }
}

fn log_bytes(dir: &Path) -> Result<u64, AuditError> {
    let (segments, _) = segment::list(dir)?;
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
