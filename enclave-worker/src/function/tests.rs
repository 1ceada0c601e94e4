//! A function as a client sees it, with clients that share its machine.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use burn::tensor::Device;
use sealgate_keys::at_rest::KeyFileKek;
use sealgate_keys::ohttp::{Aead, Kem, KeyList, OpenedResponse, ResponseOpener, seal};
use sealgate_keys::receipt::{WorkerReceipt, verify};
use sealgate_keys::{CommittedTensor, Direction, RECEIPT_HEADER, commit};
use sealgate_model::{
    Activation, Artifact, DataSource, Dense, FORMAT, Feature, LayerWeights, Manifest, Optimiser,
    Provenance, Task, WeightFormat,
};
use serde_json::{Value, json};

use super::*;

#[test]
fn rows_in_the_clear_are_answered_and_the_receipt_says_that_nobody_sealed_them() {
    let scene = Scene::new(Remembers::Yes);
    let answer = scene.function.plain(&request(&[])).unwrap();
    let said: Value = serde_json::from_slice(answer.body.expose()).unwrap();
    assert_eq!(answer.status, 200);
    assert!(said["result"].as_f64().is_some());
    let receipt = scene.receipt(&answer);
    assert_eq!(receipt.mode, "unsealed");
    assert_eq!(receipt.policy_digest, "00".repeat(32));
    assert_eq!(receipt.release_profile, "full");
    assert_eq!(receipt.keyset_digest, hex::encode(scene.function.keyset().digest()));
    assert!(!scene.function.keyset().sandbox_enforced);
}

#[test]
fn what_a_client_seals_is_answered_sealed_under_every_suite() {
    let scene = Scene::new(Remembers::Yes);
    let plain = scene.function.plain(&request(&[])).unwrap();
    for kem in Kem::ALL {
        for aead in Aead::ALL {
            let (sealed, opener) = scene.seal(&dated(), kem, aead);
            let (answer, opened) = open(opener, &scene.sealed(&sealed, None).unwrap());
            assert_eq!(answer.status, 200, "{kem:?} {aead:?}");
            assert_eq!(answer.body.expose(), plain.body.expose());
            let receipt = scene.receipt(&answer);
            assert_eq!(receipt.mode, "client-sealed");
            let row = CommittedTensor { name: "x", shape: &[1, 2], values: &ROW };
            let ours = commit(&opened.commitment_key, Direction::Input, &[row]);
            assert_eq!(receipt.input_commitment, Some(hex::encode(ours)));
        }
    }
}

#[test]
fn what_was_opened_is_not_opened_again_by_any_process_of_the_version() {
    let store = Remembers::shared();
    let (one, other) = (Scene::with(&store, SECRETS), Scene::with(&store, SECRETS));
    let (sealed, opener) = one.seal(&dated(), Kem::XWing, Aead::Aes128Gcm);
    assert_eq!(open(opener, &one.sealed(&sealed, None).unwrap()).0.status, 200);
    for process in [&one, &other] {
        let (again, opener) = one.seal(&dated(), Kem::X25519, Aead::Aes128Gcm);
        let answer = process.sealed(&again, None).unwrap();
        assert_eq!(open(opener, &answer).0.status, 200, "another one");
        // The client that sealed it is gone; what comes back is as long as an answer.
        let refused = process.sealed(&sealed, None).unwrap();
        assert_eq!(refused.len(), one.answer_bytes());
    }
    assert_eq!(store.refused(), 2);
}

#[test]
fn of_a_request_that_comes_many_times_at_once_one_is_worked_on() {
    let store = Remembers::shared();
    let scene = Scene::with(&store, SECRETS);
    let (sealed, _) = scene.seal(&dated(), Kem::X25519, Aead::Aes128Gcm);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| scene.sealed(&sealed, None).unwrap());
        }
    });
    assert_eq!(store.refused(), 7);
}

#[test]
fn without_a_memory_a_request_is_opened_again_and_the_keyset_says_so() {
    let scene = Scene::new(Remembers::No);
    assert_eq!(scene.function.keyset().replay.as_deref(), Some("at-least-once"));
    let (sealed, opener) = scene.seal(&dated(), Kem::X25519, Aead::Aes128Gcm);
    scene.sealed(&sealed, None).unwrap();
    assert_eq!(open(opener, &scene.sealed(&sealed, None).unwrap()).0.status, 200);
    assert_eq!(Scene::new(Remembers::Yes).function.keyset().replay, None);
}

