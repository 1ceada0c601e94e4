//! Questions to an index.

mod events;
mod filter;
mod refusals;
mod requests;
mod series;
mod totals;
mod usage;
mod workers;

pub use events::{Happening, PolicyVersion};
pub use filter::Filter;
pub use refusals::RefusalCount;
pub use requests::{Caller, Order, Page, Request};
pub use series::Point;
pub use totals::{Dimension, Total};
pub use usage::{UsageBy, Used};
pub use workers::WorkerTime;
