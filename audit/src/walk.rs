//! One way through a whole log, for whoever verifies it and for whoever is about to go on writing.
//!
//! Nothing is written or cut here. What does not hold becomes a [`Finding`]; after one, the walk
//! goes on at the next good frame, so that the report says how far the damage reaches.

use crate::chain::Chain;
use crate::error::AuditError;
use crate::finding::{Finding, What};
use crate::frame::{HEAD_BYTES, Kind};
use crate::head::Head;
use crate::kept_records::{self, KeptRecords};
use crate::lock;
use crate::merkle::{Hash, leaf_hash};
use crate::scan::{Frames, Look};
use crate::segment::{self, HEADER_BYTES, Header, Listing};
use crate::tiles::{Edge, Reader, Tile};
use crate::writer::WRITE_BYTES_MAX;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// Looks on while a log is walked through.
pub(crate) trait Watch {
    /// The walk begins behind segments that were dropped.
    fn take_up(&mut self, _header: &Header) {}

    /// A record was read; `chain` has it.
    fn leaf(&mut self, _chain: &Chain, _leaf: &Seen<'_>) {}

    /// A tile was filled.
    fn tile(&mut self, _chain: &Chain, _tile: Tile, _hashes: &[Hash]) {}

    /// A frame of this many bytes was read.
    fn frame(&mut self, _chain: &Chain, _frame_bytes: u64) {}

    /// A segment of this many bytes ended, and another one follows.
    fn ended(&mut self, _chain: &Chain, _sequence: u32, _bytes: u64) {}
}

/// A record in its place.
pub(crate) struct Seen<'a> {
    pub(crate) head: Option<Head<'a>>,
    pub(crate) body: &'a [u8],
    pub(crate) offset: u64,
}

/// A walk and what it has found so far.
pub(crate) struct Walk<'a> {
    dir: &'a Path,
    /// How long a bad frame at the end may be a write under way, while the log is live.
    patience: Duration,
    watch: &'a mut dyn Watch,
    pub(crate) chain: Chain,
    pub(crate) findings: Vec<Finding>,
    pub(crate) findings_dropped: u64,
    pub(crate) end: Option<End>,
}

/// Where the log ends.
#[derive(Clone, Copy)]
pub(crate) struct End {
    /// The last segment.
    pub(crate) sequence: u32,
    /// Where the next frame belongs; below the length of a header if that is torn too.
    pub(crate) at: u64,
    /// Bytes behind it that no longer count.
    pub(crate) torn_bytes: u64,
    /// Whether it was ended in good order: behind a checkpoint, with the room given back.
    pub(crate) sealed: bool,
}

impl<'a> Walk<'a> {
    /// Walks through the log in `dir`. Another process may be writing it, unless `patience` is zero.
    pub(crate) fn through(
        dir: &'a Path,
        patience: Duration,
        watch: &'a mut dyn Watch,
    ) -> Result<Self, AuditError> {
        let mut walk = Self {
            dir,
            patience,
            watch,
            chain: Chain::default(),
            findings: Vec::new(),
            findings_dropped: 0,
            end: None,
        };
        let Listing { mut segments, foreign } = segment::list(dir)?;
        for file in foreign {
            walk.find(file, 0, What::ForeignFile);
        }
        let mut expected = walk.begin(segments.first().copied())?;
        while let Some(sequence) = segments.first().copied() {
            segments.remove(0);
            for missing in (expected..sequence).take(FINDINGS_MAX) {
                walk.find(segment::name(missing), 0, What::MissingSegment(missing));
                walk.chain.break_off();
            }
            expected = sequence.saturating_add(1);
            let file_ended = walk.segment(sequence, segments.is_empty())?;
            if segments.is_empty() && file_ended {
                // A live log may have gone on in a new segment meanwhile.
                segments = segment::list(dir)?.segments;
                segments.retain(|later| *later >= expected);
            }
            if !segments.is_empty() {
                let bytes = walk.end.map_or(0, |end| end.at);
                walk.watch.ended(&walk.chain, sequence, bytes);
            }
        }
        if let Some(missing) = walk.chain.missing_before() {
            walk.find(segment::name(missing), 0, What::MissingSegment(missing));
        }
        Ok(walk)
    }

