//! What an admin gets wrong, and what he is told: in a form he can act on.
//!
//! Each folder under `tests/mistakes` is the shipped folder with one thing wrong: its files are
//! laid over the shipped ones, `how.toml` says what else is done, and `expected.txt` is all that
//! is said about it. `UPDATE_TRANSCRIPTS=1` writes those anew.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sealgate_policies::{Folder, PolicySet, Profile};
use serde::Deserialize;
use support::{load, mistakes};

/// What is done to the shipped folder, beside laying files over it.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct How {
    production: bool,
    without: Vec<String>,
    change: Vec<Change>,
    /// Permissions, which would not survive a checkout.
    mode: BTreeMap<String, u32>,
    /// Files of so many bytes.
    grow: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    file: String,
    from: String,
    to: String,
}

#[test]
fn each_mistake_is_told_as_its_transcript_says() {
    let mut wrong = Vec::new();
    for case in sorted(&mistakes_dir()) {
        let expected = case.join("expected.txt");
        let told = told(&case);
        if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
            fs::write(&expected, &told).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != told {
            wrong.push(format!("{}:\n{told}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "not what was expected:\n{}", wrong.join("\n"));
}

#[test]
fn there_are_more_than_forty_mistakes() {
    assert!(sorted(&mistakes_dir()).len() > 40);
}

#[test]
fn no_transcript_speaks_a_programs_language() {
    for case in sorted(&mistakes_dir()) {
        let told = fs::read_to_string(case.join("expected.txt")).unwrap();
        for word in PROGRAMS_WORDS {
            assert!(!told.contains(word), "`{word}` in {}:\n{told}", case.display());
        }
    }
}

/// What serde and Cedar say to programmers.
const PROGRAMS_WORDS: [&str; 14] = [
    "variant",
    "struct ",
    " u32",
    " u64",
    " u8",
    " u16",
    "sequence",
    "invalid type",
    "missing field",
    "identifier",
    "unexpected token",
    "for policy `",
    "String",
    "Long",
];

fn mistakes_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes")
}

fn told(case: &Path) -> String {
    let dir = tempfile::tempdir().unwrap();
    let how = fs::read_to_string(case.join("how.toml")).unwrap_or_default();
    let how: How = toml::from_str(&how).unwrap_or_else(|e| panic!("{}: {e}", case.display()));
    lay_out(case, &how, dir.path());
    let profile = if how.production { Profile::Production } else { Profile::Dev };
    match PolicySet::load(dir.path(), profile) {
        Ok(policy) if policy.warnings().is_empty() => "well\n".to_owned(),
        Ok(policy) => format!("{}\nwell\n", policy.warnings()),
        Err(mistakes) => format!("{mistakes}\nrefused\n"),
    }
}

fn lay_out(case: &Path, how: &How, dir: &Path) {
    for (path, text) in sealgate_policies::default_folder() {
        if !how.without.iter().any(|without| without == path) {
            write(&dir.join(path), text.as_bytes());
        }
    }
    write(&dir.join("jwks/dev.json"), KEYS.as_bytes());
    lay_over(case, dir);
    for Change { file, from, to } in &how.change {
        let text = fs::read_to_string(dir.join(file)).unwrap();
        assert!(text.contains(from), "`{from}` is not in {file} of {}", case.display());
        write(&dir.join(file), text.replacen(from, to, 1).as_bytes());
    }
    for (file, bytes) in &how.grow {
        write(&dir.join(file), "/".repeat(*bytes).as_bytes());
    }
    tidy(dir);
    for (file, mode) in &how.mode {
        fs::set_permissions(dir.join(file), Permissions::from_mode(*mode)).unwrap();
    }
}

fn lay_over(from: &Path, to: &Path) {
    for entry in sorted(from) {
        let name = entry.file_name().unwrap().to_owned();
        if entry.is_dir() {
            lay_over(&entry, &to.join(name));
        } else if name != "expected.txt" && name != "how.toml" {
            write(&to.join(name), &fs::read(entry).unwrap());
        }
    }
}

fn write(file: &Path, bytes: &[u8]) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, bytes).unwrap();
}

/// Whatever the umask: only the owner may write.
fn tidy(dir: &Path) {
    fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
    for entry in sorted(dir) {
        match entry.is_dir() {
            true => tidy(&entry),
            false => fs::set_permissions(entry, Permissions::from_mode(0o644)).unwrap(),
        }
    }
}

fn sorted(dir: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    entries
}

/// The public key of RFC 7515, appendix A.3: an issuer without keys would be one more warning.
const KEYS: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "dev-1", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

/// The shipped folder with `from` replaced by `to` in one file.
fn edited(file: &str, from: &str, to: &str) -> Folder {
    let folder = Folder::shipped();
    let text = folder.text(file).unwrap();
    assert!(text.contains(from), "`{from}` is not in {file}");
    let text = text.replacen(from, to, 1);
    folder.with(file, &text)
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
fn the_same_folder_always_has_the_same_digest() {
    let (one, other) = (load(&Folder::shipped()), load(&Folder::shipped()));
    assert_eq!((one.digest(), one.digest().hex().len()), (other.digest(), 64));
    assert_ne!(one.digest(), load(&Folder::shipped().with("revoked.toml", "")).digest());
}
