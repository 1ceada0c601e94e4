use std::fmt::Debug;
use std::sync::LazyLock;
use std::time::Instant;

use minicbor::{Decode, Encode, Encoder};
use sealgate_keys::control::{ToGateway, ToWorker, gateway_ends, worker_ends};
use sealgate_keys::frame::{HEADER_BYTES, Header, encode, split_part};
use sealgate_keys::hop::Hello;
use sealgate_keys::{
    Action, Grant, HopPsk, KeyError, Mode, Outcome, ReleaseProfile, RequestSealer, SessionSecret,
};
use sealgate_worker::{HopKey, RequestOpener, SelfDescription};

/// The hop: a frame of 20 header bytes and a payload, which each reader of payloads gets.
///
/// # Panics
/// When something is read that is not written back, or something opens that nobody sealed.
pub fn frame(input: &[u8]) {
    let Some((head, payload)) = input.split_first_chunk::<HEADER_BYTES>() else { return };
    if let Ok(header) = Header::decode(head) {
        assert_eq!(header.encode(), *head, "one header has one form");
        let bytes = encode(header.kind, header.epoch, header.id, payload).expect("a small frame");
        assert_eq!(bytes.get(8..HEADER_BYTES), head.get(8..), "a frame starts with its header");
        unsealed(&header, payload);
        let own_size = Header { payload_bytes: size(payload), ..header };
        unsealed(&own_size, payload);
    }
    clear(payload);
    sealed(payload);
}

/// What is read without a key comes back as it went.
fn clear(payload: &[u8]) {
    comes_back(payload, |bytes| Hello::decode(bytes).ok(), Hello::encode);
    comes_back(payload, |bytes| Grant::decode(bytes).ok(), Grant::encode);
    comes_back(payload, |bytes| Outcome::decode(bytes).ok(), Outcome::encode);
    let mut bytes = payload.to_vec();
    if let Ok((part, rest)) = split_part(&mut bytes) {
        assert_eq!(4 + part.len() + rest.len(), payload.len(), "a split loses nothing");
    }
}

fn comes_back<T: PartialEq + Debug>(
    payload: &[u8],
    read: impl Fn(&[u8]) -> Option<T>,
    write: impl Fn(&T) -> Vec<u8>,
) {
    if let Some(value) = read(payload) {
        assert_eq!(read(&write(&value)).as_ref(), Some(&value), "what is read is written back");
    }
}

/// Without the session's keys nothing is a request, an answer, a control message or a session.
fn unsealed(header: &Header, payload: &[u8]) {
    let (now, secret) = (Instant::now(), secret());
    let opener = RequestOpener::new(&secret);
    assert!(opener.open(header, payload.to_vec(), now).is_err(), "nobody sealed this request");

    let (_, answer) = RequestSealer::new(&secret, now).seal(&grant(), b"", now).expect("a seal");
    assert!(answer.open(header, &mut payload.to_vec()).is_err(), "nobody sealed this answer");

    let (_, mut control) = worker_ends(&secret);
    let told: Result<ToWorker, KeyError> = control.open(header, &mut payload.to_vec());
    assert!(told.is_err(), "nobody sealed this message");

    if payload.len() == OPEN_BYTES {
        let key = HopKey::generate(SelfDescription::default());
        assert!(key.accept(&PSK, payload).is_err(), "nobody opened this session");
    }
}

/// The payload stands where the other side should have put a control message.
fn sealed(payload: &[u8]) {
    let secret = secret();
    let (mut gateway_seals, mut gateway_opens) = gateway_ends(&secret);
    let (mut worker_seals, mut worker_opens) = worker_ends(&secret);

    let told = gateway_seals.seal(&Raw(payload)).expect("a small message");
    if let Some(message) = opened::<ToWorker>(told, |h, p| worker_opens.open(h, p)) {
        stays(&message);
    }
    let told = worker_seals.seal(&Raw(payload)).expect("a small message");
    if let Some(message) = opened::<ToGateway>(told, |h, p| gateway_opens.open(h, p)) {
        stays(&message);
    }
}

fn opened<T>(
    mut frame: Vec<u8>,
    open: impl FnOnce(&Header, &mut [u8]) -> Result<T, KeyError>,
) -> Option<T> {
    let (head, payload) = frame.split_first_chunk_mut::<HEADER_BYTES>().expect("a frame");
    open(&Header::decode(head).expect("our own header"), payload).ok()
}

/// Written and read again, a message is the same.
fn stays<T: Encode<()> + for<'b> Decode<'b, ()>>(message: &T) {
    let bytes = minicbor::to_vec(message).expect("encoding into memory does not fail");
    let again: T = minicbor::decode(&bytes).expect("what is written is read");
    assert_eq!(minicbor::to_vec(&again).ok(), Some(bytes), "what is read is written back");
}

/// Bytes that stand where CBOR should.
struct Raw<'a>(&'a [u8]);

impl<C> Encode<C> for Raw<'_> {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.writer_mut().write_all(self.0).map_err(minicbor::encode::Error::write)
    }
}

pub(crate) fn grant() -> Grant {
    Grant {
        request_id: [1; 16],
        caller: "c-1".into(),
        tenant: "general-hospital".into(),
        model: "triage".into(),
        version: Some("3".into()),
        action: Action::Infer,
        rows_reserved: 4,
        declared_fields: vec!["age".into()],
        release: ReleaseProfile::Rounded(2),
        policy_digest: [2; 32],
        mode: Mode::GatewaySealed,
        ciphertext_sha256: None,
        valid_ms: 10_000,
        batch_across_tenants: false,
    }
}

fn size(payload: &[u8]) -> u32 {
    u32::try_from(payload.len()).unwrap_or(u32::MAX)
}

const fn secret() -> SessionSecret {
    SessionSecret::from_bytes([7; 32])
}

static PSK: LazyLock<HopPsk> = LazyLock::new(|| HopPsk::from_slice(&[9; 32]).expect("32 bytes"));
/// Encapsulated key and confirmation.
const OPEN_BYTES: usize = 1120 + 16;
