//! What can be wrong with a case that could be read.

use super::file::{Case, Expect, Verdict};
use crate::any_ask::AnyAction;
use crate::mistake::{Mistakes, Place};
use crate::set::PolicySet;

impl Case {
    /// What can be judged without the rest of the folder.
    pub(super) fn is_whole(&self, place: Place<'_>, mistakes: &mut Mistakes) -> bool {
        let before = mistakes.len();
        let action = self.ask.action.as_str();
        match (self.ask.action, self.ask.of_models()) {
            (AnyAction::Model(_), _) if self.ask.model.is_none() => mistakes
                .error(place, format!("`model` is missing: `{action}` is asked of one"))
                .hint("write `ask = { model = \"..\", .. }`"),
            (AnyAction::Gateway(_), Some(field)) => mistakes
                .error(place, format!("`{action}` is asked of the gateway and has no `{field}`"))
                .hint("leave it out: `address`, `time` and `token_age_s` can be said"),
            _ => {}
        }
        if let Some(claim) = self.caller.misplaced_claim() {
            mistakes.error(place, format!("`{claim}` stands among the other claims")).hint(
                "`issuer`, `sub`, `client_id` and `jti` stand beside `claims`, the token's age in `ask`",
            );
        }
        self.expectation_is_whole(place, mistakes);
        mistakes.len() == before
    }

    fn expectation_is_whole(&self, place: Place<'_>, mistakes: &mut Mistakes) {
        let Expect { verdict, code, release, limits, .. } = &self.expect;
        let grants = release.is_some() || limits.is_some();
        match (verdict, self.ask.action) {
            (Verdict::Allow, _) if code.is_some() => mistakes
                .error(place, "`code` says why something is denied, but `allow` is expected")
                .hint("leave it out, or expect `deny`"),
            (Verdict::Deny, _) if grants => mistakes
                .error(place, "`release` and `limits` are granted, but `deny` is expected")
                .hint("leave them out, or expect `allow`"),
            (Verdict::Allow, AnyAction::Gateway(_)) if grants => mistakes
                .error(place, "`release` and `limits` are granted for models, not by the gateway")
                .hint("leave them out"),
            _ => {}
        }
    }

    /// What else is judged: a case about a model that is misspelt would be denied, and so seem to
    /// be met.
    pub(super) fn makes_sense(
        &self,
        policy: &PolicySet,
        place: Place<'_>,
        mistakes: &mut Mistakes,
    ) -> bool {
        let before = mistakes.len();
        let issuers = policy.issuer_names();
        let issuer = self.caller.issuer.as_str();
        if !self.is_about("token_issuer") && !issuers.contains(&issuer) {
            mistakes
                .error(place, format!("unknown issuer `{issuer}`"))
                .did_you_mean(issuer, issuers);
        }
        let unknown = self.ask.model.as_deref().filter(|model| policy.model(model).is_none());
        if let Some(model) = unknown.filter(|_| !self.is_about("model_unknown")) {
            mistakes
                .error(place, format!("unknown model `{model}`"))
                .did_you_mean(model, policy.models().map(|model| &**model.name()));
        }
        let ids = policy.rules.ids();
        let expected = self.expect.rules.iter().flatten();
        for rule in expected.filter(|rule| !ids.contains(&rule.as_str())) {
            mistakes
                .error(place, format!("unknown rule `{rule}`"))
                .did_you_mean(rule, ids.iter().copied());
        }
        mistakes.len() == before
    }

    fn is_about(&self, code: &str) -> bool {
        self.expect.verdict == Verdict::Deny && self.expect.code.as_deref() == Some(code)
    }
}
