//! The thread that keeps what follows from the log: tiles, published checkpoints, and where each
//! request is found. Nobody's answer waits for it, and what it loses in a crash is made
//! again at the next start.

use crate::error::AuditError;
use crate::ids::{self, Ids, Place};
use crate::kept_records;
use crate::merkle::Hash;
use crate::request::RequestId;
use crate::retention::Dropped;
use crate::tiles::{Edge, Files};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What the writer tells, in the order in which it happened and once it is durable.
pub(crate) enum News {
    /// Records were written.
    Leaves(Vec<Leaf>),
    /// A checkpoint over all of them was signed.
    Signed(String),
    /// A segment ended; what comes next is in the one after it.
    Ended(u32),
    /// The log says that segments are dropped.
    Dropped(Dropped),
}

/// What of a record is kept beside it.
pub(crate) struct Leaf {
    pub(crate) hash: Hash,
    /// Number and body of one that stays when its segment is dropped.
    pub(crate) stays: Option<(u64, Vec<u8>)>,
}

/// What the keeper shares with others.
#[derive(Default)]
pub(crate) struct Kept {
    /// The decisions in segments that have no file of ids yet.
    unwritten: Mutex<BTreeMap<u32, Ids>>,
    /// All that follows from the segments up to this one is durable.
    synced: AtomicU32,
    failure: OnceLock<String>,
}

impl Kept {
    /// Where the decision on a request stands, if its segment has no file of ids yet.
    pub(crate) fn find(&self, id: RequestId) -> Option<(u32, Place)> {
        let unwritten = self.unwritten();
        unwritten.iter().rev().find_map(|(segment, ids)| Some((*segment, ids.find(id)?)))
    }

    /// Remembers decisions that have become durable in a segment.
    pub(crate) fn remember(&self, segment: u32, decided: impl Iterator<Item = (RequestId, Place)>) {
        // Nobody will write them; who looks for one has to search.
        if self.failure().is_some() {
            return;
        }
        let mut unwritten = self.unwritten();
        let ids = unwritten.entry(segment).or_default();
        decided.for_each(|(id, place)| ids.insert(id, place));
    }

    /// Up to which segment the tiles are durable.
    pub(crate) fn synced(&self) -> u32 {
        self.synced.load(Ordering::Acquire)
    }

    /// Why nothing is kept any more.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    fn fail(&self, why: String) {
        let _ = self.failure.set(why);
        self.unwritten().clear();
    }

    fn unwritten(&self) -> MutexGuard<'_, BTreeMap<u32, Ids>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer's end.
pub(crate) struct Teller {
    news: Option<SyncSender<News>>,
    kept: Arc<Kept>,
    thread: Option<JoinHandle<()>>,
}

impl Teller {
    /// Passes news on. A keeper too slow for the log is given up: the log does not wait for it.
    pub(crate) fn tell(&mut self, news: News) {
        let Some(sender) = &self.news else { return };
        if let Err(TrySendError::Full(_)) = sender.try_send(news) {
            self.kept.fail("it fell too far behind the log".to_owned());
            self.news = None;
        }
    }

