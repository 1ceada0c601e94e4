//! Trains networks and makes artifacts. Never sees a request.
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

mod dataset;
mod error;
mod fit;
mod network;
mod score;
mod table;
mod training;
mod validation;
mod wdbc;

pub use dataset::{Column, Dataset};
pub use error::BuildError;
pub use score::{Score, Spread, evaluate};
pub use table::{TABLE_BYTES_MAX, Target};
pub use training::{Progress, Trained, Training, train};
pub use validation::{CrossValidation, cross_validate};
pub use wdbc::{wdbc, wdbc_csv, wdbc_features};
