//! Waits for a gateway that has just been started.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use sealgate_client::{Client, ClientError};
use tokio::time::{Instant, sleep};

use super::gateway::{Event, Gateway};
use super::prepare::Prepared;
use crate::error::CliError;
use crate::state::State;
use crate::state::listing::Listing;

/// Why the gateway cannot be used.
pub(super) enum NotReady {
    Gateway(&'static str),
    Other(CliError),
}

impl<E: Into<CliError>> From<E> for NotReady {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

/// Waits until the gateway has answered the example request; gives its URL.
pub(super) async fn ready(
    gateway: &mut Gateway,
    state: &State,
    prepared: &Prepared,
) -> Result<String, NotReady> {
    let deadline = Instant::now() + READY_TIME_MAX;
    let (mut address, mut failures) = (None, 0);
    while address.is_none() || gateway.workers().is_empty() {
        let event = tokio::time::timeout_at(deadline, gateway.event());
        match event.await.map_err(|_| NotReady::Gateway("did not get ready"))? {
            None => return Err(NotReady::Gateway("ended before it was ready")),
            Some(Event::Listening { address: bound }) => address = Some(bound),
            Some(Event::WorkerFailed { .. }) if failures == FAILURES_MAX => {
                return Err(NotReady::Gateway("cannot start its worker"));
            }
            Some(Event::WorkerFailed { .. }) => failures += 1,
            Some(_) => {}
        }
    }
    let url = address.map(url_of).unwrap_or_default();
    let listing = prepared.listing(state, &url, gateway);
    loop {
        match ask_once(&listing).await {
            Ok(()) => return Ok(url),
            Err(error) if Instant::now() >= deadline || !may_pass(&error) => {
                return Err(error.into());
            }
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// The demo's own first answer, over TLS and with the token that it hands out.
async fn ask_once(listing: &Listing) -> Result<(), CliError> {
    let read = |path: &Path| std::fs::read(path).map_err(CliError::io("read", path));
    let token = std::fs::read_to_string(&listing.token);
    let token = token.map_err(CliError::io("read", &listing.token))?;
    let client = Client::new(&listing.url, &read(&listing.ca)?, token.trim())?;
    client.infer_v2(&listing.model, read(&listing.example)?).await?;
    Ok(())
}

/// Whether asking again may help: the gateway listens before its worker is judged.
fn may_pass(error: &CliError) -> bool {
    match error {
        CliError::Client(ClientError::Connect { .. } | ClientError::Broken(_)) => true,
        CliError::Client(ClientError::Refused(refusal)) => refusal.status == 503,
        _ => false,
    }
}

/// An address that stands for all of them cannot be asked; the loopback one can.
pub(super) fn url_of(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("https://{}", SocketAddr::new(ip, address.port()))
}

/// On an idle machine it takes a second or two.
const READY_TIME_MAX: Duration = Duration::from_secs(60);
/// A worker that could not be started may have been slow; one that cannot be is not waited for.
const FAILURES_MAX: u32 = 2;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::url_of;

    #[test]
    fn the_url_names_an_address_that_can_be_asked() {
        for (address, url) in [
            ("127.0.0.1:8443", "https://127.0.0.1:8443"),
            ("0.0.0.0:1", "https://127.0.0.1:1"),
            ("[::]:1", "https://[::1]:1"),
            ("10.0.0.7:1", "https://10.0.0.7:1"),
        ] {
            assert_eq!(url_of(address.parse().unwrap()), url);
        }
    }
}
