//! What `sealgate policy` answers about a folder: transcripts.
//!
//! `UPDATE_TRANSCRIPTS=1 cargo test -p sealgate-cli policy_answers` writes them anew.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealgate_audit::{
    Caller, CheckpointKey, Decision, Event, Inputs, Log, Mode, Options, Origin, Texts, Verdict,
};
use sealgate_policies::{Folder, default_folder};
use tempfile::TempDir;

use super::sealgate::{Ran, run, text};
use super::state::State;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/policy");

/// The folder `ward`, written so that nobody else may write it.
struct Ward {
    place: TempDir,
    dir: PathBuf,
}

impl Ward {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("ward");
        copy(&Path::new(HERE).join("ward"), &dir);
        let (_, schema) =
            default_folder().iter().find(|(path, _)| *path == "schema.cedarschema").unwrap();
        write(&dir.join("schema.cedarschema"), schema);
        Self { place, dir }
    }

    fn ask(&self, arguments: &[&str]) -> Ran {
        let (command, rest) = arguments.split_first().unwrap();
        run(["policy", command, text(&self.dir)].iter().chain(rest))
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.dir.join(file);
        let before = fs::read_to_string(&path).unwrap();
        assert!(before.contains(from), "{file}");
        fs::write(&path, before.replace(from, to)).unwrap();
    }

    /// A log in which the gateway allowed and denied some requests under this folder.
    fn log(&self) -> PathBuf {
        let dir = self.place.path().join("audit");
        let options = Options {
            low_water_bytes: 0,
            ..Options::new(&dir, Origin::new("test/audit").unwrap())
        };
        let key = CheckpointKey::create(&self.place.path().join("key")).unwrap();
        let (log, _) = Log::open(options, key, Arc::new(|| 1_795_000_000_000_000)).unwrap();
        for decision in self.decisions() {
            log.append_and_wait(&Event::Decision(Box::new(decision))).unwrap();
        }
        log.close().unwrap();
        dir
    }

    fn decisions(&self) -> Vec<Decision> {
        let ada = self.decision("ada", "10.1.2.0/24", 1024);
        let bob = self.decision("bob", "192.0.2.0/24", 1024);
        let few = self.decision("bob", "192.0.2.0/24", 10);
        let edge = self.decision("eve", "10.0.0.0/8", 1024);
        let denied = Decision {
            verdict: Verdict::Deny,
            code: "other_tenant".into(),
            rules: ["tenants-stay-apart"].into_iter().collect(),
            caller: Caller { tenant: "lakeside-clinic".into(), ..ada.caller.clone() },
            rows_reserved: 0,
            ..ada.clone()
        };
        let foreign = Decision { policy_digest: "00".into(), ..ada.clone() };
        let server = Decision { action: "describe_server".into(), ..ada.clone() };
        vec![ada, bob.clone(), bob, few, edge, denied, foreign, server]
    }

    fn decision(&self, subject: &str, network: &str, rows: u32) -> Decision {
        Decision {
            action: "infer".into(),
            address: network.into(),
            budget: None,
            candidate_digest: None,
            charge: None,
            caller: Caller {
                client_id: None,
                issuer: "https://dev.sealgate.localhost".into(),
                subject: subject.into(),
                tenant: "general-hospital".into(),
                token_id: None,
            },
            code: "allowed".into(),
            inputs: Inputs {
                clearance: Some("2".into()),
                groups: ["clinicians"].into_iter().collect(),
                scopes: ["infer"].into_iter().collect::<Texts>(),
                token_age_s: 30,
            },
            limit_profile: "clinic".into(),
            mode: Mode::GatewaySealed,
            model: "breast-cancer".into(),
            model_digest: None,
            model_version: None,
            policy_digest: Folder::read(&self.dir).unwrap().digest().hex().into(),
            protocol: "v2".into(),
            release_profile: "full".into(),
            request_id: "44".into(),
            rows_reserved: rows,
            rules: ["clinicians-infer"].into_iter().collect(),
            verdict: Verdict::Allow,
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to),
            false => write(&to, &fs::read_to_string(entry.path()).unwrap()),
        }
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn must_be(name: &str, said: &str) {
    let path = Path::new(HERE).join(name);
    if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
        fs::write(&path, said).unwrap();
    }
    assert_eq!(said, fs::read_to_string(&path).unwrap(), "{name}");
}

const ADA: [&str; 6] = ["--issuer", "dev", "--subject", "ada", "--claim", "groups=clinicians"];
const INFER: [&str; 6] =
    ["--model", "breast-cancer", "--action", "infer", "--time", "2026-11-23T10:00:00Z"];

