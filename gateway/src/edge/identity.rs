//! Who the gateway is on the network: certificate, key and the one way it speaks TLS.

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::server::NoServerSessionStorage;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use super::EdgeError;
use super::certificate::Certificate;

/// The certificate chain and its private key, ready to accept TLS 1.3. Clones share what is current:
/// each handshake takes it anew, and a connection that stands keeps what it began with.
///
/// It holds a private key, so it cannot be printed:
///
/// ```compile_fail
/// fn print(identity: sealgate_gateway::edge::TlsIdentity) {
///     println!("{identity:?}");
/// }
/// ```
#[derive(Clone)]
pub struct TlsIdentity {
    files: Arc<PemFiles>,
    current: Arc<ArcSwap<Current>>,
}

/// Where certificate and key lie.
#[derive(Debug)]
pub(super) struct PemFiles {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
}

/// A chain and its key that belong together, as handshakes use them.
pub(super) struct Current {
    config: Arc<ServerConfig>,
    pub(super) certificate: Arc<Certificate>,
    /// SHA-256 of all certificates of the chain, one after the other.
    chain: [u8; 32],
}

impl TlsIdentity {
    /// Reads the chain (leaf first) and the key, and checks that they belong together.
    ///
    /// # Errors
    /// [`EdgeError`] when a file cannot be read, is no PEM, the key file is open to other users, or
    /// the key does not fit the certificate.
    pub fn from_pem_files(cert: &Path, key: &Path) -> Result<Self, EdgeError> {
        let files = PemFiles { cert: cert.to_path_buf(), key: key.to_path_buf() };
        let current = Arc::new(ArcSwap::from_pointee(Current::read(&files)?));
        Ok(Self { files: Arc::new(files), current })
    }

    /// What everybody may know of the certificate that the next handshake shows.
    #[must_use]
    pub fn certificate(&self) -> Arc<Certificate> {
        self.current.load().certificate.clone()
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load().config.clone())
    }

    pub(super) fn files(&self) -> &PemFiles {
        &self.files
    }

    /// Has the handshakes to come show `next`; gives the certificate before it, if it is another chain.
    pub(super) fn put(&self, next: Current) -> Option<Arc<Certificate>> {
        let before = self.current.load_full();
        if before.chain == next.chain {
            return None;
        }
        self.current.store(Arc::new(next));
        Some(before.certificate.clone())
    }
}

impl Current {
    pub(super) fn read(files: &PemFiles) -> Result<Self, EdgeError> {
        let chain = CertificateDer::pem_file_iter(&files.cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| EdgeError::pem(&files.cert, error))?;
        let Some(leaf) = chain.first() else {
            return Err(EdgeError::NoCertificate { path: files.cert.clone() });
        };
        let mistake = "its first certificate is not one of X.509";
        let certificate = Certificate::parse(leaf)
            .ok_or_else(|| EdgeError::Pem { path: files.cert.clone(), mistake })?;
        let digest = chain.iter().fold(Sha256::new(), |hash, one| hash.chain_update(one));
        let config = Arc::new(server_config(chain, private_key(&files.key)?)?);
        Ok(Self { config, certificate: Arc::new(certificate), chain: digest.finalize().into() })
    }
}

pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, EdgeError> {
    let unreadable = |source| EdgeError::Unreadable { path: path.to_path_buf(), source };
    let file = File::open(path).map_err(unreadable)?;
    // Asked of the open file, so that the file that is judged is the file that is read.
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & GROUP_AND_OTHERS != 0 {
        return Err(EdgeError::NotPrivate { path: path.to_path_buf(), mode });
    }
    PrivateKeyDer::from_pem_reader(file).map_err(|error| EdgeError::pem(path, error))
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec()];
    // No resumption: a ticket would save one signature (some 30 us) and cost a key that opens tickets, and a
    // replaced certificate would not take hold on the next connection. Without tickets there is no 0-RTT either;
    // it is named here because it is replayable.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

/// How this gateway speaks TLS, with clients and with workers of other hosts. Post-quantum first: what is
/// recorded today must not be readable by a later machine.
pub(crate) fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups =
        vec![kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
    provider
}

/// The ALPN name of HTTP/2 (RFC 9113, section 3.1).
pub(super) const H2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";
/// The permission bits of everybody but the owner.
const GROUP_AND_OTHERS: u32 = 0o077;