    /// Takes up the log behind the segments that were dropped, if any were; says which segment
    /// comes first.
    fn begin(&mut self, first: Option<u32>) -> Result<u32, AuditError> {
        let Some(first) = first.filter(|first| *first > 1) else { return Ok(1) };
        let Ok(header) = segment::read_header(self.dir, first) else { return Ok(1) };
        let KeptRecords { bodies: kept, wrong } = kept_records::read(self.dir, header.first_leaf)?;
        let tiles = Reader::new(self.dir, header.first_leaf);
        let tree = Edge::of(header.first_leaf, |tile| tiles.tile(tile));
        let (Ok(tree), Some((0, _))) = (tree, kept.first()) else {
            for file in wrong {
                self.find(file, 0, What::KeptRecord);
            }
            return Ok(1);
        };
        self.chain.take_up(&header, tree, &kept);
        if self.chain.key().is_none() {
            self.find(kept_records::name(0), 0, What::KeptRecord);
        }
        for file in wrong {
            self.find(file, 0, What::KeptRecord);
        }
        self.watch.take_up(&header);
        Ok(first)
    }

    /// Notes something that is wrong.
    pub(crate) fn find(&mut self, file: String, offset: u64, what: What) {
        if self.findings.len() >= FINDINGS_MAX {
            self.findings_dropped += 1;
            return;
        }
        let record = self.chain.next();
        self.findings.push(Finding { file, offset, record, what });
    }

    /// Walks through one segment; says whether it got to the end of the file, and not only to that
    /// of what had been written when it looked.
    fn segment(&mut self, sequence: u32, last: bool) -> Result<bool, AuditError> {
        let name = segment::name(sequence);
        let file = segment::open(self.dir, sequence)?;
        let mut frames = Frames::new(file, HEADER_BYTES as u64);
        self.frames(&mut frames, sequence, &name, last)
            .map_err(AuditError::io("read", self.dir.join(name)))
    }

    fn frames(
        &mut self,
        frames: &mut Frames,
        sequence: u32,
        name: &str,
        last: bool,
    ) -> io::Result<bool> {
        let header = match self.header(frames, last)? {
            Some(Ok(header)) => {
                if let Err(what) = self.chain.header(&header, sequence) {
                    self.find(name.to_owned(), 0, what);
                    self.chain.break_off();
                }
                Some(header)
            }
            bad => {
                // Only the newest segment can lose its header to a crash, and then nothing follows.
                let torn = frames.last_nonzero(HEADER_BYTES as u64)?.is_none();
                if last && torn {
                    let bytes = frames.last_nonzero(0)?.map_or(0, |last| last + 1);
                    self.find(name.to_owned(), 0, What::TornTail { bytes });
                    self.end = Some(End { sequence, at: 0, torn_bytes: bytes, sealed: false });
                    return Ok(false);
                }
                let what = bad.and_then(Result::err).unwrap_or(What::Header);
                self.find(name.to_owned(), 0, what);
                None
            }
        };
        // Nothing at all is an end as good: the next header says what must stand before it.
        let mut ends_with_checkpoint = true;
        let mut tail = Tail::default();
        loop {
            let at = frames.at();
            self.end = Some(End { sequence, at, torn_bytes: 0, sealed: false });
            if tail.zeros_from.is_some_and(|zeros| at >= zeros) {
                return Ok(false);
            }
            let bad = match frames.look()? {
                Look::Frame { kind, body, frame_bytes } => {
                    ends_with_checkpoint = kind == Kind::Checkpoint;
                    let holds = match kind {
                        Kind::Leaf => {
                            let (hash, head) = (leaf_hash(body), Head::parse(body));
                            let mut filled = Vec::new();
                            let full = |tile, hashes: &[_]| filled.push((tile, hashes.to_vec()));
                            let header = header.as_ref();
                            let holds = self.chain.leaf(hash, full, head.as_ref(), body, header);
                            self.watch.leaf(&self.chain, &Seen { head, body, offset: at });
                            for (tile, hashes) in filled {
                                self.watch.tile(&self.chain, tile, &hashes);
                            }
                            holds
                        }
                        Kind::Checkpoint => self.chain.checkpoint(body),
                    };
                    frames.advance(frame_bytes);
                    tail.faulty_since = None;
                    self.watch.frame(&self.chain, frame_bytes);
                    if let Err(what) = holds {
                        self.find(name.to_owned(), at, what);
                    }
                    continue;
                }
                Look::End => {
                    if !last && !ends_with_checkpoint {
                        self.find(name.to_owned(), at, What::OpenEnd);
                    }
                    let sealed = ends_with_checkpoint;
                    self.end = Some(End { sequence, at, torn_bytes: 0, sealed });
                    return Ok(true);
                }
                Look::Zeros => What::Zeros,
                Look::Bad(what) => what,
            };
            if last {
                match tail.judge(frames, self)? {
                    Verdict::LookAgain => continue,
                    Verdict::Clean => return Ok(false),
                    Verdict::Torn(torn_bytes) => {
                        self.find(name.to_owned(), at, What::TornTail { bytes: torn_bytes });
                        self.end = Some(End { sequence, at, torn_bytes, sealed: false });
                        return Ok(false);
                    }
                    Verdict::Damaged => {}
                }
            }
            self.find(name.to_owned(), at, bad);
            self.chain.break_off();
            if !frames.resync()? {
                return Ok(!last);
            }
        }
    }

