//! Which requests are meant, as it is typed.

use clap::{Args, ValueEnum};
use sealgate_audit as audit;
use sealgate_review::{Filter, Moment};

use crate::clock::now_us;

/// Requests for which all of these hold. Times are UTC.
#[derive(Args)]
pub(super) struct Filters {
    /// Decided then or later: `2026-11-18`, `2026-11-18T12:00:00Z`, `today`, `yesterday`, `24h`
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Decided before then
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// The caller's subject (`sub` of its token)
    #[arg(long, value_name = "SUB")]
    subject: Option<String>,
    /// The issuer of the caller's token
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The program that asked (`client_id` of the token)
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// The caller's tenant
    #[arg(long)]
    tenant: Option<String>,
    /// The model
    #[arg(long)]
    model: Option<String>,
    /// What was asked for, such as `infer`
    #[arg(long)]
    action: Option<String>,
    /// A rule that decided
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// Allowed or denied
    #[arg(long)]
    verdict: Option<Verdict>,
    /// The reason of a denial, or the result of what was allowed (`ok`)
    #[arg(long)]
    code: Option<String>,
    /// The HTTP status of the answer to what was allowed
    #[arg(long)]
    status: Option<u16>,
    /// Who sealed
    #[arg(long)]
    mode: Option<Mode>,
    /// How the request id, subject, client, tenant, model or code begins
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Verdict {
    Allow,
    Deny,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    GatewaySealed,
    ClientSealed,
}

impl Filters {
    /// As the index asks.
    pub(super) fn filter(&self) -> Filter {
        let now_us = now_us();
        Filter {
            since_us: self.since.map(|since| since.us(now_us)),
            until_us: self.until.map(|until| until.us(now_us)),
            subject: self.subject.clone(),
            issuer: self.issuer.clone(),
            client_id: self.client.clone(),
            tenant: self.tenant.clone(),
            model: self.model.clone(),
            action: self.action.clone(),
            rule: self.rule.clone(),
            verdict: self.verdict.map(|verdict| match verdict {
                Verdict::Allow => audit::Verdict::Allow,
                Verdict::Deny => audit::Verdict::Deny,
            }),
            code: self.code.clone(),
            status: self.status,
            mode: self.mode.map(|mode| match mode {
                Mode::GatewaySealed => audit::Mode::GatewaySealed,
                Mode::ClientSealed => audit::Mode::ClientSealed,
            }),
            request_id: None,
            search: self.search.clone(),
        }
    }
}
