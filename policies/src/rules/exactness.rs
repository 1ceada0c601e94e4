//! A slice decides as all rules do: any rules, any caller, anything asked of anything.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use cedar_policy::{
    Authorizer, Decision, Entity, EntityUid, Policy, PolicyId, PolicySet, Response, SlotId,
    Template,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::addresses::Addresses;
use super::context::{Circumstances, ContextUse};
use super::entities::{Resource, action_uid, caller_entity, gateway_action_uid};
use super::question::{Asked, Question};
use super::slice::{Index, Numbers, Slices};
use super::{Rules, Verdict};
use crate::ask::{Action, Ask, GatewayAction, Mode, Protocol};
use crate::caller::Standing;
use crate::{Folder, PolicySet as WholePolicy, Profile};

const PRINCIPALS: &[&str] = &[
    "principal",
    r#"principal == Caller::"dev/ann""#,
    r#"principal == Group::"nurses""#,
    r#"principal in Caller::"dev/ann""#,
    r#"principal in Group::"nurses""#,
    r#"principal in Group::"doctors""#,
    r#"principal in Tenant::"general-hospital""#,
    "principal is Caller",
    "principal is Group",
    r#"principal is Caller in Group::"nurses""#,
    r#"principal is Group in Group::"nurses""#,
    r#"principal is Caller in Tenant::"lakeside-clinic""#,
    "principal == ?principal",
    "principal in ?principal",
    "principal is Caller in ?principal",
];

const ACTIONS: &[&str] = &[
    "action",
    r#"action == Action::"infer""#,
    r#"action == Action::"emergency""#,
    r#"action in [Action::"infer", Action::"describe_model"]"#,
    r#"action in [Action::"review_audit"]"#,
    r#"action in Action::"work""#,
    r#"action in [Action::"work", Action::"emergency"]"#,
];

const RESOURCES: &[&str] = &[
    "resource",
    r#"resource == Model::"one""#,
    r#"resource == Gateway::"this""#,
    r#"resource in Model::"two""#,
    r#"resource in Tenant::"general-hospital""#,
    r#"resource in Tenant::"lakeside-clinic""#,
    "resource is Model",
    "resource is Gateway",
    "resource is Tenant",
    r#"resource is Model in Tenant::"general-hospital""#,
    r#"resource is Model in Model::"three""#,
    r#"resource is Gateway in Gateway::"this""#,
    "resource == ?resource",
    "resource in ?resource",
    "resource is Model in ?resource",
];

/// Several fail for some callers, models or circumstances, as no validated rule would.
const CLAUSES: &[&str] = &[
    "when { true }",
    "when { false }",
    "when { principal.clearance > 1 }",
    "when { principal in resource.owner }",
    "unless { principal.clearance + 9223372036854775807 > 0 }",
    "when { principal has tenant && principal.tenant == Tenant::\"general-hospital\" }",
    "unless { principal.tenant == Tenant::\"general-hospital\" }",
    "when { context.address.isInRange(ip(\"10.0.0.0/31\")) }",
    "when { context.time.hour < 1 }",
    "unless { context.token_age_s > 1 }",
    "when { context.mode == \"client-sealed\" }",
    "unless { context has rows && context.rows > 1 }",
    "when { context.protocol == \"v2\" }",
    "unless { context.version == \"1\" }",
    "when { context has version }",
    "when { [context].contains(context) }",
];

/// What templates' slots are filled with.
const FILLINGS: &[&str] = &[
    r#"Caller::"dev/ann""#,
    r#"Group::"doctors""#,
    r#"Tenant::"lakeside-clinic""#,
    r#"Model::"one""#,
    r#"Gateway::"this""#,
];

