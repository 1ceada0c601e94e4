//! The reasons to stop that come from outside: signals and time.

use std::future::pending;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use crate::error::CliError;

/// What ends a demo from outside.
pub(super) struct Stop {
    signals: [(Signal, &'static str); 3],
    ends_at: Option<Instant>,
}

impl Stop {
    /// Listens from now on; `ends_at` is when the demo's time is over.
    pub(super) fn new(ends_at: Option<Instant>) -> Result<Self, CliError> {
        let listen = |kind| signal(kind).map_err(CliError::io("listen for", "signals"));
        let signals = [
            (listen(SignalKind::interrupt())?, "interrupted"),
            (listen(SignalKind::terminate())?, "terminated"),
            (listen(SignalKind::hangup())?, "the terminal is gone"),
        ];
        Ok(Self { signals, ends_at })
    }

    /// Waits for it and says what it was.
    pub(super) async fn wait(&mut self) -> &'static str {
        let [(interrupt, a), (terminate, b), (hangup, c)] = &mut self.signals;
        let ends_at = self.ends_at;
        let time_is_over = async {
            match ends_at {
                Some(ends_at) => sleep_until(ends_at).await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => a,
            _ = terminate.recv() => b,
            _ = hangup.recv() => c,
            () = time_is_over => "its time is over",
        }
    }
}
