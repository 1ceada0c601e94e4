//! Requests that take too long, too much room, or never end.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};
use serde_json::{Value, json};
use support::{Demo, Gateway, Https, Reply, Stopped, wait_until};

const INFER: &str = "/v2/models/breast-cancer/infer";
const EMERGENCY: &str = "/v1/admin/emergency";

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
fn who_waits_in_vain_for_a_place_is_refused_and_the_first_is_not() {
    let limited = Limited::start("in_flight_max = 1\nwaiting_ms = 100");
    let mut held = limited.in_flight();
    let reply = limited.post();
    assert_eq!((reply.status, reply.code().as_str()), (503, "overloaded"));
    assert_eq!(reply.header("retry-after"), Some("1"));
    held.send_rest();
    assert_eq!(held.answer().expect("an answer").status, 200);
    wait_until("its place is free again", Duration::from_secs(10), || limited.post().status == 200);
}

#[test]
fn one_request_more_than_may_be_in_flight_waits_for_the_first_to_end() {
    let limited = Limited::start("in_flight_max = 1\nwaiting_ms = 20000");
    let mut held = limited.in_flight();
    let before = limited.decisions().len();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| limited.post());
        // Longer than an answer takes; it says nothing if the machine is slow.
        std::thread::sleep(Duration::from_millis(300));
        assert!(!waits.is_finished());
        assert_eq!(limited.decisions().len(), before, "nothing is done for who waits");
        held.send_rest();
        assert_eq!(held.answer().expect("an answer").status, 200);
        assert_eq!(waits.join().unwrap().status, 200);
    });
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

#[test]
fn an_admin_is_heard_while_every_place_and_all_room_for_bodies_is_taken() {
    let limits = format!(
        "in_flight_max = 1\nbody_bytes_max = {ROOM_BYTES}\nbody_bytes_in_flight_max = {ROOM_BYTES}"
    );
    let mut limited = Limited::start(&limits);
    limited.example.resize(ROOM_BYTES, b' ');
    let mut held = limited.in_flight();
    assert_eq!(limited.post().code(), "overloaded");
    for order in ["lock_down", "lift_lock_down"] {
        let reply = limited.order(order);
        assert_eq!(reply.status, 200, "{order}: {}", reply.json());
    }
    assert_eq!(limited.post().code(), "overloaded");
    held.send_rest();
    assert_eq!(held.answer().expect("an answer").status, 200);
}

/// All of the public listener's room, and more than an order may have.
const ROOM_BYTES: usize = 16 << 10;

#[test]
fn admins_take_their_own_places_and_no_more() {
    let limited = Limited::start("in_flight_max = 1");
    let order = br#"{"order":"lift_lock_down"}"#;
    let begin = || Unfinished::begin(limited.gateway.admin(), EMERGENCY, &limited.operator, order);
    let held: Vec<_> = (0..16).map(|_| begin()).collect();
    let standing = || limited.gateway.admin().get("/v1/admin/standing", &limited.operator);
    wait_until("every place is taken", Duration::from_secs(5), || standing().status == 503);
    assert_eq!(standing().code(), "overloaded");
    assert_eq!(limited.post().status, 200);
    drop(held);
    wait_until("a place is free again", Duration::from_secs(20), || standing().status == 200);
}

/// A gateway with `[requests]` of its own.
struct Limited {
    gateway: Gateway,
    stopped: Stopped,
    token: String,
    operator: String,
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
        let operator = demo.token_for(&["--subject", "ops", "--group", "operators"]);
        let stopped = demo.stop();
        stopped.change("gateway.toml", |config| format!("{config}\n[requests]\n{limits}\n"));
        Self { gateway: Gateway::start(&stopped), stopped, token, operator, example }
    }

    fn post(&self) -> Reply {
        self.gateway.https().post(INFER, &self.token, &self.example)
    }

    /// Has an admin give an order, by name.
    fn order(&self, order: &str) -> Reply {
        let order = json!({"order": order}).to_string();
        self.gateway.admin().post(EMERGENCY, &self.operator, order.as_bytes())
    }

    fn begin(&self) -> Unfinished {
        Unfinished::begin(self.gateway.https(), INFER, &self.token, &self.example)
    }

    /// One that has been decided on, and holds its place.
    fn in_flight(&self) -> Unfinished {
        let before = self.decisions().len();
        let begun = self.begin();
        wait_until("it is in flight", Duration::from_secs(5), || self.decisions().len() > before);
        begun
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
    /// Sends all of a request but the end of its body.
    fn begin(https: &Https, path: &str, token: &str, body: &[u8]) -> Self {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let (now, rest) = body.split_at(body.len() - 1);
        let mut stream = https.connect();
        stream.write_all(&[head.as_bytes(), now].concat()).unwrap();
        stream.flush().unwrap();
        Self { stream, rest: rest.to_vec() }
    }

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
