//! Finding the place to go on writing: begins a log, or checks the one there is and cuts what a
//! crash tore.

use crate::chain::Chain;
use crate::error::AuditError;
use crate::event::Recovered;
use crate::key::{Origin, VerifierKey};
use crate::segment::{self, HEADER_BYTES, Header};
use crate::walk::{End, Walk};
use crate::writer::Segment;
use std::path::Path;
use std::time::Duration;

/// Where the log goes on.
pub(crate) struct Place {
    pub(crate) segment: Segment,
    pub(crate) chain: Chain,
    pub(crate) fresh: bool,
    pub(crate) recovered: Option<Recovered>,
}

impl Place {
    /// Finds it in `dir`, which this process has locked.
    pub(crate) fn find(
        dir: &Path,
        origin: &Origin,
        signer: &VerifierKey,
        segment_bytes: u64,
    ) -> Result<Self, AuditError> {
        let mut watch = |_: &Chain, _| {};
        let walk = Walk::through(dir, Duration::ZERO, &mut watch)?;
        if let Some(finding) = walk.findings.iter().find(|finding| !finding.is_torn_tail()) {
            return Err(AuditError::Damaged(Box::new(finding.clone())));
        }
        walk.chain.goes_on_with(signer)?;
        let (chain, end) = (walk.chain, walk.end);
        match end {
            None => begin(dir, origin, chain, segment_bytes),
            Some(end) => go_on(dir, origin, chain, end, segment_bytes),
        }
    }
}

fn begin(dir: &Path, origin: &Origin, chain: Chain, bytes: u64) -> Result<Place, AuditError> {
    let header = Header::continuing(&chain.tree, 1, origin);
    let file = segment::create(dir, &header, bytes)
        .map_err(AuditError::io("create", dir.join(segment::name(1))))?;
    let at = HEADER_BYTES as u64;
    let segment = Segment { file, sequence: 1, at, bytes };
    Ok(Place { segment, chain, fresh: true, recovered: None })
}

fn go_on(
    dir: &Path,
    origin: &Origin,
    chain: Chain,
    end: End,
    segment_bytes: u64,
) -> Result<Place, AuditError> {
    let sequence = end.sequence;
    let path = dir.join(segment::name(sequence));
    let file = segment::open_to_write(dir, sequence)?;
    // Without one record there is nothing to keep, and the header may be for another origin.
    let anew = end.at < HEADER_BYTES as u64 || chain.tree.size() == 0;
    let at = if anew { HEADER_BYTES as u64 } else { end.at };
    let ready = if anew {
        let header = Header::continuing(&chain.tree, sequence, origin);
        file.set_len(0).and_then(|()| segment::fill(&file, &header, segment_bytes))
    } else {
        // The cut makes what follows zeros, also where a torn write left something else.
        file.set_len(at)
            .and_then(|()| segment::reserve(&file, segment_bytes.max(at)))
            .and_then(|()| file.sync_all())
    };
    ready.map_err(AuditError::io("go on with", path))?;
    let recovered = (end.torn_bytes > 0).then(|| Recovered {
        cut_bytes: end.torn_bytes,
        file: segment::name(sequence).into(),
        offset: end.at,
    });
    let bytes = segment_bytes.max(at);
    let segment = Segment { file, sequence, at, bytes };
    Ok(Place { segment, fresh: chain.tree.size() == 0, chain, recovered })
}
