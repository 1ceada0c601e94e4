//! Recorded decisions under another folder: the same, changed, or not to be told.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;
mod ward;

use sealgate_policies::{Compared, Folder, Mode, Recorded, Replay, Tally};
use support::{NOW_S, load};

/// What a gateway under `old` records of a clinician's request.
fn recorded(old: &Folder) -> Recorded {
    Recorded {
        issuer: "https://dev.sealgate.localhost".into(),
        subject: "ada".into(),
        client_id: Some("ward-7".into()),
        token_id: Some("t1".into()),
        tenant: Some("general-hospital".into()),
        groups: vec!["clinicians".into()],
        scopes: vec!["infer".into()],
        clearance: Some("2".into()),
        token_age_s: 10,
        network: "10.1.2.0/24".into(),
        action: "infer".into(),
        mode: Mode::GatewaySealed,
        model: "breast-cancer".into(),
        version: None,
        protocol: "v2".into(),
        rows_reserved: 1024,
        allowed: true,
        rules: vec!["clinicians-infer".into()],
        time_s: NOW_S,
        policy_digest: old.digest().hex(),
    }
}

fn denied(old: &Folder) -> Recorded {
    Recorded {
        tenant: Some("lakeside-clinic".into()),
        allowed: false,
        rows_reserved: 0,
        rules: vec!["tenants-stay-apart".into()],
        ..recorded(old)
    }
}

fn compare(old: &Folder, new: &Folder, recorded: &Recorded) -> Compared {
    let (old_set, new_set) = (load(old), load(new));
    Replay::new((&old_set, old), (&new_set, new)).compare(recorded)
}

fn with_rule(rule: &str) -> Folder {
    let rule =
        format!("@id(\"zz\") @code(\"zz\") forbid (principal, action, resource is Model) {rule};");
    ward::folder().with("rules/zz.cedar", &rule)
}

fn edited(file: &str, from: &str, to: &str) -> Folder {
    let folder = ward::folder();
    let text = folder.text(file).unwrap();
    assert!(text.contains(from), "`{from}` is not in {file}");
    let text = text.replace(from, to);
    folder.with(file, &text)
}

fn lacks(compared: Compared) -> Vec<String> {
    match compared {
        Compared::Undetermined(lacks) => lacks,
        other => panic!("{other:?}"),
    }
}

