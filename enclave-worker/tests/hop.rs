//! The hop from both ends, without a process: what the gateway seals, only this worker opens.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::time::{Duration, Instant};

use proptest::prelude::*;
use sealgate_keys::control::{ToGateway, ToWorker, gateway_ends, worker_ends};
use sealgate_keys::frame::{HEADER_BYTES, Header};
use sealgate_keys::hop::open_session;
use sealgate_keys::{
    Action, Cleartext, Grant, HopPsk, KeyError, Mode, Outcome, ReleaseProfile, RequestSealer,
    SessionSecret,
};
use sealgate_worker::{HopKey, Opened, RequestOpener, SelfDescription};

fn grant() -> Grant {
    Grant {
        request_id: [1; 16],
        caller: "c-1".into(),
        tenant: "general-hospital".into(),
        model: "breast-cancer".into(),
        version: None,
        action: Action::Infer,
        rows_reserved: 32,
        declared_fields: vec![],
        release: ReleaseProfile::Full,
        policy_digest: [2; 32],
        mode: Mode::GatewaySealed,
        ciphertext_sha256: None,
        valid_ms: 10_000,
        batch_across_tenants: false,
    }
}

fn outcome() -> Outcome {
    Outcome {
        status: 200,
        code: "ok".into(),
        rows: 1,
        model_digest: [4; 32],
        model_version: "1".into(),
        queue_us: 0,
        open_us: 1,
        infer_us: 2,
        receipt_digest: None,
        busy_us: 3,
    }
}

fn key() -> HopKey {
    HopKey::generate(SelfDescription {
        engine: "flex".into(),
        threads: 2,
        ..SelfDescription::default()
    })
}

fn secret(byte: u8) -> SessionSecret {
    SessionSecret::from_bytes([byte; 32])
}

fn split(mut frame: Vec<u8>) -> (Header, Vec<u8>) {
    let payload = frame.split_off(HEADER_BYTES);
    (Header::decode(frame.as_slice().try_into().unwrap()).unwrap(), payload)
}

fn open(opener: &RequestOpener, frame: Vec<u8>) -> Result<Opened<Cleartext>, KeyError> {
    let (header, payload) = split(frame);
    opener.open(&header, payload, Instant::now())
}

fn text(opened: Opened<Cleartext>) -> Vec<u8> {
    let mut seen = Vec::new();
    let _ = opened.map(|_, message: Cleartext| {
        seen = message.into_public();
        Ok::<(), ()>(())
    });
    seen
}

fn pair() -> (RequestSealer, RequestOpener) {
    (RequestSealer::new(&secret(7), Instant::now()), RequestOpener::new(&secret(7)))
}

#[test]
fn a_handshake_gives_both_sides_the_same_session() {
    let psk = HopPsk::random().unwrap();
    let key = key();
    let (payload, gateway) = open_session(key.identity(), &psk).unwrap();
    let worker = key.accept(&psk, &payload).unwrap();

    let sealer = RequestSealer::new(&gateway, Instant::now());
    let opener = RequestOpener::new(&worker);
    let (frame, _) = sealer.seal(&grant(), b"rows", Instant::now()).unwrap();
    assert_eq!(text(open(&opener, frame).unwrap()), b"rows");
}

#[test]
fn a_peer_without_the_secret_gets_no_session_and_so_mints_no_grant() {
    let key = key();
    let (payload, intruder) =
        open_session(key.identity(), &HopPsk::from_slice(&[9; 32]).unwrap()).unwrap();
    assert!(key.accept(&HopPsk::random().unwrap(), &payload).is_err());

    let (frame, _) = RequestSealer::new(&intruder, Instant::now())
        .seal(&grant(), b"rows", Instant::now())
        .unwrap();
    let (_, opener) = pair();
    assert_eq!(open(&opener, frame).err(), Some(KeyError::Refused));
}

