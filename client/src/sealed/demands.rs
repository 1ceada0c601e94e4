use sealgate_attestation::Trust;
use sealgate_keys::ohttp::Kem;

/// What must hold before a client seals. It comes from the client's own configuration; nothing of
/// it is ever fetched.
#[derive(Debug, Clone)]
pub struct Demands {
    trust: Option<Trust>,
    kem: Kem,
    model_digest: Option<[u8; 32]>,
    gateway_receipt_key: Option<[u8; 32]>,
    sandbox_enforced: bool,
}

impl Demands {
    /// Demands evidence that `trust` accepts, X-Wing, and a sandbox that is enforced.
    #[must_use]
    pub const fn new(trust: Trust) -> Self {
        Self::with(Some(trust))
    }

    /// Demands no evidence: whoever answers at the gateway's address may show keys of its own and
    /// read what is sealed to them.
    #[must_use]
    pub const fn danger_unpinned() -> Self {
        Self::with(None)
    }

    /// Seals with this mechanism, which is also the floor: nothing else is used, whatever a list
    /// offers.
    #[must_use]
    pub const fn with_kem(mut self, kem: Kem) -> Self {
        self.kem = kem;
        self
    }

    /// Demands the one model whose artifact has this SHA-256. The worker is told so inside the
    /// seal.
    #[must_use]
    pub const fn with_model_digest(mut self, digest: [u8; 32]) -> Self {
        self.model_digest = Some(digest);
        self
    }

    /// Demands that receipts of the gateway's refusals are signed by this key.
    #[must_use]
    pub const fn with_gateway_receipt_key(mut self, key: [u8; 32]) -> Self {
        self.gateway_receipt_key = Some(key);
        self
    }

    /// Takes a worker that does not say that every essential guard of its sandbox holds.
    #[must_use]
    pub const fn danger_any_sandbox(mut self) -> Self {
        self.sandbox_enforced = false;
        self
    }

    /// What evidence is judged by; none if it is not judged.
    #[must_use]
    pub const fn trust(&self) -> Option<&Trust> {
        self.trust.as_ref()
    }

    /// The mechanism to seal with.
    #[must_use]
    pub const fn kem(&self) -> Kem {
        self.kem
    }

    /// The pinned model, if any.
    #[must_use]
    pub const fn model_digest(&self) -> Option<[u8; 32]> {
        self.model_digest
    }

    /// The pinned key of the gateway's receipts, if any.
    #[must_use]
    pub const fn gateway_receipt_key(&self) -> Option<[u8; 32]> {
        self.gateway_receipt_key
    }

    /// Whether the sandbox must be enforced.
    #[must_use]
    pub const fn sandbox_enforced(&self) -> bool {
        self.sandbox_enforced
    }

    const fn with(trust: Option<Trust>) -> Self {
        let (model_digest, gateway_receipt_key) = (None, None);
        Self { trust, kem: Kem::XWing, model_digest, gateway_receipt_key, sandbox_enforced: true }
    }
}
