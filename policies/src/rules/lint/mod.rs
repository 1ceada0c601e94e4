//! What Cedar's validator cannot know: ids, annotations, names that only our tables declare, and
//! rules that say nothing.

mod annotations;
mod clauses;
mod covered;
mod form;
mod impossible;
mod names;
mod source;
mod survey;
mod twins;
mod unused;
mod words;

use cedar_policy::Policy;

use form::Form;

use super::{Rule, reach};
use crate::mistake::Mistakes;
use crate::tables::Tables;

pub(super) use source::{Source, statements};
pub(super) use survey::Survey;
pub(super) use words::{is_vague, note, note_of_rule};

/// Judges one rule by itself and reads its annotations. `None` without a usable `@id`.
pub(super) fn rule<'a>(
    policy: &Policy,
    source: &Source<'a>,
    tables: &Tables,
    survey: &mut Survey<'a>,
    mistakes: &mut Mistakes,
) -> Option<Rule> {
    let before = mistakes.errors();
    let rule = annotations::read(policy, source, tables, mistakes);
    names::entities(policy, source, tables, mistakes);
    reach::must_be_meant(policy, source, mistakes);
    if let Some(form) = Form::of(policy) {
        clauses::judge(&form, source, mistakes);
        // A value that is misspelt is told once, not a second time as a rule that cannot match.
        if names::values(&form, source, tables, mistakes) {
            impossible::judge(&form, source, tables, mistakes);
        }
        survey.note_names(policy);
        if let (Some(rule), true) = (&rule, mistakes.errors() == before) {
            survey.note(rule, policy, &form, source);
        }
    }
    rule
}