    /// The header, awaited for a moment if a writer may be about to write it.
    fn header(&self, frames: &Frames, last: bool) -> io::Result<Option<Result<Header, What>>> {
        let deadline = Instant::now() + self.patience;
        loop {
            let header = frames.header()?;
            let good = matches!(header, Some(Ok(_)));
            if good || !last || Instant::now() >= deadline || !lock::is_live(self.dir) {
                return Ok(header);
            }
            std::thread::sleep(POLL);
        }
    }
}

/// What is known about the end of the newest segment while a writer may be at it.
#[derive(Default)]
struct Tail {
    /// From here to the end of the file there were only zeros at one time. A walk that gets here
    /// stops, or it would run after a busy writer for ever.
    zeros_from: Option<u64>,
    faulty_since: Option<Instant>,
    looked_twice: bool,
}

/// What a place without a good frame means at the end of the newest segment.
enum Verdict {
    /// A write may have been under way.
    LookAgain,
    /// Nothing but zeros follows.
    Clean,
    /// An interrupted write, and its length.
    Torn(u64),
    Damaged,
}

impl Tail {
    fn judge(&mut self, frames: &mut Frames, walk: &Walk<'_>) -> io::Result<Verdict> {
        let Some(last) = frames.last_nonzero(frames.at())? else {
            return Ok(Verdict::Clean);
        };
        self.zeros_from.get_or_insert(last + 1);
        if self.may_change(walk) {
            frames.refresh();
            return Ok(Verdict::LookAgain);
        }
        Ok(torn(frames)?.map_or(Verdict::Damaged, Verdict::Torn))
    }

    fn may_change(&mut self, walk: &Walk<'_>) -> bool {
        let since = *self.faulty_since.get_or_insert_with(|| {
            self.looked_twice = false;
            Instant::now()
        });
        // The second look needs no pause: it is for a write that ended between two reads.
        if !std::mem::replace(&mut self.looked_twice, true) {
            return true;
        }
        let again = since.elapsed() < walk.patience && lock::is_live(walk.dir);
        if again {
            std::thread::sleep(POLL);
        }
        again
    }
}

/// Whether the bad frame here, in the newest segment, is what an interrupted write leaves; and how
/// many bytes from here on no longer count.
fn torn(frames: &mut Frames) -> io::Result<Option<u64>> {
    let at = frames.at();
    let Some(last) = frames.last_nonzero(at)? else {
        return Ok(Some(0));
    };
    let torn_bytes = last + 1 - at;
    // One write is never longer, and the one before it was durable.
    if torn_bytes > WRITE_BYTES_MAX as u64 {
        return Ok(None);
    }
    let frame_end = at + frames.declared_bytes()?.unwrap_or(HEAD_BYTES as u64);
    let torn = if frames.has_lost_sector(frame_end.min(last))? {
        // A checkpoint is written only when all before it is durable, so no crash tears below one.
        !frames.has_frame_after(&[Kind::Checkpoint])?
    } else {
        // A frame that merely runs out has nothing behind it, or its length was changed.
        last < frame_end && !frames.has_frame_after(&[Kind::Checkpoint, Kind::Leaf])?
    };
    Ok(torn.then_some(torn_bytes))
}

/// More findings than this are counted only.
pub(crate) const FINDINGS_MAX: usize = 100;
const POLL: Duration = Duration::from_millis(2);
