//! The crate from outside: files, hostile files, and what the network answers.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod activations;
mod artifact;
mod formats;
mod hostile;
mod inference;
mod reference;
mod sample;
mod tasks;
mod together;