fn explain<'a>(more: &[&'a str]) -> Vec<&'a str> {
    ["explain"].into_iter().chain(ADA).chain(INFER).chain(more.iter().copied()).collect()
}

#[test]
fn tests_that_are_met_are_told() {
    must_be("test-well.txt", &Ward::new().ask(&["test"]).well());
}

#[test]
fn tests_that_are_not_met_show_expected_and_found() {
    let ward = Ward::new();
    ward.edit(
        "rules/tenants.cedar",
        "unless { principal in resource.owner }",
        "when { principal.clearance > 1000 }",
    );
    ward.edit("rules/clinicians.cedar", "\"clinic\"", "\"trial\"");
    let ran = ward.ask(&["test"]);
    assert_eq!(ran.code, Some(1));
    must_be("test-not-well.txt", &ran.out);
    let report = ward.ask(&["test", "--json"]).json();
    assert_eq!((&report["well"], &report["failed"]), (&false.into(), &2.into()), "{report}");
    assert_eq!(report["cases"][1]["differs"][0]["expected"], "deny");
}

#[test]
fn the_candidate_is_held_to_the_same_tests() {
    let ward = Ward::new();
    let said = ward.ask(&["test", "--candidate"]);
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.out.contains("FAILED  a clinician runs her own hospital's model"), "{}", said.out);
    fs::remove_dir_all(ward.dir.join("candidate")).unwrap();
    let said = ward.ask(&["test", "--candidate"]).failed(78);
    assert!(said.contains("has no `candidate/`\nhint: "), "{said}");
}

#[test]
fn why_something_is_allowed_is_explained_rule_by_rule() {
    let more = ["--claim", "tenant=general-hospital", "--claim", "scope=infer"];
    must_be("explain-allowed.txt", &Ward::new().ask(&explain(&more)).well());
}

#[test]
fn why_something_is_denied_is_explained_rule_by_rule() {
    let more = ["--claim", "tenant=lakeside", "--claim", "groups=nurses"];
    let ward = Ward::new();
    must_be("explain-denied.txt", &ward.ask(&explain(&more)).well());
    let report = ward.ask(&explain(&["--claim", "tenant=lakeside", "--json"])).json();
    assert_eq!((&report["verdict"], &report["code"]), (&"deny".into(), &"scope_missing".into()));
    assert_eq!(report["rules"][0]["parts"][0]["found"], "holds", "{report}");
}

#[test]
fn what_is_asked_of_the_gateway_is_explained_without_a_model() {
    let ward = Ward::new();
    let reload = |more: &[&'static str]| {
        let time = ["--action", "reload_policies", "--time", "2026-11-23T10:00:00Z"];
        let all = ["explain"].iter().chain(&ADA).chain(&time).chain(more);
        ward.ask(&all.copied().collect::<Vec<_>>())
    };
    must_be("explain-gateway.txt", &reload(&[]).well());
    let report = reload(&["--json"]).json();
    assert_eq!((&report["verdict"], &report["ask"]["model"]), (&"deny".into(), &().into()));
    assert_eq!(
        reload(&["--rows", "3"]).failed(64),
        "error: `reload_policies` is asked of the gateway and has no `--rows`\n\
         hint: leave it out: `--address` and `--time` can be said\n"
    );
    let said = ward.ask(&["explain", "--issuer", "dev", "--subject", "a", "--action", "infer"]);
    assert_eq!(
        said.failed(64),
        "error: `infer` is asked of a model, and none is named\nhint: `--model M` names it\n"
    );
}

#[test]
fn a_token_is_explained_as_the_gateway_would_check_it() {
    let state = State::prepared();
    let (policies, token) = (state.dir.join("policies"), state.dir.join("token"));
    let asked = |token: &Path, more: &[&str]| {
        let arguments = ["policy", "explain", text(&policies), "--token", text(token)];
        let ask = ["--model", "breast-cancer", "--action", "infer"];
        run(arguments.iter().chain(&ask).chain(more))
    };
    let said = asked(&token, &[]).well();
    assert!(said.contains("group `clinicians`") && said.contains("\nallowed by "), "{said}");
    let late = asked(&token, &["--time", "2099-01-01T00:00:00Z"]);
    assert_eq!(late.code, Some(1));
    assert_eq!(late.out, "the token does not count: the token has expired (`token_expired`)\n");
    let junk = state.dir.join("junk");
    fs::write(&junk, "junk").unwrap();
    assert!(asked(&junk, &["--json"]).out.contains("\"code\":\"token_malformed\""));
}

