//! Whether what follows from the records is what the folder has of it: tiles, published checkpoint,
//! the files of request ids, kept records.

use crate::bounded::{self, TILE_BYTES_MAX};
use crate::chain::Chain;
use crate::error::AuditError;
use crate::finding::What;
use crate::ids::{self, Ids};
use crate::kept_records::KeptRecords;
use crate::merkle::{Hash, Subtrees as _, root_of};
use crate::published::Published;
use crate::segment::Header;
use crate::tiles::{self, PUBLISHED, Reader, Tile};
use crate::walk::Seen;
use crate::{folder, kept_records, replace, segment};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Compares on the way what it can, and the rest at the end.
pub(super) struct Derived {
    dir: PathBuf,
    /// Whether a gateway may be writing files meanwhile.
    live: bool,
    published: Published,
    ids: Ids,
    first_record: u64,
    /// The leaves of records that stay when their segment is dropped.
    stay: BTreeMap<u64, Vec<u8>>,
    /// Files that are missing, which is wrong unless a crash or a running gateway explains it.
    unwritten: Vec<String>,
    /// Files that are the beginning of what they should be, which is wrong unless the power failed.
    cut_short: Vec<(String, What)>,
    pub(super) found: Vec<(String, What)>,
}

impl Derived {
    /// Looks at what is published before anything else: what comes later may be ahead of it.
    pub(super) fn new(dir: &Path, live: bool) -> Result<Self, AuditError> {
        Ok(Self {
            dir: dir.to_owned(),
            live,
            published: Published::read(dir)?,
            ids: Ids::default(),
            first_record: 0,
            stay: BTreeMap::new(),
            unwritten: Vec::new(),
            cut_short: Vec::new(),
            found: Vec::new(),
        })
    }

    /// Goes on behind records that were dropped, whose tiles must agree among themselves.
    pub(super) fn take_up(&mut self, header: &Header) {
        let size = header.first_leaf;
        self.first_record = size;
        let tiles = Reader::new(&self.dir, size);
        // From the top down, and no further than the first that is wrong: below it nothing can be
        // said, and a header that lies about its size would have us look for ever.
        for level in (0..7_u8).rev() {
            for index in 0..size >> (8 * (u32::from(level) + 1)) {
                let tile = Tile::full(level, index);
                let above = tiles.root(8 * (u32::from(level) + 1), index).ok();
                let what = match tiles.tile(tile) {
                    Err(_) => What::Missing,
                    Ok(hashes) if Some(root_of(&hashes)) != above => What::Tile,
                    Ok(_) => continue,
                };
                self.found.push((tile.to_string(), what));
                return;
            }
        }
    }

    pub(super) fn leaf(&mut self, chain: &Chain, seen: &Seen<'_>) {
        if !chain.is_whole() {
            return;
        }
        let Some(head) = &seen.head else { return };
        self.ids.see(head, seen.offset);
        if head.is_kept() {
            self.stay.insert(head.n, seen.body.to_vec());
        }
    }

    pub(super) fn tile(&mut self, chain: &Chain, tile: Tile, hashes: &[Hash]) {
        if !chain.is_whole() {
            return;
        }
        let end = (tile.index + 1).checked_shl(8 * (u32::from(tile.level) + 1));
        let needed = end.is_some_and(|end| end <= self.published.size);
        let expected = hashes.as_flattened();
        let what = match bounded::read(&self.dir.join(tile.to_string()), TILE_BYTES_MAX) {
            Ok(bytes) if bytes == expected => return,
            Ok(bytes) if replace::is_cut_short(&bytes, expected) => {
                return self.cut_short.push((tile.to_string(), What::Tile));
            }
            Ok(_) => What::Tile,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => What::Tile,
            Err(_) if needed => What::Missing,
            // A crash came before it, or it is about to be written.
            Err(_) => return,
        };
        self.found.push((tile.to_string(), what));
    }

    pub(super) fn frame(&mut self, chain: &Chain) {
        self.published.look(chain);
    }

