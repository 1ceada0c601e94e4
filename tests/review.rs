//! The review page where others can reach it: the gateway says who may see it, and its log who did.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "support/pages.rs"]
mod pages;
mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pages::{Pages, configuration, free_address, reviewer};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};
use serde_json::{Value, json};
use support::{Demo, Https, Reply, sealgate, wait_until};

fn cookie(entered: &Reply) -> String {
    assert_eq!(entered.status, 303, "{}", String::from_utf8_lossy(&entered.body));
    entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

fn reviews(demo: &Demo) -> Vec<Value> {
    let of_review = |record: &Value| record["event"]["action"] == "review_audit";
    demo.records().into_iter().filter(of_review).collect()
}

#[test]
fn holders_of_review_audit_look_and_the_log_says_that_they_did() {
    let demo = Demo::start();
    let pages = Pages::start(&demo);
    let cookie = cookie(&pages.sign_in(&reviewer(&demo)));
    let page = pages.look(&cookie);
    assert_eq!(page.status, 200);
    let page = String::from_utf8(page.body).unwrap();
    assert!(page.contains("breast-cancer") && page.contains("Sign out"), "{page}");
    let on_record = reviews(&demo);
    let [visit] = on_record.as_slice() else { unreachable!("{on_record:?}") };
    let told = &visit["event"];
    assert_eq!((&told["verdict"], &told["caller"]["subject"]), (&json!("allow"), &json!("rev")));
    assert_eq!(told["rules"], json!(["reviewers-review"]));
}

#[test]
fn nobody_else_looks_and_whoever_was_denied_is_on_record() {
    let demo = Demo::start();
    let pages = Pages::start(&demo);
    let denied = pages.sign_in(&demo.token());
    assert_eq!((denied.status, denied.header("set-cookie")), (403, None));
    assert!(String::from_utf8(denied.body).unwrap().contains("The gateway refused"));
    let on_record = reviews(&demo);
    let [visit] = on_record.as_slice() else { unreachable!("{on_record:?}") };
    assert_eq!(visit["event"]["verdict"], "deny");
    for token in ["", "e30.e30.AA", "a b"] {
        assert_eq!(pages.sign_in(token).status, 403, "{token}");
    }
    assert_eq!(pages.https.request("GET", "/", &[], &[]).status, 401);
    let bearer = format!("Bearer {}", demo.token());
    let exported = pages.https.request("GET", "/export/csv", &[("Authorization", &bearer)], &[]);
    assert_eq!(exported.status, 403);
}

#[test]
fn a_revoked_reviewer_gets_in_no_more() {
    let demo = Demo::start();
    let pages = Pages::start(&demo);
    let token = reviewer(&demo);
    let bearer = format!("Bearer {token}");
    let export = || pages.https.request("GET", "/export/csv", &[("Authorization", &bearer)], &[]);
    assert_eq!(export().status, 200);
    let admin = Https::new(demo.fact("admin_url"), Path::new(demo.fact("ca")));
    let operator = demo.token_for(&["--subject", "ops", "--group", "operators"]);
    let order = json!({"order": "revoke", "kind": "sub", "value": "rev"}).to_string();
    assert_eq!(admin.post("/v1/admin/emergency", &operator, order.as_bytes()).status, 200);
    assert_eq!(export().status, 403);
    assert_eq!(pages.sign_in(&token).status, 403);
}

#[test]
fn a_browser_that_speaks_only_tls_1_2_is_refused() {
    let demo = Demo::start();
    let pages = Pages::start(&demo);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(demo.fact("ca")).unwrap()).unwrap();
    let address = pages.https.url().replace("https://", "");
    let handshake = |version| {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut socket = std::net::TcpStream::connect(&address).unwrap();
        let mut stream = Stream::new(&mut connection, &mut socket);
        stream.write_all(b"GET /enter HTTP/1.1\r\n\r\n").map_err(|error| error.to_string())
    };
    let refused = handshake(&TLS12).unwrap_err();
    assert!(refused.contains("ProtocolVersion"), "{refused}");
    handshake(&TLS13).unwrap();
}

#[test]
fn without_the_gateway_nobody_is_let_in() {
    let demo = Demo::start();
    let pages = Pages::start(&demo);
    let token = reviewer(&demo);
    let stopped = demo.stop();
    let refused = pages.sign_in(&token);
    assert_eq!(refused.status, 503);
    assert!(String::from_utf8(refused.body).unwrap().contains("cannot be asked"));
    drop(stopped);
}

#[test]
fn a_slow_or_silent_peer_does_not_keep_others_out() {
    let demo = Demo::start();
    let pages = Pages::start(&demo);
    let address = pages.https.url().replace("https://", "");
    // As many as there is room for, none of which ever says a word.
    let silent: Vec<_> = (0..64).map(|_| std::net::TcpStream::connect(&address).unwrap()).collect();
    let begun = Instant::now();
    wait_until("room for one more", Duration::from_secs(30), || {
        pages.https.try_request("GET", "/enter", &[], &[]).is_some()
    });
    assert!(begun.elapsed() > Duration::from_secs(5), "there was room all the time");
    drop(silent);
    // Nor is there time for ever to finish a head.
    let mut slow = pages.https.connect();
    slow.write_all(b"GET /enter HTTP/1.1\r\n").unwrap();
    slow.sock.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).contains(" 200 "), "{rest:?}");
}

#[test]
fn what_is_configured_wrongly_is_said_before_anything_listens() {
    let demo = Demo::start();
    let address = free_address();
    let good = configuration(&demo, &address);
    let host = format!("host = \"{address}\"");
    let open = demo.state().join("tls/open.pem");
    fs::copy(demo.state().join("tls/key.pem"), &open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    for (from, to, expected) in [
        (host.as_str(), "host = \"https://a/b\"", "`host` is a name and a port"),
        ("ca = ", "authority = ", "unknown field `authority`"),
        ("tls/cert.pem", "tls/none.pem", "none.pem"),
        ("tls/key.pem", "tls/open.pem", "others may open it"),
        ("https://", "http://", "is not an https URL"),
    ] {
        let config = demo.state().join("wrong.toml");
        fs::write(&config, good.replace(from, to)).unwrap();
        let config = config.to_str().unwrap();
        let output = sealgate(&["audit", "serve", demo.fact("audit"), "--config", config]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(expected), "{to}: {said}");
    }
}
