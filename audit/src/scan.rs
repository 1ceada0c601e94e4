//! Reading one segment frame by frame, with a buffer of constant size.

use crate::finding::What;
use crate::frame::{self, FRAME_BYTES_MAX, HEAD_BYTES, Kind};
use crate::segment::{HEADER_BYTES, Header};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// A place in a segment, and a window on what follows it.
pub(crate) struct Frames {
    file: File,
    /// Where the next frame begins in the file.
    at: u64,
    buffer: Vec<u8>,
    /// Which part of the buffer holds the bytes from `at` on.
    start: usize,
    end: usize,
}

/// What stands at a place.
pub(crate) enum Look<'a> {
    /// A good frame.
    Frame { kind: Kind, body: &'a [u8], frame_bytes: u64 },
    /// The end of the file.
    End,
    /// A length of zero: either nothing was written from here on, or something is wrong.
    Zeros,
    /// Anything else.
    Bad(What),
}

impl Frames {
    /// Stands at byte `at` of `file`.
    pub(crate) fn new(file: File, at: u64) -> Self {
        let buffer = vec![0; BUFFER_BYTES];
        Self { file, at, buffer, start: 0, end: 0 }
    }

    /// Where it stands.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// The segment's header, whatever the place; `None` if the file is shorter or all zeros there.
    pub(crate) fn header(&self) -> io::Result<Option<Result<Header, What>>> {
        let mut bytes = [0; HEADER_BYTES];
        let read = read_full(&self.file, &mut bytes, 0)?;
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let whole = if read == HEADER_BYTES { Header::parse(&bytes) } else { Err(What::Header) };
        Ok(Some(whole))
    }

    /// The length of the file now.
    pub(crate) fn file_bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Looks at what stands here, without moving.
    pub(crate) fn look(&mut self) -> io::Result<Look<'_>> {
        let head = self.window(HEAD_BYTES)?;
        if head.is_empty() {
            return Ok(Look::End);
        }
        let wanted = match frame::declared(head) {
            Ok(0) => return Ok(Look::Zeros),
            Ok(length) => HEAD_BYTES + length,
            Err(what) => return Ok(Look::Bad(what)),
        };
        let window = self.window(wanted)?;
        Ok(match frame::parse(window) {
            Ok((kind, body)) => Look::Frame { kind, body, frame_bytes: wanted as u64 },
            Err(what) => Look::Bad(what),
        })
    }

    /// The length that the frame here declares, if it can be.
    pub(crate) fn declared_bytes(&mut self) -> io::Result<Option<u64>> {
        let length = frame::declared(self.window(HEAD_BYTES)?).ok();
        Ok(length.map(|length| (HEAD_BYTES + length) as u64))
    }

    /// Goes on by `bytes`.
    pub(crate) fn advance(&mut self, bytes: u64) {
        self.at += bytes;
        let held = (self.end - self.start) as u64;
        // What lies beyond the window is fetched when it is looked at.
        self.start += bytes.min(held) as usize;
    }

    /// Forgets what was read, so that the next look is at the file as it is then.
    pub(crate) fn refresh(&mut self) {
        self.start = self.end;
    }

    /// Moves to the next good frame that begins after this place, if there is one.
    pub(crate) fn resync(&mut self) -> io::Result<bool> {
        let Some(last) = self.last_nonzero(self.at)? else {
            return Ok(false);
        };
        while self.at < last {
            self.advance(1);
            if self.could_be_frame()? && matches!(self.look()?, Look::Frame { .. }) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a good frame of one of these kinds begins anywhere after this place.
    pub(crate) fn has_frame_after(&self, kinds: &[Kind]) -> io::Result<bool> {
        let mut ahead = Self::new(self.file.try_clone()?, self.at);
        while ahead.resync()? {
            if matches!(ahead.look()?, Look::Frame { kind, .. } if kinds.contains(&kind)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The last byte that is not zero from `from` on.
    pub(crate) fn last_nonzero(&self, from: u64) -> io::Result<Option<u64>> {
        let mut chunk = vec![0; BUFFER_BYTES];
        let mut end = self.file_bytes()?;
        while end > from {
            let begin = end.saturating_sub(BUFFER_BYTES as u64).max(from);
            let part = chunk.get_mut(..(end - begin) as usize).unwrap_or_default();
            let read = read_full(&self.file, part, begin)?;
            let found = part.iter().take(read).rposition(|byte| *byte != 0);
            if let Some(found) = found {
                return Ok(Some(begin + found as u64));
            }
            end = begin;
        }
        Ok(None)
    }

    /// Whether a sector, as far as it lies behind this place, begins before `to` and is all zeros,
    /// as a write leaves it of which some pages never reached the disk. No good frame holds one.
    pub(crate) fn has_lost_sector(&self, to: u64) -> io::Result<bool> {
        let mut sector = [0; SECTOR_BYTES as usize];
        let mut begin = self.at;
        while begin < to {
            let end = (begin + 1).next_multiple_of(SECTOR_BYTES);
            let part = sector.get_mut(..(end - begin) as usize).unwrap_or_default();
            let read = read_full(&self.file, part, begin)?;
            if read == part.len() && part.iter().all(|byte| *byte == 0) {
                return Ok(true);
            }
            begin = end;
        }
        Ok(false)
    }

    /// A quick test that few wrong places pass, so that a search need not sum every byte up.
    fn could_be_frame(&mut self) -> io::Result<bool> {
        let head = self.window(frame::OVERHEAD_BYTES)?;
        let kind = head.last().copied().unwrap_or_default();
        let known = kind == Kind::Leaf as u8 || kind == Kind::Checkpoint as u8;
        Ok(known && matches!(frame::declared(head), Ok(1..)))
    }

    /// Up to `wanted` bytes from here on; fewer only at the end of the file.
    fn window(&mut self, wanted: usize) -> io::Result<&[u8]> {
        if self.end - self.start < wanted {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            let from = self.at + self.end as u64;
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            self.end += read_full(&self.file, room, from)?;
        }
        let end = self.end.min(self.start + wanted);
        Ok(self.buffer.get(self.start..end).unwrap_or_default())
    }
}

/// Reads until `buffer` is full or the file ends.
fn read_full(file: &File, buffer: &mut [u8], mut at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match file.read_at(room, at) {
            Ok(0) => break,
            Ok(read) => {
                filled += read;
                at += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

const BUFFER_BYTES: usize = 4 * FRAME_BYTES_MAX;
const SECTOR_BYTES: u64 = 512;
