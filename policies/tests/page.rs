//! docs/policies.md does what it says: its commands and files make a folder that is accepted.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use sealgate_policies::{Folder, PolicySet, Profile};

/// The shipped folder without what the page removes, with what the page writes.
fn as_the_page_says() -> BTreeMap<String, String> {
    let shipped = sealgate_policies::default_folder().iter();
    let mut files: BTreeMap<_, _> =
        shipped.map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    for removed in
        PAGE.lines().filter_map(|line| line.strip_prefix("rm ")).flat_map(str::split_whitespace)
    {
        let path = removed.strip_prefix("mine/").unwrap();
        assert!(files.remove(path).is_some(), "the page removes `{path}`, which is not there");
    }
    for (path, text) in blocks() {
        files.insert(path, text);
    }
    files
}

/// Every fenced block that names its file.
fn blocks() -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    for part in PAGE.split("\n```").skip(1).step_by(2) {
        let (info, text) = part.split_once('\n').unwrap();
        if let Some((_, file)) = info.split_once(" file=") {
            blocks.push((file.to_owned(), format!("{text}\n")));
        }
    }
    blocks
}

fn folder() -> Folder {
    let files = as_the_page_says();
    Folder::from_pairs(files.iter().map(|(path, text)| (path.as_str(), text.as_str())))
}

#[test]
fn the_pages_folder_is_accepted_in_production_without_a_word() {
    let policy = PolicySet::from_folder(&folder(), Profile::Production)
        .unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(policy.warnings().to_string(), "");
    assert!(policy.model("churn").is_some());
}

#[test]
fn the_page_writes_each_kind_of_file() {
    let written: Vec<String> = blocks().into_iter().map(|(path, _)| path).collect();
    for file in
        ["issuers.toml", "roles.toml", "models.toml", "limits.toml", "release.toml", "revoked.toml"]
    {
        assert!(written.iter().any(|path| path == file), "{file}");
    }
    assert!(written.iter().any(|path| path.starts_with("rules/")));
    assert!(written.iter().any(|path| path.starts_with("tests/")));
}

const PAGE: &str = include_str!("../../docs/policies.md");
