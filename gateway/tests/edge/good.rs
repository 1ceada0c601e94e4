//! Honest requests of every kind are served.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::TestEdge;

const CASES: &[(&str, &str, &str)] = &[
    ("a path", "GET /a?b=c&d=%20 HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /a 0 from"),
    ("a length", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "POST /a 5 from"),
    (
        "a length of zero",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "POST /a 0 from",
    ),
    (
        "chunks",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n",
        "POST /a 15 from",
    ),
    (
        "chunks in capitals",
        "POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: CHUNKED\r\n\r\n0\r\n\r\n",
        "POST /a 0 from",
    ),
    ("an option", "OPTIONS /a HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS /a 0 from"),
    (
        "a URL",
        "GET https://localhost:8443/a HTTP/1.1\r\nHost: LOCALHOST:8443\r\n\r\n",
        "GET /a 0 from",
    ),
    ("a URL without a path", "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "GET / 0 from"),
    ("an IPv6 host", "GET /a HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n", "GET /a 0 from"),
    ("a tab in a value", "GET /a HTTP/1.1\r\nHost: a\r\nX:\t y\tz \r\n\r\n", "GET /a 0 from"),
    ("a value outside ASCII", "GET /a HTTP/1.1\r\nHost: a\r\nX: \u{e9}\r\n\r\n", "GET /a 0 from"),
    ("an empty value", "GET /a HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n", "GET /a 0 from"),
    ("another method", "PATCH /a HTTP/1.1\r\nHost: a\r\n\r\n", "PATCH /a 0 from"),
    (
        "a body that looks like a request",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\n\n\n\n",
        "POST /a 18 from",
    ),
];

const LAST: &str = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn each_is_served_and_the_connection_kept() {
    let edge = TestEdge::start();
    for (name, request, expected) in CASES {
        let answers = edge.exchange(format!("{request}{LAST}").as_bytes()).await;
        assert!(answers.contains(expected), "{name}: {answers}");
        assert!(answers.ends_with("GET /last 0 from 127.0.0.1;"), "{name}: {answers}");
    }
}

#[tokio::test]
async fn all_of_them_pipelined_are_served_in_order() {
    let edge = TestEdge::start();
    let requests: String = CASES.iter().map(|(_, request, _)| *request).chain([LAST]).collect();
    let answers = edge.exchange(requests.as_bytes()).await;
    let mut rest = answers.as_str();
    for (name, _, expected) in CASES {
        rest = rest.split_once(expected).unwrap_or_else(|| panic!("{name}: {answers}")).1;
    }
    assert_eq!(edge.handled(), CASES.len() as u64 + 1);
}

#[tokio::test]
async fn a_request_cut_anywhere_is_served() {
    let edge = TestEdge::start();
    let request =
        b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let mut stream = edge.connect().await;
    for cut in 1..request.len() {
        let (left, right) = request.split_at(cut);
        for part in [left, right] {
            stream.write_all(part).await.unwrap();
            stream.flush().await.unwrap();
        }
        let mut answer = Vec::new();
        while !answer.ends_with(b"POST /a 5 from 127.0.0.1;") {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "{cut}");
        }
    }
}

#[tokio::test]
async fn a_head_request_gets_no_body() {
    let edge = TestEdge::start();
    let answer = edge.exchange(b"HEAD /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn http_1_0_is_served_and_closed() {
    let edge = TestEdge::start();
    let answer = edge.exchange(b"GET /a HTTP/1.0\r\nHost: a\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.0 200") && answer.ends_with("GET /a 0 from 127.0.0.1;"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_client_that_closed_its_sending_side_is_answered() {
    let edge = TestEdge::start();
    let mut stream = edge.connect().await;
    stream.write_all(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    assert!(crate::support::read_to_end(&mut stream).await.ends_with("GET /a 0 from 127.0.0.1;"));
}

#[tokio::test]
async fn a_client_that_waits_is_told_to_continue() {
    let edge = TestEdge::start();
    let mut stream = edge.connect().await;
    stream.write_all(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0);
    }
    assert_eq!(answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    assert!(crate::support::read_to_end(&mut stream).await.ends_with("POST /a 5 from 127.0.0.1;"));
}

#[tokio::test]
async fn a_forwarding_header_from_a_client_changes_nothing() {
    let edge = TestEdge::start();
    let request =
        "GET /a HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: close\r\n\r\n";
    assert!(edge.exchange(request.as_bytes()).await.ends_with("GET /a 0 from 127.0.0.1;"));
}
