//! A connection whose worker is the other end of a socketpair, held by the test.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use sealgate_keys::control::{ControlSealer, gateway_ends, worker_ends};
use sealgate_keys::{Action, Mode, ReleaseProfile, Secret, SessionSecret};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use super::*;

#[test]
fn each_word_of_a_worker_has_its_meaning() {
    let kind = |code: &str| match unopened(code) {
        WorkerError::Busy => "busy",
        WorkerError::CallerShare => "share",
        WorkerError::Key(word) => word,
        WorkerError::Refused => "refused",
        _ => "another",
    };
    assert_eq!(kind(refused::BUSY), "busy");
    assert_eq!(kind(refused::CALLER_SHARE), "share");
    for word in [refused::KEY_UNKNOWN, refused::NOT_OPENED, refused::REPLAYED, refused::KEY_SPENT] {
        assert_eq!(kind(word), word);
    }
    assert_eq!(kind(refused::ENVELOPE), "refused");
    assert_eq!(kind("17.99"), "refused", "no text of a worker's goes on");
}

#[tokio::test]
async fn what_was_given_to_the_socket_is_lost_and_what_was_not_has_not_started() {
    let Scene { connection, worker, .. } = Scene::new();
    // More than the socket holds, so the writer stays with it.
    let first = connection.call(&grant("first"), message(4 << 20)).await.unwrap();
    all_sent(&connection).await;
    let second = connection.call(&grant("second"), message(10)).await.unwrap();
    drop(worker);
    assert!(matches!(first.answer().await, Err(WorkerError::Lost)));
    assert!(matches!(second.answer().await, Err(WorkerError::NotStarted)));
    assert_eq!(connection.callers_lost(), ["first"], "the other cannot have crashed it");
}

#[tokio::test]
async fn whoever_comes_when_the_session_is_over_has_not_started() {
    let Scene { connection, worker, .. } = Scene::new();
    drop(worker);
    connection.ended().await;
    assert!(connection.is_over());
    let late = connection.call(&grant("late"), message(10)).await;
    assert!(matches!(late, Err(WorkerError::NotStarted)));
    assert!(connection.callers_lost().is_empty());
}

#[tokio::test]
async fn a_request_that_the_worker_has_read_is_lost_with_it() {
    let Scene { connection, mut worker, .. } = Scene::new();
    let call = connection.call(&grant("caller"), message(10)).await.unwrap();
    worker.read_u8().await.unwrap();
    drop(worker);
    assert!(matches!(call.answer().await, Err(WorkerError::Lost)));
}

#[tokio::test]
async fn busy_is_believed_only_under_the_sessions_seal() {
    let Scene { connection, mut worker, mut control } = Scene::new();
    let call = connection.call(&grant("caller"), message(10)).await.unwrap();
    let (epoch, id) = call.opener.key();
    let busy = ToGateway::RequestRefused { epoch, id, code: refused::BUSY.to_owned() };
    worker.write_all(&control.seal(&busy).unwrap()).await.unwrap();
    assert!(matches!(call.answer().await, Err(WorkerError::Busy)));

    let call = connection.call(&grant("caller"), message(10)).await.unwrap();
    let (epoch, id) = call.opener.key();
    let busy = ToGateway::RequestRefused { epoch, id, code: refused::BUSY.to_owned() };
    all_sent(&connection).await;
    let mut forged = control.seal(&busy).unwrap();
    *forged.last_mut().unwrap() ^= 1;
    worker.write_all(&forged).await.unwrap();
    assert!(matches!(call.answer().await, Err(WorkerError::Lost)), "it was sent, and no more");
}

/// Until the writer has begun with all there is.
async fn all_sent(connection: &Connection) {
    while !connection.waiting.lock().asking.values().all(|asking| asking.sent) {
        tokio::task::yield_now().await;
    }
}

/// A session that stands, and what its worker would have.
struct Scene {
    connection: Connection,
    worker: UnixStream,
    control: ControlSealer,
}

impl Scene {
    fn new() -> Self {
        let (ours, worker) = UnixStream::pair().unwrap();
        let secret = || SessionSecret::new(Secret::from_bytes([7; 32]));
        let (to_worker, from_worker) = gateway_ends(&secret());
        let (control, _) = worker_ends(&secret());
        let session = Session { secret: secret(), from_worker, to_worker, facts: facts() };
        let model = ModelId { name: "m".into(), version: "1".into(), digest: [0; 32] };
        let (read, write) = ours.into_split();
        let connection = Connection::start(BufReader::new(read), write, session, model);
        Self { connection, worker, control }
    }
}

fn facts() -> Facts {
    Facts {
        keyset_digest: [0; 32],
        build: String::new(),
        build_digest: [0; 32],
        engine: "flex".into(),
        evidence: "none",
        measurement: None,
        threads: 1,
        sandbox: Vec::new(),
        enforced: true,
    }
}

fn message(bytes: usize) -> Cleartext {
    Cleartext::new(vec![0; bytes])
}

fn grant(caller: &str) -> Grant {
    Grant {
        request_id: [0; 16],
        caller: caller.to_owned(),
        tenant: String::new(),
        model: "m".into(),
        version: None,
        action: Action::Infer,
        rows_reserved: 1,
        declared_fields: Vec::new(),
        release: ReleaseProfile::Full,
        policy_digest: [0; 32],
        mode: Mode::GatewaySealed,
        ciphertext_sha256: None,
        valid_ms: 1_000,
        batch_across_tenants: false,
    }
}
