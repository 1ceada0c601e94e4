//! Finding the place to go on writing: begins a log, or checks the one there is and cuts what a
//! crash tore. What follows from the log is made again where it is missing.

use crate::chain::{Chain, Succession};
use crate::error::AuditError;
use crate::event::{Adopted, Recovered};
use crate::finding::Finding;
use crate::folder;
use crate::ids::{self, Ids};
use crate::kept_records;
use crate::key::{Origin, VerifierKey};
use crate::merkle::Hash;
use crate::published::Published;
use crate::replace;
use crate::retention::Ended;
use crate::segment::{self, HEADER_BYTES, Header};
use crate::tiles::{self, Files, PUBLISHED, TILES, Tile};
use crate::walk::{End, Seen, Walk, Watch};
use crate::writer::{ADOPTION_BYTES_MAX, Segment};
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Where the log goes on.
pub(crate) struct Place {
    pub(crate) segment: Segment,
    pub(crate) chain: Chain,
    pub(crate) fresh: bool,
    pub(crate) recovered: Option<Recovered>,
    pub(crate) succession: Succession,
    /// The decisions in the segment.
    pub(crate) newest: Ids,
    /// The segments before it.
    pub(crate) ended: VecDeque<Ended>,
}

/// Which log to go on with, and by which keys.
pub(crate) struct Wanted<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) origin: &'a Origin,
    pub(crate) signer: &'a VerifierKey,
    pub(crate) previous: Option<&'a VerifierKey>,
    /// Where the copy of the last checkpoint is.
    pub(crate) copy: Option<&'a Path>,
    pub(crate) segment_bytes: u64,
}

impl Wanted<'_> {
    fn gone(&self, copy: &Path, records: u64) -> AuditError {
        AuditError::Gone { dir: self.dir.to_owned(), copy: copy.to_owned(), records }
    }
}

impl Place {
    /// Finds it in a folder that this process has locked.
    pub(crate) fn find(wanted: &Wanted<'_>) -> Result<Self, AuditError> {
        let dir = wanted.dir;
        let mut again = Again::new(dir, wanted.copy)?;
        let Walk { chain, findings, end, .. } = Walk::through(dir, Duration::ZERO, &mut again)?;
        if let Some(finding) = findings.iter().find(|finding| !finding.is_torn_tail()) {
            return Err(AuditError::Damaged(Box::new(finding.clone())));
        }
        let copied = again.copy.as_ref().zip(wanted.copy);
        if let Some((copy, at)) = copied.filter(|(copy, _)| chain.is_empty() && copy.size > 0) {
            // Whoever signed it: the key may be gone with the log.
            return Err(wanted.gone(at, copy.size));
        }
        let signers: Vec<_> = wanted.previous.into_iter().chain([wanted.signer]).cloned().collect();
        let copied =
            copied.and_then(|(copy, at)| copy.contradicts(&at.to_string_lossy(), &chain, &signers));
        let unsigned = chain.too_little_signed().map(|what| Finding {
            file: segment::name(end.map_or(1, |end| end.sequence)),
            offset: end.map_or(0, |end| end.at),
            record: chain.next(),
            what,
        });
        let published = again.published.contradicts(PUBLISHED, &chain, &signers);
        if let Some(finding) = published.or(copied).or(unsigned) {
            return Err(AuditError::Damaged(Box::new(finding)));
        }
        let succession = chain.goes_on_with(wanted.signer, wanted.previous)?;
        let ended = std::mem::take(&mut again.ended);
        let newest = again.end(&chain).map_err(AuditError::io("write tiles in", dir))?;
        let (segment, recovered) = match end {
            None => (begin(wanted, &chain)?, None),
            Some(end) => go_on(wanted, &chain, end)?,
        };
        let fresh = chain.is_empty();
        Ok(Self { segment, chain, fresh, recovered, succession, newest, ended })
    }

    /// The records that no checkpoint covers, of which nobody can say later who wrote them: the next
    /// checkpoint covers them, so the log says which they are.
    pub(crate) fn adopted(&self) -> Option<Adopted> {
        let records = self.chain.unsigned();
        (records > 0).then(|| Adopted {
            first_record: self.chain.next() - records,
            records,
            root: hex::encode(self.chain.tree.root()).into(),
        })
    }
}

/// Makes again what follows from the log, as far as nothing is wrong with it.
struct Again<'a> {
    dir: &'a Path,
    files: Files,
    newest: Ids,
    ended: VecDeque<Ended>,
    published: Published,
    /// What was published last, as it is kept elsewhere.
    copy: Option<Published>,
    failed: io::Result<()>,
}

