//! Proving single records: to whoever asks with a request's id, and to whoever has a file server.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod place;

use place::{Place, append, decision, request, until};
use sealgate_audit::{AuditError, Event, LogReader, Options, Proof, Record, VerifierKey};
use std::fs;
use std::time::Duration;
use tlog_tiles::{Hash, HashReader, TileHashReader, TileReader};

/// A log of many small segments with a decision between other records.
fn asked(count: u64) -> Place {
    let place = Place::new();
    let log = place.open().unwrap().0;
    for n in 0..count {
        append(&log, 2);
        log.append_and_wait(&decision(n, "dr-house")).unwrap();
    }
    log.close().unwrap();
    place
}

fn key(place: &Place) -> VerifierKey {
    place.verify().key.unwrap()
}

fn subject(record: &Record) -> String {
    let Event::Decision(decision) = &record.event else { unreachable!("{record:?}") };
    format!("{} {}", decision.request_id, decision.caller.subject)
}

#[test]
fn every_decision_is_found_by_its_request_and_proved() {
    let place = asked(60);
    let (reader, key) = (LogReader::new(&place.audit()), key(&place));
    assert!(place.segments().len() > 5);
    for n in 0..60 {
        let entry = reader.decision(request(n)).unwrap().unwrap();
        let proof = reader.prove(&entry).unwrap().unwrap();
        let again: Proof = proof.to_string().parse().unwrap();
        assert_eq!(again, proof);
        let record = again.check(&key).unwrap();
        assert_eq!(subject(&record), format!("{} dr-house", request(n)));
    }
    assert!(reader.decision(request(60)).unwrap().is_none());
}

#[test]
fn the_writer_proves_what_it_has_just_published_and_nothing_later() {
    let place = Place::new();
    let checkpoint_every = Duration::from_millis(20);
    let (log, _) = place.open_with(Options { checkpoint_every, ..place.options() }).unwrap();
    let reader = log.reader();
    for n in 0..30 {
        log.append_and_wait(&decision(n, "dr-house")).unwrap();
        let mut proof = None;
        until("a proof", || {
            let entry = reader.decision(request(n)).unwrap();
            proof = entry.and_then(|entry| reader.prove(&entry).unwrap());
            proof.is_some()
        });
        proof.unwrap().check(log.verifier_key()).unwrap();
    }
    // The first checkpoint of a run is not made to wait; the next ones are.
    let checkpoint_every = Duration::from_secs(3600);
    let slow = Place::new();
    let (log, _) = slow.open_with(Options { checkpoint_every, ..slow.options() }).unwrap();
    append(&log, 3);
    let n = log.append_and_wait(&decision(7, "dr-house")).unwrap();
    until("the record", || log.reader().decision(request(7)).unwrap().is_some());
    let entry = log.reader().decision(request(7)).unwrap().unwrap();
    assert_eq!(entry.record().unwrap().n, n);
    assert_eq!(log.reader().prove(&entry).unwrap(), None);
}

#[test]
fn a_proof_holds_for_its_record_its_place_its_tree_and_its_key() {
    let place = asked(10);
    let reader = LogReader::new(&place.audit());
    let entry = reader.decision(request(4)).unwrap().unwrap();
    let proof = reader.prove(&entry).unwrap().unwrap();
    let key = key(&place);
    proof.check(&key).unwrap();
    let fails = |change: &dyn Fn(&mut Proof)| {
        let mut changed = proof.clone();
        change(&mut changed);
        changed.check(&key).unwrap_err()
    };
    let wrong = |error| matches!(error, AuditError::Proof(_));
    assert!(wrong(fails(&|proof| proof.index += 1)));
    assert!(wrong(fails(&|proof| proof.path.truncate(proof.path.len() - 1))));
    assert!(wrong(fails(&|proof| proof.path[0][0] ^= 1)));
    let body = proof.body.len() - 40;
    assert!(wrong(fails(&|proof| proof.body[body] ^= 1)));
    let note = |error| matches!(error, AuditError::Checkpoint(_));
    assert!(note(fails(&|proof| proof.checkpoint = proof.checkpoint.replacen('3', "4", 1))));
    let other = asked(10);
    let other = other.verify().key.unwrap();
    assert!(note(proof.check(&other).unwrap_err()));
}

#[test]
fn a_text_that_is_no_proof_is_refused() {
    let place = asked(3);
    let reader = LogReader::new(&place.audit());
    let entry = reader.decision(request(1)).unwrap().unwrap();
    let text = reader.prove(&entry).unwrap().unwrap().to_string();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra "));
    for (from, to) in [
        ("@v1\n", "@v2\n"),
        ("extra ", "extra  "),
        ("index ", "index 0"),
        ("index ", "index +"),
        ("index", "Index"),
        ("\n\n", "\n"),
        ("\n\n", "\nAAAA\n\n"),
    ] {
        assert!(text.contains(from), "{from:?}");
        assert!(text.replacen(from, to, 1).parse::<Proof>().is_err(), "{from:?} -> {to:?}");
    }
    assert!("x".repeat(1 << 20).parse::<Proof>().is_err());
}

#[test]
fn a_file_of_ids_that_points_elsewhere_finds_nothing() {
    let place = asked(40);
    let reader = LogReader::new(&place.audit());
    let name = place.files().into_iter().find(|name| name.starts_with("ids/")).unwrap();
    let mut bytes = fs::read(place.file(&name)).unwrap();
    // The second entry's place under the first one's id.
    bytes.copy_within(48..64, 16);
    let id = u128::from_be_bytes(bytes[..16].try_into().unwrap());
    fs::write(place.file(&name), bytes).unwrap();
    let id = sealgate_audit::RequestId::parse(&format!("{id:032x}")).unwrap();
    assert!(reader.decision(id).unwrap().is_none());
}

/// The tiles of a log as Go's and Cloudflare's readers fetch them.
struct Files<'a>(&'a Place);

impl TileReader for Files<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile: &tlog_tiles::Tile| {
            // C2SP fixed the height.
            let path = tile.path().replacen("tile/8/", "tile/", 1);
            fs::read(self.0.file(&path)).map_err(|_| tlog_tiles::Error::InvalidTile)
        };
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

#[test]
fn the_published_tree_is_one_that_another_implementation_reads() {
    let place = asked(260);
    let note = fs::read_to_string(place.file("checkpoint")).unwrap();
    let (size, root) = sealgate_audit::Checkpoint::open(&note, &key(&place))
        .map(|checkpoint| (checkpoint.size, Hash(checkpoint.root)))
        .unwrap();
    assert!(size > 512 + 256);
    let files = Files(&place);
    let tiles = TileHashReader::new(size, root, &files);
    for (n, body) in place.bodies().iter().enumerate() {
        let index = tlog_tiles::stored_hash_index(0, n as u64);
        // The reader checks every tile against the root before it gives a hash away.
        assert_eq!(tiles.read_hashes(&[index]).unwrap(), [tlog_tiles::record_hash(body)]);
    }
}
