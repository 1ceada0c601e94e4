//! C2SP tlog-tiles: the hashes of the tree as files, so that anybody with a file server can prove
//! what the log holds.
//!
//! Below the log's folder, `tile/<L>/<N>` holds 256 hashes of level `8 L`, and
//! `tile/<L>/<N>.p/<W>` the first `W` of them, for each tree that was published. `checkpoint` is
//! the signed note of the tree published last. All of it follows from the segments as long as
//! they are there; tiles stay when segments are dropped, so that old proofs go on to verify.

mod edge;
mod files;
mod reader;
mod tree;

pub(crate) use edge::Edge;
pub(crate) use files::{Files, PUBLISHED, TILES};
pub(crate) use reader::Reader;
pub(crate) use tree::foreign;

use std::fmt;

/// Which tile, and how many of its hashes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Tile {
    /// In units of eight levels of the tree.
    pub(crate) level: u8,
    pub(crate) index: u64,
    /// 1 to 256 hashes.
    pub(crate) width: u16,
}

impl Tile {
    /// The one of its level and index with all of its hashes.
    pub(crate) fn full(level: u8, index: u64) -> Self {
        Self { level, index, width: WIDTH }
    }

    /// The last tile of `level` in a tree of `size` leaves, if it is not full.
    pub(crate) fn partial(level: u8, size: u64) -> Option<Self> {
        let hashes = size.checked_shr(u32::from(level) * 8).unwrap_or(0);
        let width = (hashes % u64::from(WIDTH)) as u16;
        (width > 0).then_some(Self { level, index: hashes / u64::from(WIDTH), width })
    }

    pub(crate) fn is_full(&self) -> bool {
        self.width == WIDTH
    }

    /// The tile that a path below the log's folder names.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let rest = path.strip_prefix(TILES)?.strip_prefix('/')?;
        let (level, rest) = rest.split_once('/')?;
        let (index, width) = match rest.split_once(".p/") {
            None => (rest, WIDTH),
            Some((index, width)) => (index, width.parse().ok()?),
        };
        let index = index.split('/').try_fold(0_u64, |index, part| {
            let digits: u64 = part.strip_prefix('x').unwrap_or(part).parse().ok()?;
            index.checked_mul(1000)?.checked_add(digits)
        })?;
        let tile = Self { level: level.parse().ok()?, index, width };
        // One spelling each: what is not written like this is not a tile.
        let can_be = (1..=WIDTH).contains(&tile.width) && tile.level < LEVELS;
        (can_be && tile.to_string() == path).then_some(tile)
    }
}

/// The path below the log's folder.
impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{TILES}/{}/", self.level)?;
        let mut groups = 1;
        while 1000_u64.checked_pow(groups).is_some_and(|above| above <= self.index) {
            groups += 1;
        }
        for group in (1..groups).rev() {
            write!(f, "x{:03}/", self.index / 1000_u64.pow(group) % 1000)?;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// Hashes of a full tile.
const WIDTH: u16 = 256;
/// A tree of more than `2^64` leaves there is not.
const LEVELS: u8 = 8;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_is_that_of_the_specification() {
        assert_eq!(Tile::full(0, 1_234_067).to_string(), "tile/0/x001/x234/067");
        assert_eq!(Tile::full(3, 0).to_string(), "tile/3/000");
        let partial = Tile { level: 1, index: 1000, width: 7 };
        assert_eq!(partial.to_string(), "tile/1/x001/000.p/7");
    }

    #[test]
    fn the_example_of_the_specification_has_its_tiles() {
        let partials: Vec<_> = (0..4).filter_map(|level| Tile::partial(level, 70_000)).collect();
        let [zero, one, two] = partials.as_slice() else { unreachable!("{partials:?}") };
        assert_eq!((zero.index, zero.width), (273, 112));
        assert_eq!((one.index, one.width), (1, 17));
        assert_eq!((two.index, two.width), (0, 1));
        assert_eq!(Tile::partial(0, 256), None);
        assert_eq!(Tile::partial(1, 256).map(|tile| tile.width), Some(1));
    }

    #[test]
    fn other_spellings_are_not_tiles() {
        for path in [
            "tile/0/0",
            "tile/00/000",
            "tile/0/x000/001",
            "tile/0/001/002",
            "tile/8/000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/07",
            "tile/0/+01",
            "tile/0/000/",
            "tile/0/x001/x234/1067",
            "elsewhere/0/000",
            "tile/0/000.p/3.p/3",
        ] {
            assert_eq!(Tile::parse(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_path_reads_back_and_is_the_one_of_the_other_implementation(
            level in 0..8_u8, index in any::<u64>(), shift in 0..64_u32, width in 1..=256_u16,
        ) {
            let tile = Tile { level, index: index >> shift, width };
            prop_assert_eq!(Tile::parse(&tile.to_string()), Some(tile));
            let other = tlog_tiles::Tile::new(8, level, tile.index, width.into(), false);
            // Theirs names the height, which C2SP fixed at eight.
            prop_assert_eq!(other.path().replacen("tile/8/", "tile/", 1), tile.to_string());
        }
    }
}