fn changed(compared: Compared) -> (String, String, Vec<String>) {
    match compared {
        Compared::Changed(changed) => {
            (changed.from.to_string(), changed.to.to_string(), changed.rules)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_same_folder_decides_the_same() {
    let old = ward::folder();
    assert_eq!(compare(&old, &old, &recorded(&old)), Compared::Same);
    assert_eq!(compare(&old, &old, &denied(&old)), Compared::Same);
}

#[test]
fn a_new_rule_that_forbids_changes_what_it_is_about_and_nothing_else() {
    let old = ward::folder();
    let new = with_rule("when { principal in Group::\"clinicians\" }");
    let (from, to, rules) = changed(compare(&old, &new, &recorded(&old)));
    assert_eq!((&*from, &*to), ("allowed (`full/clinic`)", "denied (`zz`)"));
    assert_eq!(rules, ["clinicians-infer", "zz"]);
    let new = with_rule("when { principal in Group::\"data-science\" }");
    assert_eq!(compare(&old, &new, &recorded(&old)), Compared::Same);
}

#[test]
fn a_rule_taken_away_changes_what_it_decided() {
    let old = ward::folder();
    let new = old.clone().with("rules/tenants.cedar", "");
    let (_, to, rules) = changed(compare(&old, &new, &denied(&old)));
    assert_eq!(
        (&*to, &*rules),
        (
            "allowed (`full/clinic`)",
            &["clinicians-infer".to_owned(), "tenants-stay-apart".to_owned()][..]
        )
    );
}

#[test]
fn what_is_granted_counts_as_much_as_the_verdict() {
    let old = ward::folder();
    for new in [
        edited("rules/clinicians.cedar", "@release(\"full\")", "@release(\"rounded\")"),
        edited("limits.toml", "1024", "1023"),
    ] {
        assert!(matches!(compare(&old, &new, &recorded(&old)), Compared::Changed(_)));
    }
    let renamed = edited("rules/clinicians.cedar", "clinicians-infer", "clinicians-ask");
    assert_eq!(compare(&old, &renamed, &recorded(&old)), Compared::Same);
}

#[test]
fn a_network_wholly_inside_or_outside_of_a_range_determines_the_case() {
    let old = ward::folder();
    let within =
        |range: &str| with_rule(&format!("when {{ context.address.isInRange(ip(\"{range}\")) }}"));
    assert_eq!(changed(compare(&old, &within("10.0.0.0/8"), &recorded(&old))).1, "denied (`zz`)");
    assert_eq!(compare(&old, &within("192.0.2.0/24"), &recorded(&old)), Compared::Same);
}

#[test]
fn a_range_inside_the_network_leaves_the_case_undetermined() {
    let old = ward::folder();
    let new = with_rule("when { context.address.isInRange(ip(\"10.1.2.64/26\")) }");
    assert_eq!(lacks(compare(&old, &new, &recorded(&old))), ["the exact address"]);
    let new = with_rule("when { context.address == ip(\"10.9.9.9\") }");
    assert_eq!(lacks(compare(&old, &new, &recorded(&old))), ["the exact address"]);
}

#[test]
fn a_rule_about_rows_is_undetermined_where_announced_and_reserved_may_differ() {
    let old = ward::folder();
    let rows = |clause: &str| with_rule(&format!("when {{ {clause} }}"));
    assert_eq!(
        lacks(compare(&old, &rows("context.rows > 2000"), &recorded(&old))),
        ["the announced rows"]
    );
    assert_eq!(
        changed(compare(&old, &rows("context.rows > 1000"), &recorded(&old))).1,
        "denied (`zz`)"
    );
    assert_eq!(compare(&old, &rows("context.rows < 10"), &recorded(&old)), Compared::Same);
    // Without an announcement 1024 would have been reserved: so these were announced.
    let few = Recorded { rows_reserved: 7, ..recorded(&old) };
    assert_eq!(changed(compare(&old, &rows("context.rows < 10"), &few)).1, "denied (`zz`)");
    assert_eq!(compare(&old, &rows("context.rows > 2000"), &few), Compared::Same);
    assert_eq!(
        lacks(compare(&old, &rows("context.rows < 10"), &denied(&old))),
        ["the announced rows"]
    );
}

#[test]
fn a_time_near_a_boundary_is_undetermined_and_any_other_is_known() {
    let old = ward::folder();
    let new = with_rule("when { context.time.hour == 9 }");
    let at = |time_s| compare(&old, &new, &Recorded { time_s, ..recorded(&old) });
    let nine_s = NOW_S / 86_400 * 86_400 + 9 * 3600;
    assert_eq!(lacks(at(nine_s + 3)), ["the exact time of the decision"]);
    assert_eq!(changed(at(nine_s + 300)).1, "denied (`zz`)");
    assert_eq!(at(nine_s - 300), Compared::Same);
}

#[test]
fn an_age_that_may_be_unknown_is_undetermined() {
    let old = ward::folder();
    let new = with_rule("when { context.token_age_s > 60 }");
    let aged = |token_age_s| compare(&old, &new, &Recorded { token_age_s, ..recorded(&old) });
    assert_eq!(lacks(aged(0)), ["whether the token told its age"]);
    assert_eq!(aged(10), Compared::Same);
    assert_eq!(changed(aged(100)).1, "denied (`zz`)");
}

#[test]
fn what_a_rule_for_others_needs_is_not_missed() {
    let old = ward::folder();
    let rule =
        "@id(\"zz\") forbid (principal in Group::\"data-science\", action, resource is Model)
                when { context.address == ip(\"10.9.9.9\") };";
    let new = ward::folder().with("rules/zz.cedar", rule);
    assert_eq!(compare(&old, &new, &recorded(&old)), Compared::Same);
}

#[test]
fn a_folder_that_reads_tokens_otherwise_leaves_every_case_undetermined() {
    let old = ward::folder();
    for (new, lack) in [
        (edited("roles.toml", "groups = \"groups\"", "groups = \"roles\""), "roles.toml"),
        (edited("roles.toml", "\"confidential\"\n", "\"internal\"\n"), "roles.toml"),
        (edited("issuers.toml", "[\"sealgate\"]", "[\"other\"]"), "issuers.toml"),
        (edited("issuers.toml", ", \"lakeside-clinic\"]", "]"), "issuers.toml"),
        (old.clone().with("revoked.toml", "[[revoked]]\nkid = \"dev-1\"\n"), "the key"),
    ] {
        let lacks = lacks(compare(&old, &new, &recorded(&old)));
        assert!(lacks.iter().any(|it| it.contains(lack)), "{lack}: {lacks:?}");
    }
}

#[test]
fn words_for_people_and_new_keys_change_no_reading() {
    let old = ward::folder();
    let key = "{\"keys\": [{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"kid\": \"dev-1\", \"x\": \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
    for new in [
        edited("roles.toml", "People who treat patients", "Doctors"),
        edited("issuers.toml", "# Whose tokens count.", "# Whose tokens we take."),
        old.clone().with("jwks/dev.json", key),
    ] {
        assert_eq!(compare(&old, &new, &recorded(&old)), Compared::Same);
    }
    let with_key = old.clone().with("jwks/dev.json", key);
    let lacks = lacks(compare(&with_key, &old, &recorded(&with_key)));
    assert!(lacks.iter().any(|lack| lack.contains("the key")), "{lacks:?}");
}

#[test]
fn revocations_by_what_is_recorded_are_known() {
    let old = ward::folder();
    for entry in ["sub = \"ada\"", "jti = \"t1\"", "client_id = \"ward-7\""] {
        let new = old.clone().with("revoked.toml", &format!("[[revoked]]\n{entry}\n"));
        assert_eq!(
            changed(compare(&old, &new, &recorded(&old))).1,
            "denied (`token_revoked`)",
            "{entry}"
        );
    }
}

#[test]
fn an_issuer_that_is_gone_takes_its_callers_with_it() {
    let old = ward::folder();
    let new = edited("issuers.toml", "https://dev.sealgate.localhost", "https://other.example");
    assert_eq!(changed(compare(&old, &new, &recorded(&old))).1, "denied (`token_issuer`)");
}

#[test]
fn a_record_of_another_folder_or_with_cut_texts_is_undetermined() {
    let old = ward::folder();
    for record in [
        Recorded { policy_digest: "00".into(), ..recorded(&old) },
        Recorded { subject: "a…".into(), ..recorded(&old) },
        Recorded { groups: vec!["clinicians".into(), "…".into()], ..recorded(&old) },
        Recorded { clearance: None, ..recorded(&old) },
        Recorded { protocol: "http".into(), ..recorded(&old) },
        Recorded { network: String::new(), ..recorded(&old) },
    ] {
        lacks(compare(&old, &old, &record));
    }
}

#[test]
fn a_record_that_the_old_folder_does_not_explain_is_undetermined() {
    let old = ward::folder();
    let odd = Recorded { scopes: Vec::new(), ..recorded(&old) };
    assert!(lacks(compare(&old, &old, &odd)).join("").contains("what decided it"));
    let odd = Recorded { allowed: false, ..recorded(&old) };
    assert!(lacks(compare(&old, &old, &odd)).join("").contains("what decided it"));
    let limited =
        Recorded { allowed: false, rules: Vec::new(), rows_reserved: 0, ..recorded(&old) };
    assert_eq!(compare(&old, &old, &limited), Compared::Same);
}

#[test]
fn what_no_rule_decides_is_not_compared() {
    let old = ward::folder();
    let record = Recorded { action: "describe_server".into(), ..recorded(&old) };
    assert_eq!(compare(&old, &old, &record), Compared::NotByRules);
}

#[test]
fn changes_are_counted_by_caller_and_rule() {
    let old = ward::folder();
    let new = with_rule("when { principal in Group::\"clinicians\" }");
    let (old_set, new_set) = (load(&old), load(&new));
    let replay = Replay::new((&old_set, &old), (&new_set, &new));
    let mut tally = Tally::default();
    let bob = Recorded { subject: "bob".into(), ..recorded(&old) };
    let nobody = Recorded { groups: Vec::new(), clearance: Some("0".into()), ..denied(&old) };
    let foreign = Recorded { policy_digest: "00".into(), ..recorded(&old) };
    for record in [recorded(&old), recorded(&old), bob, nobody, foreign] {
        tally.count(&record, replay.compare(&record));
    }
    assert_eq!((tally.changed_count(), tally.changed.len(), tally.undetermined), (3, 2, 1));
    let text = tally.to_string();
    for expected in [
        "`ada` of `https://dev.sealgate.localhost`, `infer` of `breast-cancer`\n    allowed (`full/clinic`) -> denied (`zz`), by `clinicians-infer`, `zz`\n    2 times\n",
        "undetermined, for the record lacks the token: another folder than the old one read it\n    1 time\n",
        "3 changed, 1 the same, 1 undetermined, 0 not decided by rules about models",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}
