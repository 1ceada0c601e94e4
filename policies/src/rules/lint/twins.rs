//! Rules that say what another one says, word for word.

use std::collections::HashMap;

use super::survey::Seen;
use crate::mistake::Mistakes;

/// Tells of each rule that says what an earlier one says, and gives those that are left.
pub(super) fn judge<'s, 'a>(seen: &'s [Seen<'a>], mistakes: &mut Mistakes) -> Vec<&'s Seen<'a>> {
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
    distinct
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