#[test]
fn a_memory_that_cannot_tell_lets_nothing_pass() {
    let scene = Scene::new(Remembers::Broken);
    let (sealed, opener) = scene.seal(&dated(), Kem::X25519, Aead::Aes128Gcm);
    let (answer, _) = open(opener, &scene.sealed(&sealed, None).unwrap());
    assert_eq!((answer.status, code(&answer)), (503, "replays_unknown".to_owned()));
}

#[test]
fn a_sealed_request_must_say_when_it_was_made_and_that_must_be_now() {
    for remembers in [Remembers::Yes, Remembers::No] {
        let scene = Scene::new(remembers);
        let late = httpdate::fmt_http_date(SystemTime::now() - Duration::from_secs(310));
        for headers in [&[][..], &[("date", late.as_str())], &[("date", "today")]] {
            let (sealed, opener) = scene.seal(&request(headers), Kem::X25519, Aead::Aes128Gcm);
            let (answer, _) = open(opener, &scene.sealed(&sealed, None).unwrap());
            assert_eq!((answer.status, code(&answer)), (400, "date".to_owned()), "{headers:?}");
        }
    }
}

#[test]
fn a_refusal_is_as_long_as_an_answer() {
    let scene = Scene::new(Remembers::Yes);
    let (undated, _) = scene.seal(&request(&[]), Kem::X25519, Aead::Aes128Gcm);
    assert_eq!(scene.sealed(&undated, None).unwrap().len(), scene.answer_bytes());
}

#[test]
fn what_is_sealed_to_another_version_or_changed_is_not_opened() {
    let (scene, other) = (Scene::new(Remembers::Yes), Scene::new(Remembers::Yes));
    let (sealed, _) = other.seal(&dated(), Kem::XWing, Aead::Aes256Gcm);
    assert!(matches!(scene.sealed(&sealed, None), Err(FunctionError::NotOpened(_))));
    let (sealed, _) = scene.seal(&dated(), Kem::X25519, Aead::Aes128Gcm);
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        let refused = scene.sealed(&changed, None);
        assert!(matches!(refused, Err(FunctionError::NotOpened(_))), "byte {at}");
    }
    for end in [0, 1, 6, 7, 39, sealed.len() - 1] {
        let refused = scene.sealed(&sealed[..end], None);
        assert!(matches!(refused, Err(FunctionError::NotOpened(_))), "cut at {end}");
    }
}

