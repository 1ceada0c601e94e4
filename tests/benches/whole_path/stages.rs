//! What one stage costs by itself, on one thread, and what the record says of stages in the path.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use sealgate_keys::frame::{HEADER_BYTES, Header};
use sealgate_keys::{Cleartext, InnerAnswer, InnerRequest, Outcome, RequestSealer, SessionSecret};
use sealgate_model::{Artifact, Model};
use sealgate_policies::{Action, Ask, Mode, PolicySet, Profile, Protocol};
use sealgate_worker::RequestOpener;
use sealgate_worker::protocol::{InnerRequest as Asked, Interface, Route, decode, encode_answer};

use crate::setup::{Setup, grant};

/// Prints both tables.
pub fn print(setup: &Setup) {
    println!("\none stage by itself, us (median of 2,000)");
    for (stage, us) in alone(setup) {
        println!("{stage:<40} {us:>8.2}");
    }
    println!("\nstages in the path, from the audit log, us (median)");
    for (stage, us) in recorded(setup) {
        println!("{stage:<40} {us:>8}");
    }
}

fn alone(setup: &Setup) -> Vec<(&'static str, f64)> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let policy = PolicySet::load(&setup.state().join("policies"), Profile::Dev)
        .unwrap_or_else(|m| panic!("{m}"));
    let caller = policy.authenticate(&setup.rs256_token, now).unwrap();
    let ask = Ask {
        model: "breast-cancer",
        version: None,
        action: Action::Infer,
        mode: Mode::GatewaySealed,
        protocol: Protocol::V2,
        address: std::net::IpAddr::from([127, 0, 0, 1]),
        rows: None,
        now_s: now,
    };
    let inner = InnerRequest {
        method: "POST".into(),
        path: "/v2/models/breast-cancer/infer".into(),
        headers: vec![],
        body: Cleartext::new(setup.body(1)),
    };
    let message = inner.encode().unwrap();
    let sealer = RequestSealer::new(&SessionSecret::from_bytes([7; 32]), Instant::now());
    let opener = RequestOpener::new(&SessionSecret::from_bytes([7; 32]));

    let bytes = std::fs::read(setup.artifact()).unwrap();
    let artifact = Artifact::parse(&bytes).unwrap();
    let model = Model::load(&artifact, &burn::tensor::Device::flex()).unwrap();
    let features: Vec<String> =
        artifact.manifest().features.iter().map(|f| f.name.clone()).collect();
    let interface = Interface {
        model: "breast-cancer",
        version: "1",
        input: "x",
        output: "probability",
        features: &features,
    };
    let body = setup.body(1);
    let asked = Asked { method: "POST", path: &inner.path, headers: &[], body: &body };
    let route = Route::parse(asked.method, asked.path).unwrap();
    let decoded = decode(&route, &asked, &interface, 1024).unwrap();
    let scores = model.infer(&decoded.rows).unwrap();
    let answer = encode_answer(&decoded.reply, &interface, scores.values()).unwrap();

    vec![
        (
            "token: RS256 and claims",
            time(|| policy.authenticate(&setup.rs256_token, now).map(drop).unwrap()),
        ),
        ("token: remembered, checked again", time(|| policy.still_valid(&caller, now).unwrap())),
        ("policy: one Cedar decision", time(|| drop(black_box(policy.decide(&caller, &ask))))),
        (
            "binary HTTP: encode and pad a request",
            time(|| drop(black_box(inner.encode().unwrap()))),
        ),
        (
            "seal a request",
            time(|| {
                drop(black_box(sealer.seal(&grant(), message.expose(), Instant::now()).unwrap()))
            }),
        ),
        (
            "seal a request and open it",
            time(|| drop(black_box(sealed_and_opened(&sealer, &opener, &message)))),
        ),
        (
            "decode one row of JSON",
            time(|| drop(black_box(decode(&route, &asked, &interface, 1024).unwrap()))),
        ),
        ("infer one row", time(|| drop(black_box(model.infer(&decoded.rows).unwrap())))),
        (
            "seal an answer and open it, request too",
            time(|| round_trip(&sealer, &opener, &message, &answer)),
        ),
    ]
}

fn sealed_and_opened(
    sealer: &RequestSealer,
    opener: &RequestOpener,
    message: &Cleartext,
) -> sealgate_worker::Opened<Cleartext> {
    let (frame, _) = sealer.seal(&grant(), message.expose(), Instant::now()).unwrap();
    let (header, payload) = split(frame);
    opener.open(&header, payload, Instant::now()).unwrap()
}

fn round_trip(sealer: &RequestSealer, opener: &RequestOpener, message: &Cleartext, body: &[u8]) {
    let (frame, back) = sealer.seal(&grant(), message.expose(), Instant::now()).unwrap();
    let (header, payload) = split(frame);
    let opened = opener.open(&header, payload, Instant::now()).unwrap();
    let answer = opened
        .seal(|_, _| {
            let answer = InnerAnswer {
                status: 200,
                content_type: "application/json".into(),
                body: Cleartext::new(body.to_vec()),
            };
            Ok((outcome(), answer.encode()?))
        })
        .unwrap();
    let (header, mut payload) = split(answer);
    black_box(back.open(&header, &mut payload).unwrap());
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
    }
}

fn split(mut frame: Vec<u8>) -> (Header, Vec<u8>) {
    let payload = frame.split_off(HEADER_BYTES);
    (Header::decode(frame.as_slice().try_into().unwrap()).unwrap(), payload)
}

/// Median time of one call, in microseconds.
fn time(mut call: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..2000)
        .map(|_| {
            let begun = Instant::now();
            call();
            begun.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Medians over the outcome records that the table's rounds left behind.
fn recorded(setup: &Setup) -> BTreeMap<String, u64> {
    let mut seen: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let folders = std::fs::read_dir(setup.state()).unwrap().flatten().map(|entry| entry.path());
    let cached =
        folders.filter(|p| p.is_dir() && p.to_str().is_some_and(|p| p.contains("audit-cached")));
    for folder in cached {
        for entry in sealgate_audit::records(&folder).unwrap().map_while(Result::ok).step_by(7) {
            let record: serde_json::Value = serde_json::from_slice(&entry.body).unwrap();
            let stages = record["event"]["stages_us"].as_object();
            for (stage, us) in stages.into_iter().flatten() {
                seen.entry(stage.clone()).or_default().extend(us.as_u64());
            }
        }
    }
    seen.into_iter()
        .map(|(stage, mut times)| {
            times.sort_unstable();
            let median = times[times.len() / 2];
            (stage, median)
        })
        .collect()
}