#[test]
fn a_token_whose_issuers_keys_lie_elsewhere_is_checked_with_keys_from_a_file() {
    let state = State::prepared();
    let (policies, token) = (state.dir.join("policies"), state.dir.join("token"));
    let explain = |jwks: &[&Path]| {
        let arguments = ["policy", "explain", text(&policies), "--token", text(&token)];
        let ask = ["--model", "breast-cancer", "--action", "infer"];
        let jwks = jwks.iter().flat_map(|file| ["--jwks", text(file)]);
        run(arguments.into_iter().chain(ask).chain(jwks))
    };
    let keys = state.dir.join("keys.json");
    fs::copy(policies.join("jwks/dev.json"), &keys).unwrap();
    let said = explain(&[&keys]).failed(64);
    assert!(said.contains("`--jwks` is for tokens of an issuer with `jwks_url`"), "{said}");

    let issuers = policies.join("issuers.toml");
    let remote = fs::read_to_string(&issuers).unwrap();
    let remote =
        remote.replace("jwks = \"jwks/dev.json\"", "jwks_url = \"https://login.example.org/keys\"");
    fs::write(&issuers, remote).unwrap();
    assert_eq!(
        explain(&[]).failed(64),
        "error: the keys of the issuer `dev` are published at `https://login.example.org/keys` and \
         not fetched here\n\
         hint: curl -o keys.json https://login.example.org/keys, then add `--jwks keys.json`\n"
    );
    let said = explain(&[&keys]).well();
    assert!(said.contains("group `clinicians`") && said.contains("\nallowed by "), "{said}");

    let bad = state.dir.join("bad.json");
    for (content, expected) in [
        ("junk".to_owned(), "bad.json`: is not JSON\nhint: RFC 7517"),
        ("{\"keys\": []}".to_owned(), "bad.json`: holds no key that could be used"),
        (" ".repeat(256 * 1024 + 1), "bad.json`: is larger than 262144 bytes"),
    ] {
        fs::write(&bad, content).unwrap();
        let said = explain(&[&bad]).failed(78);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_caller_who_is_misdescribed_is_bad_usage() {
    let ward = Ward::new();
    let said = ward.ask(&explain(&["--claim", "sub=eve"])).failed(64);
    assert!(said.contains("the claim `sub` is said in another way\nhint: "), "{said}");
    ward.ask(&["explain", "--model", "m", "--action", "infer"]).failed(64);
    ward.ask(&explain(&["--protocol", "v3"])).failed(64);
    ward.ask(&explain(&["--claim", "groups"])).failed(64);
    let said = ward.ask(
        &["explain", "--issuer", "dve", "--subject", "a"]
            .into_iter()
            .chain(INFER)
            .collect::<Vec<_>>(),
    );
    assert_eq!(said.failed(64), "error: unknown issuer `dve`\nhint: declared are dev\n");
}

#[test]
fn who_may_do_what_is_shown_in_words() {
    must_be("show.txt", &Ward::new().ask(&["show"]).well());
}

#[test]
fn recorded_decisions_that_would_change_are_listed_by_caller_and_rule() {
    let ward = Ward::new();
    let log = ward.log();
    let ran = ward.ask(&["diff", "--log", text(&log)]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    must_be("diff.txt", &ran.out);
    let report = ward.ask(&["diff", "--log", text(&log), "--json"]).json();
    assert_eq!((&report["same"], &report["undetermined"]), (&2.into(), &3.into()), "{report}");
    assert_eq!(report["changed"][0]["count"], 2, "{report}");
}

#[test]
fn a_folder_held_against_itself_changes_nothing_but_what_cannot_be_told() {
    let ward = Ward::new();
    let said = ward.ask(&["diff", text(&ward.dir), "--log", text(&ward.log())]);
    assert!(said.out.starts_with("undetermined, for the record lacks the token"), "{}", said.out);
    assert!(said.out.contains("0 changed, 6 the same, 1 undetermined"), "{}", said.out);
}

#[test]
fn a_folder_that_would_be_refused_is_bad_configuration() {
    let ward = Ward::new();
    ward.edit("rules/tenants.cedar", "resource.owner", "resource.ownr");
    for command in ["test", "show"] {
        let said = ward.ask(&[command]).failed(78);
        assert!(said.contains(" would be refused: "), "{said}");
        assert!(said.contains("hint: sealgate policy check "), "{said}");
    }
}
