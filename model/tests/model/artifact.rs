//! What a good file gives, and which well-formed files are no artifacts.

use safetensors::tensor::Dtype::{F32, F64};
use sealgate_model::{Activation, Artifact, Digest, Manifest, ModelError};

use crate::sample;

type Shapes = [(&'static str, safetensors::Dtype, &'static [usize])];

/// The tensors of the sample's architecture.
const TENSORS: [(&str, safetensors::Dtype, &[usize]); 4] = [
    ("layers.0.bias", F32, &[4]),
    ("layers.0.weight", F32, &[3, 4]),
    ("layers.1.bias", F32, &[1]),
    ("layers.1.weight", F32, &[4, 1]),
];

#[test]
fn an_artifact_reads_back_as_it_was_written() {
    let manifest = sample::manifest(3, &[4]);
    let weights = sample::weights(&manifest);
    let artifact = Artifact::parse(&sample::file()).unwrap();
    assert_eq!(artifact.manifest(), &manifest);
    for (read, written) in artifact.layers().iter().zip(&weights) {
        assert_eq!((&read.weight, &read.bias), (&written.weight, &written.bias));
    }
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    assert_eq!(sample::file(), sample::file());
}

#[test]
fn the_digest_is_that_of_the_whole_file_and_not_inside_it() {
    let file = sample::file();
    let digest = Artifact::parse(&file).unwrap().digest();
    assert_eq!(digest, Digest::of(&file));
    let text = digest.to_string();
    assert!(!file.windows(text.len()).any(|window| window == text.as_bytes()));
}

#[test]
fn a_flipped_weight_changes_the_digest() {
    let mut file = sample::file();
    let before = Artifact::parse(&file).unwrap().digest();
    *file.last_mut().unwrap() ^= 1;
    assert_ne!(Artifact::parse(&file).unwrap().digest(), before);
}

#[test]
fn other_tools_find_the_tensors_by_their_names() {
    let file = sample::file();
    let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
    assert_eq!(tensors.tensor("layers.0.weight").unwrap().shape(), [3, 4]);
    assert_eq!(tensors.tensor("layers.1.bias").unwrap().shape(), [1]);
}