impl<'a> Again<'a> {
    fn new(dir: &'a Path, copy: Option<&Path>) -> Result<Self, AuditError> {
        Ok(Self {
            dir,
            files: Files::new(dir),
            newest: Ids::default(),
            ended: VecDeque::new(),
            published: Published::read(dir)?,
            copy: copy.map(Published::copy),
            failed: Ok(()),
        })
    }

    /// Publishes what was published last, unless it was.
    fn end(mut self, chain: &Chain) -> io::Result<Ids> {
        self.failed?;
        for below in [TILES, ids::FOLDER, kept_records::FOLDER] {
            replace::left_in(&self.dir.join(below))?.iter().try_for_each(fs::remove_file)?;
        }
        folder::remove_file(&replace::under_way(&self.dir.join(PUBLISHED)))?;
        // Partial tiles of earlier trees are made again by nobody, and needed by nobody.
        let wrong = tiles::foreign(self.dir, &chain.tree, true).map_err(io::Error::other)?;
        for cut_short in wrong.into_iter().filter(|wrong| wrong.is_cut_short) {
            folder::remove_file(&self.dir.join(cut_short.file))?;
        }
        if chain.checkpoint.is_some_and(|checkpoint| checkpoint.size == chain.tree.size()) {
            self.files.publish(&chain.tree, &chain.note)?;
        }
        self.files.sync()?;
        Ok(self.newest)
    }
}

impl Watch for Again<'_> {
    fn leaf(&mut self, chain: &Chain, seen: &Seen<'_>) {
        let Some(head) = seen.head.as_ref().filter(|_| chain.is_whole() && self.failed.is_ok())
        else {
            return;
        };
        let Self { dir, newest, failed, .. } = self;
        newest.see(head, seen.offset);
        if head.is_kept() && failed.is_ok() {
            *failed = kept_records::keep(dir, head.n, seen.body);
        }
    }

    fn tile(&mut self, chain: &Chain, tile: Tile, hashes: &[Hash]) {
        if chain.is_whole() && self.failed.is_ok() {
            self.failed = self.files.put(tile, hashes);
        }
    }

    fn frame(&mut self, chain: &Chain, _: u64) {
        self.published.look(chain);
        if let Some(copy) = &mut self.copy {
            copy.look(chain);
        }
    }

    fn ended(&mut self, chain: &Chain, sequence: u32, bytes: u64) {
        let (newest_us, records_before_next) = (chain.newest_us, chain.tree.size());
        self.ended.push_back(Ended { sequence, bytes, newest_us, records_before_next });
        let ids = std::mem::take(&mut self.newest);
        if chain.is_whole() && self.failed.is_ok() {
            self.failed = ids::write(self.dir, sequence, &ids.to_bytes());
        }
    }
}

fn begin(wanted: &Wanted<'_>, chain: &Chain) -> Result<Segment, AuditError> {
    let Wanted { dir, origin, segment_bytes: bytes, .. } = *wanted;
    let header = Header::continuing((chain.tree.size(), chain.tree.root()), 1, origin);
    let file = segment::create(dir, &header, bytes)
        .map_err(AuditError::io("create", dir.join(segment::name(1))))?;
    Ok(Segment { file, sequence: 1, at: HEADER_BYTES as u64, bytes })
}

fn go_on(
    wanted: &Wanted<'_>,
    chain: &Chain,
    end: End,
) -> Result<(Segment, Option<Recovered>), AuditError> {
    let Wanted { dir, origin, segment_bytes, .. } = *wanted;
    let sequence = end.sequence;
    let path = dir.join(segment::name(sequence));
    let file = segment::open_to_write(dir, sequence)?;
    // Without one record there is nothing to keep, and the header may be for another origin.
    let anew = end.at < HEADER_BYTES as u64 || chain.tree.size() == 0;
    let at = if anew { HEADER_BYTES as u64 } else { end.at };
    let least = if chain.unsigned() > 0 { at + ADOPTION_BYTES_MAX } else { at };
    let bytes = segment_bytes.max(least);
    let ready = if anew {
        let tree = (chain.tree.size(), chain.tree.root());
        let header = Header::continuing(tree, sequence, origin);
        file.set_len(0).and_then(|()| segment::fill(&file, &header, segment_bytes))
    } else {
        // The cut makes what follows zeros, also where a torn write left something else.
        file.set_len(at)
            .and_then(|()| segment::reserve(&file, bytes))
            .and_then(|()| file.sync_all())
    };
    ready.map_err(AuditError::io("go on with", path))?;
    let recovered = (end.torn_bytes > 0).then(|| Recovered {
        cut_bytes: end.torn_bytes,
        file: segment::name(sequence).into(),
        offset: end.at,
    });
    Ok((Segment { file, sequence, at, bytes }, recovered))
}
