//! The client of client-sealed mode against a function's URL.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealgate_client::{Checked, ClientError, Demands, Kind, SealedClient, Trust};
use serde_json::{Value, json};

use super::scene::{SEALED, Scene};
use super::server::{Asked, Said, Server};

const BODY: &[u8] =
    br#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[0.515625,1.5]}]}"#;

#[tokio::test]
async fn a_client_asks_a_function_as_it_asks_a_gateway() {
    let (server, pin) = start().await;
    let client = client(&server, Demands::new(trust(pin)).danger_any_sandbox());
    let answer = client.infer_v2("m", BODY.to_vec(), Some(1)).await.unwrap();
    assert_eq!(answer.receipt.mode, "client-sealed");
    assert!(matches!((answer.input, answer.output), (Checked::Held, Checked::Held)));
    assert_eq!(client.keys("m").await.unwrap().replay(), Some("at-least-once"));
    let [sealed] = &server.asked("POST")[..] else { panic!("asked once") };
    assert!(!sealed.body.windows(8).any(|window| window == b"0.515625"));
}

#[tokio::test]
async fn a_client_that_demands_walls_or_another_voucher_seals_nothing_to_a_function() {
    let (server, pin) = start().await;
    let walls = Demands::new(trust(pin));
    let another = Demands::new(trust([3; 32])).danger_any_sandbox();
    for (demands, code) in [(walls, "sandbox_not_enforced"), (another, "key_not_pinned")] {
        let client = client(&server, demands);
        match client.infer_v2("m", BODY.to_vec(), Some(1)).await {
            Err(ClientError::Keys(refusal)) => assert_eq!(refusal.code(), code),
            _ => panic!("{code}"),
        }
    }
    assert!(server.asked("POST").is_empty());
}

async fn start() -> (Server, [u8; 32]) {
    let scene = Scene::new(SEALED);
    let pin = STANDARD.decode(&scene.voucher).unwrap().try_into().unwrap();
    let answers = move |asked: &Asked| said(&scene.ask(&event(asked)));
    (Server::start(Box::new(answers)).await, pin)
}

fn client(server: &Server, demands: Demands) -> SealedClient {
    SealedClient::new(&server.url, server.ca_pem.as_bytes(), "a-token", demands).unwrap()
}

fn trust(pinned: [u8; 32]) -> Trust {
    Trust {
        accept: vec![Kind::Software],
        software_keys: vec![pinned],
        evidence_age_max_s: 300,
        ..Trust::default()
    }
}

/// What a function URL makes of a request.
fn event(asked: &Asked) -> Value {
    let mut line = asked.line.split(' ');
    let (method, target) = (line.next().unwrap(), line.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let fields = asked.head.lines().filter_map(|field| field.split_once(": "));
    let headers: serde_json::Map<_, _> =
        fields.map(|(name, value)| (name.to_ascii_lowercase(), json!(value.trim()))).collect();
    json!({
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": { "stage": "$default", "http": { "method": method, "path": path } },
        "body": STANDARD.encode(&asked.body),
        "isBase64Encoded": true,
    })
}

/// What it makes of a response.
fn said(answer: &Value) -> Said {
    let body = answer["body"].as_str().unwrap();
    let body = match answer["isBase64Encoded"].as_bool().unwrap() {
        true => STANDARD.decode(body).unwrap(),
        false => body.as_bytes().to_vec(),
    };
    let header = |name: &'static str| Some((name, answer["headers"][name].as_str()?.to_owned()));
    let headers = ["content-type", "sealgate-request-id"].into_iter().filter_map(header).collect();
    Said { status: answer["statusCode"].as_u64().unwrap().try_into().unwrap(), headers, body }
}
