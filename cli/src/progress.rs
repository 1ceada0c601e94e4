//! Progress bars: on long work, and only on a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error that vanishes when it is dropped. Nothing at all if that is no terminal.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar with a word about what it measures.
    pub(crate) fn new(what: &'static str) -> Self {
        let bar = ProgressBar::new(0).with_message(what);
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3}% {eta}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// How far the work is.
    pub(crate) fn at(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
