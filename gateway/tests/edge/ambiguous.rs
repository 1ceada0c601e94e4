//! Requests that could be read in two ways reach no handler.

use crate::support::{TestEdge, read, read_to_end};
use tokio::io::AsyncWriteExt as _;

const CASES: &[(&str, &str)] = &[
    (
        "length and coding together",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "coding and length together",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    ),
    (
        "two equal lengths",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    ),
    (
        "two different lengths",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\ncontent-length: 2\r\n\r\nxy",
    ),
    ("a list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx"),
    ("a signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx"),
    ("a hexadecimal length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\nx"),
    ("an empty length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"),
    (
        "a length that overflows",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n",
    ),
    (
        "two codings in two fields",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "two equal codings",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "a list of codings",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ),
    ("another coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"),
    (
        "a coding with a parameter",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
    ),
    (
        "a coding behind a vertical tab",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "a coding in HTTP/1.0",
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("bare line feeds", "GET / HTTP/1.1\nHost: a\n\n"),
    ("one bare line feed", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"),
    ("a bare line feed at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n"),
    ("a bare carriage return", "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n"),
    ("an empty line in front", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("no host", "GET / HTTP/1.1\r\n\r\n"),
    ("no host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n"),
    ("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ("two equal hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    ("an empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    ("a list of hosts", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    ("a user in the host", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
    ("a path in the host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    ("another authority", "GET https://b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a user in the authority", "GET https://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a target that is no path", "GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a star for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a backslash", "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a control byte in the target", "GET /a\x01 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a letter outside ASCII in the target", "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a folded line", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n"),
    ("a space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    ("a space before the colon", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 1\r\n\r\nx"),
    (
        "a tab before the colon",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("no colon", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n"),
    ("a zero byte in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"),
    ("a control byte in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\x1fb\r\n\r\n"),
    ("a delete byte in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\x7fb\r\n\r\n"),
    ("HTTP/0.9", "GET /\r\n\r\n"),
    ("HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("a lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n"),
    ("a tunnel", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"),
    ("an echo of the request", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (
        "an upgrade",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ),
    (
        "an upgrade to HTTP/2",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n",
    ),
    (
        "a chunk extension",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n",
    ),
    (
        "a chunk line with a bare line feed",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
    ),
    (
        "a chunk longer than it says",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n",
    ),
    (
        "a chunk size that overflows",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    ),
    (
        "a chunk size behind a sign",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n",
    ),
    (
        "a trailer",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nContent-Length: 9\r\n\r\n",
    ),
];

const GOOD: &str = "GET /good HTTP/1.1\r\nHost: a\r\n\r\n";

fn is_refused(answer: &str) -> bool {
    let status_is_well =
        ["HTTP/1.1 400 ", "HTTP/1.1 405 "].iter().any(|start| answer.starts_with(start));
    status_is_well
        && answer.contains("content-type: application/problem+json\r\n")
        && answer.contains("\"code\":\"http_")
        && answer.contains("\"error\":\"")
        && answer.ends_with('}')
}

#[tokio::test]
async fn each_is_refused_with_a_code_and_reaches_no_handler() {
    let edge = TestEdge::start();
    for (name, request) in CASES {
        let answer = edge.exchange(request.as_bytes()).await;
        assert!(is_refused(&answer), "{name}: {answer}");
        assert_eq!(edge.handled(), 0, "{name}");
    }
    assert_eq!(read(&edge.counters.requests_refused), CASES.len() as u64);
}

#[tokio::test]
async fn a_refusal_is_a_problem_under_a_request_id() {
    let edge = TestEdge::start();
    let (head, problem) = refusal(&edge, "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let id = problem["request_id"].as_str().unwrap();
    assert_eq!(id.len(), 32, "{id}");
    assert_eq!(
        problem,
        serde_json::json!({
            "error": "this method is not served",
            "type": "about:blank",
            "title": "Method Not Allowed",
            "status": 405,
            "code": "http_method",
            "request_id": id,
        })
    );
    for field in [
        "content-type: application/problem+json",
        "cache-control: no-store",
        "allow: GET, HEAD, POST",
        &format!("sealgate-request-id: {id}"),
    ] {
        assert!(head.lines().any(|line| line == field), "{field}: {head}");
    }
}

#[tokio::test]
async fn no_two_refusals_share_a_request_id() {
    let edge = TestEdge::start();
    let request = "GET / HTTP/1.1\r\n\r\n";
    let (one, other) = (refusal(&edge, request).await.1, refusal(&edge, request).await.1);
    assert_ne!(one["request_id"], other["request_id"]);
}

/// The head and the body of the answer.
async fn refusal(edge: &TestEdge, request: &str) -> (String, serde_json::Value) {
    let answer = edge.exchange(request.as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn nothing_behind_one_is_served() {
    let edge = TestEdge::start();
    for (name, request) in CASES {
        edge.exchange(format!("{request}{GOOD}").as_bytes()).await;
        assert_eq!(edge.handled(), 0, "{name}");
    }
}

#[tokio::test]
async fn the_answers_before_one_arrive_first_and_whole() {
    let edge = TestEdge::start();
    for (name, request) in CASES {
        let answers = edge.exchange(format!("{GOOD}{GOOD}{request}").as_bytes()).await;
        let mut parts = answers.split("GET /good 0 from 127.0.0.1;");
        assert!(parts.next().unwrap().starts_with("HTTP/1.1 200"), "{name}: {answers}");
        assert!(parts.next().unwrap().starts_with("HTTP/1.1 200"), "{name}: {answers}");
        assert!(is_refused(parts.next().unwrap()), "{name}: {answers}");
    }
}

#[tokio::test]
async fn one_that_comes_byte_by_byte_is_refused_too() {
    let edge = TestEdge::start();
    let (mut reader, mut writer) = tokio::io::split(edge.connect().await);
    let bytes = b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
    let writing = tokio::spawn(async move {
        for byte in bytes {
            writer.write_all(&[*byte]).await.unwrap();
            writer.flush().await.unwrap();
        }
        writer
    });
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut reader, &mut answer).await.unwrap();
    assert!(is_refused(&answer), "{answer}");
    assert_eq!(edge.handled(), 0);
    drop(writing.await);
}

#[tokio::test]
async fn bad_chunks_behind_a_served_head_reach_no_handler() {
    let edge = TestEdge::start();
    let mut stream = edge.connect().await;
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await
        .unwrap();
    crate::support::until("the head is served", || read(&edge.counters.requests) == 1).await;
    stream.write_all(b"1;x\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(edge.handled(), 0);
}

#[tokio::test]
async fn a_head_over_the_bound_is_told_so() {
    let edge = TestEdge::start();
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    assert!(edge.exchange(long.as_bytes()).await.starts_with("HTTP/1.1 431 "));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(70));
    assert!(edge.exchange(many.as_bytes()).await.starts_with("HTTP/1.1 431 "));
    let endless = vec![b'a'; 100_000];
    assert!(edge.exchange(&endless).await.starts_with("HTTP/1.1 4"));
    assert_eq!(edge.handled(), 0);
}
