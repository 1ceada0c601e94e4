//! The crate from outside: what training gives, how good it is, and what two engines make of it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod compress;
mod engines;
mod quality;
mod reproducible;
mod tasks;
