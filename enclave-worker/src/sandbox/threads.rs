//! How many threads the process has, asked without opening anything after the doors are closed.

use super::Outcome;
use std::fs::File;
use std::os::unix::fs::MetadataExt;

/// An open descriptor of the process's thread list, from a time when there was one thread.
pub(super) struct ThreadCount {
    list: File,
    links_when_alone: u64,
}

impl ThreadCount {
    /// Says whether the caller is the only thread, and keeps the means to count later.
    ///
    /// A second thread would stay outside Landlock and keep its capabilities, so it is a failure.
    pub(super) fn alone() -> (Outcome, Option<Self>) {
        match count_and_open() {
            Ok((1, count)) => (Outcome::Enforced, Some(count)),
            Ok((threads, _)) => (Outcome::failed(format!("{threads} threads exist already")), None),
            Err(error) => (Outcome::failed(format!("`{THREADS}`: {error}")), None),
        }
    }

    /// The number of threads now; closes the descriptor, which must not outlive the lock.
    pub(super) fn now(self) -> Option<u64> {
        let links = self.list.metadata().ok()?.nlink();
        links.checked_sub(self.links_when_alone)?.checked_add(1)
    }
}

fn count_and_open() -> std::io::Result<(usize, ThreadCount)> {
    let threads = std::fs::read_dir(THREADS)?.count();
    let list = File::open(THREADS)?;
    // Each thread is a sub-folder and so adds one link: the count needs no further opening.
    let links_when_alone = list.metadata()?.nlink();
    Ok((threads, ThreadCount { list, links_when_alone }))
}

const THREADS: &str = "/proc/self/task";