    pub(super) fn ended(&mut self, chain: &Chain, sequence: u32) {
        let ids = std::mem::take(&mut self.ids);
        if !chain.is_whole() {
            // Which requests the segment has is not known.
            return;
        }
        let file = format!("{}/{sequence:08}", ids::FOLDER);
        let expected = ids.to_bytes();
        match bounded::read(&ids::path(&self.dir, sequence), expected.len()) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.found.push((file, What::Ids));
            }
            Ok(bytes) if bytes != expected => {
                let cut_short = replace::is_cut_short(&bytes, &expected);
                let list = if cut_short { &mut self.cut_short } else { &mut self.found };
                list.push((file, What::Ids));
            }
            // A crash came before it, or it is about to be written.
            Err(_) => self.unwritten.push(file),
            Ok(_) => {}
        }
    }

    /// The rest, when the whole log has been walked through. `sealed` says that it ended in good
    /// order.
    pub(super) fn end(&mut self, chain: &Chain, sealed: bool) -> Result<(), AuditError> {
        let ahead = self.live || !sealed;
        self.files_of_ids(ahead)?;
        if !chain.is_whole() {
            // What the tree really was is not known.
            self.found.append(&mut self.cut_short);
            return Ok(());
        }
        let foreign = tiles::foreign(&self.dir, &chain.tree, ahead)?;
        for foreign in foreign {
            let list = if foreign.is_cut_short { &mut self.cut_short } else { &mut self.found };
            list.push((foreign.file, foreign.what));
        }
        // A power failure explains it, and the next start makes it again.
        let unclean = !self.live && !sealed;
        let cut_short = std::mem::take(&mut self.cut_short);
        self.found.extend(cut_short.into_iter().filter(|_| !unclean));
        self.kept(ahead)?;
        let under_way = replace::under_way(&self.dir.join(PUBLISHED));
        if let Some(name) = under_way.file_name().filter(|_| !ahead && under_way.exists()) {
            self.found.push((name.to_string_lossy().into_owned(), What::ForeignFile));
        }
        let partials = chain.tree.partials().map(|(tile, _)| tile.to_string());
        let written = |file: &String| self.dir.join(file).exists();
        self.unwritten.extend(partials.filter(|file| !written(file)));
        if !ahead {
            let missing = std::mem::take(&mut self.unwritten);
            self.found.extend(missing.into_iter().map(|file| (file, What::Missing)));
        }
        let published = self.published.judge(chain, sealed);
        let published = published.filter(|_| !(unclean && self.published.is_cut_short()));
        self.found.extend(published.map(|what| (PUBLISHED.to_owned(), what)));
        Ok(())
    }

    fn files_of_ids(&mut self, ahead: bool) -> Result<(), AuditError> {
        let folder = self.dir.join(ids::FOLDER);
        let entries = folder::entries(&folder).map_err(AuditError::io("list", &folder))?;
        let segments = segment::list(&self.dir)?.segments;
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let known = ids::sequence(&name).is_some_and(|of| segments.contains(&of));
            // A segment may have ended, or been dropped, since the folder was listed.
            let passing = self.live && ids::sequence(&name).is_some();
            let under_way = ahead && replace::is_under_way(&name);
            if !(known || passing || under_way) {
                self.found.push((format!("{}/{name}", ids::FOLDER), What::ForeignFile));
            }
        }
        Ok(())
    }

    fn kept(&mut self, ahead: bool) -> Result<(), AuditError> {
        let folder = self.dir.join(kept_records::FOLDER);
        let left = replace::left_in(&folder).map_err(AuditError::io("list", &folder))?;
        if let Some(file) = left.first().filter(|_| !ahead) {
            let file = file.strip_prefix(&self.dir).unwrap_or(file);
            self.found.push((file.display().to_string(), What::ForeignFile));
        }
        let KeptRecords { bodies, wrong } = kept_records::read(&self.dir, self.first_record)?;
        self.found.extend(wrong.into_iter().map(|file| (file, What::KeptRecord)));
        let is_kept = |n: &u64| bodies.iter().any(|(kept, _)| kept == n);
        let missing = self.stay.keys().filter(|n| !is_kept(n)).map(|n| kept_records::name(*n));
        self.unwritten.extend(missing);
        for (n, body) in bodies.into_iter().filter(|(n, _)| *n >= self.first_record) {
            if self.stay.get(&n).is_none_or(|stays| *stays != body) {
                self.found.push((kept_records::name(n), What::KeptRecord));
            }
        }
        Ok(())
    }
}
