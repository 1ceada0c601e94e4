//! Who the worker is on the network, and whom it lets in: read while there still are files.

use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use sealgate_worker::RemoteConfig;

use crate::pinned::Pinned;

/// Why no gateway can be let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// A file could not be read.
    #[error("`{0}`: {1}")]
    Unreadable(PathBuf, io::Error),
    /// A file is not what it should be.
    #[error("`{0}`: {1}")]
    Pem(PathBuf, pem::Error),
    /// Anybody but its owner may read the key.
    #[error("`{0}` may be read by others than its owner\nhint: chmod 600 `{0}`")]
    NotPrivate(PathBuf),
    /// No certificate, or more than one where one is meant.
    #[error("`{0}` must hold {1}")]
    Count(PathBuf, &'static str),
    /// The authority cannot be used.
    #[error("`gateway_ca`: {0}")]
    Authority(#[from] VerifierBuilderError),
    /// Certificate and key do not belong together, or are of an unknown kind.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Bind(std::net::SocketAddr, io::Error),
}

/// TLS 1.3 as this worker, for the one gateway.
pub(crate) fn server_config(remote: &RemoteConfig) -> Result<ServerConfig, IdentityError> {
    let provider = Arc::new(provider());
    let mut authority = RootCertStore::empty();
    for certificate in certificates(&remote.gateway_ca)? {
        authority.add(certificate)?;
    }
    let chain = WebPkiClientVerifier::builder_with_provider(Arc::new(authority), provider.clone());
    let mut gateway = certificates(&remote.gateway_cert)?.into_iter();
    let leaf = gateway.next().ok_or_else(|| count(&remote.gateway_cert, "a certificate"))?;
    let pinned = Pinned { chain: chain.build()?, leaf };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(pinned))
        .with_single_cert(certificates(&remote.cert)?, private_key(&remote.key)?)?;
    // One session a process: there is nothing to resume, and nothing may be replayed.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

/// As the gateway's edge has it: what is recorded today must not be readable by a later machine.
fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups =
        vec![kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
    provider
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<_, _>>)
        .map_err(|error| IdentityError::Pem(path.to_owned(), error))?;
    if found.is_empty() { Err(count(path, "a certificate")) } else { Ok(found) }
}

fn count(path: &Path, what: &'static str) -> IdentityError {
    IdentityError::Count(path.to_owned(), what)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, IdentityError> {
    let unreadable = |error| IdentityError::Unreadable(path.to_owned(), error);
    let file = File::open(path).map_err(unreadable)?;
    // Asked of the open file, so that the file that is judged is the file that is read.
    let mode = file.metadata().map_err(unreadable)?.permissions().mode();
    if mode & GROUP_AND_OTHERS != 0 {
        return Err(IdentityError::NotPrivate(path.to_owned()));
    }
    PrivateKeyDer::from_pem_reader(file).map_err(|error| IdentityError::Pem(path.to_owned(), error))
}

/// The permission bits of everybody but the owner.
const GROUP_AND_OTHERS: u32 = 0o077;
