//! What can go wrong before the edge serves: told to the operator, never to the network.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rustls_pki_types::pem;

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
    /// A certificate or key file could not be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is no PEM, or does not hold what it should.
    #[error("`{}` is not usable: {mistake}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong, without a word of the file.
        mistake: &'static str,
    },
    /// The certificate file holds no certificate.
    #[error("no certificate in `{}`", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The certificate's time is over, or has not come.
    #[error("the certificate in `{}` is not valid at this time", path.display())]
    NotInForce {
        /// The file.
        path: PathBuf,
    },
    /// Others than the owner could read or change the key file.
    #[error("`{}` is open to other users (mode {mode:o})\nhint: chmod 600 {}", path.display(), path.display())]
    NotPrivate {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key does not fit the certificate, or rustls refuses one of them.
    #[error("certificate and key cannot be used for TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The address could not be bound.
    #[error("cannot listen on `{address}`: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

impl EdgeError {
    /// Whether the operator's settings or files are at fault, and not the machine at this moment.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        match self {
            Self::Setting { .. }
            | Self::Unreadable { .. }
            | Self::Pem { .. }
            | Self::NoCertificate { .. }
            | Self::NotInForce { .. }
            | Self::NotPrivate { .. }
            | Self::Tls(_) => true,
            Self::Listen { .. } => false,
        }
    }

    /// What is wrong with a PEM file. The parser's own text is dropped: it quotes the file, and in
    /// a key file that lost its line breaks what it quotes is the key.
    pub(super) fn pem(path: &Path, error: pem::Error) -> Self {
        let path = path.to_path_buf();
        let mistake = match error {
            pem::Error::Io(source) => return Self::Unreadable { path, source },
            pem::Error::NoItemsFound => "it holds no private key in PEM",
            pem::Error::MissingSectionEnd { .. } => "a PEM section has no end line",
            pem::Error::IllegalSectionStart { .. } => {
                "the first line of a PEM section is malformed"
            }
            pem::Error::Base64Decode(_) => "a PEM section is not base64",
            _ => "it is not PEM",
        };
        Self::Pem { path, mistake }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_had_is_told_with_its_cause_and_is_no_configuration_mistake() {
        let address = "127.0.0.1:443".parse().unwrap();
        let error = EdgeError::Listen { address, source: io::ErrorKind::AddrInUse.into() };
        assert_eq!(error.to_string(), "cannot listen on `127.0.0.1:443`: address in use");
        assert!(!error.is_configuration());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_with_its_cause_and_is_a_configuration_mistake() {
        let missing = pem::Error::Io(io::ErrorKind::NotFound.into());
        let error = EdgeError::pem(Path::new("cert.pem"), missing);
        assert_eq!(error.to_string(), "cannot read `cert.pem`: entity not found");
        assert!(error.is_configuration());
    }

    #[test]
    fn no_text_quotes_the_file() {
        let line = b"-----BEGIN PRIVATE KEY----- secret".to_vec();
        for error in [
            pem::Error::MissingSectionEnd { end_marker: line.clone() },
            pem::Error::IllegalSectionStart { line },
            pem::Error::Base64Decode("45, 45".to_owned()),
        ] {
            let error = EdgeError::pem(Path::new("key.pem"), error);
            assert!(!format!("{error} {error:?}").contains("45, 45"), "{error}");
        }
    }
}
