//! The receipt that goes with each answer, and what it commits to.

use sealgate_keys::receipt::{self, Receipt, WorkerReceipt};
use sealgate_keys::{
    Base64, COMMITMENT_KEY_HEADER, CommittedTensor, Direction, Grant, KeyError, Mode,
    RECEIPT_HEADER, Secret, commit,
};
use sealgate_model::Rows;

use crate::clients::{Clients, now_s};
use crate::loaded::Loaded;

/// What a receipt of one request is made with.
pub(crate) struct Proof {
    /// The key of its commitments.
    pub(crate) commitment_key: Secret,
    /// The keyset it names.
    pub(crate) keyset_digest: [u8; 32],
    /// What must be claimed outside before the request is worked on.
    pub(crate) claim: Option<[u8; 32]>,
}

/// Commitments to what went into the network and what left it.
#[derive(Clone, Copy)]
pub(crate) struct Commitments {
    input: [u8; 32],
    output: [u8; 32],
}

/// The header fields of an answer, and the digest that goes into the outcome.
pub(crate) struct Receipted {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) digest: [u8; 32],
}

impl Proof {
    /// Commits to the rows as decoded and to the scores as they leave.
    pub(crate) fn commitments(&self, model: &Loaded, rows: &Rows, scores: &[f32]) -> Commitments {
        let interface = model.interface();
        let count = rows.count() as u64;
        let input = CommittedTensor {
            name: interface.input,
            shape: &[count, rows.features() as u64],
            values: rows.values(),
        };
        let output = CommittedTensor {
            name: interface.output,
            shape: &[count, interface.width as u64],
            values: scores,
        };
        Commitments {
            input: commit(&self.commitment_key, Direction::Input, &[input]),
            output: commit(&self.commitment_key, Direction::Output, &[output]),
        }
    }

    /// Signs the receipt. In gateway-sealed mode the key of its commitments goes with it; in
    /// client-sealed mode the client has it already.
    pub(crate) fn receipt(
        &self,
        clients: &Clients,
        model: &Loaded,
        grant: &Grant,
        code: &str,
        commitments: Option<Commitments>,
    ) -> Result<Receipted, KeyError> {
        let line = clients.sign(&WorkerReceipt {
            code: code.to_owned(),
            input_commitment: commitments.map(|both| hex::encode(both.input)),
            keyset_digest: hex::encode(self.keyset_digest),
            mode: mode(grant.mode, clients.is_function()).to_owned(),
            model_digest: hex::encode(model.model.digest().as_bytes()),
            output_commitment: commitments.map(|both| hex::encode(both.output)),
            policy_digest: hex::encode(grant.policy_digest),
            release_profile: grant.release.to_string(),
            request_id: hex::encode(grant.request_id),
            schema_digest: model.schema_digest.clone(),
            time_s: now_s()?,
            kind: WorkerReceipt::TYPE.to_owned(),
        })?;
        let digest = receipt::digest(&grant.request_id, &line);
        let mut headers = vec![(RECEIPT_HEADER.to_owned(), line)];
        if grant.mode == Mode::GatewaySealed {
            let key = Base64(self.commitment_key.expose().to_vec()).encode();
            headers.push((COMMITMENT_KEY_HEADER.to_owned(), key));
        }
        Ok(Receipted { headers, digest })
    }
}

/// What reaches a function in the clear nobody has sealed, whatever the envelope inside it says.
const fn mode(mode: Mode, is_function: bool) -> &'static str {
    match mode {
        Mode::GatewaySealed if is_function => "unsealed",
        Mode::GatewaySealed => "gateway-sealed",
        Mode::ClientSealed => "client-sealed",
    }
}
