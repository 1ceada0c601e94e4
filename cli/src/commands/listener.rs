//! Which gateway's admin listener, and with whose token.

use std::path::PathBuf;

use clap::Args;
use sealgate_client::AdminClient;

use crate::error::CliError;
use crate::state::State;
use crate::state::listing::Listing;

/// Where to ask, as whom.
#[derive(Args)]
pub(super) struct Listener {
    /// State folder of the demo
    #[arg(long, value_name = "DIR", default_value = "./sealgate-demo", conflicts_with = "url")]
    state: PathBuf,
    /// The admin listener of another gateway, `https://host:port`
    #[arg(long, requires = "ca")]
    url: Option<String>,
    /// PEM file with the authority to trust
    #[arg(long, value_name = "FILE", requires = "url")]
    ca: Option<PathBuf>,
    /// File with the admin's token
    #[arg(long, value_name = "FILE")]
    token: PathBuf,
}

impl Listener {
    /// A client for it.
    pub(super) fn client(&self) -> Result<AdminClient, CliError> {
        let read = |path: &PathBuf| std::fs::read(path).map_err(CliError::io("read", path));
        let (url, ca) = match (&self.url, &self.ca) {
            (Some(url), Some(ca)) => (url.clone(), ca.clone()),
            _ => {
                let listing = Listing::read(&State::open(&self.state)?)?;
                (listing.admin_url.ok_or(CliError::NoAdminListener)?, listing.ca)
            }
        };
        let token = read(&self.token)?;
        Ok(AdminClient::new(&url, &read(&ca)?, String::from_utf8_lossy(&token).trim())?)
    }
}
