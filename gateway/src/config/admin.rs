//! `[admin]`.

use std::net::SocketAddr;

use serde::Deserialize;

/// `[admin]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminConfig {
    /// Address and port for admins, with the edge's certificate and limits; port 0 takes a free
    /// one. Addresses that other machines reach need `unsafe_remote` in the dev profile.
    pub listen: SocketAddr,
}
