//! A gateway by itself, and the people who ask it.

use std::time::Duration;

use serde_json::json;

use crate::support::{Demo, Gateway, Reply, Stopped};

pub const INFER: &str = "/v2/models/breast-cancer/infer";
pub const SOON: Duration = Duration::from_secs(60);

/// A state that a demo left behind, with tokens for it.
pub struct Scene {
    pub stopped: Stopped,
    pub token: String,
    pub operator: String,
    pub example: Vec<u8>,
}

impl Scene {
    /// `members` go to the top of `gateway.toml`, `tables` to its end.
    pub fn new(members: &str, tables: &str) -> Self {
        let demo = Demo::start();
        let (token, example) = (demo.token(), demo.example());
        let operator = demo.token_for(&["--subject", "ops", "--group", "operators"]);
        let stopped = demo.stop();
        stopped.change("gateway.toml", |text| format!("{members}\n{text}\n{tables}\n"));
        Self { stopped, token, operator, example }
    }

    pub fn start(&self) -> Running<'_> {
        Running { scene: self, gateway: Gateway::start(&self.stopped) }
    }
}

pub struct Running<'a> {
    pub scene: &'a Scene,
    pub gateway: Gateway,
}

impl Running<'_> {
    pub fn ask(&self) -> Reply {
        self.gateway.https().post(INFER, &self.scene.token, &self.scene.example)
    }

    /// A scrape, as text.
    pub fn scrape(&self) -> String {
        let reply = self.gateway.admin().get("/metrics", &self.scene.operator);
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        String::from_utf8(reply.body).unwrap()
    }

    /// The reasons of `/readyz` on the admin listener, and its status.
    pub fn readiness(&self) -> (u16, Vec<String>) {
        let reply = self.gateway.admin().request("GET", "/readyz", &[], &[]);
        let told = reply.json();
        let reasons = told["reasons"].as_array().unwrap().iter();
        (reply.status, reasons.map(|reason| reason.as_str().unwrap().to_owned()).collect())
    }

    pub fn order(&self, order: &str) {
        let body = json!({"order": order}).to_string();
        let reply =
            self.gateway.admin().post("/v1/admin/emergency", &self.scene.operator, body.as_bytes());
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    }

    /// A request whose one row has this number.
    pub fn ask_about(&self, number: &str, headers: &[(&str, &str)]) -> Reply {
        let mut row = vec!["1.5"; 30];
        row[0] = number;
        let data = row.join(",");
        let body = format!(
            r#"{{"inputs":[{{"name":"x","shape":[1,30],"datatype":"FP32","data":[{data}]}}]}}"#
        );
        let bearer = format!("Bearer {}", self.scene.token);
        let all = [&[("Authorization", bearer.as_str())], headers].concat();
        self.gateway.https().request("POST", INFER, &all, body.as_bytes())
    }
}
