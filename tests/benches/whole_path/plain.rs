//! The same way without what keeps it private: TLS, HTTP, a hop to a process of its own, decoding and
//! inference; no token, rule, limit, seal, record or receipt. No setting of the product gives this; it
//! is put together here, so that what privacy costs can be said.

use std::collections::HashMap;
use std::io::{BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use sealgate_model::{Artifact, Model};
use sealgate_worker::protocol::{InnerRequest, Interface, Route, decode, encode_answer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use crate::echo;

/// `--plain CERT KEY ARTIFACT`: prints its worker's process id and its port, then serves until it is
/// killed.
pub fn serve() {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument == "--plain").unwrap();
    let [cert, key, artifact] = [1, 2, 3].map(|i| arguments[at + i].clone());
    let (ours, theirs) = StdUnixStream::pair().unwrap();
    let mut worker = Command::new(std::env::current_exe().unwrap())
        .args(["--plain-worker", &artifact])
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    println!("{}", worker.id());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        ours.set_nonblocking(true).unwrap();
        let hop = Hop::start(UnixStream::from_std(ours).unwrap());
        let ask = move |body: Bytes| {
            let hop = hop.clone();
            async move { hop.ask(&body).await }
        };
        echo::listen(&cert, &key, Router::new().fallback(post(ask))).await;
    });
    worker.wait().unwrap();
}

/// Frames with ids over one socket, as the gateway has it: `length || id || bytes`.
struct Hop {
    outbox: mpsc::Sender<Vec<u8>>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Vec<u8>>>>,
    next: AtomicU64,
}

impl Hop {
    fn start(socket: UnixStream) -> Arc<Self> {
        let (read, mut write) = socket.into_split();
        let (outbox, mut to_send) = mpsc::channel::<Vec<u8>>(256);
        let hop = Arc::new(Self { outbox, waiting: Mutex::default(), next: AtomicU64::new(0) });
        tokio::spawn(async move {
            while let Some(mut bytes) = to_send.recv().await {
                tokio::task::yield_now().await;
                while let Ok(frame) = to_send.try_recv() {
                    bytes.extend_from_slice(&frame);
                }
                write.write_all(&bytes).await.unwrap();
            }
        });
        let answered = hop.clone();
        tokio::spawn(async move {
            let mut read = tokio::io::BufReader::with_capacity(64 << 10, read);
            loop {
                let Ok(bytes) = read.read_u32().await else { return };
                let id = read.read_u64().await.unwrap();
                let mut answer = vec![0; bytes as usize];
                read.read_exact(&mut answer).await.unwrap();
                let waits = answered.waiting.lock().unwrap().remove(&id);
                let _ = waits.map(|waits| waits.send(answer));
            }
        });
        hop
    }

    async fn ask(&self, body: &[u8]) -> Vec<u8> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id, reply);
        self.outbox.send(frame(id, body)).await.unwrap();
        answer.await.unwrap()
    }
}

fn frame(id: u64, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&length[..], &id.to_be_bytes(), bytes].concat()
}

/// `--plain-worker ARTIFACT`: decodes, infers and encodes by the worker's own code, until its socket
/// closes.
pub fn work() {
    let artifact = std::env::args().next_back().unwrap();
    let artifact = Artifact::parse(&std::fs::read(artifact).unwrap()).unwrap();
    let model = Model::load(&artifact, &burn::tensor::Device::flex()).unwrap();
    let manifest = artifact.manifest();
    let features: Vec<String> = manifest.features.iter().map(|f| f.name.clone()).collect();
    let interface = Interface {
        model: "breast-cancer",
        version: "1",
        input: &manifest.input,
        output: &manifest.output,
        features: &features,
        width: 1,
        classes: &[],
        digest: "",
    };
    let socket = std::os::fd::AsFd::as_fd(&std::io::stdin()).try_clone_to_owned().unwrap();
    let mut write = StdUnixStream::from(socket);
    let mut read = BufReader::with_capacity(64 << 10, write.try_clone().unwrap());
    let (mut head, mut body) = ([0; 12], Vec::new());
    while read.read_exact(&mut head).is_ok() {
        let [length, id] = [&head[..4], &head[4..]];
        body.resize(u32::from_be_bytes(length.try_into().unwrap()) as usize, 0);
        read.read_exact(&mut body).unwrap();
        let path = "/v2/models/breast-cancer/infer";
        let request = InnerRequest { method: "POST", path, headers: &[], body: &body };
        let route = Route::parse(request.method, request.path).unwrap();
        let decoded = decode(&route, &request, &interface, 1024).unwrap();
        let scores = model.infer(&decoded.rows).unwrap();
        let answer = encode_answer(&decoded.reply, &interface, scores.values()).unwrap();
        let id = u64::from_be_bytes(id.try_into().unwrap());
        write.write_all(&frame(id, &answer.body)).unwrap();
    }
}
