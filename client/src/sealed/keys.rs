//! What must hold before anything is sealed.

use sealgate_attestation::Verdict;
use sealgate_keys::evidence::{Evidence, NoncePath};
use sealgate_keys::ohttp::{Aead, KeyConfig};
use sealgate_keys::{Base64, Keyset};
use serde::Deserialize;

use super::{Demands, KeysRefusal, ShownKeyset};

/// The proof that keys were shown, judged, and found to be what the client demands. Requests are
/// sealed to nothing else.
#[derive(Debug)]
pub struct VerifiedKeys {
    shown: ShownKeyset,
    verdict: Option<Verdict>,
    key: KeyConfig,
    aead: Aead,
    digest: [u8; 32],
    receipt_key: [u8; 32],
    usable_until_s: u64,
}

/// The answer to `GET /v1/attestation`.
#[derive(Deserialize)]
struct Attestation {
    keyset: Keyset,
    keyset_digest: String,
    key_list: Base64,
    evidence: Evidence,
    nonce_path: NoncePath,
    gateway_receipt_key: Base64,
}

impl VerifiedKeys {
    /// Checks what the gateway answered to a question with `nonce`, in this order; the first check
    /// that does not hold ends it.
    pub(crate) fn verify(
        body: &[u8],
        nonce: &[u8; 32],
        model: &str,
        demands: &Demands,
        now_s: u64,
    ) -> Result<Self, KeysRefusal> {
        let (shown, gateway_receipt_key) = read(body, nonce)?;
        let verdict = match demands.trust() {
            Some(trust) => Some(shown.judge(trust, now_s)?),
            None => shown.nonce_root().map(|_| None)?,
        };
        let list = shown.keys()?;
        let keyset = &shown.keyset;
        demand_keyset(keyset, model, demands, now_s)?;
        let key = list.key(demands.kem()).ok_or(KeysRefusal::KemFloor)?.clone();
        let aead = Aead::ALL.into_iter().find(|aead| key.aeads.contains(aead));
        let aead = aead.ok_or(KeysRefusal::KemFloor)?;
        if demands.gateway_receipt_key().is_some_and(|pinned| gateway_receipt_key.0 != pinned) {
            return Err(KeysRefusal::GatewayReceiptKey);
        }
        let judged_until_s = verdict.as_ref().map_or(u64::MAX, Verdict::valid_until_s);
        Ok(Self {
            digest: keyset.digest(),
            receipt_key: shown.receipt_key()?,
            usable_until_s: keyset.not_after_s.min(judged_until_s),
            shown,
            verdict,
            key,
            aead,
        })
    }

    /// The keyset and what was shown for it.
    #[must_use]
    pub const fn shown(&self) -> &ShownKeyset {
        &self.shown
    }

    /// The keyset.
    #[must_use]
    pub const fn keyset(&self) -> &Keyset {
        &self.shown.keyset
    }

    /// What the keyset says of requests that are delivered again: nothing where they are refused,
    /// otherwise [`Keyset::AT_LEAST_ONCE`], as of a function without a memory.
    #[must_use]
    pub fn replay(&self) -> Option<&str> {
        self.shown.keyset.replay.as_deref()
    }

    /// The keyset's digest, which receipts name.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// What was found of the evidence; none when no evidence was demanded.
    #[must_use]
    pub const fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// The key that is sealed to.
    #[must_use]
    pub const fn key(&self) -> &KeyConfig {
        &self.key
    }

    /// The AEAD that is sealed with: the strongest that the key may be used with.
    #[must_use]
    pub const fn aead(&self) -> Aead {
        self.aead
    }

    /// The first second at which nothing more is sealed to these keys: they end, or their evidence
    /// must be judged again.
    #[must_use]
    pub const fn usable_until_s(&self) -> u64 {
        self.usable_until_s
    }

    pub(crate) const fn receipt_key(&self) -> &[u8; 32] {
        &self.receipt_key
    }
}

fn read(body: &[u8], nonce: &[u8; 32]) -> Result<(ShownKeyset, Base64), KeysRefusal> {
    if body.len() > ShownKeyset::BYTES_MAX {
        return Err(KeysRefusal::Malformed);
    }
    let Attestation { keyset, keyset_digest, key_list, evidence, nonce_path, gateway_receipt_key } =
        serde_json::from_slice(body).map_err(|_| KeysRefusal::Malformed)?;
    // The nonce is ours, whatever the gateway may have said about it.
    let nonce = hex::encode(nonce);
    let shown = ShownKeyset { keyset, key_list, evidence, nonce, nonce_path };
    shown.check_form()?;
    if hex::encode(shown.keyset.digest()) != keyset_digest {
        return Err(KeysRefusal::KeysetDigest);
    }
    Ok((shown, gateway_receipt_key))
}

fn demand_keyset(
    keyset: &Keyset,
    model: &str,
    demands: &Demands,
    now_s: u64,
) -> Result<(), KeysRefusal> {
    let not_after_s = keyset.not_after_s;
    if not_after_s <= now_s {
        return Err(KeysRefusal::Expired { not_after_s });
    }
    if keyset.model.name != model {
        let (asked, found) = (model.to_owned(), keyset.model.name.clone());
        return Err(KeysRefusal::Model { asked, found });
    }
    let pinned = demands.model_digest().map(hex::encode);
    if let Some(pinned) = pinned.filter(|pinned| *pinned != keyset.model.digest) {
        let found = keyset.model.digest.clone();
        return Err(KeysRefusal::ModelDigest { pinned, found });
    }
    if demands.sandbox_enforced() && !keyset.sandbox_enforced {
        return Err(KeysRefusal::SandboxNotEnforced);
    }
    Ok(())
}
