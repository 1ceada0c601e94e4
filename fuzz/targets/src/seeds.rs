//! Where fuzzing starts: one well-formed input of each sort.

use minicbor::Encode;
use sealgate_keys::control::{ToGateway, ToWorker};
use sealgate_keys::frame::{self, Kind};
use sealgate_keys::hop::Hello;
use sealgate_keys::receipt::{GatewayReceipt, ReceiptKey, WorkerReceipt};
use sealgate_keys::{
    Base64, COMMITMENT_KEY_HEADER, Cleartext, InnerAnswer, InnerRequest, Keyset, KeysetModel,
    Outcome, RECEIPT_HEADER,
};
use sealgate_worker::{HopKey, SelfDescription};

use crate::frame::grant;
use crate::sealed_model::sealed_models;
use crate::sealed_request::worker_keys;
use crate::worker_request::{QUESTIONS, SEALED, WHOLE};

/// Inputs of a target; none where they are vendors' samples, or for an unknown name.
#[must_use]
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "frame" => frames(),
        "binary_http" => [requests(), vec![answer(), TRUNCATED.to_vec()]].concat(),
        "sealed_request" => scripts(),
        "worker_request" => questions(),
        "grpc_names" => MESSAGES.map(<[u8]>::to_vec).to_vec(),
        "key_list" => key_lists(),
        "evidence" => evidence(),
        "sealed_model" => sealed_models(),
        "onnx" => ONNX.iter().map(|file| file.get(1..).unwrap_or_default().to_vec()).collect(),
        "tflite" => TFLITE.iter().map(|file| without_identifier(file)).collect(),
        "sequential" => sequentials(),
        _ => vec![],
    }
}

/// Small files of each exporter.
const ONNX: [&[u8]; 6] = [
    include_bytes!("../../../model-import/tests/fixtures/sklearn_logistic_three.onnx"),
    include_bytes!("../../../model-import/tests/fixtures/sklearn_binary_zipmap.onnx"),
    include_bytes!("../../../model-import/tests/fixtures/sklearn_multilabel.onnx"),
    include_bytes!("../../../model-import/tests/fixtures/pytorch_squeezed_legacy.onnx"),
    include_bytes!("../../../model-import/tests/fixtures/pytorch_curves_opset17.onnx"),
    include_bytes!("../../../model-import/tests/fixtures/pytorch_outside.onnx"),
];
const TFLITE: [&[u8]; 4] = [
    include_bytes!("../../../model-import/tests/fixtures/keras_binary.tflite"),
    include_bytes!("../../../model-import/tests/fixtures/keras_curves.tflite"),
    include_bytes!("../../../model-import/tests/fixtures/keras_grid.tflite"),
    include_bytes!("../../../model-import/tests/fixtures/keras_rounded.tflite"),
];
const SEQUENTIAL: &[u8] =
    include_bytes!("../../../model-import/tests/fixtures/pytorch_sequential.safetensors");

fn without_identifier(file: &[u8]) -> Vec<u8> {
    [file.get(..4).unwrap_or_default(), file.get(8..).unwrap_or_default()].concat()
}

fn sequentials() -> Vec<Vec<u8>> {
    let all =
        ["relu, tanh, softmax", "norm relu, elu:0.5, leaky_relu:0.1", "gelu, gelu_tanh, selu"];
    let length = |words: &str| u8::try_from(words.len()).expect("a few words");
    all.iter().map(|words| [&[length(words)], words.as_bytes(), SEQUENTIAL].concat()).collect()
}

