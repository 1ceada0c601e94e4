//! A demo on one engine, and how requests reach it.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use rustls::{ClientConnection, StreamOwned};
use sealgate_keys::InnerAnswer;
use sealgate_keys::ohttp::{Aead, Kem, KeyList, ResponseOpener, seal};
use sealgate_model::{Artifact, Standardisation};
use serde_json::{Value, json};

use crate::marked::{Exchange, Needle, answer_needles, raw_answer_needles, rows};
use crate::support::{Demo, Reply, binary, grpc};

/// A demo on one engine, and what is needed to say in which forms it holds a row.
pub struct Scene {
    pub demo: Demo,
    pub token: String,
    fit: Standardisation,
}

impl Scene {
    pub fn start(engine: &str) -> Self {
        Self::start_with(engine, "")
    }

    /// The same with more in `gateway.toml`.
    pub fn start_with(engine: &str, more: &str) -> Self {
        let stopped = Demo::start().stop();
        let name = if engine == "flex" { "sealgate-worker" } else { "sealgate-worker-ndarray" };
        let program = worker_program(name);
        stopped.change("gateway.toml", |config| {
            let change = |config: String, from: &str, to: &str| {
                assert!(config.contains(from), "no `{from}` in {config}");
                config.replace(from, to)
            };
            let config = change(config.to_owned(), "\"flex\"", &json!(engine).to_string());
            let program = format!("[worker]\nprogram = {}\n", json!(program));
            change(config, "[worker]\n", &program) + more
        });
        let demo = Demo::start_in(stopped.state);
        let command = std::fs::read(format!("/proc/{}/cmdline", demo.worker_pids()[0])).unwrap();
        let is_judged = command.starts_with(program.as_os_str().as_encoded_bytes());
        assert!(is_judged, "another worker than the one to be judged");
        let artifact = demo.state().join("models/breast-cancer/1/model.safetensors");
        let artifact = Artifact::parse(&std::fs::read(artifact).unwrap()).unwrap();
        let fit = artifact.manifest().standardisation.clone().expect("a standardisation");
        Self { token: demo.token(), demo, fit }
    }

    pub fn worker(&self) -> i32 {
        self.demo.worker_pids()[0]
    }

    pub fn good_requests(&self) -> Vec<Exchange> {
        let (one, many) = (rows(&self.fit, 3, 1), rows(&self.fit, 4, 50));
        let invocations = |x: &Value, rows: &[Vec<f64>]| {
            let body = json!({"x": x}).to_string().into_bytes();
            Exchange::new("/invocations", body, 200).and_forms(rows, &self.fit)
        };
        vec![
            self.v2(1),
            self.v2(200),
            invocations(&json!(one[0]), &one),
            invocations(&json!(many), &many),
        ]
    }

    /// Each breaks off where some numbers have been read already.
    pub fn refused_requests(&self) -> Vec<Exchange> {
        let spoilt = [
            |rows: &Value| rows.to_string().trim_end_matches(']').to_owned(),
            |rows: &Value| rows.to_string().replacen(',', ",nan,", 7),
            |rows: &Value| rows.to_string().replace("]]", ",\"one more\"]]"),
            |rows: &Value| rows.to_string().replace("]]", ",1]]"),
        ];
        let counts = spoilt.iter().flat_map(|spoil| [(spoil, 1), (spoil, 40)]);
        let refused = counts.zip(1000..).map(|((spoil, count), seed)| {
            let rows = rows(&self.fit, seed, count);
            let data = spoil(&json!(rows));
            let body = v2(count, &data);
            Exchange::new(V2, body.into_bytes(), 400).and_forms(&rows, &self.fit)
        });
        refused.collect()
    }

    /// JSON tensors of the Open Inference Protocol.
    pub fn v2(&self, count: usize) -> Exchange {
        let rows = rows(&self.fit, 100 + count as u64, count);
        let body = v2(count, &json!(rows).to_string());
        Exchange::new(V2, body.into_bytes(), 200).and_forms(&rows, &self.fit)
    }

    /// The same behind the JSON, little-endian, answered likewise.
    pub fn binary(&self, count: usize) -> Exchange {
        let rows = rows(&self.fit, 300 + count as u64, count);
        let tensor = le(&rows);
        let input = json!({
            "name": "x", "shape": [count, 30], "datatype": "FP32",
            "parameters": {"binary_data_size": tensor.len()},
        });
        let json = json!({"inputs": [input], "parameters": {"binary_data_output": true}});
        let json = json.to_string().into_bytes();
        let exchange = Exchange::new(V2, [&json[..], &tensor].concat(), 200);
        exchange.and_forms(&rows, &self.fit).with_tensors_behind(json.len())
    }

