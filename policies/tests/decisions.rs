//! Who may do what under the shipped rules, and what happens when a rule goes wrong.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use sealgate_policies::{Action, Ask, Caller, Decision, Mode, PolicySet, Protocol, ReleaseOutput};
use serde_json::{Value, json};
use support::{Issuer, NOW_S, ask, but, claims, denial, header, load, permit};

fn caller(issuer: &Issuer, policy: &PolicySet, claims: &Value) -> Caller {
    policy
        .authenticate(&issuer.token(&header(), claims), NOW_S)
        .unwrap_or_else(|refusal| panic!("{refusal}"))
}

fn with_rule(issuer: &Issuer, rule: &str) -> PolicySet {
    load(&issuer.folder().with("rules/zz.cedar", rule))
}

#[test]
fn a_clinician_of_the_owning_tenant_may_infer() {
    let issuer = Issuer::new();
    let policy = issuer.policy();
    let permit = permit(&policy, &caller(&issuer, &policy, &claims()), &ask());
    assert_eq!(permit.rules().iter().map(|r| &**r).collect::<Vec<_>>(), ["clinicians-infer"]);
    assert_eq!((&**permit.limits().name(), permit.limits().rows_max()), ("clinic", 1024));
    assert_eq!(permit.release().output(), ReleaseOutput::Full {});
    assert_eq!(
        (permit.policy(), permit.model().name().as_ref()),
        (policy.digest(), "breast-cancer")
    );
}

#[test]
fn whoever_lacks_one_thing_is_denied_for_that_thing() {
    let issuer = Issuer::new();
    let policy = issuer.policy();
    let lacking = [
        ("the_group", but(claims(), "groups", json!(["unheard-of"])), "clearance_too_low"),
        ("the_tenant", but(claims(), "tenant", json!("lakeside-clinic")), "other_tenant"),
        ("any_tenant", but(claims(), "tenant", Value::Null), "other_tenant"),
        ("a_declared_tenant", but(claims(), "tenant", json!("nowhere")), "other_tenant"),
        ("the_scope", but(claims(), "scope", json!("other")), "scope_missing"),
        ("the_clearance", but(claims(), "groups", json!(["data-science"])), "clearance_too_low"),
    ];
    for (name, claims, expected) in lacking {
        let denial = denial(&policy, &caller(&issuer, &policy, &claims), &ask());
        assert_eq!((denial.public_code(), denial.code()), ("forbidden", expected), "{name}");
        assert_eq!(denial.rules().is_empty(), expected == "not_permitted", "{name}");
    }
}

#[test]
fn what_no_rule_permits_is_denied() {
    let issuer = Issuer::new();
    let policy = load(&issuer.folder().with("rules/clinicians.cedar", ""));
    let denial = denial(&policy, &caller(&issuer, &policy, &claims()), &ask());
    assert_eq!((denial.code(), denial.rules().len()), ("not_permitted", 0));
}

#[test]
fn an_unknown_model_looks_exactly_like_a_forbidden_one() {
    let issuer = Issuer::new();
    let policy = issuer.policy();
    let caller = caller(&issuer, &policy, &but(claims(), "groups", json!([])));
    let unknown = denial(&policy, &caller, &Ask { model: "no-such-model", ..ask() });
    let forbidden = denial(&policy, &caller, &ask());
    assert_eq!(unknown.public_code(), forbidden.public_code());
    assert_eq!(unknown.code(), "model_unknown");
}

#[test]
fn a_version_that_is_not_declared_is_unknown() {
    let issuer = Issuer::new();
    let models = issuer.folder().text("models.toml").unwrap().to_owned() + "versions = [\"1\"]\n";
    let policy = load(&issuer.folder().with("models.toml", &models));
    let caller = caller(&issuer, &policy, &claims());
    assert_eq!(permit(&policy, &caller, &Ask { version: Some("1"), ..ask() }).version(), Some("1"));
    assert_eq!(
        denial(&policy, &caller, &Ask { version: Some("2"), ..ask() }).code(),
        "model_unknown"
    );
}