#[test]
fn a_changed_bit_of_the_open_frame_or_of_the_hello_gives_no_session() {
    let psk = HopPsk::random().unwrap();
    for at in [0, 500, 1100, 1120, 1135] {
        let key = key();
        let (mut payload, _) = open_session(key.identity(), &psk).unwrap();
        payload[at] ^= 1;
        assert_eq!(key.accept(&psk, &payload).err(), Some(KeyError::Refused), "byte {at}");
    }
    let key = key();
    let mut told = key.identity().clone();
    told.engine = "ndarray".into();
    let (payload, _) = open_session(&told, &psk).unwrap();
    assert_eq!(key.accept(&psk, &payload).err(), Some(KeyError::Refused));
}

#[test]
fn every_single_bit_flip_of_a_request_is_refused_with_one_error() {
    let (sealer, opener) = pair();
    let (frame, _) = sealer.seal(&grant(), b"rows", Instant::now()).unwrap();
    for bit in 0..frame.len() * 8 {
        let mut changed = frame.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let (header, payload) = changed.split_at(HEADER_BYTES);
        let Ok(header) = Header::decode(header.try_into().unwrap()) else { continue };
        let result = opener.open(&header, payload.to_vec(), Instant::now());
        assert_eq!(result.err(), Some(KeyError::Refused), "bit {bit}");
    }
    assert!(open(&opener, frame).is_ok(), "the untouched frame still opens");
}

#[test]
fn every_truncation_of_a_request_is_refused_with_the_same_error() {
    let (sealer, opener) = pair();
    let (frame, _) = sealer.seal(&grant(), b"rows", Instant::now()).unwrap();
    let (header, payload) = split(frame);
    for end in 0..payload.len() {
        let cut = payload[..end].to_vec();
        let claimed = Header { payload_bytes: u32::try_from(end).unwrap(), ..header };
        for header in [header, claimed] {
            let result = opener.open(&header, cut.clone(), Instant::now());
            assert_eq!(result.err(), Some(KeyError::Refused), "cut at {end}");
        }
    }
}

#[test]
fn a_request_opens_once() {
    let (sealer, opener) = pair();
    let (frame, _) = sealer.seal(&grant(), b"rows", Instant::now()).unwrap();
    assert!(open(&opener, frame.clone()).is_ok());
    assert_eq!(open(&opener, frame).err(), Some(KeyError::Refused));
}

#[test]
fn requests_open_in_any_order() {
    let (sealer, opener) = pair();
    let frames: Vec<_> =
        (0..100u8).map(|i| sealer.seal(&grant(), &[i], Instant::now()).unwrap().0).collect();
    for (i, frame) in frames.into_iter().enumerate().rev() {
        assert_eq!(text(open(&opener, frame).unwrap()), [u8::try_from(i).unwrap()]);
    }
}

#[test]
fn a_grant_cannot_be_moved_to_another_request() {
    let (sealer, opener) = pair();
    let now = Instant::now();
    let wide = Grant { rows_reserved: 99, ..grant() };
    let (a, _) = sealer.seal(&grant(), b"rows", now).unwrap();
    let (b, _) = sealer.seal(&wide, b"rows", now).unwrap();
    let grant_end = HEADER_BYTES + 4 + grant().encode().len();
    let mixed = [&a[..HEADER_BYTES], &b[HEADER_BYTES..grant_end], &a[grant_end..]].concat();
    assert_eq!(open(&opener, mixed).err(), Some(KeyError::Refused));
}

#[test]
fn a_client_sealed_frame_is_no_gateway_sealed_one() {
    let (sealer, opener) = pair();
    let sealed = Grant { mode: Mode::ClientSealed, ciphertext_sha256: Some([3; 32]), ..grant() };
    let (mut frame, _) = sealer.seal(&sealed, b"ciphertext", Instant::now()).unwrap();
    frame[5] = 4; // the kind of a gateway-sealed request
    assert_eq!(open(&opener, frame).err(), Some(KeyError::Refused));
}

