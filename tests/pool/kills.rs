//! Workers killed at random under load: what is answered is right and on record, and nothing but 503
//! comes besides.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sealgate_model_builder::wdbc;
use serde_json::{Value, json};

use crate::scene::{INFER, Running, SOON, Scene};
use crate::support::{Reply, sealgate, stdout, wait_until};

/// What a caller may be told while workers are killed.
const TOLD: [&str; 4] = ["worker_lost", "worker_unavailable", "queue_full", "worker_failing"];
const CALLERS: u64 = 8;
const PAUSE: Duration = Duration::from_millis(500);

/// How many workers are killed. A hundred take a minute.
fn kills() -> usize {
    number("KILLS").and_then(|kills| usize::try_from(kills).ok()).unwrap_or(10)
}

/// What everything drawn comes from; said in the output, so that a run can be had again.
fn seed() -> u64 {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into();
    number("SEED").unwrap_or_else(now)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Numbers that look drawn (xorshift64*).
struct Draw(u64);

impl Draw {
    fn new(seed: u64, stream: u64) -> Self {
        Self((seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1)
    }

    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).unwrap() % count
    }
}

/// A request, and what the model alone says of its rows.
struct Input {
    body: Vec<u8>,
    scores: Vec<f32>,
}

/// One of each number of rows from 1 to 8, scored by the command line tool.
fn inputs(scene: &Scene) -> Vec<Input> {
    let table = wdbc().unwrap().to_rows().unwrap();
    let rows: Vec<&[f32]> = table.values().chunks(table.features()).collect();
    let model = scene.stopped.state.path().join("models/breast-cancer/1/model.safetensors");
    let input = |count: usize| {
        let rows = &rows[count * 17..count * 18];
        let data = rows.concat();
        let tensor = json!({"name": "x", "shape": [count, 30], "datatype": "FP32", "data": data});
        let body = json!({"inputs": [tensor]}).to_string().into_bytes();
        let file = scene.stopped.state.path().join(format!("rows-{count}.json"));
        std::fs::write(&file, json!(rows).to_string()).unwrap();
        Input { body, scores: by_the_model_alone(&model, &file) }
    };
    (1..=8).map(input).collect()
}

fn by_the_model_alone(model: &Path, rows: &Path) -> Vec<f32> {
    let [model, rows] = [model, rows].map(|path| path.to_str().unwrap());
    let said = stdout(&sealgate(&["model", "run", model, "--input", rows, "--json"]));
    let said: Value = serde_json::from_str(&said).unwrap();
    numbers(said["outputs"].as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap()))
}

fn numbers<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<f32> {
    values.map(|value| value.as_f64().unwrap() as f32).collect()
}

/// What callers were told.
#[derive(Default)]
struct Told {
    answered: Vec<String>,
    refused: BTreeMap<String, usize>,
}

impl Told {
    fn add(&mut self, reply: &Reply, input: &Input) {
        let said = String::from_utf8_lossy(&reply.body);
        match reply.status {
            200 => {
                let data = reply.json()["outputs"][0]["data"].clone();
                let scores = numbers(data.as_array().unwrap().iter());
                assert_eq!(scores, input.scores, "another score than the model's");
                self.answered.push(reply.header("sealgate-request-id").unwrap().to_owned());
            }
            503 => *self.refused.entry(reply.code()).or_default() += 1,
            other => panic!("{other}: {said}"),
        }
    }
}

fn ask_until(over: &AtomicBool, running: &Running<'_>, inputs: &[Input], mut draw: Draw) -> Told {
    let mut told = Told::default();
    while !over.load(Ordering::Relaxed) {
        let input = &inputs[draw.below(inputs.len())];
        let reply = running.gateway.https().post(INFER, &running.scene.token, &input.body);
        told.add(&reply, input);
    }
    told
}

/// Kills one of the workers that run.
fn kill_one(running: &Running<'_>, draw: &mut Draw) {
    wait_until("a worker to kill", SOON, || {
        let pids = running.worker_pids();
        // It may have gone in between; then another one is killed.
        !pids.is_empty()
            && kill(Pid::from_raw(pids[draw.below(pids.len())]), Signal::SIGKILL).is_ok()
    });
}

/// The requests that have a record of this kind and verdict.
fn on_record(records: &[Value], kind: &str, holds: impl Fn(&Value) -> bool) -> BTreeSet<String> {
    let of_kind = records.iter().filter(|record| record["type"] == kind && holds(&record["event"]));
    of_kind.filter_map(|record| record["event"]["request_id"].as_str()).map(str::to_owned).collect()
}

#[test]
fn workers_killed_under_load_cost_no_wrong_answer_and_no_record() {
    let (seed, kills) = (seed(), kills());
    println!("SEED={seed}");
    let scene = Scene::new("replicas = 3");
    let inputs = inputs(&scene);
    let running = scene.start();
    let over = AtomicBool::new(false);
    let all = Mutex::new(Told::default());
    thread::scope(|scope| {
        for caller in 1..=CALLERS {
            let (over, running, inputs, all) = (&over, &running, &inputs, &all);
            scope.spawn(move || {
                let told = ask_until(over, running, inputs, Draw::new(seed, caller));
                let mut all = all.lock().unwrap();
                all.answered.extend(told.answered);
                for (code, count) in told.refused {
                    *all.refused.entry(code).or_default() += count;
                }
            });
        }
        let mut draw = Draw::new(seed, 0);
        for _ in 0..kills {
            thread::sleep(PAUSE);
            kill_one(&running, &mut draw);
        }
        over.store(true, Ordering::Relaxed);
    });
    running.gateway.stop();
    let Told { answered, refused } = all.into_inner().unwrap();
    println!("{kills} workers killed: {} answers, all right; 503: {refused:?}", answered.len());
    assert!(answered.len() > 10 * kills, "hardly anybody was answered: {}", answered.len());
    assert!(refused.keys().all(|code| TOLD.contains(&code.as_str())), "{refused:?}");

    let records = scene.stopped.records();
    let decided = on_record(&records, "decision", |event| event["verdict"] == "allow");
    let ended = on_record(&records, "outcome", |event| event["code"] == "ok");
    for id in &answered {
        assert!(decided.contains(id), "no decision on {id}");
        assert!(ended.contains(id), "no outcome of {id}");
    }
    let log = scene.stopped.fact("audit");
    stdout(&sealgate(&["audit", "verify", log]));
}
