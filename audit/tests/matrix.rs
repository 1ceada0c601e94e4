//! The tamper matrix of docs/audit.md: every cell is tried here, and the document must say what
//! came of it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod place;

use place::{Place, append, decision, set_length};
use sealgate_audit::{Options, VerifierKey, VerifyOptions};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// A log that ended in good order, with full and partial tiles, and what was kept of it elsewhere.
struct Log {
    place: Place,
    /// The same log at an earlier time.
    once: Place,
    key: VerifierKey,
    outside: String,
}

impl Log {
    fn new() -> Self {
        let place = Place::new();
        let until = |range: std::ops::Range<u64>| {
            let options = Options { segment_bytes: 1 << 15, ..place.options() };
            let log = place.open_with(options).unwrap().0;
            for n in range {
                log.append_and_wait(&decision(n, "dr-house")).unwrap();
            }
            log.close().unwrap();
        };
        until(0..100);
        let once = place.copy();
        until(100..300);
        let key = place.verify().key.unwrap();
        let outside = fs::read_to_string(place.outside()).unwrap();
        Self { place, once, key, outside }
    }

    /// What a verifier says of the log once it was tampered with.
    fn cell(&self, tamper: impl FnOnce(&Place)) -> &'static str {
        let copy = self.place.copy();
        tamper(&copy);
        let pinned_key = Some(self.key.clone());
        let outside_checkpoint = Some(self.outside.clone());
        let with_key = VerifyOptions { pinned_key, ..VerifyOptions::default() };
        let with_both = VerifyOptions { outside_checkpoint, ..with_key.clone() };
        if !copy.verify().is_well() {
            "found"
        } else if !copy.verify_with(&with_key).is_well() {
            "by `--key`"
        } else if sealgate_audit::verify(&copy.audit(), &with_both, &mut |_, _| {})
            .map_or(true, |report| !report.is_well())
        {
            "by `--since`"
        } else {
            "no"
        }
    }
}

/// The first file of a kind, and another one of it if there is one.
fn files(place: &Place, kind: &str) -> (String, Option<String>) {
    if kind == "partial tile" {
        // Of the tree that is published; those of trees before it are needed by nobody.
        let note = fs::read_to_string(place.file("checkpoint")).unwrap();
        let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
        let (tile, width) = (size / 256, size % 256);
        return (format!("tile/0/{tile:03}.p/{width}"), Some(format!("tile/1/000.p/{tile}")));
    }
    let is = |name: &&String| match kind {
        "full tile" => name.starts_with("tile/0/") && !name.contains(".p/"),
        "published checkpoint" => *name == "checkpoint",
        "ids of a segment" => name.starts_with("ids/"),
        "kept record" => name.starts_with("kept/"),
        _ => name.starts_with("segment-"),
    };
    let names = place.files();
    let mut names = names.iter().filter(is).cloned();
    (names.next().unwrap(), names.next())
}

/// Changes a byte of each class of a segment; checksums are put right, as a forger would.
fn change_frame(place: &Place, kind: u8, at: usize) {
    let (name, _) = files(place, "segment");
    let (from, to) = *place
        .frames(&name)
        .iter()
        .find(|(from, _)| fs::read(place.file(&name)).unwrap()[from + 8] == kind)
        .unwrap();
    let mut bytes = fs::read(place.file(&name)).unwrap();
    bytes[from + at] ^= 1;
    if at >= 8 {
        let crc =
            crc32c::crc32c_append(crc32c::crc32c(&bytes[from..from + 4]), &bytes[from + 8..to]);
        bytes[from + 4..from + 8].copy_from_slice(&crc.to_le_bytes());
    }
    fs::write(place.file(&name), bytes).unwrap();
}

fn change_header(place: &Place, at: usize) {
    let (name, _) = files(place, "segment");
    let mut bytes = fs::read(place.file(&name)).unwrap();
    bytes[at] ^= 1;
    let crc = crc32c::crc32c(&bytes[..508]).to_le_bytes();
    bytes[508..512].copy_from_slice(&crc);
    fs::write(place.file(&name), bytes).unwrap();
}

fn frames(place: &Place, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    place.rearrange(&files(place, "segment").0, change);
}

/// The place of the first frame of a type.
fn first(frames: &[Vec<u8>], kind: u8) -> usize {
    frames.iter().position(|frame| frame[8] == kind).unwrap()
}

fn row(what: &str, cells: &[&str]) -> String {
    let mut row = format!("| {what} |");
    for cell in cells {
        write!(row, " {cell} |").unwrap();
    }
    row + "\n"
}

