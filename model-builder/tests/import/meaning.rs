//! What the schema says, and what is said when it says nothing.

use sealgate_model::{Activation, Digest, Provenance, Task};
use sealgate_model_builder::{BuildError, Reference};

use super::fixture::{imported, path, reference};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn without_a_schema_features_are_numbered_and_their_range_is_unknown() {
    let imported = imported("pytorch_binary_dynamo.onnx", "").unwrap();
    let manifest = imported.artifact.manifest();
    assert_eq!((manifest.input.as_str(), manifest.output.as_str()), ("x", "probability"));
    let last = manifest.features.last().unwrap();
    assert_eq!((last.name.as_str(), last.unit.as_str(), last.range), ("x5", "unspecified", None));
    assert!(imported.notes.iter().any(|note| note.contains("x0, x1")));
}

#[test]
fn a_schema_names_features_and_targets() {
    let features: String = (0..6)
        .map(|at| format!("[[features]]\nname = \"f{at}\"\nunit = \"mg\"\nrange = [0, {at}]\n"))
        .collect();
    let text = format!(
        "input = \"rows\"\noutput = \"dose\"\n{features}[[targets]]\nname = \"dose\"\n[[targets]]\nname = \"days\"\nunit = \"d\"\n"
    );
    let imported = imported("keras_grid.tflite", &text).unwrap();
    let manifest = imported.artifact.manifest();
    assert_eq!((manifest.input.as_str(), manifest.output.as_str()), ("rows", "dose"));
    assert_eq!(manifest.features[5].range, Some([0.0, 5.0]));
    let Task::Regression { targets } = &manifest.task else { panic!("{:?}", manifest.task) };
    assert_eq!((targets[0].unit.as_str(), targets[1].unit.as_str()), ("unspecified", "d"));
    assert!(imported.notes.is_empty(), "{:?}", imported.notes);
}

#[test]
fn classes_come_from_the_schema_before_the_file() {
    let task = |schema| {
        imported("sklearn_multiclass.onnx", schema).unwrap().artifact.manifest().task.clone()
    };
    assert_eq!(task(""), Task::Multiclass { classes: names(&["amber", "green", "red"]) });
    let given = r#"classes = ["a", "g", "r"]"#;
    assert_eq!(task(given), Task::Multiclass { classes: names(&["a", "g", "r"]) });
}

#[test]
fn a_first_class_that_is_positive_turns_the_answer_around() {
    let file = "sklearn_binary.onnx";
    let turned = imported(file, "classes = [\"well\", \"ill\"]\npositive = \"well\"").unwrap();
    let Task::Binary { classes, positive } = &turned.artifact.manifest().task else { panic!() };
    assert_eq!((&classes[..], positive.as_str()), (&names(&["ill", "well"])[..], "well"));
    // The framework's two columns are still those of its own order.
    turned.check(&reference("sklearn_binary"), 1e-5).unwrap();
    let plain = imported(file, "").unwrap();
    let [plain, turned] = [&plain, &turned].map(|imported| imported.artifact.layers());
    assert_eq!(plain.last().unwrap().bias[0], -turned.last().unwrap().bias[0]);
}

#[test]
fn a_schema_of_another_kind_of_answer_is_refused() {
    for (file, schema, expected) in [
        (
            "sklearn_regressor.onnx",
            r#"classes = ["a", "b"]"#,
            "the schema has `classes`, and the model answers values, not probabilities",
        ),
        (
            "sklearn_binary.onnx",
            r#"labels = ["a"]"#,
            "the schema has `labels`, and the model answers the probability of one of two classes",
        ),
        (
            "sklearn_binary.onnx",
            r#"positive = "2""#,
            "the positive class `2` is none of the classes",
        ),
        (
            "sklearn_multiclass.onnx",
            r#"classes = ["a", "b"]"#,
            "the schema names 2 classes, the model has 3",
        ),
        (
            "sklearn_binary.onnx",
            "[[features]]\nname = \"a\"",
            "the schema names 1 features, the model has 6",
        ),
    ] {
        assert_eq!(imported(file, schema).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_schema_with_an_unknown_key_is_refused() {
    for text in ["feature = []", "[[features]]\nname = \"a\"\nmin = 0", "classes = 1", "="] {
        assert!(
            matches!(imported("sklearn_binary.onnx", text), Err(BuildError::Schema(_))),
            "{text}"
        );
    }
}

#[test]
fn names_that_a_manifest_cannot_hold_are_refused() {
    let refused = imported("sklearn_binary.onnx", r#"classes = ["a", "a"]"#);
    assert!(matches!(refused, Err(BuildError::Model(_))), "{refused:?}");
}

#[test]
fn the_provenance_names_the_file_by_its_digest() {
    let imported = imported("pytorch_curves_legacy.onnx", "").unwrap();
    let digest = Digest::of(&std::fs::read(path("pytorch_curves_legacy.onnx")).unwrap());
    let expected = Provenance::Imported {
        format: "onnx".to_owned(),
        sha256: digest,
        producer: "pytorch 2.15.0".to_owned(),
    };
    assert_eq!(imported.artifact.manifest().provenance, expected);
    let activations: Vec<_> =
        imported.artifact.manifest().architecture.iter().map(|layer| layer.activation).collect();
    assert_eq!(activations[1], Activation::Elu { alpha: 0.7 });
}

#[test]
fn two_probabilities_of_a_reference_are_one_of_ours() {
    let imported = imported("sklearn_binary.onnx", "").unwrap();
    let text = br#"{"inputs":[[0,0,0,0,0,0]],"outputs":[[0.1,0.1]]}"#;
    let found = imported.check(&Reference::parse(text).unwrap(), 1.0).unwrap();
    assert!(found.largest > 0.1, "both are compared");
}