#[test]
fn a_label_means_the_version_that_it_names_and_may_be_asked_for_where_that_may() {
    let issuer = Issuer::new();
    let models = issuer.folder().text("models.toml").unwrap().to_owned()
        + "versions = [\"1\", \"2\"]\nlabels = { canary = \"2\" }\ntraffic = { 1 = 95, 2 = 5 }\n";
    let policy = load(&issuer.folder().with("models.toml", &models));
    let caller = caller(&issuer, &policy, &claims());
    let asked = |version| permit(&policy, &caller, &Ask { version, ..ask() });
    assert_eq!(asked(Some("canary")).version(), Some("2"));
    assert_eq!(asked(Some("2")).version(), Some("2"));
    assert_eq!(asked(None).version(), None);
    assert_eq!(asked(None).model().traffic(), [("1".to_owned(), 95), ("2".to_owned(), 5)]);
    let denied = denial(&policy, &caller, &Ask { version: Some("stable"), ..ask() });
    assert_eq!(denied.code(), "model_unknown");
}

#[test]
fn a_mode_that_the_model_does_not_allow_is_denied() {
    let issuer = Issuer::new();
    let models = issuer.folder().text("models.toml").unwrap().replace("\"gateway-sealed\", ", "");
    let policy = load(&issuer.folder().with("models.toml", &models));
    let caller = caller(&issuer, &policy, &claims());
    assert_eq!(denial(&policy, &caller, &ask()).code(), "mode_not_allowed");
    permit(&policy, &caller, &Ask { mode: Mode::ClientSealed, ..ask() });
}

#[test]
fn a_rule_that_fails_denies_though_another_permits() {
    let issuer = Issuer::new();
    let rule = "@id(\"overflows\") permit (principal, action, resource is Model) \
                when { principal.clearance + 9223372036854775807 > 0 };";
    let policy = with_rule(&issuer, rule);
    let denial = denial(&policy, &caller(&issuer, &policy, &claims()), &ask());
    assert_eq!((denial.code(), &*denial.rules()[0]), ("evaluation_error", "overflows"));
}

#[test]
fn a_forbid_that_fails_denies_instead_of_being_skipped() {
    let issuer = Issuer::new();
    let rule = "@id(\"overflows\") forbid (principal, action, resource) \
                when { principal.clearance + 9223372036854775807 < 0 };";
    let policy = with_rule(&issuer, rule);
    assert_eq!(
        denial(&policy, &caller(&issuer, &policy, &claims()), &ask()).code(),
        "evaluation_error"
    );
}

#[test]
fn a_permit_without_annotations_brings_the_strictest() {
    let issuer = Issuer::new();
    let rule =
        "@id(\"bare\") permit (principal in Group::\"clinicians\", action, resource is Model);";
    let policy = with_rule(&issuer, rule);
    let permit = permit(&policy, &caller(&issuer, &policy, &claims()), &ask());
    assert_eq!(permit.release().output(), ReleaseOutput::Label {});
    assert_eq!(permit.limits().rows_max(), 32);
}

#[test]
fn the_strictest_of_several_permits_wins() {
    let issuer = Issuer::new();
    let rule = "@id(\"second\") @release(\"rounded\") @limits(\"clinic\") \
                permit (principal in Group::\"clinicians\", action, resource is Model);";
    let policy = with_rule(&issuer, rule);
    let permit = permit(&policy, &caller(&issuer, &policy, &claims()), &ask());
    assert_eq!((&**permit.release().name(), permit.limits().rows_max()), ("rounded", 1024));
}

#[test]
fn a_caller_of_another_version_of_the_folder_is_denied() {
    let issuer = Issuer::new();
    let policy = issuer.policy();
    let caller = caller(&issuer, &policy, &claims());
    let later = load(&issuer.folder().with("revoked.toml", ""));
    assert_eq!(denial(&later, &caller, &ask()).code(), "policy_changed");
    assert!(later.describable(&caller, &ask()).is_empty());
}

#[test]
fn only_what_may_be_described_is_listed() {
    let issuer = Issuer::new();
    let models = issuer.folder().text("models.toml").unwrap().to_owned()
        + "[models.theirs]\nowner = \"lakeside-clinic\"\nsensitivity = \"public\"\nmodes = [\"gateway-sealed\"]\n";
    let policy = load(&issuer.folder().with("models.toml", &models));
    let listed = |claims: &Value| {
        let models = policy.describable(&caller(&issuer, &policy, claims), &ask());
        models.iter().map(|model| model.name().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&claims()), ["breast-cancer"]);
    assert_eq!(listed(&but(claims(), "tenant", json!("lakeside"))), ["theirs"]);
    assert_eq!(listed(&but(claims(), "groups", json!([]))), Vec::<String>::new());
}

