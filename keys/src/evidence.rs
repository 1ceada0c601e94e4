//! Evidence on the wire: what a worker shows so that somebody else can judge it.
//!
//! This module says what evidence is and what it must bind. How to judge it is `attestation/`.

use aws_lc_rs::digest::{SHA512, digest};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::base64_bytes::Base64;
use crate::labels;

/// Evidence of one kind, as it stands in JSON (`"kind": "software"` and so on).
///
/// Every kind but the first carries 64 bytes of [`report_data`] under a signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Evidence {
    /// None at all: who started the worker must be believed.
    None {},
    /// An operator's Ed25519 key signed the report data. It proves that whoever holds the key let
    /// this worker use it, and nothing about hardware.
    Software {
        /// When it was signed, in seconds since 1970.
        issued_at_s: u64,
        /// The operator's public key (32 bytes). A hint: what counts is the key that the judge
        /// has pinned.
        key: Base64,
        /// Ed25519 over [`software_message`].
        signature: Base64,
    },
    /// An AMD SEV-SNP attestation report (1,184 bytes) and the chain VCEK, ASK, ARK (DER).
    SevSnp {
        /// The report.
        report: Base64,
        /// VCEK, ASK and ARK.
        certificates: Vec<Base64>,
    },
    /// An Intel TDX quote, and its collateral where the worker's host supplied it.
    Tdx {
        /// The quote.
        quote: Base64,
        /// Collateral as JSON.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        collateral: Option<String>,
    },
    /// An AWS Nitro attestation document (COSE_Sign1).
    Nitro {
        /// The document.
        document: Base64,
    },
}

/// Whom a piece of evidence speaks to. Evidence made for one is refused by the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The gateway, before it opens a session.
    Hop,
    /// A client, before it seals.
    Client,
}

/// What evidence must carry as report data (or user data):
/// `SHA-512(label || purpose || keyset digest || nonce root)`.
#[must_use]
pub fn report_data(purpose: Purpose, keyset_digest: &[u8; 32], nonce_root: &[u8; 32]) -> [u8; 64] {
    let purpose = match purpose {
        Purpose::Hop => labels::PURPOSE_HOP,
        Purpose::Client => labels::PURPOSE_CLIENT,
    };
    let input = [labels::REPORT_DATA, purpose, keyset_digest, nonce_root].concat();
    let mut out = [0; 64];
    out.copy_from_slice(digest(&SHA512, &input).as_ref());
    out
}

/// What an operator's key signs: `label || report data || issued_at_s` (big-endian).
#[must_use]
pub fn software_message(report_data: &[u8; 64], issued_at_s: u64) -> Vec<u8> {
    [labels::SOFTWARE_EVIDENCE, report_data, &issued_at_s.to_be_bytes()].concat()
}

/// The nonces that one piece of evidence answers: a Merkle tree as in RFC 6962, section 2.1, so
/// that nonces that wait together share one quote.
pub struct NonceTree<'a>(&'a [[u8; 32]]);

/// Where a nonce stands under the root: RFC 9162, section 2.1.3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoncePath {
    /// The nonce's place, from 0.
    pub index: u16,
    /// How many nonces there are.
    pub size: u16,
    /// The siblings' hashes from leaf to root, in hexadecimal.
    pub siblings: Vec<String>,
}

impl<'a> NonceTree<'a> {
    /// A tree over at least one nonce.
    ///
    /// Returns `None` for none or more than 65,535.
    #[must_use]
    pub fn new(nonces: &'a [[u8; 32]]) -> Option<Self> {
        let fits = (1..=usize::from(u16::MAX)).contains(&nonces.len());
        fits.then_some(Self(nonces))
    }

    /// The root, which goes into [`report_data`].
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        root(self.0)
    }

    /// The path of the nonce at `index`.
    #[must_use]
    pub fn path(&self, index: usize) -> Option<NoncePath> {
        let place = u16::try_from(index).ok()?;
        let size = u16::try_from(self.0.len()).ok()?;
        self.0.get(index)?;
        let mut siblings = Vec::new();
        path(self.0, index, &mut siblings);
        let siblings = siblings.iter().map(hex::encode).collect();
        Some(NoncePath { index: place, size, siblings })
    }
}

