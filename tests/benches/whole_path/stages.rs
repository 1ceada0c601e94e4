//! What one stage costs by itself, on one thread, and what the record says of stages in the path.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, Connection, ServerConnection};
use sealgate_audit as audit;
use sealgate_keys::frame::{HEADER_BYTES, Header};
use sealgate_keys::{Cleartext, InnerAnswer, Outcome, RequestSealer, SessionSecret};
use sealgate_model::{Artifact, Model};
use sealgate_policies::{Action, Ask, Mode, PolicySet, Profile, Protocol};
use sealgate_worker::RequestOpener;
use sealgate_worker::protocol::{InnerRequest as Asked, Interface, Route, decode, encode_answer};

use crate::echo;
use crate::setup::{Setup, grant};

/// Prints both tables.
pub fn print(setup: &Setup) {
    println!("\none stage by itself, us (median of 2,000, unless it says otherwise)");
    for (stage, us) in alone(setup).into_iter().chain(beyond_one_thread(setup)) {
        println!("{stage:<46} {us:>8.2}");
    }
    println!("\nstages in the path, 16 connections, 1 row, from the audit log, us (median)");
    for (stage, us) in recorded(setup, "audit-cached-16x1-") {
        println!("{stage:<46} {us:>8}");
    }
}

fn alone(setup: &Setup) -> Vec<(&'static str, f64)> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
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
    let inner = setup.inner();
    let message = inner.encode().unwrap();
    let sealer = RequestSealer::new(&SessionSecret::from_bytes([7; 32]), Instant::now());
    let opener = RequestOpener::new(&SessionSecret::from_bytes([7; 32]));

    let bytes = std::fs::read(setup.artifact()).unwrap();
    let artifact = Artifact::parse(&bytes).unwrap();
    let model = Model::load(&artifact, &burn::tensor::Device::flex()).unwrap();
    let features: Vec<String> =
        artifact.manifest().features.iter().map(|f| f.name.clone()).collect();
    let interface = Interface {
        digest: "",
        model: "breast-cancer",
        version: "1",
        input: "x",
        output: "probability",
        features: &features,
        width: 1,
        classes: &[],
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
        ("open a request", opened(&sealer, &opener, &message)),
        (
            "decode one row of JSON",
            time(|| drop(black_box(decode(&route, &asked, &interface, 1024).unwrap()))),
        ),
        ("infer one row", time(|| drop(black_box(model.infer(&decoded.rows).unwrap())))),
        (
            "seal an answer and open it, request too",
            time(|| round_trip(&sealer, &opener, &message, &answer.body)),
        ),
    ]
}

/// What takes both ends of a wire, another thread or another process.
fn beyond_one_thread(setup: &Setup) -> Vec<(&'static str, f64)> {
    let hop = setup.hop_round_trips(500).iter().map(|time| time.as_secs_f64() * 1e6).collect();
    vec![
        ("TLS 1.3: full handshake, both ends", handshake(setup)),
        ("record: append until durable (of 300)", durable(setup)),
        ("hop: round trip of one row (of 500)", median(hop)),
    ]
}

/// The demo's certificate, in memory, without the time of a network.
fn handshake(setup: &Setup) -> f64 {
    let [cert, key] = setup.identity();
    let server = Arc::new(echo::tls(&cert, &key));
    let name = ServerName::try_from("localhost").unwrap();
    time(|| {
        let client = ClientConnection::new(setup.tls().clone(), name.clone()).unwrap();
        let mut client = Connection::from(client);
        let mut server = Connection::from(ServerConnection::new(server.clone()).unwrap());
        while client.is_handshaking() || server.is_handshaking() {
            carry(&mut client, &mut server);
            carry(&mut server, &mut client);
        }
    })
}

/// Brings what one end has to say to the other.
fn carry(from: &mut Connection, to: &mut Connection) {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire).unwrap();
    }
    let mut rest = wire.as_slice();
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets().unwrap();
    }
}

