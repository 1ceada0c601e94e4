//! A gateway around a worker, and a client that knows whom to trust. Tests change what each of them
//! says.

use std::sync::atomic::{AtomicUsize, Ordering};

use sealgate_client::{ClientError, Demands, Kind, SealedAnswer, SealedClient, Trust};
use sealgate_keys::ohttp::{KEY_PROBLEM, RESPONSE_TYPE};
use sealgate_keys::receipt::ReceiptKey;
use serde_json::{Value, json};

use super::server::{Asked, Said, Server};
use super::worker::{Draft, Worker, body};

pub const REQUEST_ID: &str = "0123456789abcdef0123456789abcdef";

type Change<T> = Box<dyn Fn(&mut T) + Send + Sync>;

/// Changes what the worker says of itself, given the client's nonce.
type Spoil = dyn Fn(&Worker, &[u8; 32], &mut Value) + Send + Sync;

pub struct Scene {
    pub worker: Worker,
    pub gateway_receipts: ReceiptKey,
    /// Changes the answer to `GET /v1/attestation`; gets the client's nonce.
    pub attestation: Box<Spoil>,
    /// Changes the whole response to it.
    pub page: Change<Said>,
    /// Changes what the worker seals.
    pub draft: Change<Draft>,
    /// Changes what the gateway says to a sealed request.
    pub reply: Change<Said>,
    /// How many sealed requests open under no key.
    pub unopened: usize,
}

/// A running scene.
pub struct Running {
    pub server: Server,
    pub pin: [u8; 32],
    pub gateway_receipt_key: [u8; 32],
}

impl Scene {
    pub fn honest() -> Self {
        Self {
            worker: Worker::new(),
            gateway_receipts: ReceiptKey::generate().unwrap(),
            attestation: Box::new(|_, _, _| {}),
            page: Box::new(|_| {}),
            draft: Box::new(|_| {}),
            reply: Box::new(|_| {}),
            unopened: 0,
        }
    }

    pub async fn start(self) -> Running {
        let (pin, gateway_receipt_key) = (self.worker.pin(), self.gateway_receipts.public());
        let refused = AtomicUsize::new(0);
        let answers = move |asked: &Asked| {
            let mut said = match asked.line.starts_with("GET ") {
                true => return self.show(asked),
                false if refused.fetch_add(1, Ordering::Relaxed) < self.unopened => key_problem(),
                false => self.answer(asked),
            };
            (self.reply)(&mut said);
            said
        };
        Running { server: Server::start(Box::new(answers)).await, pin, gateway_receipt_key }
    }

    fn show(&self, asked: &Asked) -> Said {
        let nonce = asked.line.split("nonce=").nth(1).unwrap().get(..64).unwrap();
        let nonce: [u8; 32] = hex::decode(nonce).unwrap().try_into().unwrap();
        let mut shown = self.worker.attestation(&nonce, &self.gateway_receipts.public());
        (self.attestation)(&self.worker, &nonce, &mut shown);
        let headers = vec![("Content-Type", "application/json".to_owned())];
        let mut said = Said { status: 200, headers, body: shown.to_string().into_bytes() };
        (self.page)(&mut said);
        said
    }

    fn answer(&self, asked: &Asked) -> Said {
        let headers = vec![
            ("Content-Type", RESPONSE_TYPE.to_owned()),
            ("Sealgate-Request-Id", REQUEST_ID.to_owned()),
        ];
        let body = self.worker.answer(&asked.body, REQUEST_ID, &self.draft);
        Said { status: 200, headers, body }
    }
}

impl Running {
    /// What a client demands that pinned the right operator.
    pub fn demands(&self) -> Demands {
        self.demands_by(self.pin)
    }

    pub fn demands_by(&self, pin: [u8; 32]) -> Demands {
        Demands::new(Trust {
            accept: vec![Kind::Software],
            software_keys: vec![pin],
            evidence_age_max_s: 300,
            ..Trust::default()
        })
    }

    pub fn client(&self, demands: Demands) -> SealedClient {
        let ca = self.server.ca_pem.as_bytes();
        SealedClient::new(&self.server.url, ca, "e30.e30.AA", demands).unwrap()
    }

    pub async fn ask(&self) -> Result<SealedAnswer, ClientError> {
        self.ask_with(self.demands()).await
    }

    pub async fn ask_with(&self, demands: Demands) -> Result<SealedAnswer, ClientError> {
        self.client(demands).infer_v2("m", body(), Some(1)).await
    }

    pub fn fetches(&self) -> usize {
        self.server.asked("GET ").len()
    }

    pub fn posts(&self) -> usize {
        self.server.asked("POST ").len()
    }
}

pub fn key_problem() -> Said {
    problem(400, json!({"error": "no", "type": KEY_PROBLEM, "code": "ohttp_key", "status": 400}))
}

pub fn problem(status: u16, body: Value) -> Said {
    let headers = vec![
        ("Content-Type", "application/problem+json".to_owned()),
        ("Sealgate-Request-Id", REQUEST_ID.to_owned()),
    ];
    Said { status, headers, body: body.to_string().into_bytes() }
}
