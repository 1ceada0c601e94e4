//! Explanations agree with decisions, always, and say where a rule stopped.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;
mod ward;

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prelude::*;
use sealgate_policies::{
    Action, AnyAsk, Ask, Came, Explanation, Folder, Found, GatewayAction, GatewayAsk, Mode,
    ModelFound, PolicySet, Profile, Protocol, Supposed,
};
use serde_json::{Value, json};
use support::{NOW_S, ask, load};

fn clinician() -> Supposed {
    supposed(json!({"tenant": "general-hospital", "groups": ["clinicians"], "scope": "infer"}))
}

fn supposed(claims: Value) -> Supposed {
    Supposed {
        issuer: "dev".into(),
        sub: "ada".into(),
        client_id: None,
        jti: None,
        claims: serde_json::from_value::<BTreeMap<_, _>>(claims).unwrap(),
    }
}

fn explain(folder: &Folder, who: &Supposed, ask: &Ask<'_>) -> Explanation {
    load(folder).explain_supposed(folder, who, 10, &ask.clone().into()).unwrap()
}

fn with_rule(rule: &str) -> Folder {
    ward::folder().with("rules/zz.cedar", rule)
}

fn came(explanation: &Explanation, rule: &str) -> Came {
    explanation.rules.iter().find(|found| found.id == rule).unwrap().came
}

/// What the parts come to, by Cedar's own rule, without asking Cedar about the whole.
fn comes_to(explanation: &Explanation) -> (&'static str, Vec<String>) {
    let ids = |effect: Option<&str>, came: Came| -> Vec<String> {
        let rules = explanation.rules.iter().filter(|rule| rule.came == came);
        let rules = rules.filter(|rule| effect.is_none_or(|effect| effect == rule.effect));
        let mut ids: Vec<_> = rules.map(|rule| rule.id.clone()).collect();
        ids.sort();
        ids
    };
    let mode_allowed = match &explanation.model {
        None => true,
        Some(ModelFound::Declared { mode_allowed, .. }) => *mode_allowed,
        _ => return ("deny", Vec::new()),
    };
    let (errs, forbids, permits) = (
        ids(None, Came::Errs),
        ids(Some("forbid"), Came::Applies),
        ids(Some("permit"), Came::Applies),
    );
    match (errs.is_empty(), forbids.is_empty(), permits.is_empty(), mode_allowed) {
        (false, ..) => ("deny", errs),
        (_, false, ..) => ("deny", forbids),
        (_, _, true, _) | (_, _, _, false) => ("deny", Vec::new()),
        _ => ("allow", permits),
    }
}

#[test]
fn an_explanation_names_the_clause_that_failed_and_the_permit_that_held() {
    let allowed = explain(&ward::folder(), &clinician(), &ask());
    assert_eq!((allowed.verdict, came(&allowed, "clinicians-infer")), ("allow", Came::Applies));
    let other = supposed(json!({"tenant": "lakeside", "groups": ["clinicians"], "scope": "infer"}));
    let denied = explain(&ward::folder(), &other, &ask());
    assert_eq!(denied.code.as_deref(), Some("other_tenant"));
    let rule = denied.rules.iter().find(|rule| rule.id == "tenants-stay-apart").unwrap();
    assert_eq!((rule.came, &*rule.file, rule.line), (Came::Applies, "rules/tenants.cedar", 3));
    let clause = rule.parts.last().unwrap();
    assert_eq!(clause.text, "unless { principal in resource.owner }");
    assert_eq!(clause.found, Found::Holds);
}

#[test]
fn an_error_is_told_in_cedars_words_and_one_that_is_not_reached_does_no_harm() {
    let overflow = "when { context.time.epoch_s + 9223372036854775807 > 0 }";
    let rule = format!("@id(\"odd\") forbid (principal, action, resource is Model) {overflow};");
    let told = explain(&with_rule(&rule), &clinician(), &ask());
    assert_eq!(
        (told.code.as_deref(), &*told.decided_by),
        (Some("evaluation_error"), &["odd".to_owned()][..])
    );
    let clause = told.rules.iter().find(|rule| rule.id == "odd").unwrap().parts.last().unwrap();
    assert!(matches!(&clause.found, Found::Errs(why) if why.contains("overflow")), "{clause:?}");
    let guarded = format!(
        "@id(\"odd\") forbid (principal, action, resource is Model) when {{ context.rows < 1 }} {overflow};"
    );
    let told = explain(&with_rule(&guarded), &clinician(), &ask());
    assert_eq!((told.verdict, came(&told, "odd")), ("allow", Came::DoesNotApply));
    let clause = told.rules.iter().find(|rule| rule.id == "odd").unwrap().parts.last().unwrap();
    assert!(clause.too_late && matches!(clause.found, Found::Errs(_)));
}