fn frames() -> Vec<Vec<u8>> {
    let identity = HopKey::generate(description()).identity().clone();
    let hello = Hello { identity, evidence: br#"{"kind":"none"}"#.to_vec() };
    let kinds = [Kind::Hello, Kind::Request, Kind::SealedRequest, Kind::Answer];
    let payloads = [hello.encode(), part(&grant().encode()), part(&grant().encode()), outcome()];
    let framed = kinds.into_iter().zip(payloads);
    let others = [(Kind::Open, vec![0; 1136]), (Kind::Request, grant().encode())];
    let control = control().into_iter().map(|payload| (Kind::Control, payload));
    framed
        .chain(others)
        .chain(control)
        .map(|(kind, payload)| frame::encode(kind, 0, 0, &payload).expect("a small frame"))
        .collect()
}

fn control() -> Vec<Vec<u8>> {
    let to_worker = [
        ToWorker::Load {
            model: "triage".into(),
            version: "3".into(),
            digest: [4; 32],
            bytes: 100,
            dek: None,
        },
        ToWorker::Part(vec![1; 20]),
        ToWorker::NewKeys { x_wing_id: 1, x25519_id: 2, active_ms: 900_000, overlap_ms: 300_000 },
        ToWorker::Attest { ask: 1, keyset_digest: [5; 32], nonce_root: [6; 32] },
    ];
    let to_gateway = [
        ToGateway::Ready,
        ToGateway::Loaded { digest: [4; 32] },
        ToGateway::LoadRefused { reason: "no".into() },
        ToGateway::RequestRefused { epoch: 0, id: 1, code: "busy".into() },
        ToGateway::Keys { keyset: vec![1], key_list: vec![2] },
        ToGateway::Evidence { ask: 1, evidence: vec![3] },
        ToGateway::KeysWanted,
    ];
    to_worker.iter().map(cbor).chain(to_gateway.iter().map(cbor)).collect()
}

fn outcome() -> Vec<u8> {
    Outcome {
        status: 200,
        code: "ok".into(),
        rows: 1,
        model_digest: [4; 32],
        model_version: "3".into(),
        queue_us: 1,
        open_us: 2,
        infer_us: 3,
        receipt_digest: Some([8; 32]),
        busy_us: 5,
    }
    .encode()
}

/// Each body of a question; then the whole messages, in the clear and sealed.
fn questions() -> Vec<Vec<u8>> {
    let bodies =
        bodies().into_iter().map(|(question, body)| [&[question], body.as_bytes()].concat());
    let whole = requests()
        .into_iter()
        .flat_map(|message| [WHOLE, SEALED].map(|first| [&[first], message.as_slice()].concat()));
    bodies.chain(whole).collect()
}

/// Bodies, each with its question's place.
fn bodies() -> Vec<(u8, String)> {
    let tensor = |rest: &str| format!(r#"{{"inputs":[{{"name":"x",{rest}}}]}}"#);
    let fp32 = |shape: &str, data: &str| {
        tensor(&format!(r#""shape":{shape},"datatype":"FP32","data":{data}"#))
    };
    vec![
        (0, fp32("[1,2]", "[61,0.5]")),
        (1, fp32("[2,2]", "[[1,-2e3],[3,4.5]]")),
        (0, fp32("[1,2]", "[1,NaN]")),
        (0, r#"{"id":"7","parameters":{"a":[{}]},"outputs":[{"name":"p"}]}"#.into()),
        (0, r#"{"id":"1","id":"1"}"#.into()),
        (1, tensor(r#""datatype":"FP64","data":[[[1]]]"#)),
        (2, r#"{"x":[61, 0.5]}"#.into()),
        (2, r#"{"x":[[61, 0.5],[1e38,-1e-40]]}"#.into()),
        (3, r#"{"x":[null,"1",true]}"#.into()),
        (4, "{}".into()),
        (5, "\0\0\0\u{1}\0\0\0\u{1}".into()),
        (6, binary_tensor()),
        (0, r#"{"inputs":[{"name":"dose","shape":[1],"datatype":"INT8","data":[7]},{"name":"age","shape":[1,1],"datatype":"BOOL","data":[[true]]}],"outputs":[{"name":"label"}]}"#.into()),
        (9, r#"{"instances":[{"age":61,"dose":0.5},[1,2],{"x":[3,4]}]}"#.into()),
        (9, r#"{"inputs":{"dose":[1,2],"age":[[3],[4]]}}"#.into()),
        (10, "\u{a}\u{6}triage\u{2a}\u{11}\u{a}\u{1}x\u{12}\u{4}FP32\u{1a}\u{2}\u{1}\u{2}*\u{0}:\u{8}\0\0\0\0\0\0\0\0".into()),
        (11, "\u{a}\u{6}triage\u{12}\u{1}3".into()),
        (12, String::new()),
        (13, String::new()),
        (14, String::new()),
    ]
}

/// About a model; about a version of it; the other way round; with an id and a field of each kind.
const MESSAGES: [&[u8]; 4] = [
    b"\x0a\x06triage",
    b"\x0a\x06triage\x12\x013",
    b"\x12\x013\x0a\x06triage",
    b"\x0a\x06triage\x12\x013\x1a\x017\xa0\x06\x96\x01\xa9\x06abcdefgh\xb5\x06abcd",
];

/// As long as its question's header field says, and two numbers behind it.
fn binary_tensor() -> String {
    let json = r#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"INT8","parameters":{"binary_data_size":2}}]}"#;
    format!("{json:<96}\u{3}\u{4}")
}

fn requests() -> Vec<Vec<u8>> {
    let asked = bodies().into_iter().filter_map(|(place, body)| {
        let (method, path, _) = QUESTIONS.get(usize::from(place))?;
        Some(request(method, path, body))
    });
    asked.collect()
}

fn request(method: &str, path: &str, body: String) -> Vec<u8> {
    let names = ["content-type", "if-match", "date", "accept", "user-agent"];
    let message = InnerRequest {
        method: method.into(),
        path: path.into(),
        headers: names.map(|name| (name.to_owned(), b"a".to_vec())).to_vec(),
        body: Cleartext::new(body.into_bytes()),
    };
    unpadded(message.encode().expect("a request").into_public())
}

fn answer() -> Vec<u8> {
    let headers = [RECEIPT_HEADER, COMMITMENT_KEY_HEADER].map(|name| (name.into(), "r".into()));
    let answer = InnerAnswer {
        status: 200,
        content_type: "application/json".into(),
        headers: headers.to_vec(),
        body: Cleartext::new(b"{}".to_vec()),
    };
    unpadded(answer.encode(0).expect("an answer").into_public())
}

/// Without its padding a message is short, and still one.
fn unpadded(mut message: Vec<u8>) -> Vec<u8> {
    let end = message.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    message.truncate(end);
    message
}

/// `GET https:///` without header fields, content and trailer (RFC 9292, section 3.8).
const TRUNCATED: &[u8] = b"\x00\x03GET\x05https\x00\x01/";

fn scripts() -> Vec<Vec<u8>> {
    let whole = [&[0xff, 8, 0, 0x20, 0, 1, 0, 1][..], &[1; 48]].concat();
    let changes = [vec![], vec![0, 0, 0, 1], vec![0, 9, 0, 1, 0, 20, 4, 0], vec![0, 30, 3, 0]];
    let scripts = (0..6).flat_map(|suite| {
        changes.iter().map(move |changes| [&[suite], changes.as_slice()].concat())
    });
    scripts.chain([whole]).collect()
}

fn key_lists() -> Vec<Vec<u8>> {
    let (_, list, _) = worker_keys();
    let x25519 = list.0.last().cloned().into_iter().collect();
    let digest = "00".repeat(32);
    let path = format!(r#"{{"index":1,"size":5,"siblings":["{digest}","{digest}","{digest}"]}}"#);
    let key = ReceiptKey::generate().expect("a key");
    let (worker, gateway) = receipts();
    let line = |line: String| line.into_bytes();
    [
        (0, list.encode()),
        (0, sealgate_keys::ohttp::KeyList(x25519).encode()),
        (1, keyset().encode()),
        (2, path.into_bytes()),
        (2, (0..160).collect()),
        (3, line(key.sign(&worker).expect("a line"))),
        (3, line(key.sign(&gateway).expect("a line"))),
        (4, serde_json::to_vec(&worker).expect("JSON")),
        (4, serde_json::to_vec(&gateway).expect("JSON")),
    ]
    .into_iter()
    .map(|(kind, bytes)| [&[kind], bytes.as_slice()].concat())
    .collect()
}

fn keyset() -> Keyset {
    Keyset {
        build: "b".into(),
        build_digest: "00".into(),
        engine: "flex".into(),
        key_list_digest: "00".into(),
        model: KeysetModel {
            digest: "00".into(),
            name: "triage".into(),
            schema_digest: "00".into(),
            version: "3".into(),
        },
        not_after_s: 1_795_000_000,
        receipt_key: Base64(vec![1; 32]),
        replay: None,
        sandbox: vec!["landlock: enforced".into()],
        sandbox_enforced: true,
        kind: Keyset::TYPE.into(),
    }
}

fn receipts() -> (WorkerReceipt, GatewayReceipt) {
    use sealgate_keys::receipt::Receipt;
    let worker = WorkerReceipt {
        code: "ok".into(),
        input_commitment: Some("00".into()),
        keyset_digest: "00".into(),
        mode: "client-sealed".into(),
        model_digest: "00".into(),
        output_commitment: None,
        policy_digest: "00".into(),
        release_profile: "full".into(),
        request_id: "00".into(),
        schema_digest: "00".into(),
        time_s: 1_795_000_000,
        kind: <WorkerReceipt as Receipt>::TYPE.into(),
    };
    let gateway = GatewayReceipt {
        code: "forbidden".into(),
        policy_digest: "00".into(),
        request_id: "00".into(),
        status: 403,
        time_s: 1_795_000_000,
        kind: <GatewayReceipt as Receipt>::TYPE.into(),
    };
    (worker, gateway)
}

fn evidence() -> Vec<Vec<u8>> {
    let software = [&[0, 0, 0, 0, 0, 0, 64][..], &[7; 64]].concat();
    let json = [
        r#"{"kind":"none"}"#,
        r#"{"kind":"software","issued_at_s":1795000000,"key":"AAAA","signature":"AAAA"}"#,
        r#"{"kind":"sev-snp","report":"AAAA","certificates":["AAAA"]}"#,
        r#"{"kind":"tdx","quote":"AAAA","collateral":"{}"}"#,
        r#"{"kind":"nitro","document":"AAAA"}"#,
    ];
    let json = json.map(|text| [&[9], text.as_bytes()].concat());
    [vec![software], json.to_vec()].concat()
}

fn description() -> SelfDescription {
    SelfDescription { engine: "flex".into(), threads: 2, ..SelfDescription::default() }
}

/// A part after its length, as at the start of request and answer payloads.
fn part(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes(), bytes].concat()
}

fn cbor<T: Encode<()>>(message: &T) -> Vec<u8> {
    minicbor::to_vec(message).expect("encoding into memory does not fail")
}
