use minicbor::{Decode, Encode};

use crate::{KeyError, ReleaseProfile};

/// How a request is sealed. On the wire it is the frame's kind; the grant names it too, and the
/// worker refuses when the two differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Mode {
    /// The gateway sealed what the client sent over TLS.
    #[n(0)]
    GatewaySealed,
    /// The client sealed to the worker's key; the gateway passes ciphertext.
    #[n(1)]
    ClientSealed,
}

/// What the caller may do with the model by this grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Action {
    /// Run rows through the model.
    #[n(0)]
    Infer,
    /// Read the model's name, versions, inputs and outputs.
    #[n(1)]
    DescribeModel,
}

/// One caller's permission for one request, as the gateway's policy decided it.
///
/// It is authenticated by the session (the AAD of the request it rides on), used once, and short
/// lived by the worker's own monotonic clock.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Grant {
    /// The gateway's id of the request: 128 random bits.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub request_id: [u8; 16],
    /// A pseudonym of the caller; keyed, so that the worker cannot recognise a subject.
    #[n(1)]
    pub caller: String,
    /// The caller's tenant.
    #[n(2)]
    pub tenant: String,
    /// The model that may be used.
    #[n(3)]
    pub model: String,
    /// The version that may be used; none leaves it to the worker.
    #[n(4)]
    pub version: Option<String>,
    /// What may be done.
    #[n(5)]
    pub action: Action,
    /// The most rows the request may hold.
    #[n(6)]
    pub rows_reserved: u32,
    /// The fields the caller may send, by name; empty means all of the model's.
    #[n(7)]
    pub declared_fields: Vec<String>,
    /// What may leave.
    #[n(8)]
    pub release: ReleaseProfile,
    /// SHA-256 of the policy folder that decided.
    #[cbor(n(9), with = "minicbor::bytes")]
    pub policy_digest: [u8; 32],
    /// How the request is sealed.
    #[n(10)]
    pub mode: Mode,
    /// SHA-256 of the client's ciphertext; present exactly in client-sealed mode.
    #[cbor(n(11), with = "minicbor::bytes")]
    pub ciphertext_sha256: Option<[u8; 32]>,
    /// How long after its arrival at the worker the grant may be used, in milliseconds.
    #[n(12)]
    pub valid_ms: u32,
    /// Whether rows of this request may be computed in one pass with rows of another tenant.
    #[n(13)]
    pub batch_across_tenants: bool,
}

impl Grant {
    /// The longest [`Grant::valid_ms`] a worker accepts.
    pub const VALID_MS_MAX: u32 = 30_000;
    /// The longest encoding either side accepts.
    pub const BYTES_MAX: usize = 16 << 10;

    /// How the head of a split model asks a part: it learns nothing of whose rows these are, under which
    /// policy, and what may leave.
    #[must_use]
    pub fn for_part() -> Self {
        Self {
            request_id: [0; 16],
            caller: String::new(),
            tenant: String::new(),
            model: String::new(),
            version: None,
            action: Action::Infer,
            // The frame bounds them.
            rows_reserved: u32::MAX,
            declared_fields: Vec::new(),
            release: ReleaseProfile::Full,
            policy_digest: [0; 32],
            mode: Mode::GatewaySealed,
            ciphertext_sha256: None,
            valid_ms: Self::VALID_MS_MAX,
            batch_across_tenants: false,
        }
    }

    /// CBOR (RFC 8949): an array in field order.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        #[expect(clippy::expect_used, reason = "a Vec takes every write")]
        minicbor::to_vec(self).expect("encoding into memory does not fail")
    }

    /// Reads what [`Grant::encode`] wrote, and checks that mode and ciphertext hash agree.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for anything else, trailing bytes included.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        const MALFORMED: KeyError = KeyError::Malformed("grant");
        let mut decoder = minicbor::Decoder::new(bytes);
        let grant: Self = decoder.decode().map_err(|_| MALFORMED)?;
        let hash_fits = grant.ciphertext_sha256.is_some() == (grant.mode == Mode::ClientSealed);
        if decoder.position() != bytes.len() || bytes.len() > Self::BYTES_MAX || !hash_fits {
            return Err(MALFORMED);
        }
        Ok(grant)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    pub(crate) fn grant() -> Grant {
        Grant {
            request_id: [1; 16],
            caller: "c-1".into(),
            tenant: "general-hospital".into(),
            model: "breast-cancer".into(),
            version: Some("1".into()),
            action: Action::Infer,
            rows_reserved: 32,
            declared_fields: vec!["radius_mean".into()],
            release: ReleaseProfile::Rounded(2),
            policy_digest: [2; 32],
            mode: Mode::GatewaySealed,
            ciphertext_sha256: None,
            valid_ms: 10_000,
            batch_across_tenants: false,
        }
    }

    #[test]
    fn a_grant_comes_back_as_it_went() {
        assert_eq!(Grant::decode(&grant().encode()).unwrap(), grant());
    }

    #[test]
    fn every_truncation_and_every_trailing_byte_is_refused() {
        let bytes = grant().encode();
        for end in 0..bytes.len() {
            assert!(Grant::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
        assert!(Grant::decode(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn a_ciphertext_hash_without_its_mode_is_refused() {
        let with_hash = Grant { ciphertext_sha256: Some([3; 32]), ..grant() };
        assert!(Grant::decode(&with_hash.encode()).is_err());
        let without = Grant { mode: Mode::ClientSealed, ..grant() };
        assert!(Grant::decode(&without.encode()).is_err());
    }
}
