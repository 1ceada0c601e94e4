//! The `ohttp` crate, Martin Thomson's client of RFC 9458, against the whole gateway. It knows
//! nothing of ours: it takes the key list as it is served, seals, and opens what comes back.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::io::Cursor;
use std::sync::Arc;

use bhttp::{Message, Mode};
use ohttp::{ClientRequest, ClientResponse};
use support::{Demo, Reply, shared};

#[test]
fn it_gets_from_its_sealed_request_what_a_plain_one_gets() {
    let client = Client::new();
    let (request, response) = client.seal(client.x25519());
    let answer = client.send(&request);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("message/ohttp-res"));

    let message = opened(response, &answer.body);
    assert_eq!(message.control().status().unwrap().code(), 200);
    let plain = client.demo.https().post(INFER, &client.demo.token(), &client.demo.example());
    assert_eq!(probability(message.content()), probability(&plain.body));
    assert!((0.0..=1.0).contains(&probability(message.content())));
    assert!(message.header().get(b"sealgate-receipt").is_some());
}

#[test]
fn it_seals_to_the_x_wing_key_of_the_list_as_well() {
    let client = Client::new();
    let list = client.key_list();
    let (length, rest) = list.split_first_chunk().unwrap();
    let first = &rest[..usize::from(u16::from_be_bytes(*length))];
    assert_eq!(first[1..3], [0x64, 0x7a]);
    let (request, response) = client.seal(ClientRequest::from_encoded_config(first).unwrap());
    let answer = client.send(&request);
    assert_eq!(answer.status, 200);
    let message = opened(response, &answer.body);
    assert_eq!(message.control().status().unwrap().code(), 200);
    assert!((0.0..=1.0).contains(&probability(message.content())));
}

#[test]
fn a_cut_answer_is_no_answer() {
    let client = Client::new();
    let (request, response) = client.seal(client.x25519());
    let answer = client.send(&request).body;
    assert!(response.decapsulate(&answer[..answer.len() - 1]).is_err());
}

#[test]
fn a_changed_byte_of_its_request_is_refused_and_the_request_itself_is_not_spent() {
    let client = Client::new();
    let (request, response) = client.seal(client.x25519());
    for at in [0, 3, 7, request.len() / 2, request.len() - 1] {
        let mut changed = request.clone();
        changed[at] ^= 1;
        assert_key_problem(&client.send(&changed));
    }
    let answer = client.send(&request);
    assert_eq!(answer.status, 200);
    assert_eq!(opened(response, &answer.body).control().status().unwrap().code(), 200);
}

#[test]
fn its_request_is_answered_once() {
    let client = Client::new();
    let (request, _) = client.seal(client.x25519());
    assert_eq!(client.send(&request).status, 200);
    assert_key_problem(&client.send(&request));
}

struct Client {
    demo: Arc<Demo>,
}

impl Client {
    fn new() -> Self {
        Self { demo: shared() }
    }

    fn key_list(&self) -> Vec<u8> {
        let path = format!("/v1/models/{MODEL}/ohttp-keys");
        let reply = self.demo.https().get(&path, &self.demo.token());
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), Some("application/ohttp-keys"));
        reply.body
    }

    /// Of a list the crate takes the last key that it knows.
    fn x25519(&self) -> ClientRequest {
        ClientRequest::from_encoded_config_list(&self.key_list()).unwrap()
    }

    fn seal(&self, client: ClientRequest) -> (Vec<u8>, ClientResponse) {
        let mut message = Message::request(
            b"POST".to_vec(),
            b"https".to_vec(),
            b"localhost".to_vec(),
            INFER.as_bytes().to_vec(),
        );
        message.put_header("content-type", "application/json");
        message.write_content(self.demo.example());
        let mut bytes = Vec::new();
        message.write_bhttp(Mode::KnownLength, &mut bytes).unwrap();
        client.encapsulate(&bytes).unwrap()
    }

    fn send(&self, request: &[u8]) -> Reply {
        let bearer = format!("Bearer {}", self.demo.token());
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "message/ohttp-req")];
        self.demo.https().request("POST", INFER, &headers, request)
    }
}

fn opened(response: ClientResponse, answer: &[u8]) -> Message {
    let bytes = response.decapsulate(answer).expect("the answer to this request");
    Message::read_bhttp(&mut Cursor::new(&bytes[..])).unwrap()
}

fn probability(body: &[u8]) -> f64 {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap();
    answer["outputs"][0]["data"][0].as_f64().unwrap()
}

fn assert_key_problem(reply: &Reply) {
    assert_eq!(reply.status, 400);
    let kind = reply.json()["type"].clone();
    assert_eq!(kind, "https://iana.org/assignments/http-problem-types#ohttp-key");
}

const MODEL: &str = "breast-cancer";
const INFER: &str = "/v2/models/breast-cancer/infer";
