//! One batch cut among two workers: each is sent its own rows, and what comes back is checked.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sealgate_client::{
    Checked, ClientError, Demands, Kind, SealedClient, Shard, Trust, VerifiedKeys,
};
use sealgate_keys::Base64;
use serde_json::{Value, json};
use support::{Demo, sealgate, stdout};

const MODEL: &str = "breast-cancer";

/// A demo whose model has so many workers.
fn demo(replicas: usize) -> Demo {
    let stopped = Demo::start().stop();
    stopped.change("gateway.toml", |config| {
        config.replace("[[models]]\n", &format!("[[models]]\nreplicas = {replicas}\n"))
    });
    Demo::start_in(stopped.state)
}

fn client(demo: &Demo) -> SealedClient {
    let pin = Base64::decode(demo.fact("evidence_pin")).unwrap().0.try_into().unwrap();
    let trust = Trust {
        accept: vec![Kind::Software],
        software_keys: vec![pin],
        evidence_age_max_s: 300,
        ..Trust::default()
    };
    let ca = std::fs::read(demo.fact("ca")).unwrap();
    SealedClient::new(demo.fact("url"), &ca, &demo.token(), Demands::new(trust)).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Keys of both workers, once both answer.
async fn both(client: &SealedClient) -> Vec<Arc<VerifiedKeys>> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let found = client.replicas(MODEL, 2).await.unwrap_or_else(|error| panic!("{error:?}"));
        if found.len() == 2 {
            return found;
        }
        assert!(Instant::now() < deadline, "only {} found", found.len());
    }
}

/// The example's row, changed a little from row to row.
fn body(demo: &Demo, rows: std::ops::Range<usize>) -> Vec<u8> {
    let mut body: Value = serde_json::from_slice(&demo.example()).unwrap();
    let row = body["inputs"][0]["data"].as_array().unwrap().clone();
    let changed = |at: usize| {
        row.iter().map(move |value| json!(value.as_f64().unwrap() * (1.0 + at as f64 / 50.0)))
    };
    let data: Vec<Value> = rows.clone().flat_map(changed).collect();
    body["inputs"][0]["shape"] = json!([rows.len(), row.len()]);
    body["inputs"][0]["data"] = json!(data);
    body.to_string().into_bytes()
}

fn shard(demo: &Demo, rows: std::ops::Range<usize>) -> Shard {
    Shard { body: body(demo, rows.clone()), rows: u32::try_from(rows.len()).unwrap() }
}

fn scores(body: &[u8]) -> Vec<Value> {
    let body: Value = serde_json::from_slice(body).unwrap();
    body["outputs"][0]["data"].as_array().unwrap().clone()
}

#[test]
fn each_worker_answers_for_its_rows_alone_and_answers_stand_in_their_order() {
    let demo = demo(2);
    let (client, runtime) = (client(&demo), runtime());
    let whole = runtime.block_on(client.infer_v2(MODEL, body(&demo, 0..5), Some(5)));
    let whole = scores(&whole.unwrap_or_else(|error| panic!("{error:?}")).body);
    let replicas = runtime.block_on(both(&client));
    let shards = vec![shard(&demo, 0..2), shard(&demo, 2..5)];
    let answers = runtime.block_on(client.infer_v2_sharded(MODEL, shards, &replicas));
    let answers = answers.unwrap_or_else(|error| panic!("{error:?}"));
    let joined: Vec<Value> = answers.iter().flat_map(|answer| scores(&answer.body)).collect();
    assert_eq!(joined, whole);
    for answer in &answers {
        // Of what the worker opened: other rows would be another commitment.
        assert_eq!((answer.input, answer.output), (Checked::Held, Checked::Held));
    }
    let keysets: BTreeSet<_> =
        answers.iter().map(|one| one.receipt.keyset_digest.clone()).collect();
    assert_eq!(keysets.len(), 2, "each worker signed for its own");
    let ids: BTreeSet<_> = answers.iter().map(|answer| answer.request_id.clone()).collect();
    let records = demo.stop().records();
    let outcomes = records.iter().filter(|record| record["type"] == "outcome");
    let events = outcomes.map(|record| &record["event"]);
    let mine = events.filter(|event| ids.contains(event["request_id"].as_str().unwrap()));
    let mut counted: Vec<_> = mine.map(|event| event["rows"].as_u64().unwrap()).collect();
    counted.sort_unstable();
    assert_eq!(counted, [2, 3], "each request's rows are counted");
}

#[test]
fn a_batch_for_more_workers_than_there_are_is_not_sent() {
    let demo = demo(1);
    let (client, runtime) = (client(&demo), runtime());
    let mut found = runtime.block_on(client.replicas(MODEL, 2)).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(found.len(), 1);
    // The same worker twice is no second one.
    for replicas in [found.clone(), vec![found[0].clone(), found.remove(0)]] {
        let shards = vec![shard(&demo, 0..2), shard(&demo, 2..5)];
        match runtime.block_on(client.infer_v2_sharded(MODEL, shards, &replicas)) {
            Err(ClientError::Replicas { wanted: 2, found: 1, .. }) => {}
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("answered"),
        }
    }
    let input = demo.state().join("batch.json");
    std::fs::write(&input, body(&demo, 0..3)).unwrap();
    let infer = ["infer", "--sealed", "--state", demo.state_text()];
    let input = ["--input", input.to_str().unwrap()];
    let refused = sealgate(&[&infer[..], &input, &["--shards", "2"]].concat());
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("2 different workers are needed, 1 were found"), "{said}");
    let said = stdout(&sealgate(&[&infer[..], &input, &["--shards", "auto"]].concat()));
    assert_eq!(said, stdout(&sealgate(&[&infer[..], &input].concat())));
}

#[test]
fn the_command_line_cuts_a_batch_and_keeps_every_receipt() {
    let demo = demo(2);
    runtime().block_on(both(&client(&demo)));
    let (input, receipt) = (demo.state().join("batch.json"), demo.state().join("receipt"));
    std::fs::write(&input, body(&demo, 0..5)).unwrap();
    let infer = ["infer", "--sealed", "--state", demo.state_text()];
    let input = ["--input", input.to_str().unwrap()];
    let whole = stdout(&sealgate(&[&infer[..], &input].concat()));
    let more = ["--shards", "2", "--receipt", receipt.to_str().unwrap()];
    let sharded = stdout(&sealgate(&[&infer[..], &input, &more].concat()));
    assert_eq!(sharded, whole);
    let trust = ["--accept", "software", "--pin", demo.fact("evidence_pin")];
    for number in [1, 2] {
        let file = format!("{}.{number}", receipt.display());
        stdout(&sealgate(&[&["receipt", "verify", &file][..], &trust].concat()));
    }
}
