//! The demo's certificate authority, and the gateway's certificate.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};

use super::{State, files};
use crate::error::CliError;

/// Where the parts are.
pub(crate) struct Identity {
    /// Certificate of the authority, for clients.
    pub(crate) ca: PathBuf,
    /// The gateway's certificate.
    pub(crate) cert: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
}

/// Makes the authority once, and a certificate for `listen` at each start: that costs less than
/// finding out whether the old one still holds.
pub(crate) fn prepare(state: &State, listen: SocketAddr, now_s: u64) -> Result<Identity, CliError> {
    files::private_dir(&state.path("tls"))?;
    let identity = Identity {
        ca: state.path("tls/ca.pem"),
        cert: state.path("tls/cert.pem"),
        key: state.path("tls/key.pem"),
    };
    let authority = authority(state, &identity, now_s)?;
    let key = KeyPair::generate()?;
    let certificate = leaf(listen, now_s)?.signed_by(&key, &authority)?;
    files::replace(&identity.key, key.serialize_pem().as_bytes())?;
    files::replace(&identity.cert, certificate.pem().as_bytes())?;
    Ok(identity)
}

fn authority(
    state: &State,
    identity: &Identity,
    now_s: u64,
) -> Result<Issuer<'static, KeyPair>, CliError> {
    let path = state.path("tls/ca.key.pem");
    let params = authority_params(now_s);
    if let (Some(pem), true) = (files::read_if_there(&path)?, identity.ca.exists()) {
        let key = KeyPair::from_pem(&pem)
            .map_err(|error| CliError::StateDamaged { path, why: error.to_string() })?;
        return Ok(Issuer::new(params, key));
    }
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    files::replace(&path, key.serialize_pem().as_bytes())?;
    files::replace(&identity.ca, certificate.pem().as_bytes())?;
    Ok(Issuer::new(params, key))
}

/// Its name and uses never change: the certificate of the first start vouches for all later ones.
fn authority_params(now_s: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Sealgate demo authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid(&mut params, now_s, AUTHORITY_DAYS);
    params
}

fn leaf(listen: SocketAddr, now_s: u64) -> Result<CertificateParams, CliError> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, "Sealgate demo");
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    params.subject_alt_names.extend(loopback.map(SanType::IpAddress));
    if !loopback.contains(&listen.ip()) && !listen.ip().is_unspecified() {
        params.subject_alt_names.push(SanType::IpAddress(listen.ip()));
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    valid(&mut params, now_s, LEAF_DAYS);
    Ok(params)
}

/// From an hour ago, for clocks differ.
fn valid(params: &mut CertificateParams, now_s: u64, days: u64) {
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(now_s.saturating_sub(3600));
    params.not_after = epoch + Duration::from_secs(now_s + days * 24 * 3600);
}

const AUTHORITY_DAYS: u64 = 3650;
/// Some systems refuse certificates for more than 398 days.
const LEAF_DAYS: u64 = 90;
