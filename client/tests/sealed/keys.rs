//! Keys that are shown and must not be sealed to. Whatever is refused, nothing was sealed.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use sealgate_attestation::Refusal as EvidenceRefusal;
use sealgate_client::{ClientError, Demands, Kem, KeysRefusal};
use sealgate_keys::evidence::{Evidence, Purpose};
use sealgate_keys::ohttp::KeyList;
use sealgate_keys::{Base64, Keyset};
use serde_json::{Value, json};

use super::scene::{Running, Scene};
use super::server::Said;
use super::worker::{Worker, now_s};

/// Why the client with these demands refuses the keys; it must not have sealed anything.
async fn refused_by(running: &Running, demands: Demands) -> KeysRefusal {
    let refusal = match running.ask_with(demands).await {
        Err(ClientError::Keys(refusal)) => refusal,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("answered"),
    };
    assert_eq!(running.posts(), 0, "something was sent");
    refusal
}

async fn refused(scene: Scene) -> KeysRefusal {
    let running = scene.start().await;
    let demands = running.demands();
    refused_by(&running, demands).await
}

/// An honest gateway's worker whose keyset says something else.
fn keyset(change: impl FnOnce(&mut Keyset)) -> Scene {
    let mut scene = Scene::honest();
    change(&mut scene.worker.keyset);
    scene
}

/// A gateway that changes what is shown.
fn shown(change: impl Fn(&Worker, &[u8; 32], &mut Value) + Send + Sync + 'static) -> Scene {
    Scene { attestation: Box::new(change), ..Scene::honest() }
}

#[tokio::test]
async fn a_gateway_that_serves_its_own_keys_is_refused_by_a_pinned_client() {
    let running = Scene::honest().start().await;
    let other = Ed25519KeyPair::generate().unwrap();
    let demands = running.demands_by(other.public_key().as_ref().try_into().unwrap());
    let refusal = refused_by(&running, demands).await;
    assert_eq!(refusal, KeysRefusal::Evidence(EvidenceRefusal::KeyNotPinned));
}

#[tokio::test]
async fn a_gateway_that_names_the_pinned_key_beside_its_own_signature_is_refused() {
    let operator = Ed25519KeyPair::generate().unwrap();
    let pin: [u8; 32] = operator.public_key().as_ref().try_into().unwrap();
    let running = shown(move |_, _, shown| shown["evidence"]["key"] = json!(Base64(pin.to_vec())))
        .start()
        .await;
    let demands = running.demands_by(pin);
    let refusal = refused_by(&running, demands).await;
    assert_eq!(refusal, KeysRefusal::Evidence(EvidenceRefusal::SignatureInvalid));
}

#[tokio::test]
async fn a_stripped_x_wing_entry_is_refused_even_by_who_takes_x25519() {
    let strip = |_: &Worker, _: &[u8; 32], shown: &mut Value| {
        let list = Base64::decode(shown["key_list"].as_str().unwrap()).unwrap();
        let mut list = KeyList::decode(&list.0).unwrap();
        list.0.retain(|config| config.kem == Kem::X25519);
        shown["key_list"] = json!(Base64(list.encode()));
    };
    let running = shown(strip).start().await;
    for kem in [Kem::XWing, Kem::X25519] {
        let demands = running.demands().with_kem(kem);
        assert_eq!(refused_by(&running, demands).await, KeysRefusal::KeyListDigest);
    }
}

#[tokio::test]
async fn a_keyset_that_was_made_to_name_a_stripped_list_is_refused() {
    let rewrite = |_: &Worker, _: &[u8; 32], shown: &mut Value| {
        let mut keyset: Keyset = serde_json::from_value(shown["keyset"].clone()).unwrap();
        keyset.key_list_digest = hex::encode(KeyList::digest(b""));
        shown["key_list"] = json!("");
        shown["keyset_digest"] = json!(hex::encode(keyset.digest()));
        shown["keyset"] = json!(keyset);
    };
    let refusal = refused(shown(rewrite)).await;
    assert_eq!(refusal, KeysRefusal::Evidence(EvidenceRefusal::SignatureInvalid));
}

#[tokio::test]
async fn a_list_without_the_mechanism_demanded_is_refused() {
    let mut scene = Scene::honest();
    let mut list = KeyList::decode(&scene.worker.key_list).unwrap();
    list.0.retain(|config| config.kem == Kem::X25519);
    scene.worker.show(&list);
    let running = scene.start().await;
    assert_eq!(refused_by(&running, running.demands()).await, KeysRefusal::KemFloor);
    // The same keys are good for who says that X25519 will do.
    let demands = running.demands().with_kem(Kem::X25519);
    assert!(running.ask_with(demands).await.is_ok());
}

#[tokio::test]
async fn evidence_for_another_nonce_or_purpose_is_refused() {
    let replayed = |worker: &Worker, _: &[u8; 32], shown: &mut Value| {
        shown["evidence"] = json!(worker.evidence(Purpose::Client, &[9; 32], now_s()));
    };
    let of_the_hop = |worker: &Worker, nonce: &[u8; 32], shown: &mut Value| {
        shown["evidence"] = json!(worker.evidence(Purpose::Hop, nonce, now_s()));
    };
    for scene in [shown(replayed), shown(of_the_hop)] {
        let refusal = refused(scene).await;
        assert_eq!(refusal, KeysRefusal::Evidence(EvidenceRefusal::SignatureInvalid));
    }
}

