//! The shape of a rule: who it is for, and one condition in each clause.

use super::Source;
use super::form::{Form, Head};
use crate::mistake::Mistakes;

pub(super) fn judge(form: &Form, source: &Source<'_>, mistakes: &mut Mistakes) {
    one_condition_each(form, source, mistakes);
    if source.permits() {
        must_say_for_whom(form, source, mistakes);
    }
}

/// Asked why a caller was denied, we evaluate clause by clause: so one condition in each.
fn one_condition_each(form: &Form, source: &Source<'_>, mistakes: &mut Mistakes) {
    let crowded = form
        .clauses()
        .any(|clause| clause.body.get(if clause.holds_when { "&&" } else { "||" }).is_some());
    if crowded {
        mistakes
            .warning(source.place(), "several conditions stand in one clause")
            .hint("write each in its own `when` (for `||` its own `unless`), and refusals can name the one that failed");
    }
}

fn must_say_for_whom(form: &Form, source: &Source<'_>, mistakes: &mut Mistakes) {
    let open = [form.principal(), form.action(), form.resource()];
    if open.iter().any(|head| *head != Head::Any) {
        return;
    }
    let place = source.place_of(&["permit"]);
    const HINT: &str = "say for whom, for example `permit (principal in Group::\"clinicians\", \
                        action == Action::\"infer\", resource)`";
    if form.clauses().next().is_none() {
        mistakes.error(place, "this permits everything to everybody").hint(HINT);
    } else {
        mistakes
            .warning(place, "the head of this permit lets everybody and everything in")
            .hint(HINT);
    }
}
