//! A demo's state, and gateways started on it with one setting changed each.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path as FsPath, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use sealgate_gateway::worker::{
    Connection, Demands, Process, Program, RevokedMeasurements, Stages,
};
use sealgate_gateway::{Artifact, Keks};
use sealgate_keys::{Action, Cleartext, Grant, InnerRequest, Mode, ReleaseProfile};
use serde_json::{Value, json};

use crate::processes::Processes;
use crate::started::{StartedGateway, terminate};

/// Everything the rounds need.
pub struct Setup {
    state: tempfile::TempDir,
    tls: Arc<rustls::ClientConfig>,
    children: RefCell<Vec<Child>>,
    /// A token signed with RS256, which every row of the table sends.
    pub rs256_token: String,
    /// The same for one caller each: one alone may not open all that a key opens.
    pub callers: Vec<String>,
}

/// One row of the table: where to send, and whose CPU to count.
pub struct Path {
    address: String,
    tls: Arc<rustls::ClientConfig>,
    pub processes: Processes,
}

impl Path {
    pub fn clone_address(&self) -> (String, Arc<rustls::ClientConfig>) {
        (self.address.clone(), self.tls.clone())
    }
}

impl Setup {
    /// Lets the demo make its state once, then stops it.
    pub fn new() -> Self {
        let state =
            tempfile::tempdir_in(target().join("..")).expect("a folder on the target's disk");
        let mut demo = Command::new(target().join("sealgate"))
            .args(["demo", "--listen", "127.0.0.1:0", "--state"])
            .arg(state.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("target/release/sealgate: cargo build --release makes it");
        let ready = state.path().join("demo.json");
        let deadline = Instant::now() + Duration::from_secs(60);
        while !ready.is_file() {
            assert!(Instant::now() < deadline && demo.try_wait().unwrap().is_none(), "no demo");
            std::thread::sleep(Duration::from_millis(10));
        }
        terminate(&mut demo);
        let sign = add_rs256_issuer_key(state.path());
        let callers = (0..16).map(|n| sign(&format!("bench-{n}"))).collect();
        let rs256_token = sign("bench");
        let mut roots = rustls::RootCertStore::empty();
        let ca = state.path().join("tls/ca.pem");
        roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { state, tls: Arc::new(tls), children: RefCell::default(), rs256_token, callers }
    }

    pub fn state(&self) -> &FsPath {
        self.state.path()
    }

    /// A V2 body of so many rows of the data set.
    pub fn body(&self, rows: usize) -> Vec<u8> {
        let data = self.rows(rows);
        let input = json!({"name": "x", "shape": [rows, 30], "datatype": "FP32", "data": data});
        json!({"inputs": [input]}).to_string().into_bytes()
    }

    /// So many rows of the data set.
    pub fn rows(&self, rows: usize) -> Vec<f64> {
        let csv = String::from_utf8(sealgate_model_builder::wdbc_csv().to_vec()).unwrap();
        let numbers = |line: &str| -> Vec<f64> {
            line.split(',').skip(1).map(|cell| cell.parse().unwrap()).collect()
        };
        csv.lines().skip(1).take(rows).flat_map(numbers).collect()
    }

    /// How long the body of a gateway's answer is.
    pub fn answer_bytes(&self, gateway: &Path, body: &[u8]) -> usize {
        self.ask(&gateway.address, body).len()
    }

    /// The files of the demo's certificate and its key.
    pub fn identity(&self) -> [String; 2] {
        let config = self.config();
        ["cert", "key"].map(|name| value(&config, name))
    }

    /// What trusts the demo's authority.
    pub const fn tls(&self) -> &Arc<rustls::ClientConfig> {
        &self.tls
    }

    pub fn echo(&self, answer_bytes: usize) -> Path {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("--echo")
            .args(self.identity())
            .arg(answer_bytes.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let path = self.path(line.trim().to_owned(), vec![child.id()]);
        self.children.borrow_mut().push(child);
        path
    }

    /// The same over Oblivious HTTP, and its key list.
    pub fn ohttp_echo(&self, answer_bytes: usize) -> (Path, Vec<u8>) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("--ohttp-echo")
            .args(self.identity())
            .arg(answer_bytes.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let list = hex::decode(lines.next().unwrap()).unwrap();
        let path = self.path(lines.next().unwrap(), vec![child.id()]);
        self.children.borrow_mut().push(child);
        (path, list)
    }

    /// A worker's key list, as a gateway hands it out.
    pub fn key_list(&self, gateway: &Path) -> Vec<u8> {
        let head = format!(
            "GET /v1/models/breast-cancer/ohttp-keys HTTP/1.1\r\nHost: localhost\r\n\
             Authorization: Bearer {}\r\nConnection: close\r\n\r\n",
            self.rs256_token
        );
        self.exchange(&gateway.address, head.as_bytes())
    }

    /// The path without what keeps it private.
    pub fn plain(&self) -> Path {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("--plain")
            .args(self.identity())
            .arg(self.artifact())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let worker = lines.next().unwrap().parse().unwrap();
        let path = self.path(lines.next().unwrap(), vec![child.id(), worker]);
        self.children.borrow_mut().push(child);
        path
    }

    /// A gateway with its worker, on a log of its own.
    pub fn gateway(&self, name: &str, change: impl Fn(&str) -> String) -> Path {
        self.gateway_of(1, name, change)
    }

    /// A gateway with so many workers, on a log of its own.
    pub fn gateway_of(&self, workers: usize, name: &str, change: impl Fn(&str) -> String) -> Path {
        let gateway = self.start_gateway(name, workers, change);
        let path = self.path(gateway.address.clone(), gateway.pids());
        self.children.borrow_mut().push(gateway.into_child());
        path
    }

    /// The same, for whoever ends it.
    pub fn start_gateway(
        &self,
        name: &str,
        workers: usize,
        change: impl Fn(&str) -> String,
    ) -> StartedGateway {
        let audit = self.state().join(format!("audit-{name}-{}", self.children.borrow().len()));
        let config = self.config();
        let config = config.replace(&value(&config, "dir"), audit.to_str().unwrap());
        let listen = value(&config, "listen");
        let config = change(&config.replace(&listen, "127.0.0.1:0"));
        let config: String = config
            .lines()
            .filter(|line| !line.starts_with("checkpoint_copy"))
            .map(|l| format!("{l}\n"))
            .collect();
        let file = audit.with_extension("toml");
        std::fs::write(&file, config).unwrap();
        StartedGateway::start(target().join("sealgate-gateway"), file, audit, workers)
    }

    /// What is reached there, served by these processes.
    pub fn path(&self, address: String, pids: Vec<u32>) -> Path {
        Path { address, tls: self.tls.clone(), processes: Processes(pids) }
    }

    fn config(&self) -> String {
        std::fs::read_to_string(self.state().join("gateway.toml")).unwrap()
    }

    /// The artifact the demo trained.
    pub fn artifact(&self) -> PathBuf {
        find(&self.state().join("models"), "safetensors").expect("an artifact in the state")
    }

    /// From the worker's spawn to its first opened answer.
    pub fn worker_cold_start_ms(&self) -> f64 {
        let artifact =
            Artifact::read("breast-cancer", "1", &self.artifact(), &Keks::default()).unwrap();
        let message = self.inner().encode().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let begun = Instant::now();
            let (process, connection) = self.worker(&artifact).await;
            call(&connection, message).await;
            let elapsed = begun.elapsed();
            drop(connection);
            process.end(Duration::from_secs(2)).await;
            elapsed.as_secs_f64() * 1e3
        })
    }

