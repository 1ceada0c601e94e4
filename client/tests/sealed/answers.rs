//! Answers that must not be believed, and refusals that must be.

use std::sync::Mutex;

use sealgate_client::{AnswerRefusal, Body, Checked, ClientError, ReceiptFile};
use sealgate_keys::receipt::{GatewayReceipt, Receipt, ReceiptKey, WorkerReceipt};
use sealgate_keys::{Cleartext, InnerAnswer, JSON_BYTES_HEADER};
use serde_json::json;

use super::scene::{REQUEST_ID, Scene, problem};
use super::server::Said;
use super::worker::{Draft, ROW, SCORE, now_s};

async fn refused(scene: Scene) -> AnswerRefusal {
    match scene.start().await.ask().await {
        Err(ClientError::Answer(refusal)) => refusal,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("believed"),
    }
}

/// A gateway that changes what passes it.
fn reply(change: impl Fn(&mut Said) + Send + Sync + 'static) -> Scene {
    Scene { reply: Box::new(change), ..Scene::honest() }
}

/// A worker that seals something else.
fn draft(change: impl Fn(&mut Draft) + Send + Sync + 'static) -> Scene {
    Scene { draft: Box::new(change), ..Scene::honest() }
}

#[tokio::test]
async fn an_answer_comes_with_a_receipt_that_commits_to_what_was_sent_and_what_came() {
    let running = Scene::honest().start().await;
    let answer = running.ask().await.ok().unwrap();
    assert_eq!((answer.input, answer.output), (Checked::Held, Checked::Held));
    assert_eq!(answer.request_id, REQUEST_ID);
    assert!(String::from_utf8_lossy(&answer.body).contains(&SCORE.to_string()));
    let kept = ReceiptFile::from_text(&answer.file.to_json()).unwrap();
    let shown = kept.shown.unwrap();
    assert!(shown.keys().is_ok());
    let trust = running.demands().trust().unwrap().clone();
    assert!(shown.judge(&trust, now_s()).is_ok(), "what is kept can be judged again");
}

#[tokio::test]
async fn a_tensor_behind_the_json_is_committed_to_like_any_other() {
    let running = draft(|draft| {
        let json = json!({"outputs": [{
            "name": "probability", "shape": [1, 1], "datatype": "FP32",
            "parameters": {"binary_data_size": 4},
        }]});
        let json = json.to_string().into_bytes();
        let length = (JSON_BYTES_HEADER.to_owned(), json.len().to_string());
        draft.answer.headers.push(length);
        draft.answer.body = Cleartext::new([&json[..], &SCORE.to_le_bytes()].concat());
    });
    let running = running.start().await;
    let body = || Body::binary("x", [1, 2], &ROW).unwrap();
    let client = running.client(running.demands());
    let answer = client.infer_v2("m", body(), Some(1)).await.ok().unwrap();
    assert_eq!((answer.input, answer.output), (Checked::Held, Checked::Held));
    assert_eq!(answer.output().unwrap().values[..], [SCORE]);
    // Another row than the worker committed to.
    let other = Body::binary("x", [1, 2], &[ROW[0], 0.5]).unwrap();
    let refused = client.infer_v2("m", other, Some(1)).await.err().unwrap();
    assert!(matches!(refused, ClientError::Answer(AnswerRefusal::InputCommitment)), "{refused:?}");
}

#[tokio::test]
async fn a_plaintext_answer_is_refused() {
    let plaintext = |said: &mut Said| {
        said.headers[0].1 = "application/json".to_owned();
        said.body = br#"{"outputs":[]}"#.to_vec();
    };
    assert_eq!(refused(reply(plaintext)).await, AnswerRefusal::NotSealed);
}

#[tokio::test]
async fn a_sealed_answer_with_another_status_than_200_is_refused() {
    assert_eq!(refused(reply(|said| said.status = 202)).await, AnswerRefusal::NotSealed);
}

#[tokio::test]
async fn every_cut_and_any_changed_byte_is_refused() {
    for change in [
        |said: &mut Said| said.body.truncate(0),
        |said: &mut Said| said.body.truncate(31),
        |said: &mut Said| {
            said.body.pop();
        },
        |said: &mut Said| said.body.truncate(1024),
        |said: &mut Said| said.body.push(0),
        |said: &mut Said| said.body[40] ^= 1,
        |said: &mut Said| said.body[0] ^= 1,
    ] {
        assert_eq!(refused(reply(change)).await, AnswerRefusal::NotOpened);
    }
}

#[tokio::test]
async fn the_answer_to_another_request_is_refused() {
    let first = Mutex::new(None);
    let replay = move |said: &mut Said| {
        let mut first = first.lock().unwrap();
        said.body = first.get_or_insert_with(|| said.body.clone()).clone();
    };
    let running = reply(replay).start().await;
    assert!(running.ask().await.is_ok());
    let second = running.ask().await;
    assert!(matches!(second, Err(ClientError::Answer(AnswerRefusal::NotOpened))));
}

#[tokio::test]
async fn an_answer_without_a_request_id_is_refused() {
    let without = |said: &mut Said| said.headers.truncate(1);
    assert_eq!(refused(reply(without)).await, AnswerRefusal::RequestIdMissing);
}

#[tokio::test]
async fn an_answer_under_another_request_id_is_refused() {
    let other = |said: &mut Said| said.headers[1].1 = "11".repeat(16);
    assert_eq!(refused(reply(other)).await, AnswerRefusal::ReceiptRequest);
}

