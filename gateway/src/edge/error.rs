//! What can go wrong before the edge serves: told to the operator, never to the network.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the edge could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// A setting of [`EdgeConfig`](super::EdgeConfig) makes no sense.
    #[error("setting `{field}` must be {rule}")]
    Setting {
        /// The setting's name in the file.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// A PEM file could not be read, or does not hold what it should.
    #[error("cannot read `{}`", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls_pki_types::pem::Error,
    },
    /// The certificate file holds no certificate.
    #[error("no certificate in `{}`", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The key does not fit the certificate, or rustls refuses one of them.
    #[error("certificate and key cannot be used for TLS")]
    Tls(#[from] rustls::Error),
    /// The address could not be bound.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}
