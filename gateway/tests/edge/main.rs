//! The edge, through real TLS on loopback: hostile and honest clients, each with certificates made in the test.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod ambiguous;
mod caps;
mod drain;
mod early_answer;
mod good;
mod http2;
mod proxies;
mod reload;
mod slow;
mod support;
mod tls;
