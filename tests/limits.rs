//! Requests that take too long, too much room, or never end.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};
use serde_json::{Value, json};
use support::{Demo, Gateway, Reply, Stopped, wait_until};

const INFER: &str = "/v2/models/breast-cancer/infer";

#[test]
fn a_body_that_stalls_is_refused_when_its_time_is_over() {
    let limited = Limited::start("body_timeout_ms = 300\nin_flight_max = 1");
    let begun = Instant::now();
    let reply = limited.begin().answer().expect("an answer");
    let elapsed = begun.elapsed();
    assert_eq!((reply.status, reply.code().as_str()), (408, "body_timeout"));
    assert!(elapsed >= Duration::from_millis(300), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    let id = json!(reply.header("sealgate-request-id").expect("an id"));
    assert!(limited.decisions().iter().any(|decision| decision["request_id"] == id));
    wait_until("its place is free again", Duration::from_secs(10), || limited.post().status == 200);
}

#[test]
fn one_request_more_than_may_be_in_flight_is_refused_and_the_first_is_not() {
    let limited = Limited::start("in_flight_max = 1");
    let before = limited.decisions().len();
    let mut held = limited.begin();
    wait_until("the first is in flight", Duration::from_secs(5), || {
        limited.decisions().len() > before
    });
    let reply = limited.post();
    assert_eq!((reply.status, reply.code().as_str()), (503, "overloaded"));
    assert_eq!(reply.header("retry-after"), Some("1"));
    held.send_rest();
    assert_eq!(held.answer().expect("an answer").status, 200);
    wait_until("its place is free again", Duration::from_secs(10), || limited.post().status == 200);
}

#[test]
fn a_body_that_breaks_off_is_never_carried_out() {
    let limited = Limited::start("body_timeout_ms = 300\nin_flight_max = 1");
    let outcomes = |code: &str| limited.events("outcome").iter().any(|o| o["code"] == code);
    let mut broken = limited.begin();
    broken.stream.conn.send_close_notify();
    broken.stream.flush().unwrap();
    broken.stream.sock.shutdown(Shutdown::Write).unwrap();
    // The connection may just end: whoever breaks off may be gone.
    if let Some(reply) = broken.answer() {
        assert_eq!((reply.status, reply.code().as_str()), (400, "body_incomplete"));
    }
    wait_until("the record says how it ended", Duration::from_secs(10), || {
        outcomes("body_incomplete") || outcomes("client_gone")
    });
    wait_until("its place is free again", Duration::from_secs(10), || limited.post().status == 200);
}

/// A gateway with `[requests]` of its own.
struct Limited {
    gateway: Gateway,
    stopped: Stopped,
    token: String,
    example: Vec<u8>,
}

/// A request whose last byte has not been sent.
struct Unfinished {
    stream: StreamOwned<ClientConnection, TcpStream>,
    rest: Vec<u8>,
}

impl Limited {
    fn start(limits: &str) -> Self {
        let demo = Demo::start();
        let (token, example) = (demo.token(), demo.example());
        let stopped = demo.stop();
        stopped.change("gateway.toml", |config| format!("{config}\n[requests]\n{limits}\n"));
        Self { gateway: Gateway::start(&stopped), stopped, token, example }
    }

    fn post(&self) -> Reply {
        self.gateway.https().post(INFER, &self.token, &self.example)
    }

    /// Sends all of a request but the end of its body.
    fn begin(&self) -> Unfinished {
        let (body, token) = (&self.example, &self.token);
        let head = format!(
            "POST {INFER} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let (now, rest) = body.split_at(body.len() - 1);
        let mut stream = self.gateway.https().connect();
        stream.write_all(&[head.as_bytes(), now].concat()).unwrap();
        stream.flush().unwrap();
        Unfinished { stream, rest: rest.to_vec() }
    }

    fn decisions(&self) -> Vec<Value> {
        self.events("decision")
    }

    fn events(&self, kind: &str) -> Vec<Value> {
        let records = self.stopped.records().into_iter();
        records.filter(|r| r["type"] == kind).map(|mut r| r["event"].take()).collect()
    }
}

impl Unfinished {
    fn send_rest(&mut self) {
        self.stream.write_all(&self.rest).unwrap();
        self.stream.flush().unwrap();
    }

    /// What comes until the other side closes; nothing if it only closes.
    fn answer(mut self) -> Option<Reply> {
        let mut answer = Vec::new();
        // A peer that closes without close_notify still has said what it said.
        let _ = self.stream.read_to_end(&mut answer);
        Reply::parse(&answer)
    }
}