#[test]
fn an_action_group_of_the_schema_reaches_the_rules() {
    let issuer = Issuer::new();
    let schema = issuer
        .folder()
        .text("schema.cedarschema")
        .unwrap()
        .replace("action infer applies", "action work;\naction infer in [work] applies");
    let rule = "@id(\"no-work\") @code(\"no_work\") forbid (principal, action in Action::\"work\", resource);";
    let policy =
        load(&issuer.folder().with("schema.cedarschema", &schema).with("rules/zz.cedar", rule));
    assert_eq!(denial(&policy, &caller(&issuer, &policy, &claims()), &ask()).code(), "no_work");
}

#[test]
fn what_the_demos_caller_asks_depends_on_neither_time_nor_address() {
    let issuer = Issuer::new();
    let policy = issuer.policy();
    let caller = caller(&issuer, &policy, &claims());
    let key = policy.cache_key(&caller, &ask());
    assert!(key.is_some());
    let elsewhere = Ask { address: "203.0.113.9".parse().unwrap(), now_s: NOW_S + 40_000, ..ask() };
    assert_eq!(policy.cache_key(&caller, &elsewhere), key);
}

#[test]
fn each_circumstance_that_a_rule_looks_at_is_noticed() {
    let issuer = Issuer::new();
    let looks = |condition: &str| {
        let rule = format!(
            "@id(\"x\") forbid (principal, action, resource is Model) when {{ {condition} }};"
        );
        with_rule(&issuer, &rule).looks_at()
    };
    assert!(looks("context.address.isLoopback()").address);
    assert!(looks("context.time.hour < 7").time);
    assert!(looks("[context.time].contains({epoch_s: 1, hour: 1, minute: 1, weekday: 1})").time);
    assert!(looks("if principal.clearance > 1 then context[\"rows\"] > 9 else false").rows);
    assert!(looks("context.token_age_s > 60").token_age);
    assert!(looks("context.mode like \"client*\"").mode);
    assert!(looks("!(context.protocol == \"v2\")").protocol);
    assert!(looks("context has version").version);
    assert!(looks("context has time.hour && context.time.hour > 7").time);
    let whole = looks("[context, context].contains(context)");
    assert!(
        whole.address
            && whole.time
            && whole.rows
            && whole.token_age
            && whole.mode
            && whole.protocol
            && whole.version
    );
}

#[test]
fn a_decision_that_depends_on_the_time_has_no_key() {
    let issuer = Issuer::new();
    for condition in
        ["context.time.hour < 7", "context.token_age_s > 60", "[context].contains(context)"]
    {
        let rule = format!(
            "@id(\"x\") forbid (principal, action, resource is Model) when {{ {condition} }};"
        );
        let policy = with_rule(&issuer, &rule);
        let caller = caller(&issuer, &policy, &claims());
        assert_eq!(policy.cache_key(&caller, &ask()), None, "{condition}");
    }
}

#[test]
fn a_rule_about_others_does_not_keep_a_decision_from_being_kept() {
    let issuer = Issuer::new();
    for others in [
        "principal in Group::\"data-science\", action, resource",
        "principal, action == Action::\"describe_model\", resource",
        "principal, action, resource in Tenant::\"lakeside-clinic\"",
    ] {
        let condition = "context.time.hour < 7 || context.address.isLoopback()";
        let rule = format!("@id(\"x\") forbid ({others}) when {{ {condition} }};");
        let policy = with_rule(&issuer, &rule);
        let caller = caller(&issuer, &policy, &claims());
        let elsewhere = Ask { address: "10.1.2.3".parse().unwrap(), ..ask() };
        let key = policy.cache_key(&caller, &ask());
        assert!(key.is_some() && key == policy.cache_key(&caller, &elsewhere), "{others}");
    }
}

#[test]
fn a_rule_about_the_address_keeps_decisions_apart_for_those_it_is_about() {
    let issuer = Issuer::new();
    let rule = "@id(\"x\") forbid (principal in Group::\"clinicians\", action, resource) \
                when { context.address.isMulticast() };";
    let policy = with_rule(&issuer, rule);
    let elsewhere = Ask { address: "10.1.2.3".parse().unwrap(), ..ask() };
    let apart = |claims: &Value| {
        let caller = caller(&issuer, &policy, claims);
        policy.cache_key(&caller, &ask()) != policy.cache_key(&caller, &elsewhere)
    };
    assert!(apart(&claims()));
    assert!(!apart(&but(claims(), "groups", json!(["data-science"]))));
}