    /// A call of gRPC with fewer than 128 rows, and what no one may find of it and its answer.
    pub fn ask_grpc(&self, count: u8) -> Vec<Needle> {
        let rows = rows(&self.fit, 400 + u64::from(count), count.into());
        let message = grpc::infer("breast-cancer", "", [count, 30], &le(&rows));
        let exchange = Exchange::new("/", message, 200).and_forms(&rows, &self.fit);
        let token = Some(self.token.as_str());
        let called = grpc::call(&self.demo.https(), "ModelInfer", token, &exchange.body);
        assert_eq!(called.status, 0, "{}", called.sentence);
        let scores = called.fields(6).concat();
        [exchange.needles, raw_answer_needles(&scores)].concat()
    }

    /// Sends a binary one and gives back what no one may find of it and its answer.
    pub fn ask_binary(&self, count: usize) -> Vec<Needle> {
        let exchange = self.binary(count);
        let reply = self.send(&exchange);
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        let json_bytes = reply.header("inference-header-content-length").expect("a binary answer");
        let scores = reply.body.split_at(json_bytes.parse().expect("a length")).1;
        assert_eq!(scores.len(), 4 * count);
        [exchange.needles, raw_answer_needles(scores)].concat()
    }

    pub fn send(&self, exchange: &Exchange) -> Reply {
        let headers = exchange.headers(&self.token);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.demo.https().request("POST", exchange.path, &headers, &exchange.body)
    }

    /// The exchange sealed anew to the worker's key, and what opens its answer.
    pub fn seal(&self, exchange: &Exchange, kem: Kem) -> (Exchange, ResponseOpener) {
        let list = self.demo.https().get(KEYS, &self.token);
        let list = KeyList::decode(&list.body).expect("a key list");
        let message = exchange.inner().encode().unwrap();
        let key = list.key(kem).expect("a key");
        let (sealed, opener) = seal(key, Aead::Aes256Gcm, message.expose()).unwrap();
        (exchange.sealed(V2, sealed), opener)
    }

    /// Seals it, sends it, and gives back what no one may find of the answer.
    pub fn ask_sealed(&self, exchange: &Exchange, kem: Kem) -> Vec<Needle> {
        let (sealed, opener) = self.seal(exchange, kem);
        let reply = self.send(&sealed);
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        let opened = opener.open(&reply.body).expect("an answer");
        let answer = InnerAnswer::decode(opened.message.expose()).expect("binary HTTP");
        assert_eq!(answer.status, exchange.status);
        answer_needles(answer.body.expose())
    }

    /// Sends it and gives back what no one may find of the answer.
    pub fn ask(&self, exchange: &Exchange) -> Vec<Needle> {
        let reply = self.send(exchange);
        assert_eq!(reply.status, exchange.status, "{}", reply.json());
        answer_needles(&reply.body)
    }
}

fn le(rows: &[Vec<f64>]) -> Vec<u8> {
    rows.iter().flatten().flat_map(|value| (*value as f32).to_le_bytes()).collect()
}

fn v2(count: usize, data: &str) -> String {
    let shape = json!([count, 30]);
    format!(r#"{{"inputs":[{{"name":"x","shape":{shape},"datatype":"FP32","data":{data}}}]}}"#)
}

/// The worker to be judged: that in `SEALGATE_BIN_DIR`, or the one beside the tests.
fn worker_program(name: &str) -> PathBuf {
    let path = match std::env::var_os("SEALGATE_BIN_DIR") {
        Some(folder) => Path::new(&folder).join(name),
        None => binary(name),
    };
    path.canonicalize().unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// A request whose last byte has not been sent.
pub struct Held {
    stream: StreamOwned<ClientConnection, TcpStream>,
    rest: Vec<u8>,
}

impl Held {
    pub fn begin(scene: &Scene, exchange: &Exchange) -> Self {
        let mut head = format!("POST {} HTTP/1.1\r\nHost: localhost\r\n", exchange.path);
        for (name, value) in exchange.headers(&scene.token) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", exchange.body.len()));
        let (now, rest) = exchange.body.split_at(exchange.body.len() - 1);
        let mut stream = scene.demo.https().connect();
        stream.write_all(&[head.as_bytes(), now].concat()).unwrap();
        stream.flush().unwrap();
        Self { stream, rest: rest.to_vec() }
    }

    pub fn send_rest(&mut self) {
        self.stream.write_all(&self.rest).unwrap();
        self.stream.flush().unwrap();
    }

    pub fn read_answer(&mut self) {
        let (mut answer, mut part) = (Vec::new(), [0; 4096]);
        loop {
            let read = self.stream.read(&mut part).expect("an answer");
            assert_ne!(read, 0, "the connection ended");
            answer.extend_from_slice(&part[..read]);
            let Some(reply) = Reply::parse(&answer) else { continue };
            assert_eq!(reply.status, 200);
            if reply.header("content-length") == Some(&reply.body.len().to_string()) {
                return;
            }
        }
    }
}

const KEYS: &str = "/v1/models/breast-cancer/ohttp-keys";
const V2: &str = "/v2/models/breast-cancer/infer";