#[test]
fn gates_outside_of_the_rules_are_told() {
    let folder = ward::folder();
    let unknown = explain(&folder, &clinician(), &Ask { model: "breast-cancr", ..ask() });
    assert!(unknown.rules.is_empty());
    let declared = vec!["breast-cancer".into()];
    assert_eq!(unknown.model, Some(ModelFound::Unknown { declared }));
    let models = folder.text("models.toml").unwrap().replace(", \"client-sealed\"", "");
    let folder = folder.clone().with("models.toml", &models);
    let sealed = explain(&folder, &clinician(), &Ask { mode: Mode::ClientSealed, ..ask() });
    assert_eq!(sealed.code.as_deref(), Some("mode_not_allowed"));
    assert_eq!(came(&sealed, "clinicians-infer"), Came::Applies);
}

#[test]
fn what_is_asked_of_the_gateway_is_explained_as_what_is_asked_of_a_model() {
    let rules = "@id(\"clinicians-reload\") permit (principal in Group::\"clinicians\", \
                 action == Action::\"reload_policies\", resource)\n\
                 when { context.token_age_s < 60 };";
    let folder = with_rule(rules);
    let told = |token_age_s, action| {
        let ask = GatewayAsk { action, address: ask().address, now_s: NOW_S }.into();
        load(&folder).explain_supposed(&folder, &clinician(), token_age_s, &ask).unwrap()
    };
    let allowed = told(10, GatewayAction::ReloadPolicies);
    assert_eq!((allowed.verdict, &*allowed.decided_by[0]), ("allow", "clinicians-reload"));
    let text = allowed.to_string();
    for expected in [
        "asks      `reload_policies` of the gateway, from 127.0.0.1, at 2026-11-18T",
        "permit `clinicians-reload` applies (rules/zz.cedar line 1)\n",
        "    holds  when { context.token_age_s < 60 }\n",
        "forbid `tenants-stay-apart` does not apply",
        "\nallowed by `clinicians-reload`",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(!text.contains("\nmodel ") && !text.contains("release"), "{text}");
    assert_eq!(
        came(&told(61, GatewayAction::ReloadPolicies), "clinicians-reload"),
        Came::DoesNotApply
    );
    assert_eq!(told(10, GatewayAction::Emergency).code.as_deref(), Some("not_permitted"));
}

#[test]
fn the_strictest_profile_is_told_with_why_it_won() {
    let two = with_rule(
        "@id(\"trial\") @release(\"rounded\") permit (principal, action, resource is Model) when { context.rows > 0 };",
    );
    let granted = explain(&two, &clinician(), &ask()).granted.unwrap();
    assert_eq!((&*granted.release.profile, &*granted.limits.profile), ("rounded", "clinic+trial"));
    assert!(granted.release.why.contains("several"), "{granted:?}");
    assert!(granted.limits.why.contains("`trial` names no `@limits`"), "{granted:?}");
}

#[test]
fn claims_that_no_token_could_have_are_refused_as_the_token_would_be() {
    let folder = ward::folder();
    let policy = load(&folder);
    let refused = |who: &Supposed, age_s| {
        policy.explain_supposed(&folder, who, age_s, &ask().into()).err().map(|r| r.code())
    };
    assert_eq!(refused(&supposed(json!({"tenant": 7})), 0), Some("token_claims"));
    assert_eq!(refused(&Supposed { issuer: "dve".into(), ..clinician() }, 0), Some("token_issuer"));
    assert_eq!(refused(&Supposed { sub: String::new(), ..clinician() }, 0), Some("token_claims"));
    assert_eq!(refused(&clinician(), 43_205), Some("token_expired"));
    assert_eq!(refused(&clinician(), 43_100), None);
}

#[test]
fn whoever_is_revoked_is_not_explained_away() {
    let folder = ward::folder().with("revoked.toml", "[[revoked]]\nsub = \"ada\"\n");
    let refused = load(&folder).explain_supposed(&folder, &clinician(), 0, &ask().into()).err();
    assert_eq!(refused.map(|refusal| refusal.code()), Some("token_revoked"));
}

#[test]
fn an_explanation_reads_like_a_report() {
    let other = supposed(json!({"tenant": "lakeside", "groups": ["clinicians"], "scope": "infer"}));
    let text = explain(&ward::folder(), &other, &ask()).to_string();
    for expected in [
        "caller    `ada` of issuer `dev`, tenant `lakeside-clinic`, group `clinicians`, scope `infer`, clearance 2, token 10 s old\n",
        "forbid `tenants-stay-apart` applies (rules/tenants.cedar line 3)\n",
        "    holds  unless { principal in resource.owner }   (its condition is false)\n",
        "    fails  action == Action::\"describe_model\"\n",
        "\ndenied by `tenants-stay-apart` (`other_tenant`)",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}

fn rules() -> impl Strategy<Value = String> {
    let effect = prop::sample::select(vec!["permit", "forbid"]);
    let principal = prop::sample::select(vec![
        "principal",
        "principal in Group::\"clinicians\"",
        "principal in Tenant::\"lakeside-clinic\"",
        "principal == Caller::\"dev/ada\"",
        "principal is Caller in Group::\"data-science\"",
    ]);
    let action = prop::sample::select(vec![
        "action",
        "action == Action::\"infer\"",
        "action in [Action::\"describe_model\", Action::\"infer\"]",
        "action in [Action::\"reload_policies\", Action::\"emergency\"]",
    ]);
    let resource = prop::sample::select(vec![
        "resource is Model in Tenant::\"general-hospital\"",
        "resource == Model::\"breast-cancer\"",
        "resource in Tenant::\"general-hospital\"",
        "resource is Model",
        "resource is Gateway",
        "resource",
    ]);
    let clause = prop::sample::select(vec![
        "when { principal in resource.owner }",
        "unless { principal in resource.owner }",
        "when { context.rows < 10 }",
        "unless { context.time.hour < 12 }",
        "when { context.address.isInRange(ip(\"10.0.0.0/8\")) }",
        "when { context.mode == \"client-sealed\" }",
        "when { context.token_age_s < 5 }",
        "when { principal.scopes.contains(\"infer\") }",
        "unless { context.time.epoch_s + 9223372036854775807 > 0 }",
        "when { context.rows * 9223372036854775807 > 0 }",
        "when { context has version && context.version == \"2\" }",
    ]);
    let rule = (effect, principal, action, resource, prop::collection::vec(clause, 0..4));
    prop::collection::vec(rule, 1..6).prop_map(|rules| {
        let text = |(i, (e, p, a, r, c)): (usize, (&str, &str, &str, &str, Vec<&str>))| {
            format!("@id(\"r{i}\")\n{e} ({p}, {a}, {r})\n{};\n", c.join("\n"))
        };
        rules.into_iter().enumerate().map(text).collect()
    })
}

fn asks() -> impl Strategy<Value = AnyAsk<'static>> {
    prop_oneof![3 => asks_of_models().prop_map(AnyAsk::from), 1 => asks_of_the_gateway()]
}

fn asks_of_the_gateway() -> impl Strategy<Value = AnyAsk<'static>> {
    let action = prop::sample::select(GatewayAction::ALL.to_vec());
    let address = prop::sample::select(vec!["10.1.1.1", "192.0.2.1"]);
    (action, address, NOW_S..NOW_S + 86_400).prop_map(|(action, address, now_s)| {
        GatewayAsk { action, address: address.parse().unwrap(), now_s }.into()
    })
}