/// A rule's text, and what fills its slots.
type Written = (String, [&'static str; 2]);

fn any_rule() -> impl Strategy<Value = Written> {
    let clauses = prop::collection::vec(select(CLAUSES), 0..3);
    let scope = (select(PRINCIPALS), select(ACTIONS), select(RESOURCES));
    let fillings = [select(FILLINGS), select(FILLINGS)];
    (any::<bool>(), scope, clauses, fillings).prop_map(
        |(permits, (principal, action, resource), clauses, fillings)| {
            let effect = if permits { "permit" } else { "forbid" };
            let clauses = clauses.join(" ");
            (format!("{effect} ({principal}, {action}, {resource}) {clauses};"), fillings)
        },
    )
}

fn set_of(rules: &[Written]) -> PolicySet {
    let mut set = PolicySet::new();
    for (place, (text, fillings)) in rules.iter().enumerate() {
        let id = PolicyId::new(format!("rule-{place}"));
        if !text.contains('?') {
            set.add(Policy::parse(Some(id), text).unwrap()).unwrap();
            continue;
        }
        let template_id = PolicyId::new(format!("template-{place}"));
        set.add_template(Template::parse(Some(template_id.clone()), text).unwrap()).unwrap();
        let slots = [(SlotId::principal(), "?principal"), (SlotId::resource(), "?resource")];
        let filled = slots.into_iter().zip(fillings).filter(|((_, name), _)| text.contains(name));
        let filled = filled.map(|((slot, _), uid)| (slot, uid.parse().unwrap()));
        set.link(template_id, id, filled.collect()).unwrap();
    }
    set
}

fn any_caller() -> impl Strategy<Value = Entity> {
    let tenants = vec![None, Some("general-hospital"), Some("lakeside-clinic")];
    let groups = subsequence(vec!["doctors", "nurses", "others"], 0..=3);
    (select(vec!["ann", "bob"]), select(tenants), groups, 0i64..3).prop_map(
        |(subject, tenant, groups, clearance)| {
            let standing = Standing {
                tenant: tenant.map(Arc::from),
                groups: groups.into_iter().map(Arc::from).collect(),
                scopes: Vec::new(),
                clearance,
            };
            caller_entity("dev", subject, &standing).unwrap()
        },
    )
}

/// What is asked of which place in [`resources`].
fn any_target() -> impl Strategy<Value = (usize, &'static EntityUid)> {
    let models = (0..3usize, select(Action::ALL.to_vec()).prop_map(action_uid));
    let gateway = (Just(3usize), select(GatewayAction::ALL.to_vec()).prop_map(gateway_action_uid));
    prop_oneof![3 => models, 1 => gateway]
}

fn any_ask() -> impl Strategy<Value = Ask<'static>> {
    let version = select(vec![None, Some("1"), Some("2")]);
    let mode = select(vec![Mode::GatewaySealed, Mode::ClientSealed]);
    let protocol = select(vec![Protocol::V2, Protocol::V1]);
    (version, mode, protocol, 0u8..4, prop::option::of(0u32..3), 0u64..7200).prop_map(
        |(version, mode, protocol, host, rows, now_s)| Ask {
            model: "",
            version,
            action: Action::Infer,
            mode,
            protocol,
            address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)),
            rows,
            now_s,
        },
    )
}

/// Three models of two tenants, and the gateway.
fn resources() -> Vec<Resource> {
    let model = |name: &str, owner: &str| {
        format!(
            "[models.{name}]\nowner = \"{owner}\"\nsensitivity = \"internal\"\nmodes = [\"gateway-sealed\"]\n"
        )
    };
    let models = model("one", "general-hospital")
        + &model("two", "general-hospital")
        + &model("three", "lakeside-clinic");
    // The one shipped file that names a model.
    let folder = Folder::shipped().with("models.toml", &models).with("rules/sensitive.cedar", "");
    let policy =
        WholePolicy::from_folder(&folder, Profile::Dev).map_err(|m| m.to_string()).unwrap();
    let mut models = policy.models;
    let mut take = |name: &str| models.remove(name).unwrap().1;
    vec![take("one"), take("two"), take("three"), Resource::gateway()]
}

fn action_groups() -> Vec<Entity> {
    let uid = |text: &str| -> EntityUid { text.parse().unwrap() };
    let work = uid("Action::\"work\"");
    let within = |action| Entity::new_no_attrs(uid(action), HashSet::from([work.clone()]));
    vec![
        Entity::new_no_attrs(work.clone(), HashSet::new()),
        within("Action::\"infer\""),
        within("Action::\"read_usage\""),
    ]
}

/// Decision, determining rules, and rules that failed.
fn said(response: &Response) -> (Decision, BTreeSet<String>, BTreeSet<String>) {
    let reasons = response.diagnostics().reason().map(ToString::to_string).collect();
    let errors = super::failed(response).iter().map(ToString::to_string).collect();
    (response.decision(), reasons, errors)
}

