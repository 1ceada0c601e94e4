//! The rules as they are written, each to be looked at part by part.
//!
//! Cedar says which rules decided, not why the others did not. Here each part of a rule's head and
//! each of its clauses is asked alone: it becomes a rule of its own that permits when the part
//! holds. So Cedar's own authorizer judges the parts, and no second reading of the language can
//! disagree with it.

use cedar_policy::{Authorizer, Decision, Effect, Entities, Policy, PolicyId, PolicySet, Request};
use serde::Serialize;
use serde_json::{Value, json};

use super::context::Circumstances;
use super::slice::Numbers;
use super::{ContextUse, Question, Resource, Rules, entities};
use crate::any_ask::AnyAsk;
use crate::caller::Caller;
use crate::folder::Folder;
use crate::mistake::Place;

/// What came of one part of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "found", content = "message")]
pub enum Found {
    /// It lets the rule apply: a `when` whose condition is true, an `unless` whose is false.
    Holds,
    /// It keeps the rule from applying.
    Fails,
    /// It cannot be evaluated, and this is why.
    Errs(String),
}

/// One rule as it stands in its file.
pub(crate) struct Written {
    pub(crate) id: String,
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) policy: Policy,
    pub(crate) form: Value,
    pub(crate) uses: ContextUse,
    /// Principal, action and resource.
    pub(crate) head: [Part; 3],
    pub(crate) clauses: Vec<Part>,
}

/// One part of a rule, in words and alone.
pub(crate) struct Part {
    pub(crate) text: String,
    alone: PolicySet,
}

/// What came of each part of one rule, in one situation.
pub(crate) struct Looked {
    pub(crate) head: [Found; 3],
    pub(crate) clauses: Vec<Found>,
}

impl Written {
    /// Every rule of a folder that has been accepted, by file and place.
    pub(crate) fn all(folder: &Folder) -> Vec<Self> {
        folder.under("rules/").flat_map(|(file, text)| Self::of_file(file, text)).collect()
    }

    pub(crate) fn permits(&self) -> bool {
        self.policy.effect() == Effect::Permit
    }

    pub(crate) fn annotation(&self, name: &str) -> Option<&str> {
        self.policy.annotation(name)
    }

    fn of_file(file: &str, text: &str) -> Vec<Self> {
        let Ok(parsed) = text.parse::<PolicySet>() else { return Vec::new() };
        let mut policies: Vec<_> = parsed.policies().collect();
        // Cedar numbers them from `policy0` and keeps them in no order.
        policies.sort_by_key(|policy| {
            let id: &str = policy.id().as_ref();
            (id.len(), id.to_owned())
        });
        let mut from = 0;
        policies.into_iter().filter_map(|policy| Self::of(file, text, policy, &mut from)).collect()
    }

    fn of(file: &str, text: &str, policy: &Policy, from: &mut usize) -> Option<Self> {
        let own = policy.to_cedar()?;
        let start = *from + text.get(*from..)?.find(&own)?;
        *from = start + own.len();
        let form = policy.to_json().ok()?;
        Some(Self {
            id: policy.annotation("id")?.to_owned(),
            file: file.to_owned(),
            line: Place::at(file, text, start).line?,
            uses: ContextUse::of(policy),
            head: [part(&form, "principal")?, part(&form, "action")?, part(&form, "resource")?],
            clauses: clauses(&form, &own)?,
            policy: policy.clone(),
            form,
        })
    }
}

impl Rules {
    /// Asks each part of `written` alone. `None` when there is no such situation.
    pub(crate) fn look(
        &self,
        written: &Written,
        caller: &Caller,
        resource: &Resource,
        ask: &AnyAsk<'_>,
    ) -> Option<Looked> {
        let (action, circumstances) = match ask {
            AnyAsk::Model(ask) => {
                (entities::action_uid(ask.action), Circumstances::of(caller, ask))
            }
            AnyAsk::Gateway(ask) => {
                (entities::gateway_action_uid(ask.action), Circumstances::of_gateway(caller, ask))
            }
        };
        let question = Question::new(caller.entity(), action, resource, &self.actions)?;
        let question = question.about(Numbers::default(), written.uses);
        let request = question.request(&circumstances, &self.addresses)?;
        let look = |part: &Part| part.look(&request, &question.entities);
        Some(Looked {
            head: [look(&written.head[0]), look(&written.head[1]), look(&written.head[2])],
            clauses: written.clauses.iter().map(look).collect(),
        })
    }
}

impl Looked {
    /// Whether the head is about this request at all.
    pub(crate) fn is_about_it(&self) -> bool {
        self.head.iter().all(|found| *found == Found::Holds)
    }

    /// The first part that does not hold: Cedar looks no further. `None` when the rule applies.
    pub(crate) fn stopped_by(&self) -> Option<&Found> {
        self.head.iter().chain(&self.clauses).find(|found| **found != Found::Holds)
    }
}

impl Part {
    fn look(&self, request: &Request, known: &Entities) -> Found {
        let response = Authorizer::new().is_authorized(request, &self.alone, known);
        let error = response.diagnostics().errors().next();
        match (response.decision(), error) {
            (_, Some(error)) => Found::Errs(plain(&error.to_string())),
            (Decision::Allow, None) => Found::Holds,
            (Decision::Deny, None) => Found::Fails,
        }
    }

