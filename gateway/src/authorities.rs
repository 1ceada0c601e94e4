//! Whose certificates are believed of those whom the gateway itself connects to.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// The authorities of a file, or those of the operating system.
pub struct Authorities(Option<RootCertStore>);

/// Why a file names no authorities.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// It cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It holds no certificate.
    #[error("`{path}` holds no certificate\nhint: `ca_file` is a PEM file of authorities")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
}

impl Authorities {
    /// Those in the PEM file; without one whomever the operating system trusts at the time.
    ///
    /// # Errors
    /// [`AuthoritiesError`].
    pub fn new(ca_file: Option<&Path>) -> Result<Self, AuthoritiesError> {
        ca_file.map(named).transpose().map(Self)
    }

    /// TLS 1.2 too: these servers are not ours to modernise.
    ///
    /// # Errors
    /// What the TLS library has against its own settings.
    pub async fn tls(&self) -> Result<ClientConfig, rustls::Error> {
        let authorities = match &self.0 {
            Some(authorities) => authorities.clone(),
            None => tokio::task::spawn_blocking(of_the_system)
                .await
                .unwrap_or_else(|_| RootCertStore::empty()),
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        Ok(ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_root_certificates(authorities)
            .with_no_client_auth())
    }
}

fn named(path: &Path) -> Result<RootCertStore, AuthoritiesError> {
    let unreadable = |source| AuthoritiesError::Unreadable { path: path.to_owned(), source };
    let pem = fs::read(path).map_err(unreadable)?;
    let damaged = || AuthoritiesError::NoCertificate { path: path.to_owned() };
    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        authorities.add(certificate.map_err(|_| damaged())?).map_err(|_| damaged())?;
    }
    if authorities.is_empty() { Err(damaged()) } else { Ok(authorities) }
}

/// Certificates that cannot be read vouch for nobody; without any, no connection stands.
fn of_the_system() -> RootCertStore {
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    authorities
}
