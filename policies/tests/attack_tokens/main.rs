//! Every named attack in `tests/attack-tokens/*.toml`: the token it begins with is accepted, the
//! token it ends with is refused, and for the reason that the file names.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod forge;
mod signer;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use forge::{Attack, File};
use sealgate_policies::{Folder, PolicySet};
use signer::Signers;
use support::{NOW_S, load};

#[test]
fn no_named_attack_is_accepted_and_each_is_refused_for_its_own_reason() {
    let signers = Signers::new();
    let policy = load(&folder(&signers));
    let wrong: Vec<String> =
        attacks().iter().filter_map(|attack| what_is_wrong(&policy, &signers, attack)).collect();
    assert!(wrong.is_empty(), "{} attacks:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn there_are_at_least_sixty_attacks_each_with_a_name_of_its_own() {
    let attacks = attacks();
    let names: BTreeSet<_> = attacks.iter().map(|attack| attack.name.as_str()).collect();
    assert_eq!(names.len(), attacks.len(), "two attacks have one name");
    assert!(names.len() >= 60, "{}", names.len());
}

#[test]
fn the_readme_names_attacks_that_exist_for_every_section_of_rfc_8725() {
    let readme = fs::read_to_string(dir().join("README.md")).unwrap();
    let (_, sections) = readme.split_once("## RFC 8725").unwrap();
    let names: BTreeSet<_> = attacks().into_iter().map(|attack| attack.name).collect();
    for section in (1..=10).map(|n| format!("2.{n}")).chain((1..=12).map(|n| format!("3.{n}"))) {
        let row = sections.lines().find(|line| line.starts_with(&format!("| {section} ")));
        let held_by = row.unwrap_or_else(|| panic!("no row for {section}")).rsplit('|').nth(1);
        let named = held_by.unwrap().split('`').skip(1).step_by(2);
        assert!(named.clone().any(|name| names.contains(name)), "{section} names no attack");
        let gone: Vec<_> =
            named.filter(|name| name.contains('_') && !names.contains(*name)).collect();
        assert!(gone.is_empty(), "{section}: {gone:?}");
    }
}

fn what_is_wrong(policy: &PolicySet, signers: &Signers, attack: &Attack) -> Option<String> {
    let name = &attack.name;
    match outcome(policy, &attack.unforged(signers)) {
        "accepted" => {}
        found => return Some(format!("{name}: already the unforged token gives {found}")),
    }
    let found = outcome(policy, &attack.forged(signers));
    (found != attack.expect).then(|| format!("{name}: expected {}, found {found}", attack.expect))
}

/// The refusal's code, or what an accepted token comes to.
fn outcome(policy: &PolicySet, token: &str) -> &'static str {
    match policy.authenticate(token, NOW_S) {
        Ok(caller) if caller.tenant().is_none() => "accepted_without_tenant",
        Ok(_) => "accepted",
        Err(refusal) => refusal.code(),
    }
}

fn attacks() -> Vec<Attack> {
    let mut files: Vec<_> =
        fs::read_dir(dir()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .flat_map(|path| {
            let text = fs::read_to_string(path).unwrap();
            let file: File = toml::from_str(&text).unwrap_or_else(|e| panic!("{path:?}: {e}"));
            file.attack
        })
        .collect()
}

fn dir() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/attack-tokens"))
}

/// Two issuers: an attack may come from one that is trusted, but not with this.
fn folder(signers: &Signers) -> Folder {
    let folder = signers.ours.folder();
    let issuers = format!("{}\n{OTHER_ISSUERS}", folder.text("issuers.toml").unwrap());
    folder
        .with("issuers.toml", &issuers)
        .with("jwks/dev.json", &signers.our_jwks().to_string())
        .with("jwks/other.json", &signers.other_jwks().to_string())
        .with("jwks/strict.json", &signers.strict_jwks().to_string())
        .with("revoked.toml", REVOKED)
}

const OTHER_ISSUERS: &str = r#"
[issuers.other]
issuer = "https://other.sealgate.localhost"
audience = ["sealgate"]
algorithms = ["ES256"]
jwks = "jwks/other.json"
tenants = ["lakeside-clinic"]
lifetime_max_s = 3600

[issuers.strict]
issuer = "https://strict.sealgate.localhost"
audience = ["sealgate"]
algorithms = ["ES256"]
jwks = "jwks/strict.json"
tenants = ["general-hospital"]
lifetime_max_s = 3600
required_claims = ["nbf"]
"#;

const REVOKED: &str = r#"
[[revoked]]
jti = "revoked-token"

[[revoked]]
issuer = "dev"
sub = "revoked-subject"

[[revoked]]
client_id = "revoked-client"

[[revoked]]
kid = "revoked-key"
"#;