#[test]
fn a_grant_that_outlives_the_limit_is_refused() {
    let (sealer, opener) = pair();
    let long = Grant { valid_ms: Grant::VALID_MS_MAX + 1, ..grant() };
    let (frame, _) = sealer.seal(&long, b"rows", Instant::now()).unwrap();
    assert_eq!(open(&opener, frame).err(), Some(KeyError::Refused));
}

#[test]
fn a_request_of_another_session_is_refused() {
    let (_, opener) = pair();
    let other = RequestSealer::new(&secret(8), Instant::now());
    let (frame, _) = other.seal(&grant(), b"rows", Instant::now()).unwrap();
    assert_eq!(open(&opener, frame).err(), Some(KeyError::Refused));
}

#[test]
fn keys_change_by_time_and_the_old_ones_are_soon_refused() {
    let start = Instant::now();
    let (sealer, opener) = pair();
    let later = start + RequestSealer::EPOCH_AGE + Duration::from_secs(1);
    let (late_old, _) = sealer.seal(&grant(), b"old", start).unwrap();
    let (later_old, _) = sealer.seal(&grant(), b"old", start).unwrap();
    let (new, _) = sealer.seal(&grant(), b"new", later).unwrap();
    let (header, payload) = split(new);
    assert_eq!(header.epoch, 1);
    assert_eq!(header.id, 0, "a counter starts at 0 only under a new KEK");
    assert!(opener.open(&header, payload, later).is_ok());

    let (header, payload) = split(late_old);
    assert!(opener.open(&header, payload, later).is_ok(), "what was on its way still opens");
    let (header, payload) = split(later_old);
    let too_late = later + RequestOpener::PREVIOUS_EPOCH + Duration::from_secs(1);
    assert_eq!(opener.open(&header, payload, too_late).err(), Some(KeyError::Refused));
}

#[test]
fn keys_change_by_count() {
    let sealer = RequestSealer::new(&secret(7), Instant::now());
    let now = Instant::now();
    let mut last = (0, 0);
    for _ in 0..=RequestSealer::EPOCH_REQUESTS {
        last = sealer.seal(&grant(), &[], now).unwrap().1.key();
    }
    assert_eq!(last, (1, 0));
}

#[test]
fn an_epoch_that_no_request_reached_is_passed_over_and_one_far_ahead_is_refused() {
    let start = Instant::now();
    let (sealer, opener) = pair();
    let later = |epochs| start + (RequestSealer::EPOCH_AGE + Duration::from_secs(1)) * epochs;
    for epoch in 1..RequestOpener::EPOCHS_AHEAD {
        sealer.seal(&grant(), b"lost", later(epoch)).unwrap();
    }
    let mut last = sealer.seal(&grant(), b"arrives", later(RequestOpener::EPOCHS_AHEAD)).unwrap().0;
    assert_eq!(text(open(&opener, last.clone()).unwrap()), b"arrives");

    let fresh = RequestOpener::new(&secret(7));
    for epoch in 1..=2 {
        last = sealer
            .seal(&grant(), b"too far", later(RequestOpener::EPOCHS_AHEAD + epoch))
            .unwrap()
            .0;
    }
    assert_eq!(open(&fresh, last).err(), Some(KeyError::Refused));
}

#[test]
fn a_grant_for_other_ciphertext_is_refused() {
    let (sealer, opener) = pair();
    let hash = *sealgate_model::Digest::of(b"ciphertext").as_bytes();
    let sealed = Grant { mode: Mode::ClientSealed, ciphertext_sha256: Some(hash), ..grant() };
    let (fits, _) = sealer.seal(&sealed, b"ciphertext", Instant::now()).unwrap();
    assert!(open(&opener, fits).is_ok());
    let (other, _) = sealer.seal(&sealed, b"other text", Instant::now()).unwrap();
    assert_eq!(open(&opener, other).err(), Some(KeyError::Refused));
}

