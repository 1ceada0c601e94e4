//! How a folder reads tokens. A record keeps what was read and not the token: if two folders read
//! otherwise, nobody can tell what the other would have read.

use std::collections::BTreeMap;

use serde_json::Value;
use toml::Table;

use crate::folder::Folder;

/// The parts of a folder on which the reading of a token depends.
pub(super) struct Reading {
    roles: Table,
    /// By the exact value of `iss`: the row, and its keys.
    issuers: BTreeMap<String, (Table, Vec<Value>)>,
    /// The entries that revoke by key.
    revoked_keys: Vec<Table>,
}

impl Reading {
    pub(super) fn of(folder: &Folder) -> Self {
        let table = |file: &str| -> Table {
            folder.text(file).and_then(|text| toml::from_str(text).ok()).unwrap_or_default()
        };
        let mut roles = table("roles.toml");
        for kind in ["tenants", "groups"] {
            for (_, row) in
                roles.get_mut(kind).and_then(toml::Value::as_table_mut).into_iter().flatten()
            {
                // Written for people.
                row.as_table_mut().and_then(|row| row.remove("title"));
            }
        }
        let rows = table("issuers.toml").remove("issuers");
        let rows = rows.and_then(|rows| rows.as_table().cloned()).unwrap_or_default();
        let issuers = rows.into_iter().filter_map(|(_, row)| {
            let row = row.as_table()?.clone();
            let keys =
                row.get("jwks").and_then(toml::Value::as_str).and_then(|file| folder.text(file));
            Some((
                row.get("issuer")?.as_str()?.to_owned(),
                (row, keys.map(keys_of).unwrap_or_default()),
            ))
        });
        let revoked = table("revoked.toml").remove("revoked");
        let revoked = revoked.and_then(|rows| rows.as_array().cloned()).unwrap_or_default();
        let by_key =
            revoked.iter().filter_map(toml::Value::as_table).filter(|row| row.contains_key("kid"));
        Self { roles, issuers: issuers.collect(), revoked_keys: by_key.cloned().collect() }
    }

    /// What a record made under `old` lacks to be read by this folder.
    pub(super) fn lacks(&self, old: &Self, issuer: &str) -> Vec<String> {
        // An issuer that is gone needs no reading: none of its tokens count.
        let Some((row, keys)) = self.issuers.get(issuer) else { return Vec::new() };
        let Some((old_row, old_keys)) = old.issuers.get(issuer) else {
            return vec![TOKEN_AND_ISSUER.to_owned()];
        };
        let mut lacks = Vec::new();
        if row != old_row {
            lacks.push(TOKEN_AND_ISSUER.to_owned());
        }
        if self.roles != old.roles {
            lacks.push("the token's claims, which `roles.toml` reads otherwise".to_owned());
        }
        let gone = old_keys.iter().any(|key| !keys.contains(key));
        let revoked = self.revoked_keys.iter().any(|row| !old.revoked_keys.contains(row));
        if gone || revoked {
            lacks.push("the key that signed the token, of which some no longer count".to_owned());
        }
        lacks
    }
}

fn keys_of(text: &str) -> Vec<Value> {
    let set: Option<Value> = serde_json::from_str(text).ok();
    set.and_then(|set| set.get("keys")?.as_array().cloned()).unwrap_or_default()
}

const TOKEN_AND_ISSUER: &str = "the token, whose issuer's row in `issuers.toml` has changed";
