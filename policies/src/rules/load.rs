//! From `rules/*.cedar` to [`Rules`], noting everything that is wrong on the way.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Effect, Entity, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator,
};
use miette::Diagnostic;

use super::lint::{self, Source, Survey};
use super::{Rule, Rules, probe, schema};
use crate::folder::Folder;
use crate::mistake::{Mark, Mistakes, Place};
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
        loading.survey.judge(folder, tables, mistakes);
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
    survey: Survey<'a>,
    sources: HashMap<PolicyId, Source<'a>>,
    actions: Vec<Entity>,
}

impl<'a> Loading<'a> {
    fn file(&mut self, file: &'a str, text: &'a str, tables: &Tables, mistakes: &mut Mistakes) {
        if let Ok(parsed) = text.parse() {
            return self.policies(&parsed, file, text, Mark::TOP, tables, mistakes);
        }
        self.survey.could_not_read();
        let mut cursor = Mark::TOP;
        for (start, statement) in lint::statements(text) {
            cursor = cursor.moved_to(text, start);
            match statement.parse() {
                Ok(parsed) => self.policies(&parsed, file, text, cursor, tables, mistakes),
                Err(errors) => {
                    let errors: &cedar_policy::ParseErrors = &errors;
                    for error in errors.iter() {
                        lint::note(mistakes, true, file, (text, start), error);
                    }
                }
            }
        }
    }

    fn policies(
        &mut self,
        parsed: &PolicySet,
        file: &'a str,
        text: &'a str,
        mut cursor: Mark,
        tables: &Tables,
        mistakes: &mut Mistakes,
    ) {
        if parsed.templates().next().is_some() {
            let slot = ["?principal", "?resource"].iter().find_map(|slot| text.find(slot));
            mistakes
                .error(
                    Place::at(file, text, slot.unwrap_or(cursor.offset)),
                    "a rule with `?principal` or `?resource` is a template",
                )
                .hint("write the rule out: nothing here fills templates in");
        }
        for policy in in_order(parsed) {
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
        let rule = lint::rule(policy, source, tables, &mut self.survey, mistakes);
        // Cedar's own ids are numbers by position; an admin knows a rule by its `@id`.
        let Some(rule) = rule else { return };
        let id = PolicyId::new(&rule.id);
        if let Some(Source { file: other, .. }) = self.sources.get(&id) {
            let message = format!("the id `{}` is taken by a rule in `{other}`", rule.id);
            mistakes
                .error(source.place(), message)
                .hint("ids stand in audit records, so each names one rule");
            return;
        }
        if let Err(error) = self.set.add(policy.new_id(id.clone())) {
            mistakes.error(source.place(), error.to_string());
        }
        self.sources.insert(id.clone(), *source);
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

    /// A rule that is wrong is told of once: that it cannot match then either goes without saying.
    fn validate(&self, schema: Schema, mistakes: &mut Mistakes) {
        let result = Validator::new(schema).validate(&self.set, ValidationMode::Strict);
        let mut told = HashSet::new();
        let clear = |error: &&cedar_policy::ValidationError| !lint::is_vague(*error);
        for error in result.validation_errors().filter(clear) {
            self.note(true, error.policy_id(), error, mistakes);
            told.insert(error.policy_id());
        }
        for error in result.validation_errors() {
            if told.insert(error.policy_id()) {
                self.note(true, error.policy_id(), error, mistakes);
            }
        }
        for warning in result.validation_warnings() {
            if told.insert(warning.policy_id()) {
                self.note(
                    self.forbids(warning.policy_id()),
                    warning.policy_id(),
                    warning,
                    mistakes,
                );
            }
        }
    }

    fn note(&self, stops: bool, id: &PolicyId, error: &dyn Diagnostic, mistakes: &mut Mistakes) {
        if let Some(source) = self.sources.get(id) {
            lint::note_of_rule(mistakes, stops, source, error);
        }
    }

    /// Who trusts in a rule that never forbids anything must be told.
    fn forbids(&self, id: &PolicyId) -> bool {
        self.set.policy(id).is_some_and(|policy| policy.effect() == Effect::Forbid)
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
