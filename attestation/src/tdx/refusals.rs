//! `dcap-qvl` refuses in words; here they get their name. A word that is not known changes which
//! name a refusal has, never that it is one.

use dcap_webpki::Error as Path;

use crate::Refusal;

/// The name of what went wrong: on a certificate's path or with a revocation list, if it was one
/// of these, or else by `words`, which begin with what was tried.
pub(super) fn name(path: Option<&Path>, words: &str) -> Refusal {
    match path {
        Some(path) => of_path(path),
        None => of_words(words),
    }
}

fn of_path(error: &Path) -> Refusal {
    match error {
        Path::CertExpired { .. } | Path::CertNotValidYet { .. } => Refusal::CertificateExpired,
        Path::CertRevoked => Refusal::Revoked,
        Path::CrlExpired { .. } => Refusal::CollateralExpired,
        Path::InvalidCrlSignatureForPublicKey
        | Path::IssuerNotCrlSigner
        | Path::UnknownRevocationStatus => Refusal::CollateralInvalid,
        _ => Refusal::ChainInvalid,
    }
}

fn of_words(words: &str) -> Refusal {
    let says = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    if says(&["TCB status is invalid: Revoked"]) {
        Refusal::Revoked
    } else if says(&["ISV enclave report signature", "qe_report in quote", "QE report hash"]) {
        Refusal::SignatureInvalid
    } else if says(&["expired", "in the future"]) {
        Refusal::CollateralExpired
    } else if says(&["No matching TCB level", "below minimum required"]) {
        Refusal::TcbTooOld { status: "below every level".to_owned() }
    } else if says(&["tcb_info", "qe_identity", "TCB Info", "QE Identity", "CRL", "Fmspc"]) {
        Refusal::CollateralInvalid
    } else if says(&["Debug mode", "profiling", "migration"]) {
        Refusal::DebugMode
    } else if says(&["TD attributes", "SERVTD_EXT", "SEPT_VE_DISABLE", "service TD"]) {
        Refusal::MeasurementUnknown
    } else if says(&["quote", "Quote"]) {
        Refusal::Malformed
    } else {
        Refusal::ChainInvalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revoked_certificate_and_a_revoked_platform_are_revoked() {
        assert_eq!(name(Some(&Path::CertRevoked), ""), Refusal::Revoked);
        assert_eq!(name(None, "TCB status is invalid: Revoked"), Refusal::Revoked);
    }

    #[test]
    fn a_platform_below_every_level_is_too_old_and_not_malformed() {
        let refusal = name(None, "No matching TCB level found");
        assert_eq!(refusal.code(), "tcb_too_old");
    }

    #[test]
    fn words_that_are_not_known_are_a_refusal_all_the_same() {
        assert_eq!(name(None, "something new"), Refusal::ChainInvalid);
    }
}
