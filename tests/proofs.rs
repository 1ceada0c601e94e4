//! Proofs that a client's own request is on record, and a record that names nobody.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use sealgate_audit::{Event, Name, Proof, VerifierKey, VerifyOptions, epochs, verify};
use serde_json::{Value, json};
use support::{Demo, Gateway, Https, Reply, Stopped, claims, wait_until};

const INFER: &str = "/v2/models/breast-cancer/infer";
const SOON: Duration = Duration::from_secs(20);

/// Who asks, as nothing else is spelled.
const SUBJECT: &str = "dr-quinn-7f3a";

fn ask(https: &Https, token: &str, body: &[u8]) -> String {
    let reply = https.post(INFER, token, body);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    reply.header("sealgate-request-id").unwrap().to_owned()
}

fn path(id: &str) -> String {
    format!("/v1/audit/proof/{id}")
}

/// Asks until the next checkpoint has come.
fn proof(https: &Https, token: &str, id: &str) -> Reply {
    let mut reply = https.get(&path(id), token);
    wait_until("a checkpoint", SOON, || {
        let pending = reply.status == 503;
        if pending {
            assert_eq!(reply.code(), "proof_pending");
            assert_eq!(reply.header("retry-after"), Some("1"));
            reply = https.get(&path(id), token);
        }
        !pending
    });
    reply
}

fn parse(reply: &Reply) -> Proof {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    String::from_utf8(reply.body.clone()).unwrap().parse().unwrap()
}

fn key(dir: &str) -> VerifierKey {
    verify(Path::new(dir), &VerifyOptions::default(), &mut |_, _| {}).unwrap().key.unwrap()
}

fn person(demo: &Demo, subject: &str) -> String {
    let claims = demo.allowed_claims(&["subject"]);
    let mut arguments: Vec<&str> = claims.iter().map(String::as_str).collect();
    arguments.extend(["--subject", subject]);
    demo.token_for(&arguments)
}

#[test]
fn a_client_gets_the_proof_of_its_own_request_and_checks_it_without_the_gateway() {
    let demo = Demo::start();
    let https = demo.https();
    let id = ask(&https, &demo.token(), &demo.example());
    let proof = parse(&proof(&https, &demo.token(), &id));
    let record = proof.check(&key(demo.fact("audit"))).unwrap();
    let Event::Decision(decision) = record.event else { unreachable!("{record:?}") };
    assert_eq!((decision.request_id.as_str(), decision.model.as_str()), (&*id, "breast-cancer"));
    assert_eq!(decision.rules.iter().next().map(|rule| rule.as_str()), Some("clinicians-infer"));
    // Nor does it hold under the key of anybody else.
    let other = Demo::start();
    assert!(proof.check(&key(other.fact("audit"))).is_err());
}

#[test]
fn the_request_of_somebody_else_looks_like_one_that_never_was() {
    let demo = Demo::start();
    let https = demo.https();
    let id = ask(&https, &demo.token(), &demo.example());
    assert_eq!(proof(&https, &demo.token(), &id).status, 200);
    let stranger = person(&demo, "stranger");
    let nobodys = "00000000000000000000000000000000";
    let told = |id: &str, token: &str| {
        let reply = https.get(&path(id), token);
        let mut problem = reply.json();
        problem.as_object_mut().unwrap().remove("request_id");
        (reply.status, problem)
    };
    let never = told(nobodys, &stranger);
    assert_eq!((never.0, &never.1["code"]), (404, &json!("no_such_request")));
    assert_eq!(told(&id, &stranger), never);
    for odd in ["x", "0", &id.to_uppercase(), &format!("{id}0")] {
        assert_eq!(told(odd, &demo.token()), never, "{odd}");
    }
    let reply = https.request("GET", &path(&id), &[], b"");
    assert_eq!((reply.status, reply.code().as_str()), (401, "token_missing"));
    // That it was asked for is on record.
    let asked = |record: &Value| record["event"]["action"] == "read_own_receipt";
    assert!(demo.records().iter().any(asked));
}

/// Everything that lies in a folder, names of files included.
fn bytes_in(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        bytes.extend_from_slice(path.to_str().unwrap().as_bytes());
        bytes.extend(if path.is_dir() { bytes_in(&path) } else { fs::read(&path).unwrap() });
    }
    bytes
}

