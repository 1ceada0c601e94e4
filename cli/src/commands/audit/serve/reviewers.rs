//! The pages over TLS, for those whom a gateway's rules let review.

use std::fs;
use std::pin::Pin;
use std::sync::Arc;

use sealgate_client::{AdminClient, ClientError};
use sealgate_review::page::{NotAdmitted, PageOptions, Reviewers, for_reviewers};

use super::config::{Config, Gateway};
use super::tls::Listener;
use crate::error::CliError;
use crate::output;

pub(super) async fn serve(
    config: &Config,
    page: &PageOptions,
    stop: impl Future<Output = ()>,
) -> Result<(), CliError> {
    let gateway = Arc::new(AskedGateway::new(&config.gateway)?);
    let listener = Listener::bind(config.listen, &config.tls)?;
    let pages = for_reviewers(page, config.host.clone(), gateway)?;
    output::line(format_args!("https://{}/", config.host))?;
    output::note(format_args!("on {}, for holders of `review_audit`", listener.address()));
    listener.serve(pages, stop).await;
    Ok(())
}

/// Decides nothing: it asks.
struct AskedGateway {
    url: String,
    ca: Vec<u8>,
}

impl AskedGateway {
    fn new(gateway: &Gateway) -> Result<Self, CliError> {
        let ca = fs::read(&gateway.ca).map_err(CliError::io("read", &gateway.ca))?;
        let url = gateway.admin_url.clone();
        // Whatever is wrong with them is wrong now, and not when the first reviewer comes.
        AdminClient::new(&url, &ca, "token")?;
        Ok(Self { url, ca })
    }

    async fn admits(&self, token: &str) -> Result<(), NotAdmitted> {
        let client = AdminClient::new(&self.url, &self.ca, token)
            .map_err(|error| NotAdmitted::Refused(error.to_string()))?;
        match client.review().await {
            Ok(_) => Ok(()),
            Err(ClientError::Refused(refusal)) if refusal.status.is_client_error() => {
                Err(NotAdmitted::Refused(refusal.to_string()))
            }
            Err(error) => Err(NotAdmitted::Unreachable(error.to_string())),
        }
    }
}

impl Reviewers for AskedGateway {
    fn ask<'a>(
        &'a self,
        token: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<(), NotAdmitted>> + Send + 'a>> {
        Box::pin(self.admits(token))
    }
}
