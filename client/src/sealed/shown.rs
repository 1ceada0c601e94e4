use sealgate_attestation::{Claims, Trust, Verdict, judge};
use sealgate_keys::evidence::{Evidence, NoncePath, Purpose, report_data};
use sealgate_keys::ohttp::KeyList;
use sealgate_keys::{Base64, Keyset};
use serde::{Deserialize, Serialize};

use super::KeysRefusal;

/// A keyset and what was shown for it: enough to judge it again, also years later and offline. The
/// form of the gateway's archive; further members of a file are let be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownKeyset {
    /// What the worker says it is.
    pub keyset: Keyset,
    /// The key list, `application/ohttp-keys`.
    pub key_list: Base64,
    /// What vouches for the keyset.
    pub evidence: Evidence,
    /// The nonce of whoever asked: 32 bytes in hex.
    pub nonce: String,
    /// The nonce's way to the root that the evidence answers.
    pub nonce_path: NoncePath,
}

impl ShownKeyset {
    /// The largest file that is read.
    pub const BYTES_MAX: usize = 1 << 20;

    /// Reads a file of the gateway's archive.
    ///
    /// # Errors
    /// [`KeysRefusal::Malformed`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, KeysRefusal> {
        if bytes.len() > Self::BYTES_MAX {
            return Err(KeysRefusal::Malformed);
        }
        let shown: Self = serde_json::from_slice(bytes).map_err(|_| KeysRefusal::Malformed)?;
        shown.check_form()?;
        Ok(shown)
    }

    /// The keyset's type and lengths, which its fields' types do not say.
    pub(crate) fn check_form(&self) -> Result<(), KeysRefusal> {
        Keyset::decode(&self.keyset.encode()).map(drop).map_err(|_| KeysRefusal::Malformed)
    }

    /// The key list, if it is the one that the keyset names.
    ///
    /// # Errors
    /// [`KeysRefusal::KeyListDigest`] when an entry was stripped, added or changed,
    /// [`KeysRefusal::Malformed`] when it is no list.
    pub fn keys(&self) -> Result<KeyList, KeysRefusal> {
        if hex::encode(KeyList::digest(&self.key_list.0)) != self.keyset.key_list_digest {
            return Err(KeysRefusal::KeyListDigest);
        }
        KeyList::decode(&self.key_list.0).map_err(|_| KeysRefusal::Malformed)
    }

    /// Judges the evidence at `now_s`: it must be for a client, for this keyset and for this nonce.
    ///
    /// # Errors
    /// [`KeysRefusal::Nonce`], [`KeysRefusal::Evidence`].
    pub fn judge(&self, trust: &Trust, now_s: u64) -> Result<Verdict, KeysRefusal> {
        let expected = report_data(Purpose::Client, &self.keyset.digest(), &self.nonce_root()?);
        let build_digest = digest(&self.keyset.build_digest);
        let claims = Claims { build: &self.keyset.build, build_digest: build_digest.as_ref() };
        judge(&self.evidence, &expected, trust, &claims, now_s).map_err(KeysRefusal::Evidence)
    }

    /// The root that the nonce leads to.
    pub(crate) fn nonce_root(&self) -> Result<[u8; 32], KeysRefusal> {
        let nonce = digest(&self.nonce).ok_or(KeysRefusal::Nonce)?;
        self.nonce_path.root(&nonce).ok_or(KeysRefusal::Nonce)
    }

    /// The key of the worker's receipts.
    ///
    /// # Errors
    /// [`KeysRefusal::Malformed`] when it is none.
    pub fn receipt_key(&self) -> Result<[u8; 32], KeysRefusal> {
        self.keyset.receipt_key.0.as_slice().try_into().map_err(|_| KeysRefusal::Malformed)
    }
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(hex, &mut bytes).ok().map(|()| bytes)
}
