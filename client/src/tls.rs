//! TLS 1.3 to servers that the given authorities vouch for.

use std::sync::Arc;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::crypto::aws_lc_rs;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::ClientError;
use crate::gateway::CONNECT_TIME_MAX;

pub(crate) fn connector(ca_pem: &[u8]) -> Result<HttpsConnector<HttpConnector>, ClientError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(ClientError::Tls)?
        .with_root_certificates(roots(ca_pem)?)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIME_MAX));
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_only()
        .enable_http1()
        .enable_http2()
        .wrap_connector(tcp))
}

/// The system's authorities stay out: a gateway's authority is one that the caller chose.
fn roots(ca_pem: &[u8]) -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem) {
        let certificate = certificate.map_err(|_| ClientError::Authorities)?;
        roots.add(certificate).map_err(|_| ClientError::Authorities)?;
    }
    if roots.is_empty() {
        return Err(ClientError::Authorities);
    }
    Ok(roots)
}
