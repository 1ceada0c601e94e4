//! Requests that wait together are answered as if each had been alone. Which of them may be
//! scored in one pass is tested where it is decided (`enclave-worker/src/service/tests.rs`).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::thread;

use burn::tensor::Device;
use sealgate_model::{Artifact, Model, ModelError, Rows};
use serde_json::{Value, json};
use support::{Demo, Gateway, Https, Reply, Stopped};

const INFER: &str = "/v2/models/breast-cancer/infer";

/// A forward pass that meets a value too large to compute with fails as a whole, and rows of
/// requests that stand beside each other could be answered to each other's callers. So callers of
/// two tenants send rows of their own, and some send one value too many.
#[test]
fn each_of_many_callers_in_flight_at_once_gets_the_scores_of_its_own_rows() {
    let scene = Scene::start();
    let [usual, too_large] = [1.0, f32::MAX].map(|value| vec![value; VALUES]);
    let refused = scene.alone(&[&usual[..], &too_large].concat()).err();
    assert!(matches!(refused, Some(ModelError::OutputNotFinite { .. })), "{refused:?}");

    let tokens = [&scene.token, &scene.elsewhere];
    let callers: Vec<(&String, Vec<f32>)> = (0..12)
        .map(|caller| {
            let mut values: Vec<f32> =
                (0..VALUES).map(|at| ((at + 7 * caller) % 31) as f32).collect();
            if caller % 4 == 3 {
                values[VALUES - FEATURES..].fill(f32::MAX);
            }
            (tokens[caller % 2], values)
        })
        .collect();
    for ((_, values), replies) in callers.iter().zip(scene.race(&callers)) {
        let expected = scene.alone(values);
        for reply in replies {
            match &expected {
                Ok(expected) => assert_eq!(&scores(&reply), expected),
                Err(_) => {
                    let told = reply.json()["error"].to_string();
                    assert!(told.contains("too large for the model to compute with"), "{told}");
                }
            }
        }
    }
    assert!(scene.waited() > 20, "only {} requests waited for others", scene.waited());
}

fn scores(reply: &Reply) -> Vec<f32> {
    assert_eq!(reply.status, 200, "{}", reply.code());
    let scores = reply.json()["outputs"][0]["data"].as_array().unwrap().clone();
    scores.iter().map(|score| score.as_f64().unwrap() as f32).collect()
}

const ROWS: usize = 48;
const FEATURES: usize = 30;
const VALUES: usize = ROWS * FEATURES;

/// Two tenants that use one worker, with one inference thread.
struct Scene {
    gateway: Gateway,
    stopped: Stopped,
    model: Model,
    token: String,
    /// Of another tenant.
    elsewhere: String,
}

impl Scene {
    fn start() -> Self {
        let demo = Demo::start();
        let mut claims = demo.allowed_claims(&["tenant"]);
        claims.extend(["--tenant", "lakeside-clinic"].map(str::to_owned));
        let claims: Vec<_> = claims.iter().map(String::as_str).collect();
        let (token, elsewhere) = (demo.token(), demo.token_for(&claims));
        let stopped = demo.stop();
        stopped.without_policy_tests();
        let state = stopped.state.path();
        std::fs::remove_file(state.join("policies/rules/tenants.cedar")).unwrap();
        stopped.change("worker.toml", |config| format!("threads = 1\n{config}"));
        let artifact = std::fs::read(state.join("models/breast-cancer/1/model.safetensors"));
        let artifact = Artifact::parse(&artifact.unwrap()).unwrap();
        let model = Model::load(&artifact, &Device::flex()).unwrap();
        Self { gateway: Gateway::start(&stopped), stopped, model, token, elsewhere }
    }

    /// The scores of one forward pass.
    fn alone(&self, values: &[f32]) -> Result<Vec<f32>, ModelError> {
        let rows = Rows::new(values.len() / FEATURES, FEATURES, values.to_vec())?;
        self.model.infer(&rows).map(|scores| scores.values().to_vec())
    }

    /// What each caller is answered, who sends its values over and over.
    fn race(&self, callers: &[(&String, Vec<f32>)]) -> Vec<Vec<Reply>> {
        thread::scope(|scope| {
            let ask = |token: &String, values: &Vec<f32>| {
                (0..25).map(|_| post(self.gateway.https(), token, values)).collect::<Vec<_>>()
            };
            let callers: Vec<_> = callers
                .iter()
                .map(|(token, values)| scope.spawn(move || ask(token, values)))
                .collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).collect()
        })
    }

    /// How many requests were in the worker's queue for longer than their own work took.
    fn waited(&self) -> usize {
        let outcomes = self.stopped.records().into_iter().filter(|r| r["type"] == "outcome");
        let waited = |record: &Value| {
            let stage = |name: &str| record["event"]["stages_us"][name].as_u64().unwrap_or(0);
            stage("queue") > stage("open") + stage("infer")
        };
        outcomes.filter(waited).count()
    }
}

fn post(https: &Https, token: &str, values: &[f32]) -> Reply {
    let input = json!({"name": "x", "shape": [ROWS, FEATURES], "datatype": "FP32", "data": values});
    https.post(INFER, token, json!({"inputs": [input]}).to_string().as_bytes())
}
