//! Policy tests: what is expected, what is found, and what is wrong with the tests themselves.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;
mod ward;

use sealgate_policies::{CaseReport, Folder, run_cases};
use support::load;

const CLINICIAN: &str = "{ issuer = \"dev\", sub = \"ada\", claims = { tenant = \"general-hospital\", groups = [\"clinicians\"], scope = \"infer\" } }";
const INFER: &str = "{ model = \"breast-cancer\", action = \"infer\" }";

fn case(name: &str, caller: &str, ask: &str, expect: &str) -> String {
    format!("[[case]]\nname = \"{name}\"\ncaller = {caller}\nask = {ask}\nexpect = {expect}\n\n")
}

fn run_on(folder: Folder, text: &str) -> CaseReport {
    let folder = folder.with("tests/a.toml", text);
    run_cases(&load(&folder), &folder)
}

fn run(text: &str) -> CaseReport {
    run_on(ward::folder(), text)
}

#[test]
fn a_case_that_finds_what_it_expects_is_well() {
    let report = run(&case(
        "a clinician may infer",
        CLINICIAN,
        INFER,
        "{ verdict = \"allow\", rules = [\"clinicians-infer\"], release = \"full\", limits = \"clinic\" }",
    ));
    assert!(report.is_well(), "{report}");
    assert_eq!(
        report.to_string(),
        "well    a clinician may infer (tests/a.toml line 1)\n1 case, all as expected"
    );
}

#[test]
fn a_case_that_finds_something_else_shows_both() {
    let report = run(&case(
        "lakeside may too",
        &CLINICIAN.replace("general-hospital", "lakeside"),
        INFER,
        "{ verdict = \"allow\", release = \"full\" }",
    ));
    assert!(!report.is_well());
    assert_eq!(
        report.to_string(),
        "FAILED  lakeside may too (tests/a.toml line 1)\n\
        \x20       verdict  expected allow\n\
        \x20                found    deny\n\
        \x20       release  expected full\n\
        \x20                found    none\n\
         1 case, 1 not as expected"
    );
}

#[test]
fn each_expectation_is_held_against_what_is_found() {
    for (expect, of) in [
        ("{ verdict = \"deny\" }", "verdict"),
        ("{ verdict = \"allow\", rules = [] }", "rules"),
        ("{ verdict = \"allow\", rules = [\"clinicians-describe\"] }", "rules"),
        ("{ verdict = \"allow\", release = \"label\" }", "release"),
        ("{ verdict = \"allow\", limits = \"trial\" }", "limits"),
    ] {
        let report = run(&case("a", CLINICIAN, INFER, expect));
        let differs: Vec<_> =
            report.cases.iter().flat_map(|case| &case.differs).map(|d| d.of).collect();
        assert!(differs.contains(&of), "{expect}: {report}");
    }
    let other = CLINICIAN.replace("general-hospital", "lakeside");
    let report = run(&case("a", &other, INFER, "{ verdict = \"deny\", code = \"scope_missing\" }"));
    assert_eq!(report.failed(), 1, "{report}");
    let report = run(&case("a", &other, INFER, "{ verdict = \"deny\", code = \"other_tenant\" }"));
    assert!(report.is_well(), "{report}");
}

#[test]
fn claims_become_groups_and_tenants_by_the_tables_that_are_tested() {
    let folder = ward::folder();
    let roles =
        folder.text("roles.toml").unwrap().replace("tenant = \"tenant\"", "tenant = \"org\"");
    let report = run_on(
        folder.with("roles.toml", &roles),
        &case("a", CLINICIAN, INFER, "{ verdict = \"deny\", code = \"other_tenant\" }"),
    );
    assert!(report.is_well(), "{report}");
}

