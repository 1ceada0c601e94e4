//! The schema, and Cedar's errors in our voice.

use cedar_policy::Schema;
use miette::Diagnostic;

use crate::folder::Folder;
use crate::mistake::{Mistakes, Place};

pub(super) const SCHEMA: &str = "schema.cedarschema";

pub(super) fn load(folder: &Folder, mistakes: &mut Mistakes) -> Option<Schema> {
    let Some(text) = folder.text(SCHEMA) else {
        mistakes
            .error(Place::file(SCHEMA), "is missing")
            .hint("copy it from the folder `policies/default`: it says what rules may look at");
        return None;
    };
    match Schema::from_cedarschema_str(text) {
        Ok((schema, warnings)) => {
            for warning in warnings {
                note(mistakes, false, SCHEMA, text, &warning);
            }
            Some(schema)
        }
        Err(error) => {
            note(mistakes, true, SCHEMA, text, &error);
            None
        }
    }
}

/// Cedar's errors know their place and often what was meant.
pub(super) fn note(
    mistakes: &mut Mistakes,
    stops: bool,
    file: &str,
    text: &str,
    error: &dyn Diagnostic,
) {
    let offset = error.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
    let place = match offset {
        Some(offset) => Place::at(file, text, offset),
        None => Place::file(file),
    };
    let message = error.to_string().trim_end_matches('.').replace('\n', " ");
    let mistake =
        if stops { mistakes.error(place, message) } else { mistakes.warning(place, message) };
    if let Some(help) = error.help() {
        mistake.hint(help.to_string());
    }
}