fn has(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

fn naming(stopped: &Stopped, names: &str) {
    stopped.change("gateway.toml", |config| {
        let config = config.replacen("[audit]\n", &format!("[audit]\nnames = \"{names}\"\n"), 1);
        // The copy is of the log before, and would not let another one begin.
        let kept = config.lines().filter(|line| !line.starts_with("checkpoint_copy"));
        kept.map(|line| format!("{line}\n")).collect()
    });
}

#[test]
fn a_pseudonymous_record_names_nobody_and_still_proves_and_verifies_when_its_keys_are_destroyed() {
    let demo = Demo::start();
    let (token, body) = (person(&demo, SUBJECT), demo.example());
    let operator = demo.token_for(&["--subject", "ops", "--group", "operators"]);
    let claims = claims(&token);
    let [client_id, token_id] = ["client_id", "jti"].map(|name| claims[name].as_str().unwrap());
    let stopped = demo.stop();
    let audit = Path::new(stopped.fact("audit")).to_owned();
    let keys = audit.with_file_name("audit-pseudonyms");
    // What a record in clear looks like.
    let gateway = Gateway::start(&stopped);
    ask(gateway.https(), &token, &body);
    gateway.stop();
    let names = [SUBJECT, client_id, token_id];
    for word in names {
        assert!(has(&bytes_in(&audit), word), "{word}");
    }
    assert!(!keys.exists());
    fs::remove_dir_all(&audit).unwrap();

    naming(&stopped, "pseudonymous");
    let gateway = Gateway::start(&stopped);
    let id = ask(gateway.https(), &token, &body);
    let denied = gateway.https().get("/v2/models/none", &token);
    assert_eq!(denied.status, 403);
    for order in [
        json!({"order": "revoke", "kind": "sub", "value": SUBJECT, "until_s": 1}),
        json!({"order": "revoke", "kind": "jti", "value": token_id, "until_s": 1}),
        json!({"order": "revoke", "kind": "client_id", "value": client_id, "until_s": 1}),
    ] {
        let reply =
            gateway.admin().post("/v1/admin/emergency", &operator, order.to_string().as_bytes());
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    }
    let own = parse(&proof(gateway.https(), &token, &id));
    let scraped = gateway.admin().get("/metrics", &operator).body;
    let log = gateway.stop();
    for word in names {
        assert!(!has(&bytes_in(&audit), word), "{word}");
        assert!(!has(&scraped, word) && !log.contains(word), "{word}");
    }

    // Whoever has the key finds the person's records; the orders say whom they are about.
    let [epoch] = epochs(&keys).unwrap()[..] else { unreachable!("{keys:?}") };
    let epoch_key = sealgate_audit::EpochKey::load(&keys, epoch).unwrap().unwrap();
    let record = own.check(&key(stopped.fact("audit"))).unwrap();
    let Event::Decision(decision) = &record.event else { unreachable!("{record:?}") };
    let name = Name::Subject { issuer: decision.caller.issuer.as_str(), subject: SUBJECT };
    assert_eq!(decision.caller.subject, epoch_key.pseudonym(name));
    let records = stopped.records();
    let about = format!("client_id {} until 1", epoch_key.pseudonym(Name::ClientId(client_id)));
    assert!(records.iter().any(|record| record["event"]["about"] == about.as_str()));
    let about = format!("sub {} until 1", epoch_key.pseudonym(Name::Order(SUBJECT)));
    assert!(records.iter().any(|record| record["event"]["about"] == about.as_str()));
    // What remains in clear is what was said to remain.
    assert_eq!(decision.caller.tenant.as_str(), "general-hospital");

    sealgate_audit::destroy(&keys, epoch).unwrap();
    let report = verify(&audit, &VerifyOptions::default(), &mut |_, _| {}).unwrap();
    assert!(report.is_well(), "{:?}", report.findings);
    let gateway = Gateway::start(&stopped);
    let gone = gateway.https().get(&path(&id), &token);
    assert_eq!((gone.status, gone.code().as_str()), (404, "no_such_request"));
    assert!(own.check(&key(stopped.fact("audit"))).is_ok());
}
