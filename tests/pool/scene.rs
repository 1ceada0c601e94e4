//! A gateway whose workers are scaled as a test says.

use std::time::Duration;

use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::support::{Demo, Gateway, Reply, Stopped, wait_until};

pub const INFER: &str = "/v2/models/breast-cancer/infer";
pub const KEYS: &str = "/v1/models/breast-cancer/ohttp-keys";
pub const SOON: Duration = Duration::from_secs(60);
/// Windows so short that a test need not wait for minutes.
pub const QUICK: &str = "tick_ms = 100, panic_window_ms = 200, stable_window_ms = 800";

/// A gateway whose workers are scaled as a test says.
pub struct Scene {
    pub stopped: Stopped,
    pub token: String,
    pub colleague: String,
    pub operator: String,
    pub example: Vec<u8>,
}

impl Scene {
    /// `settings` stand in the model's table.
    pub fn new(settings: &str) -> Self {
        let demo = Demo::start();
        let (token, example) = (demo.token(), demo.example());
        let colleague = demo.allowed_claims(&["subject"]);
        let colleague: Vec<_> = colleague.iter().map(String::as_str).collect();
        let colleague = demo.token_for(&[&colleague[..], &["--subject", "colleague"]].concat());
        let operator = demo.token_for(&["--subject", "ops", "--group", "operators"]);
        let stopped = demo.stop();
        stopped.change("gateway.toml", |text| {
            text.replace("[[models]]", &format!("[[models]]\n{settings}"))
        });
        Self { stopped, token, colleague, operator, example }
    }

    pub fn start(&self) -> Running<'_> {
        let gateway = Gateway::start(&self.stopped);
        let running = Running { scene: self, gateway };
        wait_until("an answer", SOON, || running.ask(&self.token).status == 200);
        running
    }
}

pub struct Running<'a> {
    pub scene: &'a Scene,
    pub gateway: Gateway,
}

impl Running<'_> {
    pub fn ask(&self, token: &str) -> Reply {
        self.gateway.https().post(INFER, token, &self.scene.example)
    }

    /// Pools of the demo's model, that for everybody first.
    pub fn pools(&self) -> Vec<Value> {
        let reply = self.gateway.admin().get("/v1/admin/pools", &self.scene.operator);
        reply.json()["pools"].as_array().unwrap().clone()
    }

    pub fn ready(&self) -> u64 {
        self.pools()[0]["ready"].as_u64().unwrap()
    }

    pub fn worker_pids(&self) -> Vec<i32> {
        let reply = self.gateway.admin().get("/v1/admin/standing", &self.scene.operator);
        let workers = reply.json()["workers"].as_array().unwrap().clone();
        workers.iter().map(|one| i32::try_from(one["pid"].as_i64().unwrap()).unwrap()).collect()
    }

    /// The one worker there is.
    pub fn only_worker(&self) -> Pid {
        let mut pids = Vec::new();
        wait_until("one worker", SOON, || {
            pids = self.worker_pids();
            pids.len() == 1
        });
        Pid::from_raw(pids[0])
    }
}

/// A request of many rows, so that a worker has something to do.
pub fn many_rows(example: &[u8], count: usize) -> Vec<u8> {
    let mut request: Value = serde_json::from_slice(example).unwrap();
    let tensor = &mut request["inputs"][0];
    let row = tensor["data"].as_array().unwrap().clone();
    tensor["shape"][0] = json!(count);
    tensor["data"] = Value::Array(row.iter().cycle().take(row.len() * count).cloned().collect());
    serde_json::to_vec(&request).unwrap()
}