    /// The times of so many calls of one row, one after another: seal, send, infer, open.
    pub fn hop_round_trips(&self, calls: usize) -> Vec<Duration> {
        let artifact =
            Artifact::read("breast-cancer", "1", &self.artifact(), &Keks::default()).unwrap();
        let request = self.inner();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (process, connection) = self.worker(&artifact).await;
            let mut times = Vec::with_capacity(calls);
            for _ in 0..calls {
                let message = request.encode().unwrap();
                let begun = Instant::now();
                call(&connection, message).await;
                times.push(begun.elapsed());
            }
            drop(connection);
            process.end(Duration::from_secs(2)).await;
            times
        })
    }

    /// A worker that has the model.
    async fn worker(&self, artifact: &Artifact) -> (Process, Connection) {
        let program = Program {
            path: target().join("sealgate-worker"),
            config: self.state().join("worker.toml"),
        };
        let demands = Demands {
            engine: "flex".into(),
            sandbox: true,
            trust: None,
            revoked: RevokedMeasurements::default(),
        };
        let started = program.start(0).unwrap();
        let (psk, nonce) = (started.psk, &started.nonce);
        let mut stages = Stages::begin();
        let open = Connection::open(
            started.socket.into_split(),
            psk,
            nonce,
            &demands,
            artifact,
            &mut stages,
        );
        let connection = open.await.unwrap();
        // Receipts name a keyset, so a worker without one answers nothing.
        let hour = Duration::from_secs(3600);
        let keys = connection.new_keys([0, 1], hour, hour).await.unwrap();
        connection.offer(keys.digest).await.unwrap();
        (started.process, connection)
    }

    /// A request of one row, as the gateway seals it.
    pub fn inner(&self) -> InnerRequest {
        InnerRequest {
            method: "POST".into(),
            path: "/v2/models/breast-cancer/infer".into(),
            headers: vec![],
            body: Cleartext::new(self.body(1)),
        }
    }

    /// From the gateway's spawn to the last byte of its first answer.
    pub fn gateway_cold_start_ms(&self) -> f64 {
        let begun = Instant::now();
        let gateway = self.start_gateway("cold", 1, str::to_owned);
        self.ask(&gateway.address, &self.body(1));
        let elapsed = begun.elapsed();
        gateway.end();
        elapsed.as_secs_f64() * 1e3
    }

    /// One request on a connection of its own, and its answer's body.
    pub fn ask(&self, address: &str, body: &[u8]) -> String {
        let head = format!(
            "POST /v2/models/breast-cancer/infer HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.rs256_token,
            body.len()
        );
        let body = self.exchange(address, &[head.as_bytes(), body].concat());
        String::from_utf8(body).unwrap()
    }

    /// Sends what must be answered with 200; the answer's body.
    fn exchange(&self, address: &str, request: &[u8]) -> Vec<u8> {
        let name = ServerName::try_from("localhost").unwrap();
        let socket = std::net::TcpStream::connect(address).unwrap();
        // Otherwise the request waits 40 ms for the handshake's last acknowledgement.
        socket.set_nodelay(true).unwrap();
        let tls = rustls::ClientConnection::new(self.tls.clone(), name).unwrap();
        let mut stream = rustls::StreamOwned::new(tls, socket);
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        answer.split_off(end + 4)
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        self.children.borrow_mut().iter_mut().for_each(terminate);
    }
}

