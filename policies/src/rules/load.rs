//! From `rules/*.cedar` to [`Rules`], noting everything that is wrong on the way.

use std::collections::HashMap;

use cedar_policy::{Entity, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};

use super::lint::{self, Source};
use super::{Rule, Rules, probe, reach, schema};
use crate::folder::Folder;
use crate::mistake::{Mistakes, Place};
use crate::tables::Tables;

impl Rules {
    pub(crate) fn load(folder: &Folder, tables: &Tables, mistakes: &mut Mistakes) -> Self {
        let mut loading = Loading::default();
        for (file, text) in folder.under(FOLDER) {
            loading.file(file, text, tables, mistakes);
        }
        if loading.known.is_empty() {
            mistakes
                .warning(Place::file(FOLDER), "there are no rules, so nothing is permitted")
                .hint("see `policies/default/rules` for examples");
        }
        if let Some(schema) = schema::load(folder, mistakes) {
            probe::must_describe_what_we_supply(&schema, mistakes);
            loading.note_action_groups(&schema, mistakes);
            loading.validate(schema, mistakes);
        }
        Self::new(loading.set, loading.known, loading.actions)
    }
}

#[derive(Default)]
struct Loading<'a> {
    set: PolicySet,
    known: HashMap<PolicyId, Rule>,
    sources: HashMap<PolicyId, (&'a str, &'a str)>,
    actions: Vec<Entity>,
}

impl<'a> Loading<'a> {
    fn file(&mut self, file: &'a str, text: &'a str, tables: &Tables, mistakes: &mut Mistakes) {
        let parsed: PolicySet = match text.parse() {
            Ok(parsed) => parsed,
            Err(errors) => {
                let errors: &cedar_policy::ParseErrors = &errors;
                return errors
                    .iter()
                    .for_each(|error| schema::note(mistakes, true, file, text, error));
            }
        };
        if parsed.templates().next().is_some() {
            mistakes
                .error(Place::file(file), "a rule with `?principal` or `?resource` is a template")
                .hint("write the rule out: nothing here fills templates in");
        }
        let mut cursor = 0;
        for policy in in_order(&parsed) {
            let source = Source::of(file, text, policy, &mut cursor);
            self.policy(policy, &source, tables, mistakes);
        }
    }

    fn policy(
        &mut self,
        policy: &Policy,
        source: &Source<'a>,
        tables: &Tables,
        mistakes: &mut Mistakes,
    ) {
        let rule = lint::rule(policy, source, tables, mistakes);
        lint::names(policy, source, tables, mistakes);
        lint::conditions(policy, source, mistakes);
        reach::must_be_meant(policy, source, mistakes);
        // Cedar's own ids are numbers by position; an admin knows a rule by its `@id`.
        let Some(rule) = rule else { return };
        let id = PolicyId::new(&rule.id);
        if let Some((other, _)) = self.sources.get(&id) {
            let message = format!("the id `{}` is taken by a rule in `{other}`", rule.id);
            mistakes
                .error(source.place(), message)
                .hint("ids stand in audit records, so each names one rule");
            return;
        }
        if let Err(error) = self.set.add(policy.new_id(id.clone())) {
            mistakes.error(source.place(), error.to_string());
        }
        self.sources.insert(id.clone(), (source.file, source.text));
        self.known.insert(id, rule);
    }

    fn note_action_groups(&mut self, schema: &Schema, mistakes: &mut Mistakes) {
        if schema.action_groups().next().is_none() {
            return;
        }
        match schema.action_entities() {
            Ok(entities) => self.actions = entities.into_iter().collect(),
            Err(error) => {
                mistakes.error(Place::file(schema::SCHEMA), error.to_string());
            }
        }
    }

    fn validate(&self, schema: Schema, mistakes: &mut Mistakes) {
        let result = Validator::new(schema).validate(&self.set, ValidationMode::Strict);
        for error in result.validation_errors() {
            let (file, text) = self.source(error.policy_id());
            schema::note(mistakes, true, file, text, error);
        }
        for warning in result.validation_warnings() {
            let (file, text) = self.source(warning.policy_id());
            schema::note(mistakes, false, file, text, warning);
        }
    }

    fn source(&self, id: &PolicyId) -> (&'a str, &'a str) {
        self.sources.get(id).copied().unwrap_or((FOLDER, ""))
    }
}

/// Cedar numbers the policies of a text from `policy0` and keeps them in no order.
fn in_order(parsed: &PolicySet) -> Vec<&Policy> {
    let mut policies: Vec<_> = parsed.policies().collect();
    policies.sort_by_key(|policy| {
        let id: &str = policy.id().as_ref();
        (id.len(), id.to_owned())
    });
    policies
}

const FOLDER: &str = "rules/";
