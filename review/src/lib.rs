//! What a reviewer asks of an audit log.
//!
//! The log is the truth, and it is made to be appended to and verified, not to be asked. So this
//! keeps an [`Index`] of it: a SQLite file that is derived from the log, can be thrown away at any
//! time, and knows where in the log each of its rows came from. Questions go to the index; what is
//! shown as the [story] of one request is read from the log.
//!
//! ```
//! use sealgate_review::{Filter, Index};
//! # use sealgate_audit::{CheckpointKey, Event, Log, Options, Origin, Stopped};
//! # let place = tempfile::tempdir()?;
//! # let dir = place.path().join("audit");
//! # let key = CheckpointKey::create(&place.path().join("key"))?;
//! # let options = Options { low_water_bytes: 0, ..Options::new(&dir, Origin::new("example.org")?) };
//! # let (log, _) = Log::open(options, key, std::sync::Arc::new(|| 1_795_000_000_000_000))?;
//! # log.append_and_wait(&Event::Stopped(Stopped { why: "sigterm".into() }))?;
//! # log.close()?;
//! let mut index = Index::open(&dir, &sealgate_review::beside(&dir))?;
//! index.refresh(&mut |_, _| {})?;
//! let denied = Filter { model: Some("churn".to_owned()), ..Filter::default() };
//! assert!(index.requests(&denied, &Default::default())?.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is absent: any way to write to a log, and any way from here to a gateway, a worker or a key.

mod error;
pub mod export;
mod index;
mod inert;
mod moment;
pub mod page;
mod query;
pub mod story;

pub use error::ReviewError;
pub use index::{Index, Refreshed, beside};
pub use inert::inert;
pub use moment::{Moment, day, instant};
pub use query::{
    Caller, Dimension, Filter, Happening, Order, Page, Point, PolicyVersion, RefusalCount, Request,
    Total, UsageBy, Used, WorkerTime,
};