#[test]
fn time_address_rows_and_age_reach_the_rules() {
    let rule = "@id(\"odd\") @code(\"odd\") forbid (principal, action, resource is Model)
        when { context.time.hour == 3 }
        when { context.address.isInRange(ip(\"10.0.0.0/8\")) }
        when { context.rows == 7 } when { context.token_age_s == 99 }
        when { context.protocol == \"grpc\" } when { context.mode == \"client-sealed\" };";
    let folder = ward::folder().with("rules/odd.cedar", rule);
    let odd = "{ model = \"breast-cancer\", action = \"infer\", address = \"10.1.1.1\", rows = 7, \
               token_age_s = 99, time = 2026-11-23T04:30:00+01:00, protocol = \"grpc\", mode = \"client-sealed\" }";
    let denied = "{ verdict = \"deny\", code = \"odd\" }";
    let report = run_on(folder.clone(), &case("a", CLINICIAN, odd, denied));
    assert!(report.is_well(), "{report}");
    let text = odd.replace("2026-11-23T04:30:00+01:00", "\"2026-11-23T03:30:00Z\"");
    assert!(run_on(folder.clone(), &case("a", CLINICIAN, &text, denied)).is_well());
    for (from, to) in [
        ("10.1", "11.1"),
        ("= 7", "= 8"),
        ("99", "98"),
        ("T04", "T05"),
        ("grpc", "v1"),
        ("client-", "gateway-"),
    ] {
        let report = run_on(folder.clone(), &case("a", CLINICIAN, &odd.replace(from, to), denied));
        assert_eq!(report.failed(), 1, "{from} {to} {report}");
    }
}

#[test]
fn a_revoked_caller_is_denied_with_the_tokens_code() {
    let folder = ward::folder().with("revoked.toml", "[[revoked]]\njti = \"t1\"\n");
    let caller = CLINICIAN.replace("sub = ", "jti = \"t1\", sub = ");
    let report = run_on(
        folder,
        &case("a", &caller, INFER, "{ verdict = \"deny\", code = \"token_revoked\" }"),
    );
    assert!(report.is_well(), "{report}");
}

#[test]
fn slips_in_a_test_are_told_with_file_line_and_hint() {
    let allow = "{ verdict = \"allow\" }";
    for (text, expected) in [
        (
            case("a", CLINICIAN, INFER, "{ verdikt = \"allow\" }"),
            "error: policy `tests/a.toml` line 5",
        ),
        (case("a", CLINICIAN, INFER, "{ verdikt = \"allow\" }"), "unknown field `verdikt`"),
        (case("a", CLINICIAN, INFER, "{ verdikt = \"allow\" }"), "hint: did you mean `verdict`?"),
        (case("a", CLINICIAN, INFER, "{ verdict = \"alow\" }"), "hint: did you mean `allow`?"),
        (
            case("a", &CLINICIAN.replace("\"dev\"", "\"dve\""), INFER, allow),
            "line 1 column 1: unknown issuer `dve`\nhint: did you mean `dev`?",
        ),
        (
            case("a", CLINICIAN, &INFER.replace("cancer", "cancr"), allow),
            "unknown model `breast-cancr`\nhint: did you mean `breast-cancer`?",
        ),
        (
            case("a", CLINICIAN, &INFER.replace("cancer", "cancr"), "{ verdict = \"deny\" }"),
            "unknown model `breast-cancr`",
        ),
        (
            case("a", CLINICIAN, INFER, "{ verdict = \"allow\", rules = [\"clinician-infer\"] }"),
            "unknown rule `clinician-infer`\nhint: did you mean `clinicians-infer`?",
        ),
        (
            case("a", CLINICIAN, INFER, "{ verdict = \"allow\", code = \"x\" }"),
            "`code` says why something is denied",
        ),
        (
            case("a", CLINICIAN, INFER, "{ verdict = \"deny\", release = \"full\" }"),
            "`release` and `limits` are granted",
        ),
        (
            case("a", &CLINICIAN.replace("scope =", "sub = \"x\", scope ="), INFER, allow),
            "`sub` stands among the other claims",
        ),
        (
            case("a", CLINICIAN, &INFER.replace("infer", "infr"), allow),
            "hint: did you mean `infer`?",
        ),
        (
            case("a", CLINICIAN, &INFER.replace(" }", ", time = \"noon\" }"), allow),
            "is not a time with an offset",
        ),
        (
            case("a", CLINICIAN, "{ action = \"infer\" }", allow),
            "line 1 column 1: `model` is missing: `infer` is asked of one",
        ),
        (
            case("a", CLINICIAN, "{ action = \"emergency\", rows = 1 }", allow),
            "`emergency` is asked of the gateway and has no `rows`\nhint: leave it out",
        ),
        (
            case("a", CLINICIAN, "{ action = \"emergency\", model = \"breast-cancer\" }", allow),
            "`emergency` is asked of the gateway and has no `model`",
        ),
        (
            case("a", CLINICIAN, "{ action = \"emergncy\" }", allow),
            "hint: did you mean `emergency`?",
        ),
        (
            case(
                "a",
                CLINICIAN,
                "{ action = \"emergency\" }",
                "{ verdict = \"allow\", limits = \"clinic\" }",
            ),
            "`release` and `limits` are granted for models, not by the gateway",
        ),
        (case("a", CLINICIAN, INFER, allow).repeat(2), "line 7 column 1: two cases are called `a`"),
    ] {
        let report = run(&text);
        assert!(!report.is_well() && report.to_string().contains(expected), "{expected}\n{report}");
    }
}

#[test]
fn a_case_can_be_about_what_is_asked_of_the_gateway() {
    let rule = "@id(\"reload\") permit (principal in Group::\"clinicians\", action == \
                Action::\"reload_policies\", resource) when { context.time.hour == 9 } \
                when { context.address.isInRange(ip(\"10.0.0.0/8\")) } when { context.token_age_s == 3 };";
    let folder = ward::folder().with("rules/zz.cedar", rule);
    let reload = "{ action = \"reload_policies\", address = \"10.1.1.1\", token_age_s = 3, time = 2026-11-23T09:00:00Z }";
    let allow = "{ verdict = \"allow\", rules = [\"reload\"] }";
    let report = run_on(folder.clone(), &case("a", CLINICIAN, reload, allow));
    assert!(report.is_well(), "{report}");
    for (from, to) in
        [("10.1", "11.1"), ("= 3", "= 4"), ("T09", "T10"), ("reload_policies", "emergency")]
    {
        let report =
            run_on(folder.clone(), &case("a", CLINICIAN, &reload.replace(from, to), allow));
        assert_eq!(report.failed(), 1, "{from} {to} {report}");
    }
    let denied = "{ verdict = \"deny\", code = \"not_permitted\" }";
    for action in ["read_own_receipt", "review_audit", "read_usage", "emergency"] {
        let ask = format!("{{ action = \"{action}\" }}");
        let report = run_on(folder.clone(), &case("a", CLINICIAN, &ask, denied));
        assert!(report.is_well(), "{report}");
    }
}

#[test]
fn a_case_about_an_unknown_model_or_issuer_is_no_slip() {
    let text = case(
        "a",
        CLINICIAN,
        &INFER.replace("cancer", "cancr"),
        "{ verdict = \"deny\", code = \"model_unknown\" }",
    ) + &case(
        "b",
        &CLINICIAN.replace("\"dev\"", "\"dve\""),
        INFER,
        "{ verdict = \"deny\", code = \"token_issuer\" }",
    );
    let report = run(&text);
    assert!(report.is_well(), "{report}");
}