#[tokio::test]
async fn a_nonce_path_that_leads_nowhere_is_refused_with_and_without_evidence() {
    let cut = |_: &Worker, _: &[u8; 32], shown: &mut Value| {
        shown["nonce_path"] = json!({"index": 0, "size": 2, "siblings": []});
    };
    let running = shown(cut).start().await;
    for demands in [running.demands(), Demands::danger_unpinned()] {
        assert_eq!(refused_by(&running, demands).await, KeysRefusal::Nonce);
    }
}

#[tokio::test]
async fn old_evidence_and_none_are_refused() {
    let old = |worker: &Worker, nonce: &[u8; 32], shown: &mut Value| {
        shown["evidence"] = json!(worker.evidence(Purpose::Client, nonce, now_s() - 400));
    };
    let none = |_: &Worker, _: &[u8; 32], shown: &mut Value| {
        shown["evidence"] = json!(Evidence::None {});
    };
    for (scene, why) in [
        (shown(old), EvidenceRefusal::EvidenceStale),
        (shown(none), EvidenceRefusal::EvidenceMissing),
    ] {
        assert_eq!(refused(scene).await, KeysRefusal::Evidence(why));
    }
}

#[tokio::test]
async fn the_keys_of_another_model_are_refused() {
    let scene = keyset(|keyset| keyset.model.name = "other".into());
    let (asked, found) = ("m".to_owned(), "other".to_owned());
    assert_eq!(refused(scene).await, KeysRefusal::Model { asked, found });
}

#[tokio::test]
async fn keys_that_ended_are_refused() {
    let not_after_s = now_s() - 1;
    let scene = keyset(|keyset| keyset.not_after_s = not_after_s);
    assert_eq!(refused(scene).await, KeysRefusal::Expired { not_after_s });
}

#[tokio::test]
async fn a_model_that_is_not_the_pinned_one_is_refused() {
    let running = Scene::honest().start().await;
    let demands = running.demands().with_model_digest([1; 32]);
    let refusal = refused_by(&running, demands).await;
    assert!(matches!(refusal, KeysRefusal::ModelDigest { .. }), "{refusal:?}");
}

#[tokio::test]
async fn a_worker_whose_sandbox_is_not_whole_is_refused_unless_that_is_allowed() {
    let running = keyset(|keyset| keyset.sandbox_enforced = false).start().await;
    assert_eq!(refused_by(&running, running.demands()).await, KeysRefusal::SandboxNotEnforced);
    let demands = running.demands().danger_any_sandbox();
    assert!(running.ask_with(demands).await.is_ok());
}

#[tokio::test]
async fn a_digest_that_is_not_the_keysets_is_refused() {
    let scene = shown(|_, _, shown| shown["keyset_digest"] = json!("00".repeat(32)));
    assert_eq!(refused(scene).await, KeysRefusal::KeysetDigest);
}

#[tokio::test]
async fn a_gateway_with_another_receipt_key_than_the_pinned_one_is_refused() {
    let running = Scene::honest().start().await;
    let with = |key| running.demands().with_gateway_receipt_key(key);
    let refusal = refused_by(&running, with([1; 32])).await;
    assert_eq!(refusal, KeysRefusal::GatewayReceiptKey);
    assert!(running.ask_with(with(running.gateway_receipt_key)).await.is_ok());
}

#[tokio::test]
async fn an_attestation_with_any_member_missing_is_refused() {
    for member in
        ["keyset", "keyset_digest", "key_list", "evidence", "nonce_path", "gateway_receipt_key"]
    {
        let without = move |_: &Worker, _: &[u8; 32], shown: &mut Value| {
            shown.as_object_mut().unwrap().remove(member);
        };
        assert_eq!(refused(shown(without)).await, KeysRefusal::Malformed, "{member}");
    }
}

#[tokio::test]
async fn an_attestation_that_is_elsewhere_or_an_error_is_no_attestation() {
    for status in [307, 404, 503] {
        let elsewhere = move |said: &mut Said| {
            said.status = status;
            said.headers.push(("Location", "https://localhost:1/v1/attestation".to_owned()));
        };
        let running = Scene { page: Box::new(elsewhere), ..Scene::honest() }.start().await;
        let refused = running.ask().await;
        assert!(matches!(refused, Err(ClientError::Refused(of)) if of.status == status));
        assert_eq!(running.posts(), 0);
    }
}

#[tokio::test]
async fn a_cut_attestation_is_refused() {
    let cut = |said: &mut Said| {
        said.body.pop();
    };
    let scene = Scene { page: Box::new(cut), ..Scene::honest() };
    assert_eq!(refused(scene).await, KeysRefusal::Malformed);
}

#[tokio::test]
async fn a_keyset_of_another_type_is_refused() {
    let scene = keyset(|keyset| keyset.kind = "sealgate.keyset.v2".into());
    assert_eq!(refused(scene).await, KeysRefusal::Malformed);
}

#[tokio::test]
async fn without_a_pin_anybody_may_answer_and_the_proof_says_so() {
    let none = |_: &Worker, _: &[u8; 32], shown: &mut Value| {
        shown["evidence"] = json!(Evidence::None {});
    };
    let running = shown(none).start().await;
    let keys = running.client(Demands::danger_unpinned()).keys("m").await.unwrap();
    assert!(keys.verdict().is_none());
}

#[tokio::test]
async fn keys_are_fetched_once_for_many_requests() {
    let running = Scene::honest().start().await;
    let client = running.client(running.demands());
    for _ in 0..3 {
        assert!(client.infer_v2("m", super::worker::body(), None).await.is_ok());
    }
    assert_eq!((running.fetches(), running.posts()), (1, 3));
}
