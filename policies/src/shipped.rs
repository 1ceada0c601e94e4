//! The folder that comes with Sealgate, inside the binary.

/// The example policy as `(path, text)`, sorted: what `sealgate demo` copies into its state.
///
/// Written to disk, neither a file nor a folder may be writable by others than its owner.
pub fn default_folder() -> &'static [(&'static str, &'static str)] {
    SHIPPED
}

macro_rules! shipped {
    ($($path:literal),+ $(,)?) => { &[$(($path, include_str!(concat!("../default/", $path)))),+] };
}

const SHIPPED: &[(&str, &str)] = shipped![
    "issuers.toml",
    "jwks/dev.json",
    "limits.toml",
    "models.toml",
    "release.toml",
    "revoked.toml",
    "roles.toml",
    "rules/agency-staff.cedar",
    "rules/clearance.cedar",
    "rules/clinicians.cedar",
    "rules/data-science.cedar",
    "rules/people.cedar",
    "rules/researchers.cedar",
    "rules/scope.cedar",
    "rules/sensitive.cedar",
    "rules/tenants.cedar",
    "schema.cedarschema",
    "tests/circumstances.toml",
    "tests/people.toml",
    "tests/who.toml",
];

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::{Folder, PolicySet, Profile};

    fn listing(dir: &Path, prefix: &str, into: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            match entry.path().is_dir() {
                true => listing(&entry.path(), &format!("{name}/"), into),
                false => drop(into.insert(name, fs::read_to_string(entry.path()).unwrap())),
            }
        }
    }

    #[test]
    fn what_is_embedded_is_what_lies_in_the_folder() {
        let mut on_disk = BTreeMap::new();
        listing(&Path::new(env!("CARGO_MANIFEST_DIR")).join("default"), "", &mut on_disk);
        let embedded =
            SHIPPED.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        assert_eq!(on_disk, embedded);
    }

    #[test]
    fn the_example_has_no_mistakes_but_a_missing_key() {
        let policy =
            PolicySet::from_folder(&Folder::shipped(), Profile::Dev).map_err(|m| m.to_string());
        let warnings: Vec<_> = policy
            .as_ref()
            .map(|p| p.warnings().iter().map(|w| w.message.clone()).collect())
            .unwrap();
        assert_eq!(warnings, ["the issuer has no keys yet, so none of its tokens will count"]);
    }

    #[test]
    fn every_case_of_the_example_is_met() {
        let folder = Folder::shipped();
        let policy =
            PolicySet::from_folder(&folder, Profile::Dev).map_err(|m| m.to_string()).unwrap();
        let report = crate::run_cases(&policy, &folder);
        assert!(report.is_well(), "{report}");
        assert!(report.cases.len() >= 12);
    }

    #[test]
    fn the_example_is_refused_in_production() {
        let mistakes =
            PolicySet::from_folder(&Folder::shipped(), Profile::Production).err().unwrap();
        assert!(mistakes.to_string().contains("a dev issuer is refused in production"));
    }
}
