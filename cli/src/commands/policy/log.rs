//! The decisions in an audit log, in the words of policies.

use std::path::Path;

use sealgate_audit::{Decision, Event, Mode, Text, Texts, Verdict, records};
use sealgate_policies as policies;
use sealgate_policies::Recorded;

use crate::error::CliError;

/// Each decision, from the first to where the log ends now.
pub(super) fn decisions(
    dir: &Path,
) -> Result<impl Iterator<Item = Result<Recorded, CliError>>, CliError> {
    let path = dir.to_owned();
    Ok(records(dir)?.filter_map(move |entry| {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return Some(Err(error.into())),
        };
        match entry.record() {
            Ok(record) => match record.event {
                Event::Decision(decision) => Some(Ok(recorded(&decision, record.time_us))),
                _ => None,
            },
            Err(source) => {
                let path = path.join(&entry.file);
                Some(Err(CliError::Record { path, offset: entry.offset, source }))
            }
        }
    }))
}

fn recorded(decision: &Decision, time_us: u64) -> Recorded {
    let text = |text: &Text| text.as_str().to_owned();
    let texts = |texts: &Texts| texts.iter().map(text).collect();
    let Decision { caller, inputs, .. } = decision;
    Recorded {
        issuer: text(&caller.issuer),
        subject: text(&caller.subject),
        client_id: caller.client_id.as_ref().map(text),
        token_id: caller.token_id.as_ref().map(text),
        tenant: Some(text(&caller.tenant)).filter(|tenant| !tenant.is_empty()),
        groups: texts(&inputs.groups),
        scopes: texts(&inputs.scopes),
        clearance: inputs.clearance.as_ref().map(text),
        token_age_s: u64::from(inputs.token_age_s),
        network: text(&decision.address),
        action: text(&decision.action),
        mode: match decision.mode {
            Mode::GatewaySealed => policies::Mode::GatewaySealed,
            Mode::ClientSealed => policies::Mode::ClientSealed,
        },
        model: text(&decision.model),
        version: decision.model_version.as_ref().map(text),
        protocol: text(&decision.protocol),
        rows_reserved: decision.rows_reserved,
        allowed: decision.verdict == Verdict::Allow,
        rules: texts(&decision.rules),
        time_s: time_us / 1_000_000,
        policy_digest: text(&decision.policy_digest),
    }
}
