//! The commands as they are typed: exit codes, what is printed where, and what lies in the state.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod audit;
mod demo;
mod help;
mod import;
mod infer;
mod keys;
mod model;
mod policy;
mod policy_answers;
mod receipt;
mod review;
mod sealed_models;
mod sealgate;
mod split;
mod state;
mod token;
mod walkthrough;