/// One record at a time, on the disk that the gateways' logs are on.
fn durable(setup: &Setup) -> f64 {
    let folder = tempfile::tempdir_in(setup.state()).unwrap();
    let origin = audit::Origin::new("sealgate.local/audit").unwrap();
    let usual = audit::Options::new(folder.path().join("audit"), origin);
    let options = audit::Options { low_water_bytes: 0, ..usual };
    let key = audit::CheckpointKey::create(&folder.path().join("audit.pk8")).unwrap();
    let now_us = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        u64::try_from(since.as_micros()).unwrap()
    };
    let (log, _) = audit::Log::open(options, key, Arc::new(now_us)).unwrap();
    let event = audit::Event::Decision(Box::new(decision()));
    let us = median_us(300, || {
        log.append_and_wait(&event).unwrap();
    });
    log.close().unwrap();
    us
}

/// As long as the gateway's own.
fn decision() -> audit::Decision {
    audit::Decision {
        action: "infer".into(),
        address: "127.0.0.0/24".into(),
        caller: audit::Caller {
            client_id: Some("bench".into()),
            issuer: "https://dev.sealgate.localhost".into(),
            subject: "bench".into(),
            tenant: "general-hospital".into(),
            token_id: Some("bench".into()),
        },
        budget: None,
        candidate_digest: None,
        charge: None,
        code: "allowed".into(),
        inputs: audit::Inputs {
            clearance: None,
            groups: ["clinicians"].into_iter().collect(),
            scopes: ["infer"].into_iter().collect(),
            token_age_s: 12,
        },
        limit_profile: "standard".into(),
        mode: audit::Mode::GatewaySealed,
        model: "breast-cancer".into(),
        model_digest: None,
        model_version: None,
        policy_digest: "11".repeat(32).into(),
        protocol: "v2".into(),
        release_profile: "full".into(),
        request_id: "44".repeat(16).into(),
        rows_reserved: 1024,
        rules: ["clinicians-may-infer"].into_iter().collect(),
        verdict: audit::Verdict::Allow,
    }
}

/// Opens in the order of sealing: a request far behind is refused as a replay.
fn opened(sealer: &RequestSealer, opener: &RequestOpener, message: &Cleartext) -> f64 {
    let seal = || sealer.seal(&grant(), message.expose(), Instant::now()).unwrap().0;
    let frames: Vec<_> = (0..TIMES).map(|_| split(seal())).collect();
    let mut frames = frames.into_iter();
    time(|| {
        let (header, payload) = frames.next().unwrap();
        drop(black_box(opener.open(&header, payload, Instant::now()).unwrap()));
    })
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
                headers: Vec::new(),
                body: Cleartext::new(body.to_vec()),
            };
            Ok((outcome(), answer.encode(0)?))
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
        receipt_digest: None,
        busy_us: 3,
    }
}

fn split(mut frame: Vec<u8>) -> (Header, Vec<u8>) {
    let payload = frame.split_off(HEADER_BYTES);
    (Header::decode(frame.as_slice().try_into().unwrap()).unwrap(), payload)
}

/// Median time of one call, in microseconds.
fn time(call: impl FnMut()) -> f64 {
    median_us(TIMES, call)
}

pub fn median_us(calls: usize, mut call: impl FnMut()) -> f64 {
    let one = |_| {
        let begun = Instant::now();
        call();
        begun.elapsed().as_secs_f64() * 1e6
    };
    median((0..calls).map(one).collect())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Medians over the outcome records of one gateway, whose log's folder has this name and a number.
pub fn recorded(setup: &Setup, name: &str) -> BTreeMap<String, u64> {
    let mut seen: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let entries = std::fs::read_dir(setup.state()).unwrap().flatten();
    let folders = entries
        .filter(|entry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|own| own.starts_with(name) && !own.ends_with("-keysets"))
        })
        .map(|entry| entry.path())
        .filter(|path| path.is_dir());
    for folder in folders {
        for entry in audit::records(&folder).unwrap().map_while(Result::ok).step_by(7) {
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

const TIMES: usize = 2000;
