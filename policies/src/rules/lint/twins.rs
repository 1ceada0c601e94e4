//! Rules that say what another one says already.

use std::collections::{BTreeSet, HashMap};

use super::survey::Seen;
use crate::mistake::Mistakes;

pub(super) fn judge(seen: &[Seen<'_>], mistakes: &mut Mistakes) {
    let mut first: HashMap<_, &Seen<'_>> = HashMap::new();
    let mut distinct = Vec::new();
    for rule in seen {
        let says = (rule.source.permits(), &rule.scope, &rule.conditions);
        match first.get(&says) {
            Some(other) => twin(rule, other, mistakes),
            None => {
                first.insert(says, rule);
                distinct.push(rule);
            }
        }
    }
    covered(&distinct, mistakes);
}

fn twin(rule: &Seen<'_>, other: &Seen<'_>, mistakes: &mut Mistakes) {
    let Seen { id, source, .. } = rule;
    let message = format!("`{id}` says the same as `{}`", other.id);
    let hint = match (rule.brings() == other.brings(), source.permits()) {
        (true, _) => "take one of them out, or change what it was meant to change",
        (false, true) => "they always agree, and the stricter of what they grant always wins",
        (false, false) => "they always agree, and give one refusal two codes",
    };
    mistakes.warning(source.place(), message).hint(hint);
}

/// A rule with the same obligations, a head that lets in at least as much and no further
/// condition decides wherever the narrower one does.
fn covered(rules: &[&Seen<'_>], mistakes: &mut Mistakes) {
    let mut alike: HashMap<_, Vec<&Seen<'_>>> = HashMap::new();
    for rule in rules {
        let key = (rule.source.permits(), rule.brings(), rule.scope.each_ref().map(String::as_str));
        alike.entry(key).or_default().push(rule);
    }
    for rule in rules {
        let wider = wider_heads(&rule.scope).into_iter().find_map(|scope| {
            let alike = alike.get(&(rule.source.permits(), rule.brings(), scope))?;
            alike.iter().take(COMPARED_MAX).find(|other| other.covers(rule))
        });
        if let Some(wider) = wider {
            mistakes
                .warning(
                    rule.source.place(),
                    format!("`{}` adds nothing to `{}`, which is wider", rule.id, wider.id),
                )
                .hint("take one of them out, or change what it was meant to change");
        }
    }
}

/// The head itself, and each that leaves some of its parts open.
fn wider_heads(scope: &[String; 3]) -> BTreeSet<[&str; 3]> {
    let [principal, action, resource] = scope.each_ref().map(String::as_str);
    let mut heads = BTreeSet::new();
    for principal in ["", principal] {
        for action in ["", action] {
            heads.extend(["", resource].map(|resource| [principal, action, resource]));
        }
    }
    heads
}

impl Seen<'_> {
    fn brings(&self) -> [Option<&str>; 3] {
        [&self.release, &self.limits, &self.code].map(Option::as_deref)
    }

    fn covers(&self, narrower: &Self) -> bool {
        self.id != narrower.id && self.conditions.is_subset(&narrower.conditions)
    }
}

/// Ten thousand rules for one group, each with a condition of its own, must not take a minute.
const COMPARED_MAX: usize = 64;
