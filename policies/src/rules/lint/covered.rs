//! Rules that add nothing to a wider one.

use std::collections::{BTreeSet, HashMap};

use super::survey::Seen;
use crate::mistake::Mistakes;

/// Tells of each rule that a wider one covers: one with the same effect and obligations, a head
/// that lets in at least as much and no further condition decides wherever the narrower one does.
/// No two of `rules` say the same.
pub(super) fn judge(rules: &[&Seen<'_>], mistakes: &mut Mistakes) {
    let index = Index::new(rules);
    for rule in rules {
        if let Some(wider) = index.wider_than(rule) {
            mistakes
                .warning(
                    rule.source.place(),
                    format!("`{}` adds nothing to `{}`, which is wider", rule.id, wider.id),
                )
                .hint("take one of them out, or change what it was meant to change");
        }
    }
}

/// Every rule, to be found by what a narrower one has of it: effect, obligations, head and one of
/// its conditions, the rarest that it has. So ten thousand rules for one group, each with a
/// condition of its own, are not compared with each other.
struct Index<'s, 'a> {
    rules: &'s [&'s Seen<'a>],
    by_head: HashMap<Head<'s>, HashMap<Option<&'s str>, Vec<usize>>>,
}

/// Whether it permits, what it brings, and principal, action and resource, each as text.
type Head<'s> = (bool, [Option<&'s str>; 3], [&'s str; 3]);

impl<'s, 'a> Index<'s, 'a> {
    fn new(rules: &'s [&'s Seen<'a>]) -> Self {
        let mut uses: HashMap<&str, usize> = HashMap::new();
        for condition in rules.iter().flat_map(|rule| &rule.conditions) {
            *uses.entry(condition).or_default() += 1;
        }
        let rarest = |rule: &'s Seen<'a>| {
            let conditions = rule.conditions.iter().map(String::as_str);
            conditions.min_by_key(|condition| uses.get(condition))
        };
        let mut by_head: HashMap<_, HashMap<_, Vec<_>>> = HashMap::new();
        for (position, rule) in rules.iter().enumerate() {
            let by_condition = by_head.entry(head(rule, own_scope(rule))).or_default();
            by_condition.entry(rarest(rule)).or_default().push(position);
        }
        Self { rules, by_head }
    }

    /// Of the heads that let in as much, the first under which there is one; of several there, the
    /// one that stands first.
    fn wider_than(&self, rule: &'s Seen<'a>) -> Option<&'s Seen<'a>> {
        let own = rule.conditions.iter().map(|condition| Some(condition.as_str()));
        let named: Vec<_> = own.chain([None]).collect();
        wider_scopes(rule).into_iter().find_map(|scope| {
            let by_condition = self.by_head.get(&head(rule, scope))?;
            let found = named.iter().filter_map(|condition| by_condition.get(condition)).flatten();
            let wider = found.filter_map(|position| Some((position, *self.rules.get(*position)?)));
            let wider = wider.filter(|(_, other)| other.covers(rule));
            wider.min_by_key(|(position, _)| **position).map(|(_, other)| other)
        })
    }
}

fn head<'s>(rule: &'s Seen<'_>, scope: [&'s str; 3]) -> Head<'s> {
    (rule.source.permits(), rule.brings(), scope)
}

fn own_scope<'s>(rule: &'s Seen<'_>) -> [&'s str; 3] {
    rule.scope.each_ref().map(String::as_str)
}

/// The head's own parts, and each choice of them that leaves some open.
fn wider_scopes<'s>(rule: &'s Seen<'_>) -> BTreeSet<[&'s str; 3]> {
    let [principal, action, resource] = own_scope(rule);
    let mut scopes = BTreeSet::new();
    for principal in ["", principal] {
        for action in ["", action] {
            scopes.extend(["", resource].map(|resource| [principal, action, resource]));
        }
    }
    scopes
}

impl Seen<'_> {
    fn covers(&self, narrower: &Self) -> bool {
        self.id != narrower.id && self.conditions.is_subset(&narrower.conditions)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use cedar_policy::PolicySet;
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};

    use super::super::{Source, Survey, rule};
    use super::*;
    use crate::mistake::Mark;
    use crate::tables::Tables;

    /// Every rule held against every other.
    fn pairwise<'s, 'a>(rules: &[&'s Seen<'a>], rule: &Seen<'a>) -> Option<&'s Seen<'a>> {
        let open_or_same = |wide: &String, narrow: &String| wide.is_empty() || wide == narrow;
        let wider = rules.iter().copied().filter(|other| {
            let mut parts = other.scope.iter().zip(&rule.scope);
            other.source.permits() == rule.source.permits()
                && other.brings() == rule.brings()
                && parts.all(|(wide, narrow)| open_or_same(wide, narrow))
                && other.covers(rule)
        });
        // The first of equals is the one that stands first.
        wider.min_by(|one, other| one.scope.cmp(&other.scope))
    }

    fn texts() -> impl Strategy<Value = Vec<String>> {
        let effect = select(vec![
            "@release(\"full\") permit",
            "@release(\"label\") permit",
            "forbid",
            "@code(\"late\") forbid",
        ]);
        let principal = select(vec!["principal", "principal in Group::\"a\""]);
        let action = select(vec!["action == Action::\"infer\"", "action"]);
        let resource =
            select(vec!["resource is Model", "resource == Model::\"m\"", "resource is Gateway"]);
        let clauses = subsequence(
            (0..4).map(|n| format!("when {{ context.rows != {n} }}")).collect::<Vec<_>>(),
            0..4,
        );
        let text = (effect, principal, action, resource, clauses);
        let text = text.prop_map(|(effect, principal, action, resource, clauses)| {
            format!("{effect} ({principal}, {action}, {resource}) {};", clauses.join(" "))
        });
        prop::collection::btree_set(text, 1..60).prop_map(|texts| texts.into_iter().collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_the_index_finds_is_what_comparing_each_with_each_finds(texts in texts()) {
            let text: String =
                texts.iter().enumerate().map(|(n, rule)| format!("@id(\"r{n}\") {rule}\n")).collect();
            let parsed: PolicySet = text.parse().unwrap();
            let mut survey = Survey::default();
            for policy in parsed.policies() {
                let mut cursor = Mark::TOP;
                let source = Source::of("rules/r.cedar", &text, policy, &mut cursor);
                let tables = Tables::default();
                rule(policy, &source, &tables, &mut survey, &mut Mistakes::default());
            }
            let seen: Vec<_> = survey.seen().iter().collect();
            let index = Index::new(&seen);
            for rule in &seen {
                let id = |found: Option<&Seen<'_>>| found.map(|found| found.id.clone());
                prop_assert_eq!(
                    id(index.wider_than(rule)), id(pairwise(&seen, rule)), "{}\n{}", rule.id, text
                );
            }
        }
    }
}
