//! What a permit grants, and why so much and no more.

use serde::Serialize;

use crate::decision::Permit;
use crate::rules::Written;

/// What a permit grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Granted {
    /// How much of an answer leaves the worker.
    pub release: Grant,
    /// How much may be asked.
    pub limits: Grant,
}

/// One obligation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Grant {
    /// The profile that counts.
    pub profile: String,
    /// Each deciding rule, and the profile it names.
    pub named: Vec<(String, Option<String>)>,
    /// Why this profile counts.
    pub why: String,
}

impl Granted {
    pub(super) fn of(permit: &Permit, written: &[Written]) -> Self {
        let named = |annotation: &str| -> Vec<(String, Option<String>)> {
            let deciding =
                permit.rules().iter().filter_map(|id| written.iter().find(|w| *w.id == **id));
            deciding.map(|w| (w.id.clone(), w.annotation(annotation).map(str::to_owned))).collect()
        };
        Self {
            release: Grant::of("release", permit.release().name(), named("release")),
            limits: Grant::of("limits", permit.limits().name(), named("limits")),
        }
    }
}

impl Grant {
    fn of(annotation: &str, profile: &str, named: Vec<(String, Option<String>)>) -> Self {
        let silent = named.iter().find(|(_, profile)| profile.is_none());
        let mut profiles: Vec<_> =
            named.iter().filter_map(|(_, profile)| profile.as_ref()).collect();
        profiles.sort_unstable();
        profiles.dedup();
        let why = match (silent, &profiles[..]) {
            (Some((rule, _)), _) => {
                format!(
                    "`{rule}` names no `@{annotation}`, so the strictest that is declared counts"
                )
            }
            (None, [_]) => format!("every deciding rule names it with `@{annotation}`"),
            (None, _) => format!(
                "the deciding rules name several with `@{annotation}`, and the strictest counts"
            ),
        };
        Self { profile: profile.to_owned(), named, why }
    }
}
