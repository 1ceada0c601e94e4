//! The schema: what rules may look at.

use cedar_policy::Schema;

use super::lint::note;
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
                note(mistakes, false, SCHEMA, (text, 0), &warning);
            }
            Some(schema)
        }
        Err(error) => {
            note(mistakes, true, SCHEMA, (text, 0), &error);
            None
        }
    }
}
