//! `sealgate audit` on logs made here: whether they are whole, proofs, a new log, pseudonyms.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealgate_audit::{CheckpointKey, Event, Log, Name, Options, Origin, Pseudonyms, Stopped};
use tempfile::TempDir;

use super::sealgate::{run, text};

struct Sample {
    place: TempDir,
    dir: PathBuf,
    key: String,
}

fn log() -> Sample {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("audit");
    let options = Options {
        low_water_bytes: 0,
        checkpoint_copy: Some(place.path().join("checkpoint")),
        ..Options::new(&dir, Origin::new("test.example/audit").unwrap())
    };
    let key = CheckpointKey::create(&place.path().join("key")).unwrap();
    let (log, _) = Log::open(options, key, Arc::new(|| 1_795_000_000_000_000)).unwrap();
    for _ in 0..5 {
        log.append_and_wait(&Event::Stopped(Stopped { why: "test".into() })).unwrap();
    }
    let key = log.verifier_key().to_string();
    log.close().unwrap();
    Sample { place, dir, key }
}

impl Sample {
    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.place.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

#[test]
fn a_log_that_is_whole_is_well() {
    let sample = log();
    let report = run(["audit", "verify", text(&sample.dir), "--json"]);
    assert_eq!(report.code, Some(0), "{}", report.out);
    let report = report.json();
    assert_eq!((&report["well"], &report["records"]), (&true.into(), &6.into()), "{report}");
    assert_eq!(report["key"], sample.key.as_str());
}

#[test]
fn the_report_names_records_root_and_key() {
    let sample = log();
    let said = run(["audit", "verify", text(&sample.dir)]).well();
    for expected in [
        "records      6",
        "over 6 records",
        "test.example/audit",
        "by the log's own word",
        " is well\n",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn a_flipped_byte_is_found_and_its_place_told() {
    let sample = log();
    let files = fs::read_dir(&sample.dir).unwrap().map(|entry| entry.unwrap().path());
    let segments = files.filter(|path| path.extension().is_some_and(|ending| ending == "log"));
    let segment = segments.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes.windows(4).position(|four| four == b"test").unwrap();
    bytes[at] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let ran = run(["audit", "verify", text(&sample.dir)]);
    assert_eq!(ran.code, Some(1));
    let name = segment.file_name().unwrap().to_str().unwrap();
    assert!(ran.out.contains(&format!("wrong        `{name}` at byte ")), "{}", ran.out);
    assert!(!ran.out.contains("dropped"), "{}", ran.out);
    assert!(ran.out.ends_with(" is not well\n"), "{}", ran.out);
}

#[test]
fn a_log_signed_by_the_pinned_key_is_well() {
    let sample = log();
    let key = sample.file("pinned", &format!("{}\n", sample.key));
    let said = run(["audit", "verify", text(&sample.dir), "--key", text(&key)]).well();
    assert!(said.contains("as pinned"), "{said}");
}

#[test]
fn the_key_that_verify_prints_is_one_that_it_takes() {
    let sample = log();
    let said = run(["audit", "verify", text(&sample.dir)]).well();
    let key = said.lines().find_map(|line| line.strip_prefix("key ")).unwrap().trim();
    let file = sample.file("printed", key);
    let said = run(["audit", "verify", text(&sample.dir), "--key", text(&file)]).well();
    assert!(said.contains("as pinned"), "{said}");
}

#[test]
fn a_log_signed_by_another_key_is_not_well() {
    let (sample, other) = (log(), log());
    let key = sample.file("pinned", &other.key);
    let ran = run(["audit", "verify", text(&sample.dir), "--key", text(&key)]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("not by the pinned key"), "{}", ran.out);
}

#[test]
fn a_log_is_held_against_a_checkpoint_kept_elsewhere() {
    let sample = log();
    let kept = sample.place.path().join("checkpoint");
    run(["audit", "verify", text(&sample.dir), "--since", text(&kept)]).well();
    let forged = fs::read_to_string(&kept).unwrap().replacen("\n6\n", "\n7\n", 1);
    let forged = sample.file("forged", &forged);
    run(["audit", "verify", text(&sample.dir), "--since", text(&forged)]).failed(1);
}

#[test]
fn a_folder_without_a_log_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let said = run(["audit", "verify", text(dir.path())]).failed(1);
    assert!(said.contains("holds no audit log"), "{said}");
}

/// A log with the decision on one request, whose id is this.
const REQUEST: &str = "0123456789abcdef0123456789abcdef";

fn asked() -> Sample {
    let sample = log();
    let options = Options {
        low_water_bytes: 0,
        ..Options::new(&sample.dir, Origin::new("test.example/audit").unwrap())
    };
    let key = CheckpointKey::load(&sample.place.path().join("key")).unwrap();
    let log = Log::open(options, key, Arc::new(|| 1_795_000_000_000_000)).unwrap().0;
    let decision = serde_json::json!({"type": "decision", "event": {
        "action": "infer", "address": "192.0.2.0/24", "code": "allowed",
        "caller": {"issuer": "https://i.example", "subject": "dr\u{1b}house", "tenant": "north"},
        "inputs": {"groups": [], "scopes": [], "token_age_s": 1}, "limit_profile": "standard",
        "mode": "gateway-sealed", "model": "m", "policy_digest": "00", "protocol": "v2",
        "release_profile": "full", "request_id": REQUEST, "rows_reserved": 1, "rules": ["r"],
        "verdict": "allow"}});
    log.append_and_wait(&serde_json::from_value(decision).unwrap()).unwrap();
    log.close().unwrap();
    sample
}

#[test]
fn a_request_is_proved_to_whoever_has_the_proof_and_the_key() {
    let sample = asked();
    let proof = run(["audit", "prove", text(&sample.dir), REQUEST]).well();
    assert!(proof.starts_with("c2sp.org/tlog-proof@v1\nextra "), "{proof}");
    let (proof, key) = (sample.file("mine", &proof), sample.file("vkey", &sample.key));
    let said = run(["audit", "prove", "--check", text(&proof), "--key", text(&key)]).well();
    for expected in ["may infer m", "the proof holds: this is record 6 of the log"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(!said.contains('\u{1b}'), "{said}");
    let other = sample.file("other", &asked().key);
    let ran = run(["audit", "prove", "--check", text(&proof), "--key", text(&other)]);
    ran.failed(1);
}

#[test]
fn what_cannot_be_proved_is_said() {
    let sample = asked();
    for id in ["0123456789abcdef0123456789abcdee", "no", "0123456789ABCDEF0123456789ABCDEF"] {
        let ran = run(["audit", "prove", text(&sample.dir), id]);
        assert!(ran.failed(1).contains("the log has no decision on request"), "{id}");
    }
    let garbage = sample.file("garbage", "c2sp.org/tlog-proof@v1\n");
    let key = sample.file("vkey", &sample.key);
    let ran = run(["audit", "prove", "--check", text(&garbage), "--key", text(&key)]);
    assert!(ran.failed(1).contains("malformed"));
    run(["audit", "prove", "--check", text(&garbage)]).failed(64);
    run(["audit", "prove", text(&sample.dir)]).failed(64);
    run(["audit", "prove"]).failed(64);
}

#[test]
fn a_new_log_goes_on_from_a_damaged_one_which_stays_as_it_is() {
    let sample = asked();
    let new = sample.place.path().join("new");
    let key = sample.place.path().join("new.key");
    let recover = || {
        run(["audit", "recover", text(&sample.dir), "--new-log", text(&new), "--key", text(&key)])
    };
    assert!(recover().failed(1).contains("nothing is wrong with"));
    let segment = sample.dir.join("segment-00000001.log");
    let mut bytes = fs::read(&segment).unwrap();
    let last = bytes.len() - 400;
    bytes[last] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    let said = recover().well();
    assert!(said.contains("goes on from"), "{said}");
    assert!(said.contains("left behind  `segment-00000001.log`"), "{said}");
    assert_eq!(fs::read(&segment).unwrap(), bytes);
    let report = run(["audit", "verify", text(&new), "--json"]).json();
    assert_eq!((&report["well"], &report["records"]), (&true.into(), &1.into()), "{report}");
    let first = sealgate_audit::records(&new).unwrap().next().unwrap().unwrap().record().unwrap();
    let Event::LogStarted(started) = first.event else { unreachable!("{first:?}") };
    let previous = started.previous.unwrap();
    assert_eq!(previous.key.as_str(), sample.key);
    assert!(previous.size >= 1);
    // It is not done twice into one place.
    assert!(recover().failed(1).contains("is not empty"));
}

#[test]
fn a_new_log_goes_on_from_one_that_was_put_back_as_it_was_once() {
    let sample = asked();
    let (dir, once) = (&sample.dir, sample.place.path().join("once"));
    copy(dir, &once);
    let append = |why: &str| {
        let options = Options {
            low_water_bytes: 0,
            checkpoint_copy: Some(sample.place.path().join("checkpoint")),
            ..Options::new(dir, Origin::new("test.example/audit").unwrap())
        };
        let key = CheckpointKey::load(&sample.place.path().join("key")).unwrap();
        let (log, _) = Log::open(options, key, Arc::new(|| 1_795_000_000_000_000))?;
        log.append_and_wait(&Event::Stopped(Stopped { why: why.into() }))?;
        log.close()
    };
    append("later").unwrap();
    fs::remove_dir_all(dir).unwrap();
    fs::rename(&once, dir).unwrap();
    // The gateway does not start, and says what to do.
    let refused = append("never").unwrap_err().to_string();
    assert!(refused.contains("sealgate audit recover DIR --since COPY"), "{refused}");
    let (new, key) = (sample.place.path().join("new"), sample.place.path().join("new.key"));
    let recover = |more: &[&str]| {
        let begin = ["audit", "recover", text(dir), "--new-log", text(&new), "--key", text(&key)];
        run(begin.into_iter().chain(more.iter().copied()))
    };
    let well = recover(&[]).failed(1);
    assert!(well.contains("nothing is wrong with") && well.contains("--since"), "{well}");
    let said = recover(&["--since", text(&sample.place.path().join("checkpoint"))]).well();
    assert!(said.contains("goes on from 7 records"), "{said}");
    assert!(
        said.contains("the log was cut: a checkpoint kept elsewhere is for 8 records"),
        "{said}"
    );
    assert!(run(["audit", "verify", text(&new)]).well().contains("records      1"));
}

fn copy(from: &Path, to: &Path) {
    fs::DirBuilder::new().mode(0o700).create(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

#[test]
fn a_persons_pseudonyms_are_told_until_the_months_key_is_destroyed() {
    let place = tempfile::tempdir().unwrap();
    let keys = place.path().join("keys");
    let names = Pseudonyms::open(&keys, 1_795_392_000).unwrap();
    let issuer = "https://i.example";
    let name = Name::Subject { issuer, subject: "dr-house" };
    let november = names.current().pseudonym(name).to_string();
    names.renew(1_796_083_200).unwrap();
    let december = names.current().pseudonym(name).to_string();
    let ask = || {
        run(["audit", "pseudonym", text(&keys), "--issuer", issuer, "--subject", "dr-house"]).well()
    };
    assert_eq!(ask(), format!("{november}\n{december}\n"));
    let ran = run(["audit", "forget", text(&keys), "2026-12"]);
    assert!(ran.failed(1).contains("the gateway still uses its key"));
    run(["audit", "forget", text(&keys), "2026-11"]).well();
    assert_eq!(ask(), format!("{december}\n"));
    run(["audit", "forget", text(&keys), "2026-11"]).failed(1);
    run(["audit", "forget", text(&keys), "november"]).failed(64);
    run(["audit", "pseudonym", text(&keys), "--subject", "dr-house"]).failed(64);
    run(["audit", "pseudonym", text(&keys)]).failed(64);
}