fn asks_of_models() -> impl Strategy<Value = Ask<'static>> {
    (
        prop::sample::select(vec!["breast-cancer", "no-such"]),
        prop::sample::select(vec![None, Some("1"), Some("2")]),
        prop::sample::select(Action::ALL.to_vec()),
        prop::sample::select(vec![Mode::GatewaySealed, Mode::ClientSealed]),
        prop::sample::select(vec!["10.1.1.1", "192.0.2.1", "2001:db8::1"]),
        prop::sample::select(vec![None, Some(1), Some(100)]),
        NOW_S..NOW_S + 86_400,
    )
        .prop_map(|(model, version, action, mode, address, rows, now_s)| Ask {
            model,
            version,
            action,
            mode,
            protocol: Protocol::V2,
            address: address.parse::<IpAddr>().unwrap(),
            rows,
            now_s,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_the_parts_come_to_is_what_is_decided(
        rules in rules(),
        ask in asks(),
        tenant in prop::sample::select(vec!["general-hospital", "lakeside", "nowhere"]),
        group in prop::sample::select(vec!["clinicians", "data-science", "none"]),
    ) {
        let mut folder = ward::folder();
        for file in ["clearance", "clinicians", "data-science", "scope", "tenants"] {
            folder = folder.with(&format!("rules/{file}.cedar"), "");
        }
        let models = folder.text("models.toml").unwrap().replace(", \"client-sealed\"", "");
        let folder = folder.with("models.toml", &models).with("rules/r.cedar", &rules);
        // What lint refuses is never decided by.
        let loaded = PolicySet::from_folder(&folder, Profile::Dev);
        prop_assume!(loaded.is_ok());
        let policy = loaded.unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let who = supposed(json!({"tenant": tenant, "groups": group, "scope": "infer"}));
        let told = policy.explain_supposed(&folder, &who, 10, &ask).unwrap();
        prop_assert_eq!(comes_to(&told), (told.verdict, told.decided_by.clone()), "{}\n{}", rules, told);
    }
}
