//! Intel's collateral: TCB levels, the quoting enclave's identity, revocation lists.
//!
//! What is looked at here is not authenticated yet, and serves to refuse by the right name before
//! the whole is verified.

use dcap_qvl::{QeIdentity, QuoteCollateralV3, TcbInfo};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_cert::crl::CertificateList;
use x509_cert::der::{DateTime, Decode};

use crate::{Refusal, chain};

/// Collateral that is whole and says of itself that it is valid now.
pub(super) struct Collateral {
    pub(super) intel: QuoteCollateralV3,
}

impl Collateral {
    pub(super) fn parse(text: Option<&str>, now_s: u64) -> Result<Self, Refusal> {
        let text = text.ok_or(Refusal::CollateralMissing)?;
        if text.len() > COLLATERAL_BYTES_MAX {
            return Err(Refusal::CollateralInvalid);
        }
        let intel: QuoteCollateralV3 = read(text)?;
        let tcb: TcbInfo = read(&intel.tcb_info)?;
        let enclave: QeIdentity = read(&intel.qe_identity)?;
        let mut windows = vec![
            (seconds(&tcb.issue_date)?, seconds(&tcb.next_update)?),
            (seconds(&enclave.issue_date)?, seconds(&enclave.next_update)?),
        ];
        for list in [&intel.root_ca_crl, &intel.pck_crl] {
            windows.push(window(list)?);
        }
        // A list ends when the next one is due; the rest is held to the same second.
        let valid = windows.iter().all(|(from_s, end_s)| (*from_s..*end_s).contains(&now_s));
        if valid { Ok(Self { intel }) } else { Err(Refusal::CollateralExpired) }
    }

    /// Intel's root, which ends the chain of the key that signs TCB levels.
    pub(super) fn root(&self) -> Result<CertificateDer<'static>, Refusal> {
        CertificateDer::pem_slice_iter(self.intel.tcb_info_issuer_chain.as_bytes())
            .filter_map(Result::ok)
            .find(|certificate| chain::fingerprint(certificate) == ROOT)
            .ok_or(Refusal::ChainInvalid)
    }
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Refusal> {
    serde_json::from_str(text).map_err(|_| Refusal::CollateralInvalid)
}

/// `2025-06-19T10:16:03Z`
fn seconds(text: &str) -> Result<u64, Refusal> {
    let date: DateTime = text.parse().map_err(|_| Refusal::CollateralInvalid)?;
    Ok(date.unix_duration().as_secs())
}

fn window(list: &[u8]) -> Result<(u64, u64), Refusal> {
    let list: CertificateList = Decode::from_der(list).map_err(|_| Refusal::CollateralInvalid)?;
    let next = list.tbs_cert_list.next_update.ok_or(Refusal::CollateralInvalid)?;
    let this = list.tbs_cert_list.this_update;
    Ok((this.to_unix_duration().as_secs(), next.to_unix_duration().as_secs()))
}

const COLLATERAL_BYTES_MAX: usize = 256 * 1024;

/// "Intel SGX Root CA".
const ROOT: &str = "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3";