#[tokio::test]
async fn an_answer_without_a_receipt_is_refused() {
    let without = draft(|draft| draft.receipted = false);
    assert_eq!(refused(without).await, AnswerRefusal::ReceiptMissing);
}

#[tokio::test]
async fn a_receipt_by_another_key_is_refused() {
    let foreign = draft(|draft| draft.signer = ReceiptKey::generate().ok());
    assert_eq!(refused(foreign).await, AnswerRefusal::ReceiptSignature);
}

#[tokio::test]
async fn a_receipt_of_anything_else_is_refused_by_name() {
    type Change = fn(&mut WorkerReceipt);
    let cases: [(Change, AnswerRefusal); 11] = [
        (|of| of.keyset_digest = "00".repeat(32), AnswerRefusal::ReceiptKeyset),
        (|of| of.model_digest = "00".repeat(32), AnswerRefusal::ReceiptModel),
        (|of| of.schema_digest = "00".repeat(32), AnswerRefusal::ReceiptModel),
        (|of| of.mode = "gateway-sealed".into(), AnswerRefusal::ReceiptMode),
        (|of| of.request_id = "11".repeat(16), AnswerRefusal::ReceiptRequest),
        (|of| of.time_s -= 400, AnswerRefusal::ReceiptTime),
        (|of| of.time_s += 400, AnswerRefusal::ReceiptTime),
        (|of| of.code = "busy".into(), AnswerRefusal::ReceiptOutcome),
        (|of| of.input_commitment = None, AnswerRefusal::CommitmentMissing),
        (|of| of.input_commitment = of.output_commitment.clone(), AnswerRefusal::InputCommitment),
        (|of| of.output_commitment = of.input_commitment.clone(), AnswerRefusal::OutputCommitment),
    ];
    for (change, expected) in cases {
        assert_eq!(refused(draft(move |draft| change(&mut draft.receipt))).await, expected);
    }
}

#[tokio::test]
async fn scores_that_were_changed_after_the_receipt_are_refused() {
    let change = |draft: &mut Draft| {
        let body = String::from_utf8(draft.answer.body.expose().to_vec()).unwrap();
        draft.answer.body = Cleartext::new(body.replace("0.25", "0.75").into_bytes());
    };
    assert_eq!(refused(draft(change)).await, AnswerRefusal::OutputCommitment);
}

/// A worker that refuses with this code, and signs that it did with another.
fn refusing(code: &'static str, signed: &'static str) -> Scene {
    draft(move |draft| {
        draft.receipt.code = signed.into();
        draft.receipt.input_commitment = None;
        draft.receipt.output_commitment = None;
        let body = json!({"error": "no rows", "code": code, "status": 400});
        draft.answer = InnerAnswer {
            status: 400,
            content_type: "application/problem+json".into(),
            headers: vec![],
            body: Cleartext::new(body.to_string().into_bytes()),
        };
    })
}

#[tokio::test]
async fn a_workers_refusal_is_told_with_its_code_and_its_receipt() {
    let refused = refusing("no_rows", "no_rows").start().await.ask().await;
    let Err(ClientError::WorkerRefused(refused)) = refused else { panic!("no refusal") };
    assert_eq!(refused.refusal.to_string(), format!("no rows (no_rows, {REQUEST_ID})"));
    assert_eq!(refused.receipt.code, "no_rows");
}

#[tokio::test]
async fn a_refusal_whose_receipt_names_another_is_not_believed() {
    for signed in ["ok", "other"] {
        assert_eq!(refused(refusing("no_rows", signed)).await, AnswerRefusal::ReceiptOutcome);
    }
}

/// A gateway that refuses, with a receipt signed by `key`.
fn gateway_refuses(key: ReceiptKey, code: &'static str) -> Scene {
    reply(move |said| {
        *said = problem(403, json!({"error": "not allowed", "code": "forbidden", "status": 403}));
        let receipt = GatewayReceipt {
            code: code.into(),
            policy_digest: "00".repeat(32),
            request_id: REQUEST_ID.into(),
            status: 403,
            time_s: now_s(),
            kind: GatewayReceipt::TYPE.into(),
        };
        said.headers.push(("Sealgate-Receipt", key.sign(&receipt).unwrap()));
    })
}

#[tokio::test]
async fn the_receipt_of_a_gateways_refusal_must_be_by_the_pinned_key_and_of_that_refusal() {
    for (own_key, code, holds) in
        [(true, "forbidden", true), (true, "other", false), (false, "forbidden", false)]
    {
        let key = ReceiptKey::generate().unwrap();
        let pinned = key.public();
        let mut scene = match own_key {
            true => gateway_refuses(key, code),
            false => gateway_refuses(ReceiptKey::generate().unwrap(), code),
        };
        // Any key may be shown: what counts is the pinned one.
        scene.attestation = Box::new(move |_, _, shown| {
            shown["gateway_receipt_key"] = json!(sealgate_keys::Base64(pinned.to_vec()));
        });
        let running = scene.start().await;
        let demands = running.demands().with_gateway_receipt_key(pinned);
        let error = running.ask_with(demands).await.err().unwrap();
        match error {
            ClientError::Refused(refusal) => assert!(holds && refusal.receipt.is_some()),
            ClientError::Answer(AnswerRefusal::GatewayReceipt) => assert!(!holds),
            other => panic!("{other:?}"),
        }
    }
}
