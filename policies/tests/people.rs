//! What people may ask of the gateway itself, and that asking models is another matter.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::net::{IpAddr, Ipv4Addr};

use sealgate_policies::{
    Action, Ask, Caller, Denial, GatewayAction, GatewayAsk, GatewayDecision, GatewayPermit,
    PolicySet,
};
use serde_json::{Value, json};
use support::{Issuer, NOW_S, ask, but, claims, header, load, mistakes};

fn caller(issuer: &Issuer, policy: &PolicySet, claims: &Value) -> Caller {
    policy
        .authenticate(&issuer.token(&header(), claims), NOW_S)
        .unwrap_or_else(|refusal| panic!("{refusal}"))
}

fn in_group(group: &str) -> Value {
    but(claims(), "groups", json!([group]))
}

fn of(action: GatewayAction) -> GatewayAsk {
    GatewayAsk { action, address: IpAddr::V4(Ipv4Addr::LOCALHOST), now_s: NOW_S }
}

fn permit(policy: &PolicySet, caller: &Caller, ask: &GatewayAsk) -> GatewayPermit {
    match policy.decide_gateway(caller, ask) {
        GatewayDecision::Allowed(permit) => permit,
        GatewayDecision::Denied(denial) => panic!("denied: {denial:?}"),
    }
}

fn denial(policy: &PolicySet, caller: &Caller, ask: &GatewayAsk) -> Denial {
    match policy.decide_gateway(caller, ask) {
        GatewayDecision::Allowed(permit) => panic!("allowed: {permit:?}"),
        GatewayDecision::Denied(denial) => denial,
    }
}

fn with_rule(issuer: &Issuer, rule: &str) -> PolicySet {
    load(&issuer.folder().with("rules/zz.cedar", rule))
}

#[test]
fn each_group_may_do_its_own_work_and_no_other() {
    use GatewayAction::{Emergency, ReadOwnReceipt, ReadUsage, ReloadPolicies, ReviewAudit};
    let issuer = Issuer::new();
    let policy = issuer.policy();
    let allowed = [
        ("clinicians", &[ReadOwnReceipt][..]),
        ("data-science", &[ReadOwnReceipt]),
        ("reviewers", &[ReadOwnReceipt, ReviewAudit, ReadUsage]),
        ("operators", &[ReadOwnReceipt, ReloadPolicies, Emergency, ReadUsage]),
    ];
    for (group, allowed) in allowed {
        let caller = caller(&issuer, &policy, &in_group(group));
        for action in GatewayAction::ALL {
            if allowed.contains(&action) {
                assert_eq!(permit(&policy, &caller, &of(action)).action(), action, "{group}");
            } else {
                let denial = denial(&policy, &caller, &of(action));
                assert_eq!((denial.public_code(), denial.code()), ("forbidden", "not_permitted"));
            }
        }
    }
}

#[test]
fn a_permit_names_the_rule_the_tenant_and_the_folder() {
    let issuer = Issuer::new();
    let policy = issuer.policy();
    let caller = caller(&issuer, &policy, &in_group("reviewers"));
    let permit = permit(&policy, &caller, &of(GatewayAction::ReviewAudit));
    assert_eq!(permit.rules().iter().map(|r| &**r).collect::<Vec<_>>(), ["reviewers-review"]);
    assert_eq!(permit.tenant().map(|t| &**t), Some("general-hospital"));
    assert_eq!(permit.policy(), policy.digest());
}

#[test]
fn who_belongs_to_no_tenant_reads_no_receipt() {
    let issuer = Issuer::new();
    let policy = issuer.policy();
    let caller = caller(&issuer, &policy, &but(claims(), "tenant", Value::Null));
    assert_eq!(
        denial(&policy, &caller, &of(GatewayAction::ReadOwnReceipt)).code(),
        "not_permitted"
    );
}

#[test]
fn what_no_rule_permits_is_denied() {
    let issuer = Issuer::new();
    let policy = load(&issuer.folder().with("rules/people.cedar", ""));
    let caller = caller(&issuer, &policy, &in_group("operators"));
    for action in GatewayAction::ALL {
        assert_eq!(denial(&policy, &caller, &of(action)).code(), "not_permitted");
    }
}

#[test]
fn a_permit_to_use_models_permits_nothing_of_the_gateway() {
    let issuer = Issuer::new();
    let rule = "@id(\"all-models\") permit (principal in Group::\"clinicians\", action, resource is Model);";
    let policy = with_rule(&issuer, rule);
    let caller = caller(&issuer, &policy, &claims());
    support::permit(&policy, &caller, &Ask { action: Action::DescribeModel, ..ask() });
    assert_eq!(denial(&policy, &caller, &of(GatewayAction::Emergency)).code(), "not_permitted");
}

