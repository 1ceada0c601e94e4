use sealgate_keys::grpc::{Fields, MEDIA_TYPE};
use sealgate_keys::ohttp::{Aead, Kem, seal};
use sealgate_keys::{Cleartext, InnerAnswer, InnerRequest};
use sealgate_worker::protocol::{
    self, Answer, Decoded, Interface, Refusal, ReplyShape, Route, decode, encode_answer,
};

use crate::cursor::Cursor;
use crate::sealed_request::worker_keys;

/// What a client puts into a correctly sealed request: the worker's way from plaintext to rows, and
/// back to an answer. The first byte chooses the question, whose body the rest is, or says that the
/// rest is the whole message, or that it is and goes through both seals, which takes a hundred times
/// as long as reading it.
///
/// # Panics
/// When rows are read that do not have the model's shape, a refusal or an answer is not JSON or too
/// long, or something is lost between the two seals.
pub fn worker_request(input: &[u8]) {
    let mut cursor = Cursor::new(input);
    let first = cursor.byte();
    let question = QUESTIONS.get(usize::from(first) % QUESTIONS.len());
    let message = match question {
        Some((method, path, headers)) if first < WHOLE => {
            asked(method, path, headers, cursor.rest())
        }
        _ => cursor.rest().to_vec(),
    };
    let said = match InnerRequest::decode(&message) {
        Ok(request) => said(&request),
        Err(_) => refused(&Refusal::MessageMalformed),
    };
    if first == SEALED {
        through_the_seal(&message, &said);
    }
}

fn asked(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec()));
    let request = InnerRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: headers.collect(),
        body: Cleartext::new(body.to_vec()),
    };
    request.encode().expect("any body fits").into_public()
}

/// Status and body of the answer.
fn said(request: &InnerRequest) -> (u16, Vec<u8>) {
    match answer(request) {
        Ok((content_type, body)) if content_type == MEDIA_TYPE => {
            assert!(Fields(&body).all(|field| field.is_ok()), "what is said is protobuf");
            (200, body)
        }
        Ok((_, body)) => (200, json(body)),
        Err(refusal) => refused(&refusal),
    }
}

fn refused(refusal: &Refusal) -> (u16, Vec<u8>) {
    let body = refusal.to_json("r-1");
    assert!(body.len() <= REFUSAL_BYTES_MAX, "a refusal fits where an answer does");
    (refusal.status(), json(body))
}

fn answer(request: &InnerRequest) -> Result<(&'static str, Vec<u8>), Refusal> {
    let headers: Vec<(&str, &str)> = request
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), std::str::from_utf8(value).ok()?)))
        .collect();
    let request = protocol::InnerRequest {
        method: &request.method,
        path: &request.path,
        headers: &headers,
        body: request.body.expose(),
    };
    let route = Route::parse(request.method, request.path)?;
    route.agree(request.body, MODEL, VERSION)?;
    let features = ["age".to_owned(), "dose".to_owned()];
    let classes = ["benign".to_owned(), "malignant".to_owned()];
    let interface = Interface {
        digest: "",
        model: MODEL,
        version: VERSION,
        input: "x",
        output: "p",
        features: &features,
        width: 2,
        classes: &classes,
    };
    let Decoded { rows, reply } = decode(&route, &request, &interface, ROWS_MAX)?;

    assert!((1..=ROWS_MAX).contains(&rows.count()), "as many rows as were reserved, or fewer");
    assert_eq!(rows.values().len(), rows.count() * features.len(), "rows of the model's width");
    assert!(rows.values().iter().all(|value| value.is_finite()), "numbers");

    // Any finite numbers serve as scores, and the longest are the best ones.
    let Answer { content_type, json_bytes, mut body } =
        encode_answer(&reply, &interface, rows.values())?;
    let echoed = match &reply {
        ReplyShape::V2 { id: Some(id), .. } | ReplyShape::Grpc { id: Some(id), .. } => {
            serde_json::to_vec(id).map_or(0, |text| text.len())
        }
        _ => 0,
    };
    let bound = ANSWER_HEAD_BYTES_MAX + echoed + ROW_BYTES_MAX * rows.count();
    assert!(body.len() <= bound, "{} bytes of {bound}", body.len());
    body.truncate(json_bytes.unwrap_or(body.len()));
    Ok((content_type, body))
}

fn json(body: Vec<u8>) -> Vec<u8> {
    let value: Result<serde_json::Value, _> = serde_json::from_slice(&body);
    assert!(value.is_ok_and(|value| value.is_object()), "what is said is JSON");
    body
}

/// The same bytes come out of the request's seal, and of the answer's.
fn through_the_seal(input: &[u8], (status, body): &(u16, Vec<u8>)) {
    let (keys, list, now) = worker_keys();
    let config = list.key(Kem::X25519).expect("a key of each kind");
    let (request, opener) = seal(config, Aead::Aes256Gcm, input).expect("a key of ours");
    let opened = keys.open("c-1", &request, now).expect("what was sealed opens");
    assert_eq!(opened.message.expose(), input, "what was sealed is what is read");

    let content_type = "application/json".to_owned();
    let answer = InnerAnswer {
        status: *status,
        content_type,
        headers: vec![],
        body: Cleartext::new(body.clone()),
    };
    let message = answer.encode(0).expect("an answer fits");
    let sealed = opened.reply.seal(message.expose()).expect("an answer fits");
    let read = opener.open(&sealed).expect("the answer to this request");
    let read = InnerAnswer::decode(read.message.expose()).expect("a whole answer");
    assert_eq!((read.status, read.body.expose()), (*status, body.as_slice()));
}

/// What a worker is asked, by the first byte.
pub(crate) const QUESTIONS: [Question; 15] = [
    ("POST", "/v2/models/triage/infer", &[]),
    ("POST", "/v2/models/triage/versions/3/infer", &[("content-type", "application/json")]),
    ("POST", "/invocations", &[]),
    ("POST", "/invocations", &[("content-encoding", "identity")]),
    ("POST", "/invocations", &[("inference-header-content-length", "2")]),
    ("POST", "/v2/models/triage/infer", &[("inference-header-content-length", "0")]),
    ("POST", "/v2/models/triage/infer", &[("inference-header-content-length", "96")]),
    ("POST", "/v2/models/triage/infer", &[("content-encoding", "gzip")]),
    ("POST", "/v2/models/triage/infer", &[("content-encoding", "deflate")]),
    ("POST", "/v1/models/triage:predict", &[]),
    ("POST", "/inference.GRPCInferenceService/ModelInfer", &[("content-type", "application/grpc")]),
    ("POST", "/inference.GRPCInferenceService/ModelReady", &[]),
    ("GET", "/v1/models/triage", &[]),
    ("GET", "/v2/models/triage", &[]),
    ("GET", "/v2/models/triage/versions/3/ready", &[]),
];
/// Method, path and header fields.
type Question = (&'static str, &'static str, &'static [(&'static str, &'static str)]);
/// A first byte that says that the rest is the whole message.
pub(crate) const WHOLE: u8 = 0xfe;
/// The same, sealed.
pub(crate) const SEALED: u8 = 0xff;
const MODEL: &str = "triage";
const VERSION: &str = "3";
const ROWS_MAX: usize = 4;
/// Names, shape and data type of an answer, without an echoed id.
const ANSWER_HEAD_BYTES_MAX: usize = 320;
/// What the worker counts for a row when it pads an answer: two scores and a class.
const ROW_BYTES_MAX: usize = 2 * 20 + 13;
/// What the worker keeps beside the rows, less the room for a receipt.
const REFUSAL_BYTES_MAX: usize = 600;
