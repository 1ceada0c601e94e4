//! Trains networks, imports those of other frameworks, and makes artifacts. Never sees a request.
//!
//! A table of numbers becomes a [`Dataset`], [`train`] turns it into a file that
//! [`sealgate_model`] reads, and [`cross_validate`] says how well that works on rows which
//! training has not seen. The same data, seed, build and engine give the same bytes: everything
//! random is drawn from the seed, nothing is global, and one thread does the work.
//!
//! ```no_run
//! use sealgate_model_builder::{BuildError, Training, train, wdbc};
//!
//! fn demo_model() -> Result<Vec<u8>, BuildError> {
//!     let training = Training { model: "wdbc".to_owned(), ..Training::default() };
//!     Ok(train(&wdbc()?, &training, &mut |_| ())?.file)
//! }
//! ```

mod compress;
mod dataset;
mod description;
mod error;
mod fit;
mod import;
mod learned;
mod learner;
mod network;
mod plot;
mod roc;
mod score;
mod split;
mod table;
mod training;
mod validation;
mod wdbc;

pub use compress::{Compression, compress};
pub use dataset::{Column, Dataset, Truth};
pub use error::BuildError;
pub use import::{
    Difference, Imported, REFERENCE_BYTES_MAX, Reference, SCHEMA_BYTES_MAX, Schema, SchemaFeature,
    SchemaTarget, import,
};
pub use plot::{learning_curve_svg, roc_svg};
pub use roc::{Roc, RocCurve};
pub use score::{Measure, Score, Spread, evaluate};
pub use sealgate_model_import::{FILE_BYTES_MAX, ImportError, Source, outside_file};
pub use split::{SplitBy, SplitModel, split};
pub use table::{CLASSES_MAX, TABLE_BYTES_MAX, Target};
pub use training::{Epoch, Progress, Stopping, Trained, Training, train};
pub use validation::{CrossValidation, cross_validate};
pub use wdbc::{wdbc, wdbc_csv, wdbc_features};
