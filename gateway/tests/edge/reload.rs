//! A certificate that is replaced while connections stand.

use std::fs::{self, Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use rcgen::{CertificateParams, KeyPair};
use sealgate_gateway::edge::{CertificateFiles, EdgeError, Reload};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::TestEdge;

/// 2026-01-01: certificates made here count from 1975 to 4096 unless a test says otherwise.
const NOW_S: u64 = 1_767_225_600;

struct Scene {
    edge: TestEdge,
    files: CertificateFiles,
}

struct Pair {
    cert: String,
    key: String,
    der: Vec<u8>,
}

fn pair(change: impl FnOnce(&mut CertificateParams)) -> Pair {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
    change(&mut params);
    let cert = params.self_signed(&key).unwrap();
    Pair { cert: cert.pem(), key: key.serialize_pem(), der: cert.der().to_vec() }
}

impl Scene {
    fn start() -> Self {
        let edge = TestEdge::start();
        let files = CertificateFiles::of(edge.identity.clone());
        Self { edge, files }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.edge.folder.path().join(file)
    }

    /// Puts a file in the place of another, as whoever renews certificates should.
    fn put(&self, file: &str, text: &str) {
        let beside = self.path("beside");
        fs::write(&beside, text).unwrap();
        set_permissions(&beside, Permissions::from_mode(0o600)).unwrap();
        fs::rename(beside, self.path(file)).unwrap();
    }

    fn put_both(&self, pair: &Pair) {
        self.put("cert.pem", &pair.cert);
        self.put("key.pem", &pair.key);
    }

    /// Two looks: the second finds that nothing has changed since the first.
    fn looks(&mut self) -> Option<Reload> {
        assert!(self.files.look(NOW_S).is_none(), "it may still be being written");
        self.files.look(NOW_S)
    }

    fn refused(&mut self) -> EdgeError {
        let shown = self.edge.identity.certificate();
        match self.looks() {
            Some(Reload::Refused { why, kept }) => {
                assert_eq!(kept, shown);
                assert_eq!(self.edge.identity.certificate(), shown);
                assert!(self.looks_at_nothing_new(), "the same mistake is told once");
                why
            }
            other => panic!("{other:?}"),
        }
    }

    fn looks_at_nothing_new(&mut self) -> bool {
        (0..3).all(|_| self.files.look(NOW_S).is_none())
    }

    /// The certificate that a new connection is shown.
    async fn shown(&self) -> Vec<u8> {
        let mut stream = self.connect().await;
        ask(&mut stream).await;
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        let config = self.edge.client_config_that_trusts_all(&[b"http/1.1"]);
        let stream = TcpStream::connect(self.edge.address).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        TlsConnector::from(config).connect(name, stream).await.unwrap()
    }
}

async fn ask(stream: &mut TlsStream<TcpStream>) {
    stream.write_all(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b";") {
        let mut part = [0; 1024];
        let read = stream.read(&mut part).await.unwrap();
        assert_ne!(read, 0, "the connection ended");
        answer.extend_from_slice(&part[..read]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_connection_that_stands_goes_on_and_a_new_one_sees_the_new_certificate() {
    let mut scene = Scene::start();
    let first = scene.shown().await;
    let mut standing = scene.connect().await;
    ask(&mut standing).await;

    let next = pair(|_| ());
    scene.put_both(&next);
    let Some(Reload::Loaded { now, before }) = scene.looks() else { panic!("not loaded") };
    assert_ne!(now, before);
    assert_eq!(scene.edge.identity.certificate(), now);

    ask(&mut standing).await;
    ask(&mut standing).await;
    let shown = scene.shown().await;
    assert_eq!(shown, next.der);
    assert_ne!(shown, first);
    assert!(scene.looks_at_nothing_new());
}

#[tokio::test]
async fn files_that_nobody_touched_are_no_news() {
    let mut scene = Scene::start();
    assert!(scene.looks_at_nothing_new());
    assert!(scene.files.read(NOW_S).is_none(), "nor when they are read on demand");
}

#[tokio::test]
async fn a_certificate_whose_key_has_not_come_changes_nothing_until_it_has() {
    let mut scene = Scene::start();
    let first = scene.shown().await;
    let next = pair(|_| ());
    scene.put("cert.pem", &next.cert);
    assert!(matches!(scene.refused(), EdgeError::Tls(_)));
    assert_eq!(scene.shown().await, first);
    scene.put("key.pem", &next.key);
    assert!(matches!(scene.looks(), Some(Reload::Loaded { .. })));
    assert_eq!(scene.shown().await, next.der);
}

#[tokio::test]
async fn half_of_either_file_at_any_length_changes_nothing() {
    let mut scene = Scene::start();
    let first = scene.shown().await;
    let next = pair(|_| ());
    scene.put("key.pem", &next.key);
    for length in (0..next.cert.trim_end().len()).step_by(37) {
        scene.put("cert.pem", &next.cert[..length]);
        scene.refused();
    }
    scene.put("cert.pem", &next.cert);
    for length in (0..next.key.trim_end().len()).step_by(23) {
        scene.put("key.pem", &next.key[..length]);
        scene.refused();
    }
    assert_eq!(scene.shown().await, first);
}

#[tokio::test]
async fn what_is_still_being_written_is_not_read() {
    let mut scene = Scene::start();
    for _ in 0..3 {
        scene.put_both(&pair(|_| ()));
        assert!(scene.files.look(NOW_S).is_none());
    }
    assert!(matches!(scene.files.look(NOW_S), Some(Reload::Loaded { .. })));
}

#[tokio::test]
async fn a_file_that_is_gone_or_open_to_others_changes_nothing() {
    let mut scene = Scene::start();
    let first = scene.shown().await;
    let next = pair(|_| ());
    scene.put_both(&next);
    set_permissions(scene.path("key.pem"), Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(scene.refused(), EdgeError::NotPrivate { .. }));
    fs::remove_file(scene.path("cert.pem")).unwrap();
    assert!(matches!(scene.refused(), EdgeError::Unreadable { .. }));
    assert_eq!(scene.shown().await, first);
}

#[tokio::test]
async fn a_certificate_out_of_its_time_changes_nothing() {
    let mut scene = Scene::start();
    for (from, to) in [(2000, 2020), (2090, 2099)] {
        let next = pair(|params| {
            params.not_before = rcgen::date_time_ymd(from, 1, 1);
            params.not_after = rcgen::date_time_ymd(to, 1, 1);
        });
        scene.put_both(&next);
        assert!(matches!(scene.refused(), EdgeError::NotInForce { .. }));
    }
}

#[tokio::test]
async fn a_certificate_whose_time_comes_is_shown_from_then_on() {
    const BEGINS_S: u64 = 3_786_912_000;
    let mut scene = Scene::start();
    let next = pair(|params| {
        params.not_before = rcgen::date_time_ymd(2090, 1, 1);
        params.not_after = rcgen::date_time_ymd(2099, 1, 1);
    });
    scene.put_both(&next);
    assert!(matches!(scene.refused(), EdgeError::NotInForce { .. }));
    assert!(scene.files.look(BEGINS_S - 1).is_none());
    assert!(matches!(scene.files.look(BEGINS_S), Some(Reload::Loaded { .. })));
    assert_eq!(scene.shown().await, next.der);
}

#[tokio::test]
async fn its_times_are_known() {
    let mut scene = Scene::start();
    scene.put_both(&pair(|params| {
        params.not_before = rcgen::date_time_ymd(2025, 1, 1);
        params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    }));
    scene.looks();
    let shown = scene.edge.identity.certificate();
    assert_eq!((shown.not_before_s, shown.not_after_s), (1_735_689_600, 1_798_761_600));
}