#[test]
fn a_decision_is_not_kept_for_a_caller_of_another_version_of_the_folder() {
    let issuer = Issuer::new();
    let policy = issuer.policy();
    let caller = caller(&issuer, &policy, &claims());
    let later = load(&issuer.folder().with("revoked.toml", ""));
    assert_eq!(later.cache_key(&caller, &ask()), None);
}

#[test]
fn business_hours_are_kept_in_utc() {
    let issuer = Issuer::new();
    let rule = "@id(\"hours\") @code(\"out_of_hours\") forbid (principal, action, resource)\n\
                unless { context.time.weekday == 3 }\nunless { context.time.hour == 11 };";
    let policy = with_rule(&issuer, rule);
    let caller = caller(&issuer, &policy, &claims());
    // 2026-11-18 was a Wednesday; 1,795,000,000 is 11:06:40 on that day.
    permit(&policy, &caller, &ask());
    permit(&policy, &caller, &Ask { now_s: NOW_S + 86_400, ..ask() });
    assert_eq!(
        denial(&policy, &caller, &Ask { now_s: NOW_S + 86_400 + 3600, ..ask() }).code(),
        "out_of_hours"
    );
}

#[test]
fn silence_about_rows_does_not_pass_for_few() {
    let issuer = Issuer::new();
    let rule = "@id(\"few\") @code(\"too_many\") forbid (principal, action, resource is Model) when { context.rows > 10 };";
    let policy = with_rule(&issuer, rule);
    let caller = caller(&issuer, &policy, &claims());
    permit(&policy, &caller, &Ask { rows: Some(10), ..ask() });
    assert_eq!(denial(&policy, &caller, &Ask { rows: None, ..ask() }).code(), "too_many");
}

#[test]
fn an_address_that_is_v4_inside_v6_is_judged_as_v4() {
    let issuer = Issuer::new();
    let rule = "@id(\"office\") @code(\"outside\") forbid (principal, action, resource)\n\
                unless { context.address.isInRange(ip(\"10.0.0.0/8\")) };";
    let policy = with_rule(&issuer, rule);
    let caller = caller(&issuer, &policy, &claims());
    permit(&policy, &caller, &Ask { address: "::ffff:10.1.2.3".parse().unwrap(), ..ask() });
    assert_eq!(denial(&policy, &caller, &ask()).code(), "outside");
}

fn any_ask() -> impl Strategy<Value = Ask<'static>> {
    (
        prop::sample::select(vec!["breast-cancer", "other"]),
        prop::sample::select(vec![None, Some("1"), Some("2")]),
        prop::sample::select(Action::ALL.to_vec()),
        prop::sample::select(vec![Mode::GatewaySealed, Mode::ClientSealed]),
        prop::sample::select(vec![Protocol::V2, Protocol::V1]),
        0u8..4,
        prop::option::of(0u32..3),
        NOW_S..NOW_S + 4,
    )
        .prop_map(|(model, version, action, mode, protocol, host, rows, now_s)| Ask {
            model,
            version,
            action,
            mode,
            protocol,
            address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)),
            rows,
            now_s,
        })
}

/// All that a decision says, as text.
fn said(decision: &Decision) -> String {
    format!("{decision:?}")
}

#[test]
fn equal_keys_mean_equal_decisions() {
    let issuer = Issuer::new();
    let sets = [
        "context.address.isInRange(ip(\"10.0.0.0/31\"))",
        "context.rows > 1",
        "context.mode == \"client-sealed\"",
        "context.protocol == \"v1\"",
        "context has version && context.version == \"2\"",
        "context.address.isInRange(ip(\"10.0.0.0/31\")) && context.rows > 1",
    ]
    .map(|condition| {
        let rule = format!(
            "@id(\"x\") forbid (principal, action, resource is Model) when {{ {condition} }};"
        );
        let policy = with_rule(&issuer, &rule);
        let caller = caller(&issuer, &policy, &claims());
        (policy, caller)
    });
    let plenty =
        ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(plenty, |(one in any_ask(), other in any_ask(), which in 0..sets.len())| {
        let (policy, caller) = &sets[which];
        if let (Some(a), Some(b)) = (policy.cache_key(caller, &one), policy.cache_key(caller, &other)) && a == b {
            prop_assert_eq!(said(&policy.decide(caller, &one)), said(&policy.decide(caller, &other)));
        }
    });
}
