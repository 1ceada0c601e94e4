//! The commands that do one thing and end.

pub(crate) mod audit;
pub(crate) mod infer;
pub(crate) mod model;
pub(crate) mod policy;
mod scores;
pub(crate) mod token;
