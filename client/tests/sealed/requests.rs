//! What leaves the client, and what it does when the gateway has no key for it.

use std::sync::{Arc, Mutex};

use sealgate_client::ClientError;
use sealgate_keys::ohttp::{Header, Kem};

use super::scene::Scene;
use super::worker::{Draft, body};

#[tokio::test]
async fn what_the_gateway_sees_is_token_row_count_and_ciphertext() {
    let running = Scene::honest().start().await;
    running.ask().await.ok().unwrap();
    let [asked] = running.server.asked("POST ").try_into().ok().unwrap();
    assert!(asked.line.starts_with("POST /v2/models/m/infer "), "{}", asked.line);
    for part in ["content-type: message/ohttp-req", "sealgate-rows: 1", "bearer e30.e30.aa"] {
        assert!(asked.head.contains(part), "`{part}` in {}", asked.head);
    }
    assert_eq!(Header::read(&asked.body).unwrap().kem, Kem::XWing);
    let has = |needle: &[u8]| asked.body.windows(needle.len()).any(|window| window == needle);
    assert!(!has(b"17.99") && !has(b"inputs") && !has(b"infer"));
}

#[tokio::test]
async fn inside_are_date_and_pin_and_neither_token_nor_row_count() {
    let inside = Arc::new(Mutex::new(Vec::new()));
    let into = inside.clone();
    let look = move |draft: &mut Draft| {
        assert_eq!(draft.request.body.expose(), body());
        *into.lock().unwrap() = draft.request.headers.clone();
    };
    let running = Scene { draft: Box::new(look), ..Scene::honest() }.start().await;
    let demands = running.demands().with_model_digest([0xcd; 32]);
    running.ask_with(demands).await.ok().unwrap();
    let inside = inside.lock().unwrap().clone();
    let names: Vec<&str> = inside.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["content-type", "accept", "if-match", "date"]);
    let pin = String::from_utf8(inside[2].1.clone()).unwrap();
    assert_eq!(pin, format!("\"{}\"", "cd".repeat(32)));
}

#[tokio::test]
async fn rows_of_another_length_make_no_other_length_of_ciphertext() {
    let running = Scene::honest().start().await;
    let client = running.client(running.demands());
    for row in ["17.990000001,0.125", "17.99,0.125"] {
        let body = String::from_utf8(body()).unwrap();
        let start = body.find("[17.9").unwrap();
        let body = format!("{}[{row}]}}]}}", &body[..start]);
        // The worker in this test answers to its own row alone.
        let _ = client.infer_v2("m", body.into_bytes(), None).await;
    }
    let sizes: Vec<usize> =
        running.server.asked("POST ").iter().map(|asked| asked.body.len()).collect();
    assert!(sizes.len() == 2 && sizes[0] == sizes[1], "{sizes:?}");
}

#[tokio::test]
async fn keys_that_are_gone_are_fetched_once_more_and_the_request_is_sealed_anew() {
    let running = Scene { unopened: 1, ..Scene::honest() }.start().await;
    assert!(running.ask().await.is_ok());
    assert_eq!((running.fetches(), running.posts()), (2, 2));
    let posts = running.server.asked("POST ");
    assert_ne!(posts[0].body, posts[1].body);
}

#[tokio::test]
async fn a_gateway_that_never_has_the_key_is_given_up_after_one_refetch() {
    let running = Scene { unopened: usize::MAX, ..Scene::honest() }.start().await;
    let refused = running.ask().await;
    assert!(matches!(refused, Err(ClientError::KeysSpent(_))));
    assert_eq!((running.fetches(), running.posts()), (2, 2));
}

#[tokio::test]
async fn another_refusal_with_status_400_fetches_nothing() {
    let other = |said: &mut super::server::Said| {
        *said =
            super::scene::problem(400, serde_json::json!({"error": "no", "code": "rows_header"}));
    };
    let running = Scene { reply: Box::new(other), ..Scene::honest() }.start().await;
    let refused = running.ask().await;
    assert!(
        matches!(refused, Err(ClientError::Refused(refusal)) if refusal.code.as_deref() == Some("rows_header"))
    );
    assert_eq!((running.fetches(), running.posts()), (1, 1));
}

#[tokio::test]
async fn a_redirect_is_followed_with_nothing_sealed_either() {
    let elsewhere = |said: &mut super::server::Said| {
        said.status = 307;
        said.headers.push(("Location", "https://localhost:1/elsewhere".to_owned()));
    };
    let running = Scene { reply: Box::new(elsewhere), ..Scene::honest() }.start().await;
    let refused = running.ask().await;
    assert!(matches!(refused, Err(ClientError::Refused(refusal)) if refusal.status == 307));
    assert_eq!(running.posts(), 1);
}