#[test]
fn a_slice_decides_explains_and_fails_as_all_rules_do() {
    let resources = resources();
    let plenty =
        ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() };
    let rules = prop::collection::vec(any_rule(), 0..12);
    proptest!(plenty, |(
        rules in rules, caller in any_caller(), (resource, action) in any_target(), ask in any_ask(),
    )| {
        let (set, resource) = (set_of(&rules), &resources[resource]);
        let circumstances = Circumstances {
            address: ask.address,
            now_s: ask.now_s,
            token_age_s: Some(ask.now_s % 3),
            of_model: (*resource.uid() != *Resource::gateway().uid()).then_some(&ask),
        };
        let whole = Question::new(&caller, action, resource, &action_groups()).unwrap()
            .about(Numbers::default(), ContextUse::ALL);
        let request = whole.request(&circumstances, &Addresses::new()).unwrap();
        let expected = Authorizer::new().is_authorized(&request, &set, &whole.entities);

        let sliced = Rules::new(set, HashMap::new(), action_groups());
        let question = sliced.question(&caller, action, resource).unwrap();
        let found = sliced.response(&question, &circumstances).unwrap();
        prop_assert_eq!(said(&found), said(&expected));
    });
}

fn caller(subject: &str, group: &str) -> Entity {
    let standing =
        Standing { tenant: None, groups: vec![group.into()], scopes: Vec::new(), clearance: 0 };
    caller_entity("dev", subject, &standing).unwrap()
}

fn rules_about_groups(count: usize) -> PolicySet {
    let rule = |n: usize| {
        let text = format!("permit (principal in Group::\"{n}\", action, resource);");
        Policy::parse(Some(PolicyId::new(n.to_string())), text).unwrap()
    };
    PolicySet::from_policies((0..count).map(rule)).unwrap()
}

#[test]
fn a_slice_holds_only_the_rules_about_the_question() {
    let rules = Rules::new(rules_about_groups(1_000), HashMap::new(), Vec::new());
    let question =
        rules.question(&caller("ann", "7"), action_uid(Action::Infer), &Resource::gateway());
    assert_eq!(question.unwrap().rules.len(), 1);
}

#[test]
fn callers_of_the_same_groups_share_a_slice() {
    let rules = Rules::new(rules_about_groups(10), HashMap::new(), Vec::new());
    let slice_of = |caller: &Entity| {
        rules.question(caller, action_uid(Action::Infer), &Resource::gateway()).unwrap().rules
    };
    assert!(Arc::ptr_eq(&slice_of(&caller("ann", "7")), &slice_of(&caller("bob", "7"))));
}

#[test]
fn slices_together_hold_a_bounded_number_of_rules() {
    let all = rules_about_groups(1_000);
    let (index, slices) = (Index::new(&all), Slices::new());
    for left_out in 0..100 {
        let numbers: Numbers = (0..1_000).filter(|number| *number != left_out).collect();
        assert_eq!(slices.of(&numbers, &index, &all).unwrap().set.policies().count(), 999);
        assert!(slices.rules_held() <= 1 << 16);
    }
}

#[test]
fn a_caller_remembers_few_questions_and_the_newest() {
    let rules = Rules::new(PolicySet::new(), HashMap::new(), Vec::new());
    let (asked, caller) = (Asked::default(), caller("ann", "7"));
    for action in GatewayAction::ALL.map(gateway_action_uid) {
        let question = rules.question(&caller, action, &Resource::gateway()).unwrap();
        asked.remember(Arc::new(question));
        assert!(asked.recall(action, &Resource::gateway()).is_some());
    }
    assert_eq!(asked.len(), 4);
}

#[test]
fn a_slice_that_cannot_be_made_denies() {
    let all = rules_about_groups(2);
    let rules = Rules { set: PolicySet::new(), ..Rules::new(all, HashMap::new(), Vec::new()) };
    let question =
        Question::new(&caller("ann", "1"), action_uid(Action::Infer), &Resource::gateway(), &[]);
    let question = question.unwrap().about([1].into(), ContextUse::default());
    let circumstances = Circumstances {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        now_s: 0,
        token_age_s: None,
        of_model: None,
    };
    assert!(matches!(rules.answer(Some(&question), &circumstances), Verdict::Error(_)));
}