#[test]
fn more_rows_than_the_client_announced_are_refused() {
    let scene = Scene::new(Remembers::Yes);
    let two = InnerRequest { body: Cleartext::new(br#"{"x":[[1,2],[3,4]]}"#.to_vec()), ..dated() };
    for (rows, status) in [(Some(2), 200), (Some(1), 413), (None, 200)] {
        let (sealed, opener) = scene.seal(&two, Kem::X25519, Aead::Aes128Gcm);
        let (answer, _) = open(opener, &scene.sealed(&sealed, rows).unwrap());
        assert_eq!(answer.status, status, "{rows:?}");
    }
}

#[test]
fn keys_out_of_a_sealed_file_are_the_same_keys_and_only_their_kek_opens_it() {
    let kek = KeyFileKek::new(Secret::random().unwrap());
    let keys = FunctionKeys::generate(later()).unwrap();
    let scene = Scene::of(&keys, Replays::AtLeastOnce);
    let file = keys.seal(scene.function.keyset(), &[&kek]).unwrap();
    let keyset = scene.function.keyset().encode();
    assert!(!file.windows(16).any(|window| keyset.windows(16).any(|clear| clear == window)));
    let opened = FunctionKeys::open(&file, &kek).unwrap();
    let again = Scene::of(&opened, Replays::AtLeastOnce);
    assert_eq!(again.function.keyset(), scene.function.keyset());
    assert_eq!(again.function.key_list(), scene.function.key_list());
    let (sealed, opener) = scene.seal(&dated(), Kem::XWing, Aead::Aes256Gcm);
    assert_eq!(open(opener, &again.sealed(&sealed, None).unwrap()).0.status, 200);
    let other = KeyFileKek::new(Secret::random().unwrap());
    assert!(FunctionKeys::open(&file, &other).is_err());
    // A sealed model is no file of keys, though the same key-encryption key opens it.
    let model = sealgate_keys::at_rest::seal(&artifact(), &[&kek]).unwrap();
    assert!(FunctionKeys::open(&model, &kek).is_err());
}

#[test]
fn keys_of_another_function_version_do_not_start_this_one() {
    let keys = FunctionKeys::generate(later()).unwrap();
    let kek = KeyFileKek::new(Secret::random().unwrap());
    let scene = Scene::of(&keys, Replays::AtLeastOnce);
    let file = keys.seal(scene.function.keyset(), &[&kek]).unwrap();
    let keys = FunctionKeys::open(&file, &kek).unwrap();
    let why = |of: &FunctionOptions<'_>, replays| match load(of, &keys, replays) {
        Err(FunctionError::OtherVersion(what)) => what,
        _ => "nothing",
    };
    let engine = engine();
    let same = options(&engine);
    assert_eq!(why(&same, Replays::AtLeastOnce), "nothing");
    let version = FunctionOptions { version: "2", ..options(&engine) };
    assert_eq!(why(&version, Replays::AtLeastOnce), "model, model name or model version");
    let program = FunctionOptions { build_digest: [9; 32], ..options(&engine) };
    assert_eq!(why(&program, Replays::AtLeastOnce), "program");
    let remembers = Replays::Store(Box::new(Remembers::shared()));
    assert_eq!(why(&same, remembers), "answer to replays");
}

#[test]
fn keys_that_have_ended_open_nothing_and_start_nothing() {
    let keys = FunctionKeys::generate(now_s().unwrap() + 2).unwrap();
    let scene = Scene::of(&keys, Replays::AtLeastOnce);
    let (sealed, _) = scene.seal(&dated(), Kem::X25519, Aead::Aes128Gcm);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !scene.function.ended().unwrap() && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert!(matches!(scene.sealed(&sealed, None), Err(FunctionError::NotOpened(_))));
    assert!(matches!(scene.function.attestation(&[1; 32]), Err(FunctionError::KeysEnded)));
    let started = load(&options(&engine()), &keys, Replays::AtLeastOnce);
    assert!(matches!(started, Err(FunctionError::KeysEnded)));
}

/// Who remembers what was opened.
enum Remembers {
    Yes,
    No,
    Broken,
}

impl Remembers {
    fn shared() -> Shared {
        Shared::default()
    }

    fn replays(self) -> Replays {
        match self {
            Self::Yes => Replays::Store(Box::new(Shared::default())),
            Self::No => Replays::AtLeastOnce,
            Self::Broken => Replays::Store(Box::new(Broken)),
        }
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<(HashSet<[u8; 32]>, usize)>>);

impl Shared {
    fn refused(&self) -> usize {
        self.0.lock().unwrap().1
    }
}

impl ReplayStore for Shared {
    fn claim(&self, key: &[u8; 32], until: SystemTime) -> Result<bool, StoreError> {
        let left = until.duration_since(SystemTime::now()).unwrap();
        assert!(left > Duration::from_secs(290) && left <= Duration::from_secs(301));
        let mut taken = self.0.lock().unwrap();
        let first = taken.0.insert(*key);
        taken.1 += usize::from(!first);
        Ok(first)
    }
}

struct Broken;

impl ReplayStore for Broken {
    fn claim(&self, _: &[u8; 32], _: SystemTime) -> Result<bool, StoreError> {
        Err(StoreError("no table".to_owned()))
    }
}

struct Scene {
    function: Function,
}

impl Scene {
    fn new(remembers: Remembers) -> Self {
        Self::of(&FunctionKeys::generate(later()).unwrap(), remembers.replays())
    }

    /// A process of a version that shares its store with others.
    fn with(store: &Shared, keys: fn() -> FunctionKeys) -> Self {
        Self::of(&keys(), Replays::Store(Box::new(store.clone())))
    }

    fn of(keys: &FunctionKeys, replays: Replays) -> Self {
        Self { function: load(&options(&engine()), keys, replays).unwrap() }
    }

    fn seal(&self, request: &InnerRequest, kem: Kem, aead: Aead) -> (Vec<u8>, ResponseOpener) {
        let list = KeyList::decode(self.function.key_list()).unwrap();
        let message = request.encode().unwrap();
        seal(list.key(kem).unwrap(), aead, message.expose()).unwrap()
    }

    fn sealed(&self, request: &[u8], rows: Option<u32>) -> Result<Vec<u8>, FunctionError> {
        self.function.sealed(request, rows).map(|answered| answered.response)
    }

    fn receipt(&self, answer: &InnerAnswer) -> WorkerReceipt {
        let key = self.function.keyset().receipt_key.0.as_slice().try_into().unwrap();
        verify(answer.header(RECEIPT_HEADER).unwrap(), &key).unwrap()
    }

    /// How long a sealed answer is.
    fn answer_bytes(&self) -> usize {
        let (sealed, _) = self.seal(&dated(), Kem::X25519, Aead::Aes128Gcm);
        self.sealed(&sealed, None).unwrap().len()
    }
}

/// The same keys in each process, as out of one file.
const SECRETS: fn() -> FunctionKeys = || FunctionKeys {
    secret: Secret::from_bytes([5; 32]),
    key_ids: [7, 8],
    not_after_s: later(),
    made_for: None,
};

fn open(opener: ResponseOpener, answer: &[u8]) -> (InnerAnswer, OpenedResponse) {
    let opened = opener.open(answer).unwrap();
    (InnerAnswer::decode(opened.message.expose()).unwrap(), opened)
}

fn code(answer: &InnerAnswer) -> String {
    let said: Value = serde_json::from_slice(answer.body.expose()).unwrap();
    said["code"].as_str().unwrap().to_owned()
}

fn request(headers: &[(&str, &str)]) -> InnerRequest {
    let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec()));
    InnerRequest {
        method: "POST".into(),
        path: "/invocations".into(),
        headers: headers.collect(),
        body: Cleartext::new(json!({ "x": ROW }).to_string().into_bytes()),
    }
}

