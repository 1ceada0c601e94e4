//! A folder in words.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;
mod ward;

use support::load;

#[test]
fn a_folder_is_told_as_who_may_do_what() {
    let folder = ward::folder();
    let shown = load(&folder).show(&folder).to_string();
    for expected in [
        "What is permitted\n\n  clinicians-infer (rules/clinicians.cedar line 3)\n    who        group `clinicians`\n    may        infer\n    of         any model\n    release    `full`: the score as the model gave it\n    limits     `clinic`: rows_max 1024\n",
        "    who        group `data-science`\n    may        describe_model\n    of         any model\n    release    the strictest, `label`: the most likely class alone\n    limits     the smallest of every declared number\n",
        "What is forbidden all the same\n",
        "    who        any caller\n    may not    any action\n    of         any model\n    unless     the caller belongs to the tenant that owns the model\n    code       other_tenant\n",
        "    owner      tenant `general-hospital`\n    asks for   clearance 2\n    asked      gateway-sealed or client-sealed",
    ] {
        assert!(shown.contains(expected), "{expected}\n{shown}");
    }
}

#[test]
fn every_rule_and_every_model_is_shown() {
    let folder = ward::folder();
    let shown = load(&folder).show(&folder);
    assert_eq!((shown.permits.len(), shown.forbids.len(), shown.models.len()), (3, 3, 1));
}
