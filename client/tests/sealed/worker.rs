//! A worker as it should be: keys of its own, evidence by an operator, receipts.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use sealgate_keys::evidence::{Evidence, NoncePath, Purpose, report_data, software_message};
use sealgate_keys::ohttp::KeyList;
use sealgate_keys::receipt::{Receipt, ReceiptKey, WorkerReceipt};
use sealgate_keys::{
    Base64, Cleartext, CommittedTensor, Direction, InnerAnswer, InnerRequest, Keyset, KeysetModel,
    RECEIPT_HEADER, commit,
};
use sealgate_worker::{ClientKeys, Life};
use serde_json::{Value, json};

pub const ROW: [f32; 2] = [17.99, 0.125];
pub const SCORE: f32 = 0.25;

pub struct Worker {
    keys: ClientKeys,
    pub operator: Ed25519KeyPair,
    pub receipts: ReceiptKey,
    pub keyset: Keyset,
    pub key_list: Vec<u8>,
}

/// What a test changes of an honest answer.
pub struct Draft {
    pub receipt: WorkerReceipt,
    pub answer: InnerAnswer,
    /// What the worker opened.
    pub request: InnerRequest,
    /// Whether the receipt goes with the answer.
    pub receipted: bool,
    /// Who signs it; by default the worker's own key.
    pub signer: Option<ReceiptKey>,
}

impl Worker {
    pub fn new() -> Self {
        let (keys, receipts) = (ClientKeys::default(), ReceiptKey::generate().unwrap());
        let life = Life { active: Duration::from_secs(900), overlap: Duration::from_secs(300) };
        let key_list = keys.renew(7, 8, life, Instant::now()).unwrap().encode();
        let keyset = Keyset {
            build: "sealgate-worker 0.1.0".into(),
            build_digest: "ab".repeat(32),
            engine: "flex".into(),
            key_list_digest: hex::encode(KeyList::digest(&key_list)),
            model: KeysetModel {
                digest: "cd".repeat(32),
                name: "m".into(),
                schema_digest: "ef".repeat(32),
                version: "1".into(),
            },
            not_after_s: now_s() + 1200,
            receipt_key: Base64(receipts.public().to_vec()),
            replay: None,
            sandbox: vec!["landlock: enforced".into()],
            sandbox_enforced: true,
            kind: Keyset::TYPE.into(),
        };
        let operator = Ed25519KeyPair::generate().unwrap();
        Self { keys, operator, receipts, keyset, key_list }
    }

    /// What a client pins.
    pub fn pin(&self) -> [u8; 32] {
        self.operator.public_key().as_ref().try_into().unwrap()
    }

    /// Makes the keyset name this list.
    pub fn show(&mut self, list: &KeyList) {
        self.key_list = list.encode();
        self.keyset.key_list_digest = hex::encode(KeyList::digest(&self.key_list));
    }

    pub fn evidence(&self, purpose: Purpose, nonce: &[u8; 32], issued_at_s: u64) -> Evidence {
        let root = NoncePath::alone().root(nonce).unwrap();
        let data = report_data(purpose, &self.keyset.digest(), &root);
        let signature = self.operator.sign(&software_message(&data, issued_at_s));
        Evidence::Software {
            issued_at_s,
            key: Base64(self.operator.public_key().as_ref().to_vec()),
            signature: Base64(signature.as_ref().to_vec()),
        }
    }

    /// What the gateway answers at `/v1/attestation`.
    pub fn attestation(&self, nonce: &[u8; 32], gateway_receipt_key: &[u8; 32]) -> Value {
        json!({
            "keyset": self.keyset,
            "keyset_digest": hex::encode(self.keyset.digest()),
            "key_list": Base64(self.key_list.clone()),
            "evidence": self.evidence(Purpose::Client, nonce, now_s()),
            "nonce_path": NoncePath::alone(),
            "gateway_receipt_key": Base64(gateway_receipt_key.to_vec()),
        })
    }

    /// Opens a request and seals its answer, both looked at by `change` in between.
    pub fn answer(
        &self,
        sealed: &[u8],
        request_id: &str,
        change: &(dyn Fn(&mut Draft) + Send + Sync),
    ) -> Vec<u8> {
        let opened = self.keys.open("caller", sealed, Instant::now()).ok().unwrap();
        let request = InnerRequest::decode(opened.message.expose()).unwrap();
        let key = opened.commitment_key;
        let commitment = |direction, name, values: &[f32]| {
            let shape = [1, values.len() as u64];
            hex::encode(commit(&key, direction, &[CommittedTensor { name, shape: &shape, values }]))
        };
        let receipt = WorkerReceipt {
            code: "ok".into(),
            input_commitment: Some(commitment(Direction::Input, "x", &ROW)),
            keyset_digest: hex::encode(self.keyset.digest()),
            mode: "client-sealed".into(),
            model_digest: self.keyset.model.digest.clone(),
            output_commitment: Some(commitment(Direction::Output, "probability", &[SCORE])),
            policy_digest: "00".repeat(32),
            release_profile: "full".into(),
            request_id: request_id.into(),
            schema_digest: self.keyset.model.schema_digest.clone(),
            time_s: now_s(),
            kind: WorkerReceipt::TYPE.into(),
        };
        let body = json!({"outputs": [
            {"name": "probability", "shape": [1, 1], "datatype": "FP32", "data": [SCORE]}
        ]});
        let answer = InnerAnswer {
            status: 200,
            content_type: "application/json".into(),
            headers: vec![],
            body: Cleartext::new(body.to_string().into_bytes()),
        };
        let (receipted, signer) = (true, None);
        let mut draft = Draft { receipt, answer, request, receipted, signer };
        change(&mut draft);
        let signer = draft.signer.as_ref().unwrap_or(&self.receipts);
        let line = signer.sign(&draft.receipt).unwrap();
        if draft.receipted {
            draft.answer.headers.push((RECEIPT_HEADER.into(), line));
        }
        opened.reply.seal(draft.answer.encode(0).unwrap().expose()).unwrap()
    }
}

pub fn body() -> Vec<u8> {
    let tensor = json!({"name": "x", "shape": [1, 2], "datatype": "FP32", "data": ROW});
    json!({"inputs": [tensor]}).to_string().into_bytes()
}

pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
