//! `review.toml`: where a gateway's reviewers find the pages.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::CliError;

/// Paths in it are meant from the folder it lies in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Address and port to listen on.
    pub(super) listen: SocketAddr,
    /// Name, and port unless it is 443, under which browsers ask for the pages.
    pub(super) host: String,
    pub(super) tls: Tls,
    pub(super) gateway: Gateway,
}

/// `[tls]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    /// PEM file with the certificate of `host` and its chain, leaf first.
    pub(super) cert: PathBuf,
    /// PEM file with its private key, readable by its owner alone.
    pub(super) key: PathBuf,
}

/// `[gateway]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gateway {
    /// The admin listener that says who may review: `https://host:port`.
    pub(super) admin_url: String,
    /// PEM file with the authority that vouches for it.
    pub(super) ca: PathBuf,
}

impl Config {
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        let text = fs::read_to_string(path).map_err(CliError::io("read", path))?;
        let wrong = |why| CliError::Config { path: path.to_owned(), why };
        let mut config: Self = toml::from_str(&text).map_err(|why| wrong(why.to_string()))?;
        if !is_host(&config.host) {
            let why = "`host` is a name and a port, as in `audit.example.org:8445`";
            return Err(wrong(why.to_owned()));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        for path in [&mut config.tls.cert, &mut config.tls.key, &mut config.gateway.ca] {
            *path = folder.join(&*path);
        }
        Ok(config)
    }
}

/// What browsers say in `Host` (RFC 9110, section 7.2): lower case, no scheme, no path.
fn is_host(host: &str) -> bool {
    let of_a_host = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-:[]".contains(c);
    !host.is_empty() && host.chars().all(of_a_host)
}
