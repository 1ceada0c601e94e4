//! Asks a running demo's gateway, with its authority and its token.

use std::path::Path;

use sealgate_client::{Client, Demands, SealedClient};
use tokio::runtime::{Builder, Runtime};

use crate::error::CliError;
use crate::state::listing::Listing;

/// A client that leaves the sealing to the gateway.
pub(crate) fn client(listing: &Listing) -> Result<Client, CliError> {
    let (ca, token) = credentials(listing)?;
    Ok(Client::new(&listing.url, ca.as_bytes(), token.trim())?)
}

/// A client that seals by itself.
pub(crate) fn sealed_client(listing: &Listing, demands: Demands) -> Result<SealedClient, CliError> {
    let (ca, token) = credentials(listing)?;
    Ok(SealedClient::new(&listing.url, ca.as_bytes(), token.trim(), demands)?)
}

/// What a command waits in.
pub(crate) fn runtime() -> Result<Runtime, CliError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(CliError::io("start", "the runtime"))
}

fn credentials(listing: &Listing) -> Result<(String, String), CliError> {
    let read = |path: &Path| std::fs::read_to_string(path).map_err(CliError::io("read", path));
    Ok((read(&listing.ca)?, read(&listing.token)?))
}
