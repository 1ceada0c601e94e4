//! What a client sends, wherever it writes it, is found nowhere afterwards.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "support/sealed.rs"]
mod sealed;
mod support;

use std::path::{Path, PathBuf};

use sealgate_client::Client;
use serde_json::json;
use support::{Demo, Gateway};

/// Digits that no other number in this repository has.
const MARK: &str = "8675309421337";

#[test]
fn a_marked_plaintext_reaches_no_file_and_no_log() {
    let demo = Demo::start();
    let token = demo.token();
    let stopped = demo.stop();
    let state = stopped.state.path();
    stopped.change("gateway.toml", |config| format!("log = \"trace\"\n{config}"));
    stopped.change("worker.toml", |config| format!("log = \"trace\"\n{config}"));
    let temporary = state.join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let gateway = Gateway::start_with_env(&stopped, &[("TMPDIR", &temporary)]);
    let https = gateway.https();

    let mut row = vec![1.5; 30];
    row[0] = format!("17.{MARK}").parse().unwrap();
    let input = json!({"name": "x", "shape": [1, 30], "datatype": "FP32", "data": row});
    let good = json!({"inputs": [input]}).to_string();
    assert!(good.contains(MARK));
    let bearer = format!("Bearer {token}");
    let odd = format!("x-{MARK}");
    let headers = [("Authorization", bearer.as_str()), ("X-Canary", &odd), ("Accept", &odd)];
    for (path, body, status) in [
        ("/v2/models/breast-cancer/infer".to_owned(), good.clone(), 200),
        (format!("/v2/models/breast-cancer/infer?{MARK}"), good.clone(), 200),
        ("/invocations".to_owned(), format!("{{\"x\":[{MARK}]}}"), 400),
        ("/invocations".to_owned(), format!("{{\"x\":\"{MARK}\"}}"), 400),
        ("/invocations".to_owned(), format!("{{\"{MARK}\":1}}"), 400),
        ("/invocations".to_owned(), format!("not json {MARK}"), 400),
    ] {
        let reply = https.request("POST", &path, &headers, body.as_bytes());
        assert_eq!(reply.status, status, "{path} {}", reply.json());
        assert!(!String::from_utf8_lossy(&reply.body).contains(MARK), "{path} echoes");
    }
    let ca = std::fs::read(stopped.fact("ca")).unwrap();
    let answer = over_http2(&https.url(), &ca, &token, &good);
    assert!(!String::from_utf8_lossy(&answer).contains(MARK), "HTTP/2 echoes");

    let spoilt = format!("not json {MARK}");
    for (accept, body, status) in [("*/*", &good, 200), (&odd, &spoilt, 400)] {
        let mut request = sealed::inner(body.as_bytes());
        request.headers.push(("accept".into(), accept.as_bytes().to_vec()));
        let answer = sealed::ask(https, &token, &request);
        assert_eq!(answer.status, status, "sealed: {}", sealed::json(&answer));
        assert!(!String::from_utf8_lossy(answer.body.expose()).contains(MARK), "sealed echoes");
    }

    let forged = format!("Bearer e30.{MARK}.AA");
    let reply = https.request("GET", "/v2", &[("Authorization", &forged)], &[]);
    assert!(!String::from_utf8_lossy(&reply.body).contains(MARK));

    let log = gateway.stop();
    assert!(log.contains("sealgate_gateway"), "the gateway wrote no log at all");
    assert!(log.contains("sealgate_worker"), "the worker wrote no log at all");
    assert!(!log.contains(MARK), "a log holds the mark");
    assert!(!log.contains(&token), "a log holds the token");

    let finds = |text: &[u8]| text.windows(MARK.len()).any(|window| window == MARK.as_bytes());
    std::fs::write(state.join("planted"), format!("a {MARK} here")).unwrap();
    let found: Vec<PathBuf> = files_below(state)
        .into_iter()
        .filter(|file| finds(&std::fs::read(file).unwrap()))
        .collect();
    assert_eq!(found, [state.join("planted")], "the planted mark, and no other");
}

/// Through the client library, which speaks HTTP/2 where a gateway offers it.
fn over_http2(url: &str, ca: &[u8], token: &str, body: &str) -> Vec<u8> {
    let client = Client::new(url, ca, token).unwrap_or_else(|error| panic!("{error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(client.infer_v2("breast-cancer", body.as_bytes().to_vec()));
    let answer = answer.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(answer.status.as_u16(), 200);
    answer.body.to_vec()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}
