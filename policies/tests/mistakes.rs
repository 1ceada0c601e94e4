//! What an admin gets wrong, and what he is told: in a form he can act on.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use sealgate_policies::{Folder, PolicySet, Profile};
use support::{load, mistakes};

/// The shipped folder with `from` replaced by `to` in one file.
fn edited(file: &str, from: &str, to: &str) -> Folder {
    let folder = Folder::shipped();
    let text = folder.text(file).unwrap();
    assert!(text.contains(from), "`{from}` is not in {file}");
    let text = text.replacen(from, to, 1);
    folder.with(file, &text)
}

#[test]
fn each_slip_is_told_with_its_place_and_a_hint() {
    let slips = [
        (
            "issuers.toml",
            "audience",
            "audiense",
            "error: policy `issuers.toml` line 5: unknown field `audiense`",
        ),
        ("issuers.toml", "audience", "audiense", "hint: did you mean `audience`?"),
        ("issuers.toml", "\"EdDSA\"", "\"HS256\"", "unknown variant `HS256`"),
        (
            "issuers.toml",
            "\"lakeside-clinic\"]",
            "\"lakeside-clinik\"]",
            "line 8: unknown tenant `lakeside-clinik`\nhint: did you mean `lakeside-clinic`?",
        ),
        (
            "issuers.toml",
            "jwks/dev.json",
            "jwks/dve.json",
            "`jwks/dve.json` does not exist\nhint: did you mean `jwks/dev.json`?",
        ),
        ("issuers.toml", "43200", "99999999", "`lifetime_max_s` is not between 1 and 86400"),
        ("issuers.toml", "[\"sealgate\"]", "[]", "no audience is declared"),
        (
            "roles.toml",
            "\"confidential\"",
            "\"confidental\"",
            "line 23: unknown level `confidental`\nhint: did you mean `confidential`?",
        ),
        (
            "roles.toml",
            "\"lakeside\"]",
            "\"general-hospital\"]",
            "`general-hospital` means two tenants",
        ),
        (
            "models.toml",
            "\"general-hospital\"",
            "\"generel-hospital\"",
            "line 5: unknown tenant `generel-hospital`\nhint: did you mean `general-hospital`?",
        ),
        (
            "models.toml",
            "[models.breast-cancer]",
            "[models.\"breast cancer\"]",
            "`breast cancer` is not a name",
        ),
        ("models.toml", "client-sealed", "clientsealed", "unknown variant `clientsealed`"),
        ("models.toml", "[\"gateway-sealed\", \"client-sealed\"]", "[]", "no mode is allowed"),
        (
            "models.toml",
            "modes = [",
            "fields = []\nmodes = [",
            "line 7: `fields` is empty\nhint: leave it out to allow the artifact's",
        ),
        ("limits.toml", "rows_max = 1024", "rows_max = 0", "`rows_max` is 0"),
        ("limits.toml", "rows_max = 1024", "row_max = 1024", "did you mean `rows_max`?"),
        ("limits.toml", "rows_max = 1024", "rows_max = -1", "error: policy `limits.toml` line 5"),
        ("release.toml", "digits = 2", "digits = 7", "`rounded` is out of range"),
        ("release.toml", "digits = 2", "digit = 2", "error: policy `release.toml` line"),
        ("jwks/dev.json", "[]", "7", "is not a JWK set"),
        (
            "rules/clinicians.cedar",
            "Group::\"clinicians\"",
            "Group::\"clincians\"",
            "line 3: unknown group `clincians`\nhint: did you mean `clinicians`?",
        ),
        (
            "rules/clinicians.cedar",
            "@limits(\"clinic\")",
            "@limits(\"clinics\")",
            "unknown limit profile `clinics`\nhint: did you mean `clinic`?",
        ),
        (
            "rules/clinicians.cedar",
            "@release(\"full\")",
            "@release(\"ful\")",
            "unknown release profile `ful`\nhint: did you mean `full`?",
        ),
        (
            "rules/clinicians.cedar",
            "@release(",
            "@realease(",
            "unknown annotation `@realease`\nhint: did you mean `release`?",
        ),
        ("rules/clinicians.cedar", "@id(\"clinicians-infer\")", "", "line 4: a rule has no `@id`"),
        (
            "rules/clinicians.cedar",
            "clinicians-describe",
            "clinicians-infer",
            "line 8: the id `clinicians-infer` is taken",
        ),
        (
            "rules/clinicians.cedar",
            "@release",
            "@code(\"x\") @release",
            "`@code` says why something is denied, but this rule permits",
        ),
        (
            "rules/scope.cedar",
            "@code",
            "@limits(\"clinic\") @code",
            "`@limits` says what is granted, but this rule forbids",
        ),
        ("rules/scope.cedar", "scope_missing", "Scope missing", "`Scope missing` is not a code"),
        (
            "rules/scope.cedar",
            "scope_missing",
            "not_permitted",
            "the code `not_permitted` is taken",
        ),
        ("rules/clearance.cedar", "principal.clearance", "principal.clearence", "line 6"),
        (
            "rules/clearance.cedar",
            "principal.clearance",
            "principal.clearence",
            "did you mean `clearance`?",
        ),
        (
            "rules/clearance.cedar",
            "principal.clearance <",
            "principal.clearance + \"a\" <",
            "error: policy `rules/clearance.cedar` line 6",
        ),
        (
            "rules/clearance.cedar",
            "forbid (",
            "forbid",
            "error: policy `rules/clearance.cedar` line 5",
        ),
        ("rules/clearance.cedar", "Action::\"infer\"", "Action::\"inferr\"", "did you mean"),
        (
            "rules/tenants.cedar",
            "forbid (principal,",
            "forbid (principal == ?principal,",
            "is a template",
        ),
        (
            "schema.cedarschema",
            "clearance: Long,",
            "clearance: Long, badge: String,",
            "error: policy `schema.cedarschema`: does not describe what the gateway supplies",
        ),
        (
            "schema.cedarschema",
            "entity Group;",
            "entity Grup;",
            "error: policy `schema.cedarschema`",
        ),
    ];
    let untold: Vec<String> = slips
        .into_iter()
        .map(|(file, from, to, expected)| (expected, mistakes(&edited(file, from, to))))
        .filter(|(expected, told)| !told.contains(expected))
        .map(|(expected, told)| format!("expected {expected}\nfound    {told}"))
        .collect();
    assert!(untold.is_empty(), "{}", untold.join("\n\n"));
}

