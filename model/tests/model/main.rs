//! The crate from outside: files, hostile files, and what the network answers.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod artifact;
mod hostile;
mod inference;
mod sample;
