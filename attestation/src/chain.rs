//! From a vendor's pinned root to the certificate that vouches for evidence (RFC 5280).

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_cert::Certificate;
use x509_cert::der::{Decode, oid::ObjectIdentifier};

use crate::Refusal;

/// The signatures that a vendor's certificates carry; no other is accepted.
pub(crate) type Algorithms<'a> = &'a [&'a dyn SignatureVerificationAlgorithm];

/// SHA-256 of a root certificate, as evidence carries it, in hexadecimal.
pub(crate) fn fingerprint(certificate: &[u8]) -> String {
    hex::encode(digest(&SHA256, certificate))
}

/// A certificate to which a path leads from a pinned root.
pub(crate) struct Leaf {
    certificate: Certificate,
    /// The first second at which a certificate of the path is no longer valid.
    pub(crate) valid_until_s: u64,
}

/// Finds the path from `root`, which the caller has compared with its pin, over any of `between`
/// to `leaf`.
pub(crate) fn verify(
    root: &[u8],
    between: &[&[u8]],
    leaf: &[u8],
    algorithms: Algorithms<'_>,
    now_s: u64,
) -> Result<Leaf, Refusal> {
    if between.len() > INTERMEDIATES_MAX {
        return Err(Refusal::ChainInvalid);
    }
    let root_der = CertificateDer::from(root);
    let anchor = anchor_from_trusted_cert(&root_der).map_err(refusal)?;
    let intermediates: Vec<_> = between.iter().map(|der| CertificateDer::from(*der)).collect();
    let leaf_der = CertificateDer::from(leaf);
    EndEntityCert::try_from(&leaf_der)
        .and_then(|leaf| {
            let time = UnixTime::since_unix_epoch(Duration::from_secs(now_s));
            // None of the vendors' leaves has an extended key usage, so none is demanded of them.
            let usage = KeyUsage::server_auth();
            let anchors = [anchor];
            leaf.verify_for_usage(algorithms, &anchors, &intermediates, time, usage, None, None)
                .map(|_| ())
        })
        .map_err(refusal)?;

    let mut valid_until_s = u64::MAX;
    for der in between.iter().copied().chain([root]) {
        valid_until_s = valid_until_s.min(end(&parse(der)?, now_s)?);
    }
    let certificate = parse(leaf)?;
    valid_until_s = valid_until_s.min(end(&certificate, now_s)?);
    Ok(Leaf { certificate, valid_until_s })
}

impl Leaf {
    /// Checks ECDSA with P-384 and SHA-384 in its fixed form: r and s, 48 bytes each.
    pub(crate) fn verify_p384(&self, message: &[u8], signature: &[u8]) -> Result<(), Refusal> {
        let info = self.certificate.tbs_certificate().subject_public_key_info();
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, info.subject_public_key.raw_bytes())
            .verify(message, signature)
            .map_err(|_| Refusal::SignatureInvalid)
    }

    /// The contents of the one extension with this identifier.
    pub(crate) fn extension(&self, id: ObjectIdentifier) -> Option<&[u8]> {
        let extensions = self.certificate.tbs_certificate().extensions()?;
        let mut found = extensions.iter().filter(|extension| extension.extn_id == id);
        let only = found.next()?;
        found.next().is_none().then(|| only.extn_value.as_bytes())
    }
}

fn parse(der: &[u8]) -> Result<Certificate, Refusal> {
    Certificate::from_der(der).map_err(|_| Refusal::ChainInvalid)
}

/// The first second after a certificate's validity, which must cover `now_s`. For the root this is
/// the only place where time is looked at: a path's anchor has none.
fn end(certificate: &Certificate, now_s: u64) -> Result<u64, Refusal> {
    let validity = certificate.tbs_certificate().validity();
    let begins_s = validity.not_before.to_unix_duration().as_secs();
    let last_s = validity.not_after.to_unix_duration().as_secs();
    if (begins_s..=last_s).contains(&now_s) {
        Ok(last_s.saturating_add(1))
    } else {
        Err(Refusal::CertificateExpired)
    }
}

fn refusal(error: webpki::Error) -> Refusal {
    match error {
        webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. } => {
            Refusal::CertificateExpired
        }
        _ => Refusal::ChainInvalid,
    }
}

/// The longest chain of any vendor (Nitro) has three.
const INTERMEDIATES_MAX: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{NOW_S, Vendor};

    fn verify_vendor(vendor: &Vendor) -> Result<u64, Refusal> {
        let algorithms: Algorithms<'_> = &[webpki::aws_lc_rs::ECDSA_P384_SHA384];
        verify(&vendor.root, &[&vendor.between], &vendor.leaf, algorithms, NOW_S)
            .map(|leaf| leaf.valid_until_s)
    }

    #[test]
    fn a_path_is_valid_until_the_first_of_its_certificates_ends() {
        for years in [[2030, 2050, 2050], [2050, 2030, 2050], [2050, 2050, 2030]] {
            let vendor = Vendor::ending(years, Vec::new());
            assert_eq!(verify_vendor(&vendor), Ok(START_OF_2030_S + 1), "{years:?}");
        }
    }

    #[test]
    fn each_certificate_that_has_ended_ends_the_path_the_root_too() {
        for years in [[2026, 2050, 2050], [2050, 2026, 2050], [2050, 2050, 2026]] {
            let vendor = Vendor::ending(years, Vec::new());
            assert_eq!(verify_vendor(&vendor), Err(Refusal::CertificateExpired), "{years:?}");
        }
    }

    #[test]
    fn a_leaf_of_another_vendor_is_refused() {
        let (mut vendor, other) = (Vendor::new(Vec::new()), Vendor::new(Vec::new()));
        vendor.leaf = other.leaf;
        assert_eq!(verify_vendor(&vendor), Err(Refusal::ChainInvalid));
    }

    #[test]
    fn a_leaf_cannot_vouch_for_another() {
        // Otherwise whoever holds any leaf's key could make chips of its own.
        assert_eq!(verify_vendor(&Vendor::below_a_leaf()), Err(Refusal::ChainInvalid));
    }

    #[test]
    fn an_algorithm_that_is_not_the_vendors_is_refused() {
        let Vendor { root, between, leaf, .. } = Vendor::new(Vec::new());
        let algorithms: Algorithms<'_> = &[webpki::aws_lc_rs::ECDSA_P256_SHA256];
        let refusal = verify(&root, &[&between], &leaf, algorithms, NOW_S).map(|_| ());
        assert_eq!(refusal, Err(Refusal::ChainInvalid));
    }

    /// In seconds since 1970.
    const START_OF_2030_S: u64 = 1_893_456_000;
}