#[test]
fn a_permit_that_reaches_the_gateway_unsaid_is_refused() {
    let issuer = Issuer::new();
    let folder = |head: &str| {
        let rule = format!("@id(\"x\") permit ({head});");
        issuer.folder().with("rules/zz.cedar", &rule)
    };
    for unsaid in [
        "principal in Group::\"clinicians\", action, resource",
        "principal == Caller::\"dev/ada\", action, resource",
        "principal is Caller, action, resource",
    ] {
        let told = mistakes(&folder(unsaid));
        assert!(told.contains("error: policy `rules/zz.cedar` line 1 column 1: permits what can be asked of the gateway as well as of models\nhint: name the actions, or write `resource is Model`"), "{told}");
    }
    for meant in [
        "action, resource is Model",
        "action, resource is Gateway",
        "action, resource == Gateway::\"this\"",
        "action, resource in Tenant::\"general-hospital\"",
        "action == Action::\"infer\", resource",
        "action == Action::\"emergency\", resource",
        "action in [Action::\"infer\", Action::\"emergency\"], resource",
    ] {
        load(&folder(&format!("principal in Group::\"clinicians\", {meant}")));
    }
}

#[test]
fn a_forbid_denies_by_its_code() {
    let issuer = Issuer::new();
    let rule = "@id(\"inside\") @code(\"outside\") \
                forbid (principal, action, resource is Gateway)\n\
                unless { context.address.isInRange(ip(\"10.0.0.0/8\")) };";
    let policy = with_rule(&issuer, rule);
    let caller = caller(&issuer, &policy, &in_group("operators"));
    let emergency = of(GatewayAction::Emergency);
    let denial = denial(&policy, &caller, &emergency);
    assert_eq!((denial.code(), &*denial.rules()[0]), ("outside", "inside"));
    permit(&policy, &caller, &GatewayAsk { address: "10.1.2.3".parse().unwrap(), ..emergency });
}

#[test]
fn time_and_the_tokens_age_count() {
    let issuer = Issuer::new();
    let rule = "@id(\"fresh\") @code(\"token_old\") forbid (principal, action, resource is Gateway) \
                when { context.token_age_s > 60 };\n\
                @id(\"hour\") @code(\"late\") forbid (principal, action, resource is Gateway) \
                unless { context.time.hour == 11 };";
    let policy = with_rule(&issuer, rule);
    let caller = caller(&issuer, &policy, &in_group("operators"));
    let emergency = of(GatewayAction::Emergency);
    permit(&policy, &caller, &emergency);
    let later = |seconds| GatewayAsk { now_s: NOW_S + seconds, ..emergency };
    assert_eq!(denial(&policy, &caller, &later(60)).code(), "token_old");
    let late = &denial(&policy, &caller, &later(3600));
    assert_eq!((late.code(), late.rules().len()), ("token_old", 2));
}

#[test]
fn a_rule_that_fails_denies_though_another_permits() {
    let issuer = Issuer::new();
    for effect in ["permit", "forbid"] {
        let rule = format!(
            "@id(\"overflows\") {effect} (principal, action == Action::\"emergency\", resource) \
             when {{ principal.clearance + 9223372036854775807 > 9 }};"
        );
        let policy = with_rule(&issuer, &rule);
        // An operator's clearance of 0 does not overflow: he must have some.
        let groups = but(claims(), "groups", json!(["operators", "clinicians"]));
        let caller = caller(&issuer, &policy, &groups);
        let denial = denial(&policy, &caller, &of(GatewayAction::Emergency));
        assert_eq!((denial.code(), &*denial.rules()[0]), ("evaluation_error", "overflows"));
    }
}

#[test]
fn a_caller_of_another_version_of_the_folder_is_denied() {
    let issuer = Issuer::new();
    let policy = issuer.policy();
    let caller = caller(&issuer, &policy, &in_group("operators"));
    let later = load(&issuer.folder().with("revoked.toml", ""));
    assert_eq!(denial(&later, &caller, &of(GatewayAction::Emergency)).code(), "policy_changed");
}

#[test]
fn a_rule_that_looks_at_what_the_gateway_is_not_asked_with_is_refused() {
    let issuer = Issuer::new();
    let rule = "@id(\"few\") forbid (principal, action, resource) when { context.rows > 10 };";
    let told = mistakes(&issuer.folder().with("rules/zz.cedar", rule));
    assert!(told.contains("error: policy `rules/zz.cedar` line 1"), "{told}");
}

#[test]
fn a_schema_without_the_gateway_is_refused() {
    let issuer = Issuer::new();
    let schema = issuer.folder().text("schema.cedarschema").unwrap().to_owned();
    for (from, to) in [
        ("entity Gateway;", "entity Gateway = { name: String };"),
        ("action read_usage ", "action read_use "),
        ("tenant?: Tenant,", ""),
        ("tenant?: Tenant,", "tenant: Tenant,"),
        ("type GatewayCircumstances = {", "type GatewayCircumstances = { floor: Long,"),
    ] {
        assert!(schema.contains(from), "{from}");
        let told =
            mistakes(&issuer.folder().with("schema.cedarschema", &schema.replacen(from, to, 1)));
        assert!(told.contains("does not describe what the gateway supplies"), "{from}: {told}");
    }
}
