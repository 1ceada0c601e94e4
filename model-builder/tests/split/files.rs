use sealgate_model::split::{Part, Plan};
use sealgate_model::{Artifact, ModelError};
use sealgate_model_builder::{BuildError, SplitBy, SplitModel, split};

use crate::near::{artifact, assembled};
use crate::sample;

fn found() -> SplitModel {
    split(&artifact(&sample::manifest(5, &[8, 4])), 2, SplitBy::Columns).unwrap()
}

#[test]
fn the_same_model_is_split_into_the_same_bytes() {
    let (one, other) = (found(), found());
    assert_eq!((one.file, one.parts), (other.file, other.parts));
}

#[test]
fn a_part_is_refused_by_whatever_expects_a_whole_model_and_the_other_way_round() {
    let found = found();
    for file in &found.parts {
        assert!(matches!(Artifact::parse(file), Err(ModelError::IsPart)));
    }
    assert!(Artifact::parse(&found.file).is_err());
    assert!(matches!(Part::parse(&sample::file()), Err(ModelError::NotPart)));
    assert!(Plan::parse(&sample::file()).is_err());
    assert!(Part::parse(&found.file).is_err());
}

#[test]
fn a_plan_says_which_model_it_is_of() {
    let whole = artifact(&sample::manifest(5, &[8, 4]));
    let plan = found().plan;
    assert_eq!(plan.of(), whole.digest());
    assert_eq!(plan.manifest(), whole.manifest());
    assert_ne!(plan.digest(), whole.digest());
}

#[test]
fn no_changed_byte_of_a_plan_or_of_a_part_goes_unseen() {
    let found = found();
    for at in 0..found.file.len() {
        let mut file = found.file.clone();
        file[at] ^= 1;
        if let Ok(plan) = Plan::parse(&file) {
            assert_ne!(plan.digest(), found.plan.digest(), "byte {at}");
        }
        assert!(Plan::parse(&found.file[..at]).is_err(), "cut at {at}");
    }
    for (index, part) in found.parts.iter().enumerate() {
        for at in 0..part.len() {
            let mut file = part.clone();
            file[at] ^= 1;
            let refused = found.plan.part(index, &file);
            assert!(matches!(refused, Err(ModelError::OtherPart { .. })), "byte {at}");
            assert!(Part::parse(&part[..at]).is_err(), "cut at {at}");
        }
    }
}

#[test]
fn parts_of_another_plan_in_another_order_or_number_are_refused() {
    let (mut swapped, mut missing) = (found(), found());
    swapped.parts.swap(0, 1);
    assert!(matches!(assembled(&swapped), Err(ModelError::OtherPart { .. })));
    missing.parts.pop();
    assert!(matches!(assembled(&missing), Err(ModelError::PartCount { expected: 2, found: 1 })));
    let layers = split(&artifact(&sample::manifest(5, &[8, 4])), 2, SplitBy::Layers).unwrap();
    let mixed = SplitModel { parts: layers.parts, ..found() };
    assert!(matches!(assembled(&mixed), Err(ModelError::OtherPart { .. })));
}

#[test]
fn a_plan_whose_bounds_leave_something_out_is_refused() {
    let text = String::from_utf8(found().file).unwrap();
    assert!(text.contains("\"bounds\":[[0,4,8]]"), "{text}");
    for bounds in
        ["[[0,4,7]]", "[[0,8,8]]", "[[0,9,8]]", "[[0,8]]", "[[1,4,8]]", "[]", "[[0,4,8],[0,1,2]]"]
    {
        let changed = text.replace("[[0,4,8]]", bounds);
        assert!(Plan::parse(changed.as_bytes()).is_err(), "{bounds}");
    }
    assert!(Plan::parse(text.replace("\":", "\": ").as_bytes()).is_err(), "not canonical");
}

#[test]
fn a_model_with_too_little_to_share_is_not_split() {
    let narrow = artifact(&sample::manifest(5, &[1, 4]));
    let shallow = artifact(&sample::manifest(5, &[8]));
    for (of, parts, by) in [
        (&narrow, 2, SplitBy::Columns),
        (&shallow, 3, SplitBy::Layers),
        (&shallow, 1, SplitBy::Layers),
        (&shallow, 9, SplitBy::Columns),
    ] {
        let refused = split(of, parts, by);
        assert!(matches!(refused, Err(BuildError::Model(_))), "{parts} {by:?}");
    }
}
