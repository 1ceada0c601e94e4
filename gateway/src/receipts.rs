//! The gateway's own receipts: signed words about what it refused to somebody it knows.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response};
use sealgate_keys::RECEIPT_HEADER;
use sealgate_keys::receipt::{GatewayReceipt, Receipt, ReceiptKey};

use crate::journal::now_s;
use crate::refusal::Refusal;
use crate::routes::Authenticated;

/// Signs refusals. The key signs nothing else.
pub struct Receipts {
    key: ReceiptKey,
}

impl Receipts {
    /// Receipts signed by `key`.
    #[must_use]
    pub const fn new(key: ReceiptKey) -> Self {
        Self { key }
    }

    /// The key that verifies them.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.key.public()
    }

    /// The refusal as a response, with its receipt.
    #[must_use]
    pub fn refuse(&self, refusal: Refusal, caller: &Authenticated) -> Response<Body> {
        let id = caller.id;
        let mut response = refusal.response(id);
        let receipt = GatewayReceipt {
            code: refusal.code().to_owned(),
            policy_digest: caller.policy.digest().hex(),
            request_id: id.as_str().to_owned(),
            status: refusal.status().as_u16(),
            time_s: now_s(),
            kind: GatewayReceipt::TYPE.to_owned(),
        };
        let line = self.key.sign(&receipt).ok().and_then(|line| HeaderValue::try_from(line).ok());
        match line {
            Some(line) => {
                response.headers_mut().insert(HeaderName::from_static(RECEIPT_HEADER), line);
            }
            None => tracing::error!(request_id = id.as_str(), "a refusal goes without a receipt"),
        }
        response
    }
}