/// Parts of a segment: changed, cut off in the middle, removed, swapped with the next, duplicated.
fn parts(log: &Log) -> String {
    let of_frame = |kind| {
        [
            log.cell(|place| {
                frames(place, |frames| {
                    let at = first(frames, kind);
                    let half = frames[at].len() / 2;
                    frames[at].truncate(half);
                });
            }),
            log.cell(|place| frames(place, |frames| drop(frames.remove(first(frames, kind))))),
            log.cell(|place| {
                frames(place, |frames| {
                    let at = first(frames, kind);
                    frames.swap(at, at + 1);
                });
            }),
            log.cell(|place| {
                frames(place, |frames| {
                    let at = first(frames, kind);
                    frames.insert(at, frames[at].clone());
                });
            }),
        ]
    };
    let with =
        |changed: &'static str, rest: [&'static str; 4]| [&[changed][..], &rest[..]].concat();
    let all = |cells: &[&'static str]| {
        let same = cells.iter().all(|cell| cell == &cells[0]);
        if same { cells[0] } else { "in part" }
    };
    let header: Vec<_> =
        (0..508).step_by(3).map(|at| log.cell(|place| change_header(place, at))).collect();
    let record: Vec<_> = [0, 1, 4, 8, 9, 40, 200]
        .into_iter()
        .map(|at| log.cell(|place| change_frame(place, 1, at)))
        .collect();
    let checkpoint: Vec<_> = [0, 4, 8, 9, 30, 60, 120]
        .into_iter()
        .map(|at| log.cell(|place| change_frame(place, 2, at)))
        .collect();
    let head = |change: &dyn Fn(&mut Vec<u8>)| {
        log.cell(|place| {
            let path = place.file(&files(place, "segment").0);
            let mut bytes = fs::read(&path).unwrap();
            change(&mut bytes);
            fs::write(path, bytes).unwrap();
        })
    };
    let next_header = |place: &Place| {
        let next = files(place, "segment").1.unwrap();
        fs::read(place.file(&next)).unwrap()[..512].to_vec()
    };
    let swapped = log.cell(|place| {
        let path = place.file(&files(place, "segment").0);
        let bytes = fs::read(&path).unwrap();
        fs::write(path, [next_header(place), bytes[512..].to_vec()].concat()).unwrap();
    });
    let header = [
        all(&header),
        head(&|bytes| drop(bytes.drain(256..512))),
        head(&|bytes| drop(bytes.drain(..512))),
        swapped,
        head(&|bytes| {
            let header = bytes[..512].to_vec();
            bytes.splice(..0, header);
        }),
    ];
    row("header of a segment", &header)
        + &row("record", &with(all(&record), of_frame(1)))
        + &row("checkpoint in a segment", &with(all(&checkpoint), of_frame(2)))
}

/// Whole files: a byte changed, cut in the middle, removed, swapped with another of the kind,
/// copied beside under the next name.
fn whole(log: &Log, kind: &str, next: &str) -> String {
    let (name, other) = files(&log.place, kind);
    let bytes = fs::metadata(log.place.file(&name)).unwrap().len();
    let step = usize::try_from(bytes / 40 + 1).unwrap();
    let changed: Vec<_> =
        (0..bytes).step_by(step).map(|at| log.cell(|place| place.flip(&name, at))).collect();
    let changed =
        if changed.iter().all(|cell| *cell == changed[0]) { changed[0] } else { "in part" };
    let swapped = other.map_or("-", |other| {
        log.cell(|place| {
            let (one, two) = (place.file(&name), place.file(&other));
            let bytes = fs::read(&one).unwrap();
            fs::copy(&two, one).unwrap();
            fs::write(two, bytes).unwrap();
        })
    });
    let cells = [
        changed,
        log.cell(|place| set_length(&place.file(&name), bytes / 2)),
        log.cell(|place| fs::remove_file(place.file(&name)).unwrap()),
        swapped,
        log.cell(|place| {
            fs::copy(place.file(&name), place.file(next)).unwrap();
        }),
    ];
    row(kind, &cells)
}

/// A whole folder in the place of the log's own.
fn replaced(place: &Place, other: &Place) {
    fs::remove_dir_all(place.audit()).unwrap();
    let key = fs::read(place.key_file()).unwrap();
    place.take_over(other);
    fs::write(place.key_file(), key).unwrap();
}

fn folders(log: &Log) -> String {
    let forked = Place::new();
    fs::copy(log.place.key_file(), forked.key_file()).unwrap();
    append(&forked.open().unwrap().0, 400);
    let other = Place::finished(400);
    let rolled_back = log.cell(|place| replaced(place, &log.once));
    format!(
        "| put back as it was once | {rolled_back} |\n\
         | other records, signed with the log's own key | {} |\n\
         | other records, signed with another key | {} |\n",
        log.cell(|place| replaced(place, &forked)),
        log.cell(|place| replaced(place, &other)),
    )
}

#[test]
fn the_document_says_of_every_cell_what_comes_of_it() {
    let log = Log::new();
    let files = parts(&log)
        + &whole(&log, "segment", "segment-99999999.log")
        + &whole(&log, "full tile", "tile/0/009")
        + &whole(&log, "partial tile", "tile/0/900")
        + &whole(&log, "published checkpoint", "checkpoint.old")
        + &whole(&log, "ids of a segment", "ids/99999999")
        + &whole(&log, "kept record", "kept/7.json");
    let folders = folders(&log);
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/audit.md");
    let docs = fs::read_to_string(docs).unwrap();
    assert!(docs.contains(&files), "docs/audit.md should have:\n{files}");
    assert!(docs.contains(&folders), "docs/audit.md should have:\n{folders}");
}
