//! The record of what was done.
//!
//! A log is one folder of segments. Each record is canonical JSON with a random salt and one leaf
//! of an RFC 6962 Merkle tree; every second while there are new records, and at a clean stop, the
//! tree is signed as a C2SP checkpoint. So a log shows by itself whether a record was changed,
//! left out or moved, and a checkpoint kept elsewhere shows whether its end was cut off.
//!
//! ```
//! use sealgate_audit::{CheckpointKey, Event, Log, Options, Origin, Stopped, VerifyOptions, verify};
//! # let place = tempfile::tempdir()?;
//! # let (dir, key) = (place.path().join("audit"), place.path().join("audit.key"));
//! let options = Options::new(&dir, Origin::new("gateway.example.org/audit")?);
//! # let options = Options { low_water_bytes: 0, ..options };
//! let clock = std::sync::Arc::new(|| 1_795_000_000_000_000);
//! let (log, _) = Log::open(options, CheckpointKey::load_or_create(&key)?, clock)?;
//! log.append(&Event::Stopped(Stopped { why: "sigterm".into() }), |durable| {
//!     // Only now may an answer leave.
//!     assert!(durable.is_ok());
//! });
//! log.close()?;
//! assert!(verify(&dir, &VerifyOptions::default(), &mut |_, _| {})?.is_well());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What this crate never does: hold a payload or anything derived from one, cut anything while
//! verifying, retry a failed write, or say that a record is durable before it is.

mod bounded;
mod chain;
mod checkpoint;
mod copy;
mod error;
mod event;
mod finding;
mod folder;
mod frame;
mod head;
mod ids;
mod keeper;
mod kept_records;
mod key;
mod lock;
mod log;
mod merkle;
mod proof;
mod pseudonym;
mod published;
mod queue;
mod reader;
mod record;
mod records;
mod refusals;
mod replace;
mod request;
mod resume;
mod retention;
mod scan;
mod segment;
mod space;
mod text;
mod tiles;
mod verify;
mod walk;
mod writer;

pub use checkpoint::Checkpoint;
pub use error::{AppendError, AuditError};
pub use event::{
    AdminOrder, Adopted, BudgetSet, BudgetWarned, Caller, CandidateDiffered, CertificateLoaded,
    CertificateRefused, Charge, Decision, Event, Inputs, IssuerKeysChanged, IssuerKeysNotRenewed,
    KeyRotated, KeysOffered, LogStarted, Mode, Outcome, PolicyLoaded, PolicyRefused, PreviousLog,
    PricesSet, Recovered, Refused, Retried, SegmentsDropped, Started, Stopped, Usage, Verdict,
    VersionRefused, VersionServed, VersionWithdrawn, WorkerEnded, WorkerRefused, WorkerStarted,
};
pub use finding::{Finding, What};
pub use key::{CheckpointKey, Origin, VerifierKey};
pub use log::{Clock, Health, Log, Opened, Options, Signers};
pub use merkle::{
    Frontier, Hash, Subtrees, consistency_proof, inclusion_proof, is_consistent, is_included,
    leaf_hash, node_hash,
};
pub use proof::Proof;
pub use pseudonym::{Epoch, EpochKey, Name, Pseudonyms, destroy, epochs};
pub use reader::LogReader;
pub use record::Record;
pub use records::{Entry, Records, records, records_from, records_since};
pub use refusals::Refusals;
pub use request::RequestId;
pub use retention::Retention;
pub use space::{FreeBytes, free_bytes};
pub use text::{Text, Texts};
pub use verify::{Report, Unended, VerifyOptions, verify};
