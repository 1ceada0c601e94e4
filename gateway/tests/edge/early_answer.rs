//! An answer that comes before the end of the request's body arrives whole, every time.

use std::process::Stdio;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::{DEADLINE, EARLY_ANSWER, TestEdge};

const TIMES: usize = 100;
/// More than socket buffers and HTTP/2 windows hold, so that the client is still sending.
const BODY_BYTES: usize = 6 * 1024 * 1024;

#[tokio::test]
async fn over_http_1_while_the_client_sends_all_before_it_reads() {
    let edge = TestEdge::start();
    let head = format!("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: {BODY_BYTES}\r\n\r\n");
    let body = vec![b'x'; BODY_BYTES];
    for time in 0..TIMES {
        let mut stream = edge.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        timeout(DEADLINE, stream.write_all(&body))
            .await
            .unwrap()
            .unwrap_or_else(|error| panic!("{time}: {error}"));
        let mut answer = String::new();
        timeout(DEADLINE, stream.read_to_string(&mut answer))
            .await
            .unwrap()
            .unwrap_or_else(|error| panic!("{time}: {error}"));
        assert!(
            answer.starts_with("HTTP/1.1 401") && answer.ends_with(EARLY_ANSWER),
            "{time}: {answer}"
        );
        assert!(answer.contains("connection: close"), "{time}: {answer}");
    }
}

#[tokio::test]
async fn over_http_1_a_small_body_costs_no_connection() {
    let edge = TestEdge::start();
    let request = "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    let last = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answers = edge.exchange(format!("{request}{request}{last}").as_bytes()).await;
    assert_eq!(answers.matches("HTTP/1.1 401").count(), 2, "{answers}");
    assert!(answers.ends_with("GET /last 0 from 127.0.0.1;"), "{answers}");
}

#[tokio::test]
async fn over_http_1_to_a_client_that_waits_for_continue() {
    let edge = TestEdge::start();
    let request =
        "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let answer = edge.exchange(request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.ends_with(EARLY_ANSWER), "{answer}");
}

#[tokio::test]
async fn over_http_2_on_a_connection_each() {
    let edge = TestEdge::start();
    for time in 0..TIMES {
        let mut sender = http2_client(&edge).await;
        post_early(&mut sender, time).await;
    }
}

#[tokio::test]
async fn over_http_2_again_and_again_on_one_connection() {
    let edge = TestEdge::start();
    let mut sender = http2_client(&edge).await;
    for time in 0..TIMES {
        post_early(&mut sender, time).await;
    }
}

/// curl does so: it ends a request that was refused, short of the length it announced.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn over_http_2_to_a_client_that_ends_its_request_at_the_head_of_the_answer() {
    let edge = TestEdge::start();
    for time in 0..10 {
        let stream =
            edge.handshake(TcpStream::connect(edge.address).await.unwrap(), &[b"h2"]).await;
        let (sender, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let mut sender = sender.ready().await.unwrap();
        let request = http::Request::post("https://localhost/late-body")
            .header("content-length", BODY_BYTES)
            .body(())
            .unwrap();
        let (answer, mut body) = sender.send_request(request, false).unwrap();
        body.send_data(Bytes::from_static(b"the first bytes"), false).unwrap();
        let answer = timeout(DEADLINE, answer).await.unwrap();
        let answer = answer.unwrap_or_else(|error| panic!("{time}: {error}"));
        assert_eq!(answer.status(), 401);
        body.send_data(Bytes::new(), true).unwrap();
        let mut frames = answer.into_body();
        let mut whole = Vec::new();
        while let Some(data) = timeout(DEADLINE, frames.data()).await.unwrap() {
            whole.extend(data.unwrap_or_else(|error| panic!("{time}: {error}")));
        }
        assert_eq!(whole, EARLY_ANSWER.as_bytes(), "{time}");
    }
}

#[tokio::test]
async fn over_http_2_a_refusal_of_the_edge_itself() {
    let edge = TestEdge::start();
    for time in 0..TIMES {
        let mut sender = http2_client(&edge).await;
        let body = Full::new(Bytes::from(vec![b'x'; BODY_BYTES]));
        let request =
            http::Request::post("https://localhost/").header("host", "other").body(body).unwrap();
        let answer = timeout(DEADLINE, sender.send_request(request)).await.unwrap();
        let answer = answer.unwrap_or_else(|error| panic!("{time}: {error:?}"));
        assert_eq!(answer.status(), 400);
        assert!(answer.into_body().collect().await.unwrap().to_bytes().ends_with(b"}"), "{time}");
    }
}

#[tokio::test]
async fn to_curl_over_either() {
    let edge = TestEdge::start();
    let body = edge.folder.path().join("body");
    std::fs::write(&body, vec![b'x'; BODY_BYTES]).unwrap();
    for version in ["--http1.1", "--http2"] {
        for expect in ["Expect:", "Expect: 100-continue"] {
            for time in 0..TIMES {
                let output = Command::new("curl")
                    .args(["--silent", "--show-error", "--max-time", "20", "--cacert"])
                    .arg(edge.folder.path().join("cert.pem"))
                    .args([
                        version,
                        "--header",
                        expect,
                        "--write-out",
                        " %{http_code}",
                        "--data-binary",
                    ])
                    .arg(format!("@{}", body.display()))
                    .arg(format!("https://127.0.0.1:{}/early", edge.address.port()))
                    .stdin(Stdio::null())
                    .output()
                    .await;
                let output = output.expect("curl is installed");
                let said = String::from_utf8_lossy(&output.stdout);
                let complained = String::from_utf8_lossy(&output.stderr);
                assert_eq!(
                    said,
                    format!("{EARLY_ANSWER} 401"),
                    "{version} {expect} {time}: {complained}"
                );
            }
        }
    }
}

type Sender = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

async fn http2_client(edge: &TestEdge) -> Sender {
    let stream = edge.handshake(TcpStream::connect(edge.address).await.unwrap(), &[b"h2"]).await;
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    sender
}

async fn post_early(sender: &mut Sender, time: usize) {
    let body = Full::new(Bytes::from(vec![b'x'; BODY_BYTES]));
    let request = http::Request::post("https://localhost/early").body(body).unwrap();
    timeout(DEADLINE, sender.ready())
        .await
        .unwrap()
        .unwrap_or_else(|error| panic!("{time}: {error}"));
    let answer = timeout(DEADLINE, sender.send_request(request)).await.unwrap();
    let answer = answer.unwrap_or_else(|error| panic!("{time}: {error:?}"));
    assert_eq!(answer.status(), 401);
    let body = timeout(DEADLINE, answer.into_body().collect()).await.unwrap();
    assert_eq!(body.unwrap_or_else(|error| panic!("{time}: {error:?}")).to_bytes(), EARLY_ANSWER);
}