async fn call(connection: &Connection, message: Cleartext) {
    let answer = connection.call(&grant(), message).await.unwrap().answer().await.unwrap();
    assert_eq!(answer.outcome.status, 200);
}

/// What a gateway grants in the bench.
pub fn grant() -> Grant {
    Grant {
        request_id: [1; 16],
        caller: "bench".into(),
        tenant: "general-hospital".into(),
        model: "breast-cancer".into(),
        version: Some("1".into()),
        action: Action::Infer,
        rows_reserved: 1024,
        declared_fields: vec![],
        release: ReleaseProfile::Full,
        policy_digest: [2; 32],
        mode: Mode::GatewaySealed,
        ciphertext_sha256: None,
        valid_ms: 10_000,
        batch_across_tenants: false,
    }
}

/// `target/release`, where this benchmark's own executable lies below.
fn target() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_path_buf()
}

/// The value of `key = "value"` in a TOML text.
pub fn value(toml: &str, key: &str) -> String {
    let start = format!("{key} = \"");
    let line = toml.lines().find_map(|line| line.strip_prefix(&start)).expect("a setting");
    line.trim_end_matches('"').to_owned()
}

/// The first file below a folder whose name contains `part`.
fn find(folder: &FsPath, part: &str) -> Option<PathBuf> {
    let mut entries: Vec<_> = std::fs::read_dir(folder).ok()?.flatten().map(|e| e.path()).collect();
    entries.sort();
    entries.iter().find_map(|path| {
        if path.is_dir() {
            return find(path, part);
        }
        let name = path.file_name()?.to_str()?;
        let is_key = name.contains("key") || path.to_str()?.contains("/keys/");
        (name.contains(part) && !is_key).then(|| path.clone())
    })
}

/// Adds an RSA key to the dev issuer's set; what signs a caller's token with it.
fn add_rs256_issuer_key(state: &FsPath) -> impl Fn(&str) -> String + use<> {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
    use aws_lc_rs::signature::{KeyPair, RsaKeyPair};
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let public = PublicKeyComponents::<Vec<u8>>::from(key.public_key());
    let jwks = state.join("policies/jwks/dev.json");
    let mut set: Value = serde_json::from_slice(&std::fs::read(&jwks).unwrap()).unwrap();
    set["keys"].as_array_mut().unwrap().push(json!({
        "kty": "RSA", "kid": "dev-bench", "alg": "RS256", "use": "sig",
        "n": URL_SAFE_NO_PAD.encode(&public.n), "e": URL_SAFE_NO_PAD.encode(&public.e),
    }));
    std::fs::write(&jwks, set.to_string()).unwrap();

    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let header = jsonwebtoken::Header {
        typ: Some("at+jwt".into()),
        kid: Some("dev-bench".into()),
        ..jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256)
    };
    let pkcs8 = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der>::as_der(&key).unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        base64::engine::general_purpose::STANDARD.encode(pkcs8.as_ref())
    );
    let signing = jsonwebtoken::EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
    move |subject| {
        let claims = json!({
            "iss": "https://dev.sealgate.localhost", "aud": "sealgate", "sub": subject,
            "jti": subject, "iat": now, "exp": now + 7200, "tenant": "general-hospital",
            "groups": ["clinicians"], "scope": "infer", "client_id": "bench",
        });
        jsonwebtoken::encode(&header, &claims, &signing).unwrap()
    }
}
