//! `[worker.remote]`: workers of other hosts.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde::Deserialize;

use super::scaling::WORKERS_MAX;
use super::{Config, ConfigError};
use crate::edge::{private_key, provider};
use crate::worker::{Addresses, Remote};

/// Where workers wait for this gateway, and who both must be. Each address has one session at a time.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteConfig {
    /// Their addresses, `IP:PORT`. Either these or `name`.
    #[serde(default)]
    pub addresses: Vec<SocketAddr>,
    /// `HOST:PORT`, looked up every 10 seconds: each address of the host is a worker's.
    #[serde(default)]
    pub name: Option<String>,
    /// The name that each worker's certificate must have. Default: the host of `name`.
    #[serde(default)]
    pub server_name: Option<String>,
    /// The authority that workers' certificates come from, PEM.
    pub ca: PathBuf,
    /// This gateway's certificate chain, PEM, leaf first. Workers let in this leaf alone.
    pub cert: PathBuf,
    /// Its key, PEM, mode 0600.
    pub key: PathBuf,
}

impl Config {
    /// Refuses a `[worker]` that says both that and where workers run, or neither.
    ///
    /// # Errors
    /// [`ConfigError::Setting`].
    pub(super) fn check_workers(&self) -> Result<(), ConfigError> {
        let worker = &self.worker;
        let Some(remote) = &worker.remote else {
            let given = worker.config.is_some();
            return if given { Ok(()) } else { refuse("`worker.config` is needed") };
        };
        if worker.config.is_some() || worker.program.is_some() || worker.spares > 0 {
            return refuse(
                "`worker.config`, `program` and `spares` are for workers that this gateway starts: \
                 with `[worker.remote]` their own host has them",
            );
        }
        remote.found()?;
        remote.server_name()?;
        let listed = remote.addresses.len();
        if remote.name.is_none() && self.workers_at_least() > listed {
            return Err(ConfigError::Setting(format!(
                "{} workers always run, and `worker.remote.addresses` has {listed}",
                self.workers_at_least()
            )));
        }
        Ok(())
    }
}

impl RemoteConfig {
    /// Reads its files.
    ///
    /// # Errors
    /// [`ConfigError`], naming the file and what is wrong with it.
    pub fn open(&self) -> Result<Remote, ConfigError> {
        Ok(Remote::new(self.found()?, Arc::new(self.tls()?), self.server_name()?))
    }

    fn found(&self) -> Result<Addresses, ConfigError> {
        let distinct: BTreeSet<_> = self.addresses.iter().collect();
        match &self.name {
            None if (1..=WORKERS_MAX).contains(&distinct.len())
                && distinct.len() == self.addresses.len() =>
            {
                Ok(Addresses::Listed(self.addresses.clone()))
            }
            Some(name) if self.addresses.is_empty() => {
                let (host, port) = split(name).ok_or_else(|| {
                    ConfigError::Setting("`worker.remote.name` must be `HOST:PORT`".to_owned())
                })?;
                Ok(Addresses::Named(host.to_owned(), port))
            }
            _ => refuse(
                "`[worker.remote]` needs either `name` or 1 to 32 `addresses`, each of them once",
            ),
        }
    }

    fn server_name(&self) -> Result<ServerName<'static>, ConfigError> {
        let of_name = || split(self.name.as_deref()?).map(|(host, _)| host);
        let name = self.server_name.as_deref().or_else(of_name).unwrap_or_default();
        ServerName::try_from(name.to_owned()).or_else(|_| {
            refuse("`worker.remote.server_name` must be the name in the workers' certificates")
        })
    }

    fn tls(&self) -> Result<ClientConfig, ConfigError> {
        let unusable = |what: &str, error: &dyn std::fmt::Display| {
            ConfigError::Setting(format!("`worker.remote.{what}`: {error}"))
        };
        let mut authority = RootCertStore::empty();
        for certificate in certificates(&self.ca)? {
            authority.add(certificate).map_err(|error| unusable("ca", &error))?;
        }
        let key = private_key(&self.key).map_err(|error| unusable("key", &error))?;
        let builder = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| unusable("ca", &error))?;
        let mut config = builder
            .with_root_certificates(authority)
            .with_client_auth_cert(certificates(&self.cert)?, key)
            .map_err(|error| unusable("cert", &error))?;
        // Each session is with another process, whose keys are new.
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

fn split(name: &str) -> Option<(&str, u16)> {
    let (host, port) = name.rsplit_once(':')?;
    Some((host, port.parse().ok().filter(|&port| port != 0)?)).filter(|_| !host.is_empty())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| ConfigError::Setting(format!("`{}`: {error}", path.display())))?;
    if found.is_empty() {
        return Err(ConfigError::Setting(format!("no certificate in `{}`", path.display())));
    }
    Ok(found)
}

fn refuse<T>(rule: &str) -> Result<T, ConfigError> {
    Err(ConfigError::Setting(rule.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn remote(text: &str) -> RemoteConfig {
        let files = "ca = \"ca\"\ncert = \"cert\"\nkey = \"key\"\n";
        toml::from_str(&format!("{text}\n{files}")).unwrap()
    }

    #[test]
    fn workers_are_at_listed_addresses_or_wherever_a_name_says() {
        let listed = remote("addresses = [\"10.0.0.5:7443\"]\nserver_name = \"worker\"");
        assert!(matches!(listed.found().unwrap(), Addresses::Listed(found) if found.len() == 1));
        let named = remote("name = \"workers.internal:7443\"");
        assert!(
            matches!(named.found().unwrap(), Addresses::Named(host, 7443) if host == "workers.internal")
        );
        assert!(named.server_name().is_ok(), "the host's own");
        assert!(remote("addresses = [\"10.0.0.5:7443\"]").server_name().is_err());
        for wrong in [
            "",
            "addresses = [\"10.0.0.5:7443\"]\nname = \"workers:7443\"",
            "addresses = [\"10.0.0.5:7443\", \"10.0.0.5:7443\"]",
            "name = \"workers\"",
            "name = \":7443\"",
            "name = \"workers:0\"",
        ] {
            assert!(remote(wrong).found().is_err(), "{wrong}");
        }
    }
}