#[test]
fn mistakes_in_several_files_are_told_at_once() {
    let rules = edited("rules/clinicians.cedar", "Group::\"clinicians\"", "Group::\"clincians\"");
    let limits = rules.text("limits.toml").unwrap().replace("rows_max = 32", "row_max = 32");
    let release = rules.text("release.toml").unwrap().replace("digits = 2", "digits = 7");
    let told = mistakes(&rules.with("limits.toml", &limits).with("release.toml", &release));
    for expected in ["`limits.toml`", "`release.toml`", "`rules/clinicians.cedar`"] {
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn one_broken_table_does_not_make_every_name_in_the_rules_wrong() {
    let told = mistakes(&edited("roles.toml", "[claims]", "[clams]"));
    assert!(!told.contains("unknown group"), "{told}");
}

#[test]
fn each_missing_file_is_told() {
    for file in [
        "issuers.toml",
        "roles.toml",
        "models.toml",
        "limits.toml",
        "release.toml",
        "schema.cedarschema",
    ] {
        let without =
            sealgate_policies::default_folder().iter().copied().filter(|(path, _)| *path != file);
        let told = mistakes(&Folder::from_pairs(without));
        assert!(told.contains(&format!("error: policy `{file}`: is missing")), "{told}");
    }
}

#[test]
fn a_dev_key_is_refused_in_production() {
    let issuer = support::Issuer::new();
    let issuers = issuer
        .folder()
        .text("issuers.toml")
        .unwrap()
        .replace("profile = \"dev\"", "profile = \"production\"");
    let folder = issuer.folder().with("issuers.toml", &issuers);
    let told = PolicySet::from_folder(&folder, Profile::Production).err().unwrap().to_string();
    assert!(told.contains("key `dev-es` is a dev key and refused in production"), "{told}");
}

#[test]
fn a_production_issuer_is_accepted_in_production() {
    let issuer = support::Issuer::new();
    let issuers = issuer
        .folder()
        .text("issuers.toml")
        .unwrap()
        .replace("profile = \"dev\"", "profile = \"production\"");
    let keys = issuer.jwks().to_string().replace("dev-", "2026-");
    let folder = issuer.folder().with("issuers.toml", &issuers).with("jwks/dev.json", &keys);
    assert!(PolicySet::from_folder(&folder, Profile::Production).is_ok());
}

#[test]
fn several_conditions_in_one_clause_are_advised_against() {
    let rule = "@id(\"x\") forbid (principal, action, resource is Model) when { principal.clearance < 1 && context.rows > 1 };";
    let policy = load(&Folder::shipped().with("rules/zz.cedar", rule));
    assert!(policy.warnings().to_string().contains(
        "warning: policy `rules/zz.cedar` line 1: several conditions stand in one clause"
    ));
}

#[test]
fn the_same_folder_always_has_the_same_digest() {
    let (one, other) = (load(&Folder::shipped()), load(&Folder::shipped()));
    assert_eq!((one.digest(), one.digest().hex().len()), (other.digest(), 64));
    assert_ne!(one.digest(), load(&Folder::shipped().with("revoked.toml", "")).digest());
}
