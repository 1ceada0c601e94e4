//! The commands that do one thing and end.

pub(crate) mod admin;
pub(crate) mod audit;
pub(crate) mod infer;
pub(crate) mod keys;
mod listener;
pub(crate) mod model;
pub(crate) mod policy;
pub(crate) mod pool;
pub(crate) mod receipt;
mod scores;
pub(crate) mod token;
pub(crate) mod usage;
