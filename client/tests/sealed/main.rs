//! The sealing client against a gateway that is honest, and against gateways that are not. The
//! worker behind them opens with the product's own opener.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod answers;
mod keys;
mod requests;
mod scene;
mod server;
mod worker;
