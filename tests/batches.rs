//! Rows of two tenants are never computed together.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::thread;

use burn::tensor::Device;
use sealgate_model::{Artifact, Model, ModelError, Rows};
use serde_json::{Value, json};
use support::{Demo, Gateway, Https, Reply, Stopped};

const INFER: &str = "/v2/models/breast-cancer/infer";

/// A forward pass that meets a value too large to compute with fails as a whole. So if one ever had
/// rows of both tenants, the one who sends usual rows would be refused, too.
#[test]
fn rows_of_two_tenants_in_flight_at_once_are_never_in_one_forward_pass() {
    let scene = Scene::start();
    let (usual, too_large) = (vec![1.0; VALUES], vec![f32::MAX; VALUES]);
    let together = [&usual[..], &too_large].concat();
    assert!(scene.alone(&usual).is_ok());
    let refused = scene.alone(&together).err();
    assert!(matches!(refused, Some(ModelError::OutputNotFinite { .. })), "{refused:?}");

    let [ours, theirs] = scene.race([(&scene.token, &usual), (&scene.elsewhere, &too_large)]);
    let expected = scene.alone(&usual).unwrap();
    for reply in ours {
        assert_eq!(reply.status, 200, "{}", reply.code());
        let scores = reply.json()["outputs"][0]["data"].as_array().unwrap().clone();
        let scores: Vec<_> = scores.iter().map(|score| score.as_f64().unwrap() as f32).collect();
        assert_eq!(scores, expected);
    }
    for reply in theirs {
        let told = reply.json()["error"].to_string();
        assert!(
            told.contains("too large for the model to compute with"),
            "no forward pass: {told}"
        );
    }
    assert!(scene.waited() > 20, "only {} requests waited for others", scene.waited());
}

const ROWS: usize = 128;
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

    /// The answers to four callers of each token, who send these values over and over.
    fn race(&self, sent: [(&String, &Vec<f32>); 2]) -> [Vec<Reply>; 2] {
        thread::scope(|scope| {
            let callers = sent.map(|(token, values)| {
                let ask = move || (0..25).map(|_| post(self.gateway.https(), token, values));
                [(); 4].map(|()| scope.spawn(move || ask().collect::<Vec<_>>()))
            });
            callers.map(|callers| callers.into_iter().flat_map(|c| c.join().unwrap()).collect())
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