#[test]
fn numbers_in_the_manifest_are_in_their_shortest_form() {
    assert!(sample::manifest_text(&sample::file()).contains(r#""range":[-0.1,1.5]"#));
}

#[test]
fn the_schema_digest_ignores_the_weights_and_not_the_units() {
    let plain = sample::manifest(3, &[4]);
    let deeper = sample::manifest(3, &[8, 4]);
    let mut other_unit = plain.clone();
    "grey level".clone_into(&mut other_unit.features[1].unit);
    assert_eq!(plain.schema_digest().unwrap(), deeper.schema_digest().unwrap());
    assert_ne!(plain.schema_digest().unwrap(), other_unit.schema_digest().unwrap());
}

#[test]
fn a_second_metadata_key_is_refused() {
    let text = sample::manifest_text(&sample::file());
    let refused = parse(&[("sealgate.manifest", &text), ("format", "pt")], &TENSORS);
    assert!(matches!(refused, ModelError::Metadata { .. }));
}

#[test]
fn a_file_without_a_manifest_is_refused() {
    assert!(matches!(parse(&[("format", "pt")], &TENSORS), ModelError::Metadata { .. }));
}

#[test]
fn the_forged_file_would_be_an_artifact_without_the_forgery() {
    let text = sample::manifest_text(&sample::file());
    let file = sample::forged(&[("sealgate.manifest", &text)], &TENSORS);
    assert!(Artifact::parse(&file).is_ok());
}

#[test]
fn an_unknown_manifest_field_is_refused() {
    let refused = with_text(|text| text.replacen('{', r#"{"a":1,"#, 1));
    assert!(matches!(refused, ModelError::Manifest(_)));
}

#[test]
fn an_unknown_field_deep_in_the_manifest_is_refused() {
    let refused = with_text(|text| text.replace(r#""kind":"binary""#, r#""a":1,"kind":"binary""#));
    assert!(matches!(refused, ModelError::Manifest(_)), "{refused:?}");
}

#[test]
fn a_manifest_that_is_not_canonical_is_refused() {
    let spaced = with_text(|text| text.replacen(':', ": ", 1));
    assert!(matches!(spaced, ModelError::NotCanonical));
    let longer_number = with_text(|text| text.replace("-0.1", "-0.10"));
    assert!(matches!(longer_number, ModelError::NotCanonical));
}

#[test]
fn a_manifest_of_a_later_format_is_refused() {
    let refused = with_text(|text| text.replace(r#""format":1"#, r#""format":2"#));
    assert!(matches!(refused, ModelError::Field { field: "format", .. }));
}

#[test]
fn tensors_other_than_those_of_the_architecture_are_refused() {
    let mut extra = TENSORS.to_vec();
    extra.push(("extra", F32, &[1]));
    assert!(matches!(with_tensors(&extra), ModelError::TensorCount { expected: 4, found: 5 }));
    assert!(matches!(with_tensors(&TENSORS[1..]), ModelError::TensorCount { found: 3, .. }));
    let mut renamed = TENSORS;
    renamed[0].0 = "layers.0.gamma";
    assert!(matches!(with_tensors(&renamed), ModelError::TensorMissing { .. }));
}

#[test]
fn a_tensor_of_another_shape_is_refused() {
    let mut transposed = TENSORS;
    transposed[1].2 = &[4, 3];
    assert!(matches!(with_tensors(&transposed), ModelError::TensorShape { .. }));
}

#[test]
fn a_tensor_of_another_type_is_refused() {
    let mut doubles = TENSORS;
    doubles[0].1 = F64;
    assert!(matches!(with_tensors(&doubles), ModelError::TensorType { .. }));
}

#[test]
fn a_weight_that_is_no_number_is_refused() {
    let mut file = sample::file();
    let end = file.len();
    file[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(matches!(Artifact::parse(&file), Err(ModelError::WeightNotFinite { .. })));
}

/// The field that is spoilt, and how.
type Change = (&'static str, fn(&mut Manifest));

#[test]
fn impossible_manifests_cannot_be_written() {
    let changes: [Change; 13] = [
        ("name", |m| m.name = "../up".to_owned()),
        ("name", |m| m.name = String::new()),
        ("input", |m| m.input = "X".to_owned()),
        ("features", |m| m.features.clear()),
        ("features", |m| m.features[1].name = m.features[0].name.clone()),
        ("features", |m| m.features[0].range = Some([1.0, 0.0])),
        ("features", |m| m.features[0].unit = "\u{1b}[2J".to_owned()),
        ("standardisation", |m| m.standardisation.as_mut().unwrap().std.truncate(1)),
        ("standardisation", |m| m.standardisation.as_mut().unwrap().std[0] = 0.0),
        ("standardisation", |m| m.standardisation.as_mut().unwrap().mean[0] = f32::NAN),
        ("architecture", |m| m.architecture.clear()),
        ("architecture", |m| m.architecture = [m.architecture[0]].repeat(33)),
        ("task", |m| m.architecture.last_mut().unwrap().activation = Activation::Relu),
    ];
    for (expected, change) in changes {
        let mut manifest = sample::manifest(3, &[4]);
        change(&mut manifest);
        let refused = Artifact::encode(&manifest, &sample::weights(&manifest)).unwrap_err();
        assert!(
            matches!(refused, ModelError::Field { field, .. } if field == expected),
            "{refused}"
        );
    }
}

#[test]
fn a_layer_wider_than_the_limit_is_refused() {
    let refused = with_text(|text| text.replace(r#""units":4"#, r#""units":65537"#));
    assert!(matches!(refused, ModelError::Field { field: "architecture", .. }));
}

#[test]
fn an_architecture_larger_than_any_file_is_refused_before_it_is_built() {
    let wide = r#""units":65536},{"activation":"relu","units":65536"#;
    let refused = with_text(|text| text.replace(r#""units":4"#, wide));
    assert!(matches!(refused, ModelError::TooLarge { .. }), "{refused:?}");
}

#[test]
fn weights_that_do_not_fit_the_architecture_cannot_be_written() {
    let manifest = sample::manifest(3, &[4]);
    let mut short = sample::weights(&manifest);
    short[0].weight.pop();
    assert!(Artifact::encode(&manifest, &short).is_err());
    assert!(Artifact::encode(&manifest, &sample::weights(&manifest)[..1]).is_err());
}

#[test]
fn an_artifact_shows_no_weights() {
    let shown = format!("{:?}", Artifact::parse(&sample::file()).unwrap());
    assert!(shown.contains("sample") && !shown.contains("weight"), "{shown}");
}

fn with_text(change: impl Fn(String) -> String) -> ModelError {
    let text = sample::manifest_text(&sample::file());
    let changed = change(text.clone());
    assert_ne!(changed, text, "the change must change something");
    parse(&[("sealgate.manifest", &changed)], &TENSORS)
}

fn with_tensors(tensors: &Shapes) -> ModelError {
    let text = sample::manifest_text(&sample::file());
    parse(&[("sealgate.manifest", &text)], tensors)
}

fn parse(metadata: &[(&str, &str)], tensors: &Shapes) -> ModelError {
    Artifact::parse(&sample::forged(metadata, tensors)).unwrap_err()
}