fn answered(
    sealer: &RequestSealer,
    opener: &RequestOpener,
) -> (sealgate_keys::AnswerOpener, Vec<u8>) {
    let (frame, answer) = sealer.seal(&grant(), b"rows", Instant::now()).unwrap();
    let sealed = open(opener, frame)
        .unwrap()
        .seal(|_, _| Ok((outcome(), Cleartext::new(b"score".to_vec()))))
        .unwrap();
    (answer, sealed)
}

#[test]
fn an_answer_opens_for_the_request_it_answers_and_for_no_other() {
    let (sealer, opener) = pair();
    let (a, first) = answered(&sealer, &opener);
    let (b, second) = answered(&sealer, &opener);
    let (header, mut payload) = split(first);
    let opened = a.open(&header, &mut payload).unwrap();
    assert_eq!(opened.message.expose(), b"score");
    assert_eq!(opened.outcome, outcome());

    let (mut header, mut payload) = split(second);
    header.id = 0;
    assert_eq!(b.open(&header, &mut payload).err(), Some(KeyError::Refused));
}

#[test]
fn every_bit_flip_and_every_truncation_of_an_answer_is_refused() {
    let (sealer, opener) = pair();
    let (_, example) = answered(&sealer, &opener);
    for bit in HEADER_BYTES * 8..example.len() * 8 {
        let (answer, mut frame) = answered(&sealer, &opener);
        frame[bit / 8] ^= 1 << (bit % 8);
        let (header, mut payload) = split(frame);
        assert_eq!(answer.open(&header, &mut payload).err(), Some(KeyError::Refused), "bit {bit}");
    }
    for end in 0..example.len() - HEADER_BYTES {
        let (answer, frame) = answered(&sealer, &opener);
        let (mut header, mut payload) = split(frame);
        payload.truncate(end);
        header.payload_bytes = u32::try_from(end).unwrap();
        assert_eq!(answer.open(&header, &mut payload).err(), Some(KeyError::Refused), "cut {end}");
    }
}

#[test]
fn two_equal_requests_and_their_answers_share_no_ciphertext() {
    let (sealer, opener) = pair();
    let (_, first) = answered(&sealer, &opener);
    let (_, second) = answered(&sealer, &opener);
    let body = first.len() - 21;
    assert_ne!(first[body..], second[body..]);
}

#[test]
fn control_messages_arrive_once_and_in_order() {
    let (mut to_worker, _) = gateway_ends(&secret(7));
    let (mut to_gateway, mut from_gateway) = worker_ends(&secret(7));
    let part = |b: u8| ToWorker::Part(vec![b]);
    let (h1, mut p1) = split(to_worker.seal(&part(1)).unwrap());
    let (h2, mut p2) = split(to_worker.seal(&part(2)).unwrap());
    assert!(from_gateway.open::<ToWorker>(&h2, &mut p2.clone()).is_err(), "out of order");
    assert!(from_gateway.open::<ToWorker>(&h1, &mut p1.clone()).is_ok());
    assert!(from_gateway.open::<ToWorker>(&h1, &mut p1).is_err(), "twice");
    assert!(from_gateway.open::<ToWorker>(&h2, &mut p2).is_ok());

    let loaded = ToGateway::Loaded { digest: [1; 32] };
    let (header, mut payload) = split(to_gateway.seal(&loaded).unwrap());
    assert!(
        from_gateway.open::<ToGateway>(&header, &mut payload).is_err(),
        "a direction's key opens nothing of the other"
    );
}

proptest! {
    #[test]
    fn no_bytes_make_the_opener_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000), id: u64, epoch in 0u32..3) {
        let (_, opener) = pair();
        for kind in [sealgate_keys::frame::Kind::Request, sealgate_keys::frame::Kind::SealedRequest] {
            let header = Header { kind, epoch, id, payload_bytes: u32::try_from(bytes.len()).unwrap() };
            prop_assert!(opener.open(&header, bytes.clone(), Instant::now()).is_err());
        }
    }
}