fn dated() -> InnerRequest {
    request(&[("date", &httpdate::fmt_http_date(SystemTime::now()))])
}

fn load(
    of: &FunctionOptions<'_>,
    keys: &FunctionKeys,
    replays: Replays,
) -> Result<Function, FunctionError> {
    Function::load(&artifact(), of, keys, replays)
}

fn engine() -> Engine {
    Engine { name: "flex", device: Device::flex }
}

fn options(engine: &Engine) -> FunctionOptions<'_> {
    FunctionOptions {
        name: "m",
        version: "1",
        release: ReleaseProfile::Full,
        rows_max: 64,
        build_digest: [1; 32],
        engine,
    }
}

fn later() -> u64 {
    now_s().unwrap() + 3600
}

fn artifact() -> Vec<u8> {
    let feature = |name: &str| Feature { name: name.into(), unit: "1".into(), range: None };
    let manifest = Manifest {
        format: FORMAT,
        name: "sample".into(),
        architecture: vec![Dense { units: 1, activation: Activation::Sigmoid }],
        weights: WeightFormat::F32,
        input: "x".into(),
        output: "y".into(),
        features: vec![feature("a"), feature("b")],
        standardisation: None,
        task: Task::Binary { classes: ["no".into(), "yes".into()], positive: "yes".into() },
        provenance: Provenance::Trained {
            dataset: DataSource { name: "none".into(), sha256: Digest::of(b""), rows: 1 },
            seed: 1,
            epochs: 1,
            optimiser: Optimiser { name: "none".into(), learning_rate: 0.1, batch_rows: 1 },
            engine: sealgate_model::Engine { name: "none".into(), version: "0".into() },
            early_stopping: None,
        },
    };
    let layer = LayerWeights { weight: vec![0.25, -0.5], bias: vec![0.125] };
    Artifact::encode(&manifest, &[layer]).unwrap()
}

const ROW: [f32; 2] = [0.5, 1.5];
