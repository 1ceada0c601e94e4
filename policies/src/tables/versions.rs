//! Which versions of a model may be asked for, by which labels, and where requests go that name none.

use std::collections::BTreeMap;

use toml::Spanned;

use super::{Parsed, refuse_odd_name};
use crate::mistake::Mistakes;

/// What `models.toml` says of one model's versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Versions {
    declared: Option<Vec<String>>,
    labels: BTreeMap<String, String>,
    traffic: Vec<(String, u32)>,
}

/// The same as it is written.
#[derive(Clone, Copy)]
pub(super) struct Written<'a> {
    pub(super) versions: Option<&'a Vec<String>>,
    pub(super) labels: Option<&'a Labels>,
    pub(super) traffic: Option<&'a Spanned<Traffic>>,
}

/// `labels = { stable = "3" }`
pub(super) type Labels = BTreeMap<Spanned<String>, Spanned<String>>;
/// `traffic = { "3" = 95, "4" = 5 }`
pub(super) type Traffic = BTreeMap<Spanned<String>, Spanned<i64>>;

impl Versions {
    pub(super) fn load<T>(
        parsed: &Parsed<'_, T>,
        row: Written<'_>,
        mistakes: &mut Mistakes,
    ) -> Self {
        let mut versions = Self { declared: row.versions.cloned(), ..Self::default() };
        for (label, version) in row.labels.into_iter().flatten() {
            refuse_odd_name(parsed.place(label), label.get_ref(), mistakes);
            versions.must_declare(parsed, version, mistakes);
            if versions.declared.iter().flatten().any(|version| version == label.get_ref()) {
                mistakes
                    .error(
                        parsed.place(label),
                        format!("`{}` is a version already", label.get_ref()),
                    )
                    .hint("a label has a name that no version has");
            }
            versions.labels.insert(label.get_ref().clone(), version.get_ref().clone());
        }
        let Some(traffic) = row.traffic else { return versions };
        for (version, weight) in traffic.get_ref() {
            versions.must_declare(parsed, version, mistakes);
            match u32::try_from(*weight.get_ref()) {
                Ok(known @ 0..=WEIGHT_MAX) => {
                    versions.traffic.push((version.get_ref().clone(), known));
                }
                _ => {
                    let wanted = format!("a weight is a whole number from 0 to {WEIGHT_MAX}");
                    mistakes.error(parsed.place(weight), wanted);
                }
            }
        }
        if traffic.get_ref().values().all(|weight| *weight.get_ref() == 0) {
            mistakes
                .error(parsed.place(traffic), "`traffic` goes to no version")
                .hint("leave it out, and requests that name no version go to the newest");
        }
        versions
    }

    /// A version that may not be asked for gets no traffic either.
    fn must_declare<T>(
        &self,
        parsed: &Parsed<'_, T>,
        version: &Spanned<String>,
        mistakes: &mut Mistakes,
    ) {
        refuse_odd_name(parsed.place(version), version.get_ref(), mistakes);
        let Some(declared) = &self.declared else { return };
        if !declared.contains(version.get_ref()) {
            mistakes
                .error(
                    parsed.place(version),
                    format!("`{}` is not among `versions`", version.get_ref()),
                )
                .did_you_mean(version.get_ref(), declared.iter().map(String::as_str));
        }
    }

    pub(super) fn declared(&self) -> Option<&[String]> {
        self.declared.as_deref()
    }

    pub(super) fn traffic(&self) -> &[(String, u32)] {
        &self.traffic
    }

    /// The version that a label means, or the name itself.
    pub(super) fn meant<'a>(&'a self, asked: &'a str) -> &'a str {
        self.labels.get(asked).map_or(asked, String::as_str)
    }

    pub(super) fn may_be_asked(&self, asked: &str) -> bool {
        let meant = self.meant(asked);
        self.declared.as_ref().is_none_or(|declared| declared.iter().any(|v| v == meant))
    }
}

/// Finer than a hundredth of a percent nobody splits.
const WEIGHT_MAX: u32 = 10_000;
