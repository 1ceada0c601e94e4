//! The decisions in an audit log, in the words of policies, with what a candidate said of them.

use std::collections::HashMap;
use std::path::Path;

use sealgate_audit::{CandidateDiffered, Decision, Event, Mode, Text, Texts, Verdict, records};
use sealgate_policies as policies;
use sealgate_policies::{Answer, Changed, Compared, Recorded};

use crate::error::CliError;

/// A decision, and what came of a candidate that the gateway evaluated beside it.
pub(super) struct Logged {
    pub(super) recorded: Recorded,
    pub(super) watched: Option<Watched>,
}

/// What a candidate said, by the word of the gateway that asked it.
pub(super) struct Watched {
    /// SHA-256 of the folder with its candidate, in hex.
    pub(super) candidate: String,
    pub(super) compared: Compared,
}

/// Each decision, from the first to where the log ends now.
pub(super) fn decisions(
    dir: &Path,
) -> Result<impl Iterator<Item = Result<Logged, CliError>>, CliError> {
    let path = dir.to_owned();
    // Of requests whose decision has not come yet: it is the next record of the same request.
    let mut differed: HashMap<Text, CandidateDiffered> = HashMap::new();
    Ok(records(dir)?.filter_map(move |entry| {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return Some(Err(error.into())),
        };
        match entry.record() {
            Ok(record) => match record.event {
                Event::CandidateDiffered(event) => {
                    differed.insert(event.request_id.clone(), event);
                    None
                }
                Event::Decision(decision) => {
                    let said = differed.remove(&decision.request_id);
                    let watched = watched(&decision, said.as_ref());
                    Some(Ok(Logged { recorded: recorded(&decision, record.time_us), watched }))
                }
                _ => None,
            },
            Err(source) => {
                let path = path.join(&entry.file);
                Some(Err(CliError::Record { path, offset: entry.offset, source }))
            }
        }
    }))
}

/// `None` where there was no candidate, or where no rule was asked.
fn watched(decision: &Decision, differed: Option<&CandidateDiffered>) -> Option<Watched> {
    let candidate = decision.candidate_digest.as_ref()?.as_str().to_owned();
    let by_rules = decision.verdict == Verdict::Allow
        || decision.rules.iter().next().is_some()
        || BY_NO_RULE.contains(&decision.code.as_str());
    let compared = match differed {
        None => Compared::Same,
        Some(said) => {
            let from = answer(
                decision.verdict,
                &decision.code,
                [&decision.release_profile, &decision.limit_profile],
                &decision.rules,
            );
            let to = answer(
                said.verdict,
                &said.code,
                [&said.release_profile, &said.limit_profile],
                &said.rules,
            );
            let rules = if to.rules.is_empty() { &from.rules } else { &to.rules };
            Compared::Changed(Box::new(Changed { rules: rules.clone(), from, to }))
        }
    };
    by_rules.then_some(Watched { candidate, compared })
}

fn answer(verdict: Verdict, code: &Text, profiles: [&Text; 2], rules: &Texts) -> Answer {
    let allowed = verdict == Verdict::Allow;
    let detail = match allowed {
        true => profiles.map(Text::as_str).join("/"),
        false => code.as_str().to_owned(),
    };
    Answer { allowed, detail, rules: rules.iter().map(|rule| rule.as_str().to_owned()).collect() }
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

/// Denials of the rules that name no rule.
const BY_NO_RULE: [&str; 3] = ["mode_not_allowed", "model_unknown", "not_permitted"];
