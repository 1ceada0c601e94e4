//! What all rules together come to.

use std::collections::BTreeSet;

use cedar_policy::{EntityId, Policy};

use super::super::Rule;
use super::Source;
use super::form::{Clause, Form};
use super::{covered, twins, unused};
use crate::folder::Folder;
use crate::mistake::Mistakes;
use crate::tables::Tables;

/// Gathers rule by rule what can only be judged of all of them.
#[derive(Default)]
pub(in super::super) struct Survey<'a> {
    seen: Vec<Seen<'a>>,
    named: BTreeSet<(String, String)>,
    hides: bool,
}

/// One rule, as far as others are compared with it.
pub(super) struct Seen<'a> {
    pub(super) source: Source<'a>,
    pub(super) id: String,
    pub(super) release: Option<String>,
    pub(super) limits: Option<String>,
    pub(super) code: Option<String>,
    pub(super) infers: bool,
    pub(super) scope: [String; 3],
    pub(super) conditions: BTreeSet<String>,
}

impl<'a> Survey<'a> {
    /// A rule or file could not be read: what seems unused may be used there.
    pub(in super::super) fn could_not_read(&mut self) {
        self.hides = true;
    }

    pub(super) fn note_names(&mut self, policy: &Policy) {
        for literal in policy.entity_literals() {
            let id: &EntityId = literal.id();
            self.named.insert((literal.type_name().to_string(), id.unescaped().to_owned()));
        }
    }

    /// Notes a rule that is well by itself.
    pub(super) fn note(&mut self, rule: &Rule, policy: &Policy, form: &Form, source: &Source<'a>) {
        let annotation = |name| policy.annotation(name).map(str::to_owned);
        let condition = |clause: Clause<'_>| format!("{} {}", clause.holds_when, clause.body);
        self.seen.push(Seen {
            source: *source,
            id: rule.id.to_string(),
            release: annotation("release"),
            limits: annotation("limits"),
            code: annotation("code"),
            infers: form.may_infer(),
            scope: form.scope(),
            conditions: form.clauses().map(condition).collect(),
        });
    }

    /// Judges what is left to judge when every rule was seen.
    pub(in super::super) fn judge(
        &self,
        folder: &Folder,
        tables: &Tables,
        mistakes: &mut Mistakes,
    ) {
        let distinct = twins::judge(&self.seen, mistakes);
        covered::judge(&distinct, mistakes);
        unused::obligations(&self.seen, mistakes);
        // What seems unused while something is wrong is often the other half of that.
        if !self.hides && !mistakes.stop_the_folder() {
            unused::profiles(&self.seen, folder, tables, mistakes);
            unused::names(&self.named, folder, tables, mistakes);
        }
    }

    #[cfg(test)]
    pub(super) fn seen(&self) -> &[Seen<'a>] {
        &self.seen
    }
}

impl Seen<'_> {
    /// The profiles and the code that it brings.
    pub(super) fn brings(&self) -> [Option<&str>; 3] {
        [&self.release, &self.limits, &self.code].map(Option::as_deref)
    }
}