impl NoncePath {
    /// The path of a nonce that stands alone.
    #[must_use]
    pub const fn alone() -> Self {
        Self { index: 0, size: 1, siblings: Vec::new() }
    }

    /// The root that `nonce` leads to along this path, if the path is one.
    #[must_use]
    pub fn root(&self, nonce: &[u8; 32]) -> Option<[u8; 32]> {
        if self.index >= self.size {
            return None;
        }
        let (mut place, mut last) = (self.index, self.size - 1);
        let mut hash = leaf(nonce);
        for sibling in &self.siblings {
            let mut other = [0; 32];
            hex::decode_to_slice(sibling, &mut other).ok()?;
            if last == 0 {
                return None;
            }
            if place & 1 == 1 || place == last {
                hash = node(&other, &hash);
                while place & 1 == 0 && place != 0 {
                    place >>= 1;
                    last >>= 1;
                }
            } else {
                hash = node(&hash, &other);
            }
            place >>= 1;
            last >>= 1;
        }
        (last == 0).then_some(hash)
    }
}

fn root(nonces: &[[u8; 32]]) -> [u8; 32] {
    match nonces {
        [one] => leaf(one),
        many => {
            let (left, right) = many.split_at(split(many.len()));
            node(&root(left), &root(right))
        }
    }
}

fn path(nonces: &[[u8; 32]], index: usize, siblings: &mut Vec<[u8; 32]>) {
    if nonces.len() < 2 {
        return;
    }
    let at = split(nonces.len());
    let (left, right) = nonces.split_at(at);
    if index < at {
        path(left, index, siblings);
        siblings.push(root(right));
    } else {
        path(right, index - at, siblings);
        siblings.push(root(left));
    }
}

/// The largest power of two below `size`, which is at least 2.
const fn split(size: usize) -> usize {
    size.next_power_of_two() / 2
}

fn leaf(nonce: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update([0]).chain_update(nonce).finalize().into()
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn nonces(count: u8) -> Vec<[u8; 32]> {
        (0..count).map(|n| [n; 32]).collect()
    }

    #[test]
    fn every_nonce_of_every_small_tree_leads_to_its_root_and_no_other_does() {
        for count in 1..=33 {
            let nonces = nonces(count);
            let tree = NonceTree::new(&nonces).unwrap();
            for (index, nonce) in nonces.iter().enumerate() {
                let path = tree.path(index).unwrap();
                assert_eq!(path.root(nonce), Some(tree.root()), "{index} of {count}");
                assert_ne!(path.root(&[200; 32]), Some(tree.root()));
            }
        }
    }

    #[test]
    fn a_cut_or_lengthened_path_leads_nowhere() {
        let nonces = nonces(5);
        let tree = NonceTree::new(&nonces).unwrap();
        let good = tree.path(2).unwrap();
        let mut cut = good.clone();
        cut.siblings.pop();
        let mut long = good.clone();
        long.siblings.push("00".repeat(32));
        let outside = NoncePath { index: 5, ..good };
        for path in [cut, long, outside] {
            assert_ne!(path.root(&[2; 32]), Some(tree.root()), "{path:?}");
        }
    }

    #[test]
    fn report_data_binds_purpose_keyset_and_nonce() {
        let base = report_data(Purpose::Hop, &[1; 32], &[2; 32]);
        assert_ne!(base, report_data(Purpose::Client, &[1; 32], &[2; 32]));
        assert_ne!(base, report_data(Purpose::Hop, &[3; 32], &[2; 32]));
        assert_ne!(base, report_data(Purpose::Hop, &[1; 32], &[3; 32]));
    }

    #[test]
    fn evidence_with_an_unknown_kind_or_field_is_refused() {
        for text in [
            r#"{"kind":"tpm"}"#,
            r#"{"kind":"none","more":1}"#,
            r#"{"kind":"nitro","document":"!"}"#,
            r#"{"kind":"software","issued_at_s":1,"key":"AA=="}"#,
        ] {
            assert!(serde_json::from_str::<Evidence>(text).is_err(), "{text}");
        }
    }
}