    fn new(text: String, form: Value) -> Option<Self> {
        let policy = Policy::from_json(Some(PolicyId::new(ALONE)), form).ok()?;
        Some(Self { text, alone: PolicySet::from_policies([policy]).ok()? })
    }
}

/// Cedar's message without the name of a rule that nobody wrote.
fn plain(message: &str) -> String {
    let message = message.replace('\n', " ");
    let message = message.rsplit_once(&format!("`{ALONE}`: ")).map_or(&*message, |(_, rest)| rest);
    message.trim_end_matches('.').to_owned()
}

/// A rule that permits everything.
fn everything() -> Value {
    let all = json!({"op": "All"});
    json!({"effect": "permit", "principal": all, "action": all, "resource": all, "conditions": []})
}

fn part(form: &Value, name: &str) -> Option<Part> {
    let constraint = form.get(name)?;
    let mut alone = everything();
    *alone.get_mut(name)? = constraint.clone();
    Part::new(constraint_text(name, constraint), alone)
}

fn clauses(form: &Value, own: &str) -> Option<Vec<Part>> {
    let conditions = form.get("conditions")?.as_array()?;
    let texts = clause_texts(own);
    let text = |position: usize| match texts.get(position) {
        Some(text) if texts.len() == conditions.len() => text.clone(),
        _ => format!("clause {}", position + 1),
    };
    let clause = |(position, condition): (usize, &Value)| {
        let mut alone = everything();
        *alone.get_mut("conditions")? = json!([condition]);
        let kind = condition.get("kind")?.as_str()?;
        Part::new(format!("{kind} {{ {} }}", text(position)), alone)
    };
    conditions.iter().enumerate().map(clause).collect()
}

/// As Cedar writes it: `principal in Group::"clinicians"`.
fn constraint_text(name: &str, constraint: &Value) -> String {
    let word = |key: &str| constraint.get(key).and_then(Value::as_str);
    let place = match (constraint.get("entity"), constraint.get("entities")) {
        (Some(one), _) => entity_text(one),
        (None, Some(Value::Array(several))) => {
            format!("[{}]", several.iter().map(entity_text).collect::<Vec<_>>().join(", "))
        }
        _ => String::new(),
    };
    match (word("op"), word("entity_type")) {
        (Some("is"), Some(kind)) => {
            match constraint.get("in").and_then(|r#in| r#in.get("entity")) {
                Some(within) => format!("{name} is {kind} in {}", entity_text(within)),
                None => format!("{name} is {kind}"),
            }
        }
        (Some(op @ ("==" | "in")), _) => format!("{name} {op} {place}"),
        _ => name.to_owned(),
    }
}

fn entity_text(entity: &Value) -> String {
    let word = |key: &str| entity.get(key).and_then(Value::as_str).unwrap_or_default();
    format!("{}::\"{}\"", word("type"), word("id"))
}

/// What stands in the braces of each clause, on one line and without comments. Only clauses have
/// braces outside of parentheses and texts.
fn clause_texts(rule: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut text = String::new();
    let (mut depth, mut in_text) = (0_usize, false);
    let mut chars = rule.chars().peekable();
    while let Some(c) = chars.next() {
        if in_text {
            text.push(c);
            match c {
                '\\' => text.extend(chars.next()),
                '"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match c {
            '/' if chars.peek() == Some(&'/') => while chars.next_if(|c| *c != '\n').is_some() {},
            '{' if depth == 0 => {
                depth = 1;
                text.clear();
            }
            '}' if depth == 1 => {
                depth = 0;
                texts.push(text.split_whitespace().collect::<Vec<_>>().join(" "));
            }
            c => {
                depth = match c {
                    '{' => depth + 1,
                    '}' => depth.saturating_sub(1),
                    _ => depth,
                };
                in_text = c == '"';
                text.push(c);
            }
        }
    }
    texts
}

const ALONE: &str = "alone";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn written(text: &str) -> Vec<Written> {
        Written::all(&Folder::from_pairs([("rules/a.cedar", text)]))
    }

    #[test]
    fn a_rule_is_told_with_its_place_and_the_words_it_was_written_in() {
        let text = "// first\n@id(\"one{\")\nforbid (principal in Group::\"a\", action in \
                    [Action::\"infer\", Action::\"b\"], resource is Model in Tenant::\"t\")\n\
                    when { context.time.hour\n  < 7 } // not } this\nunless { \"}\" == \"{\" };";
        let rules = written(text);
        let rule = rules.first().unwrap();
        assert_eq!((&*rule.id, rule.line), ("one{", 2));
        let parts: Vec<_> = rule.head.iter().chain(&rule.clauses).map(|p| &*p.text).collect();
        assert_eq!(
            parts,
            [
                "principal in Group::\"a\"",
                "action in [Action::\"infer\", Action::\"b\"]",
                "resource is Model in Tenant::\"t\"",
                "when { context.time.hour < 7 }",
                "unless { \"}\" == \"{\" }",
            ]
        );
    }

    #[test]
    fn the_rules_of_a_file_come_in_the_order_they_stand_there() {
        let text: String = (0..12)
            .map(|i| format!("@id(\"r{i}\")\npermit (principal, action, resource);\n"))
            .collect();
        let lines: Vec<_> = written(&text).iter().map(|rule| rule.line).collect();
        assert_eq!(lines, (0..12).map(|i| 1 + 2 * i).collect::<Vec<_>>());
    }
}