    /// What the keeper shares.
    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Waits until all that was told is kept; says whether it is.
    pub(crate) fn end(&mut self) -> bool {
        self.news = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.kept.failure().is_none()
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where the keeper begins.
pub(crate) struct Keeper {
    pub(crate) dir: PathBuf,
    pub(crate) edge: Edge,
    /// The newest segment, and the decisions in it.
    pub(crate) newest: (u32, Ids),
    pub(crate) synced: u32,
}

impl Keeper {
    /// Starts the thread.
    pub(crate) fn start(self) -> Result<(Teller, Arc<Kept>), AuditError> {
        let kept = Arc::new(Kept {
            unwritten: Mutex::new(BTreeMap::from([self.newest])),
            synced: AtomicU32::new(self.synced),
            failure: OnceLock::new(),
        });
        let (sender, receiver) = sync_channel(NEWS_MAX);
        let failed = AuditError::io("start a keeper for", self.dir.clone());
        let mut work = Work {
            files: Files::new(&self.dir),
            dir: self.dir,
            edge: self.edge,
            kept: Arc::clone(&kept),
            held: None,
            next_at: Instant::now(),
            pause: PAUSE,
        };
        let thread = std::thread::Builder::new()
            .name("audit-keeper".to_owned())
            .spawn(move || work.run(&receiver))
            .map_err(failed)?;
        let teller = Teller { news: Some(sender), kept: Arc::clone(&kept), thread: Some(thread) };
        Ok((teller, kept))
    }
}

enum Next {
    News(News),
    Publish,
    End,
}

struct Work {
    dir: PathBuf,
    edge: Edge,
    files: Files,
    kept: Arc<Kept>,
    /// A checkpoint that is not published yet, with the tree under it.
    held: Option<(String, Edge)>,
    /// When the next one may be published.
    next_at: Instant,
    /// How long it is from one to the next.
    pause: Duration,
}

impl Work {
    fn run(&mut self, news: &Receiver<News>) {
        // After a failure the files lack something, and nothing is published on top of that.
        while self.kept.failure().is_none() {
            let next = self.next(news);
            let is_end = matches!(next, Next::End);
            let done = match next {
                Next::News(news) => self.keep(news),
                Next::Publish | Next::End => self.publish(),
            };
            if let Err(error) = done {
                self.kept.fail(error.to_string());
            }
            if is_end {
                break;
            }
        }
    }

    /// What to do next. News wait while a checkpoint that was held back is due.
    fn next(&self, news: &Receiver<News>) -> Next {
        if self.held.is_none() {
            return news.recv().map_or(Next::End, Next::News);
        }
        let left = self.next_at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Next::Publish;
        }
        match news.recv_timeout(left) {
            Ok(news) => Next::News(news),
            Err(RecvTimeoutError::Timeout) => Next::Publish,
            Err(RecvTimeoutError::Disconnected) => Next::End,
        }
    }

    fn keep(&mut self, news: News) -> io::Result<()> {
        match news {
            News::Leaves(leaves) => leaves.into_iter().try_for_each(|leaf| self.leaf(leaf)),
            News::Signed(note) => {
                self.held = Some((note, self.edge.clone()));
                Ok(())
            }
            News::Ended(sequence) => {
                self.publish()?;
                self.files.sync()?;
                // Given up meanwhile: who looks for a request has to search the segment.
                let Some(ids) = self.kept.unwritten().get(&sequence).map(Ids::to_bytes) else {
                    return Ok(());
                };
                ids::write(&self.dir, sequence, &ids)?;
                // In this order: whoever does not find one here looks into the file.
                self.kept.unwritten().remove(&sequence);
                self.kept.synced.store(sequence, Ordering::Release);
                Ok(())
            }
            News::Dropped(dropped) => {
                // What says so is published before it is done.
                self.publish()?;
                dropped.remove(&self.dir)
            }
        }
    }

    /// Publishes the checkpoint that was held back, if there is one.
    fn publish(&mut self) -> io::Result<()> {
        let Some((note, edge)) = self.held.take() else { return Ok(()) };
        self.next_at = Instant::now() + self.pause;
        self.files.publish(&edge, &note)
    }

    fn leaf(&mut self, leaf: Leaf) -> io::Result<()> {
        if let Some((n, body)) = leaf.stays {
            kept_records::keep(&self.dir, n, &body)?;
        }
        let Self { edge, files, .. } = self;
        let mut written = Ok(());
        edge.push(leaf.hash, |tile, hashes| {
            written =
                std::mem::replace(&mut written, Ok(())).and_then(|()| files.put(tile, hashes));
        });
        written
    }
}

/// Batches that the keeper may be behind: at a megabyte each, far more than a second's worth.
const NEWS_MAX: usize = 4096;
/// Between two checkpoints that are published. Under load the log has more: each would cost some files, and only the
/// newest is of use to anybody.
const PAUSE: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn signed(note: &str) -> News {
        News::Signed(note.to_owned())
    }

    #[test]
    fn of_checkpoints_in_quick_succession_the_newest_is_published_and_none_too_late() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Arc::new(Kept {
            unwritten: Mutex::new(BTreeMap::from([(1, Ids::default())])),
            ..Kept::default()
        });
        let mut work = Work {
            files: Files::new(dir.path()),
            dir: dir.path().to_owned(),
            edge: Edge::default(),
            kept: Arc::clone(&kept),
            held: None,
            next_at: Instant::now(),
            pause: Duration::from_secs(3600),
        };
        let published = || std::fs::read_to_string(dir.path().join("checkpoint")).unwrap();
        let (sender, news) = sync_channel(8);

        // After a quiet time the first one is published at once, whatever else waits.
        work.keep(signed("a")).unwrap();
        sender.send(signed("c")).unwrap();
        assert!(matches!(work.next(&news), Next::Publish));
        work.publish().unwrap();
        assert_eq!(published(), "a");

        // Those that come soon after it wait, and the newest is what is left of them.
        work.keep(signed("b")).unwrap();
        let Next::News(newer) = work.next(&news) else { panic!("published too soon") };
        work.keep(newer).unwrap();
        assert_eq!((published().as_str(), kept.synced()), ("a", 0));

        // Nothing that goes by what is published waits for the next one's time.
        work.keep(News::Ended(1)).unwrap();
        assert_eq!((published().as_str(), kept.synced()), ("c", 1));
        work.keep(signed("d")).unwrap();
        work.keep(News::Dropped(Dropped { first_kept: 1 })).unwrap();
        assert_eq!(published(), "d");
        work.keep(signed("e")).unwrap();
        drop(sender);
        work.run(&news);
        assert_eq!(published(), "e");
        assert_eq!(kept.failure(), None);
    }
}
