//! An imported artifact, on the engine that a worker has, answers as its framework did.

use std::collections::BTreeSet;

use sealgate_model_builder::{BuildError, Reference};

use super::fixture::{imported, path, reference};

/// Files and the rows they are checked with.
const ALL: [(&str, &str); 29] = [
    ("sklearn_binary.onnx", "sklearn_binary"),
    ("sklearn_binary_zipmap.onnx", "sklearn_binary_zipmap"),
    ("sklearn_multiclass.onnx", "sklearn_multiclass"),
    ("sklearn_multiclass_zipmap.onnx", "sklearn_multiclass_zipmap"),
    ("sklearn_columns.onnx", "sklearn_columns"),
    ("sklearn_multilabel.onnx", "sklearn_multilabel"),
    ("sklearn_regressor.onnx", "sklearn_regressor"),
    ("sklearn_regressor_one.onnx", "sklearn_regressor_one"),
    ("sklearn_linear.onnx", "sklearn_linear"),
    ("sklearn_linear_two.onnx", "sklearn_linear_two"),
    ("sklearn_logistic.onnx", "sklearn_logistic"),
    ("sklearn_logistic_three.onnx", "sklearn_logistic_three"),
    ("sklearn_logistic_zipmap.onnx", "sklearn_logistic_zipmap"),
    ("pytorch_binary_dynamo.onnx", "pytorch_binary"),
    ("pytorch_binary_legacy.onnx", "pytorch_binary"),
    ("pytorch_norm_first_dynamo.onnx", "pytorch_norm_first"),
    ("pytorch_norm_first_legacy.onnx", "pytorch_norm_first"),
    ("pytorch_curves_dynamo.onnx", "pytorch_curves"),
    ("pytorch_curves_legacy.onnx", "pytorch_curves"),
    ("pytorch_curves_opset17.onnx", "pytorch_curves"),
    ("pytorch_squeezed_dynamo.onnx", "pytorch_squeezed"),
    ("pytorch_squeezed_legacy.onnx", "pytorch_squeezed"),
    ("pytorch_outside.onnx", "pytorch_outside"),
    ("pytorch_sequential.safetensors", "pytorch_sequential"),
    ("keras_binary.tflite", "keras_binary"),
    ("keras_curves.tflite", "keras_curves"),
    ("keras_grid.tflite", "keras_grid"),
    ("keras_float16.tflite", "keras_float16"),
    ("keras_int8.tflite", "keras_int8"),
];

/// It has no answers of its own: it is kept for what is said of it.
const WITHOUT_ANSWERS: &str = "keras_rounded.tflite";

#[test]
fn no_file_that_is_kept_is_left_out() {
    let kept: BTreeSet<String> = std::fs::read_dir(path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| [".onnx", ".tflite", ".safetensors"].iter().any(|end| name.ends_with(end)))
        .collect();
    let named = ALL.iter().map(|(file, _)| *file).chain([WITHOUT_ANSWERS]).map(str::to_owned);
    assert_eq!(kept, named.collect());
}

#[test]
fn every_artifact_answers_as_its_framework_did() {
    for (file, rows) in ALL {
        let imported = imported(file, "").unwrap_or_else(|error| panic!("{file}: {error}"));
        let found = imported.check(&reference(rows), 1e-5);
        let found = found.unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(found.rows, 50, "{file}");
    }
}

#[test]
fn a_difference_beyond_the_tolerance_is_refused_with_its_row() {
    let text = br#"{"inputs":[[1,1,1,1,1,1],[1,1,1,1,1,1]],"outputs":[[0.5,0.5],[9,0.5]]}"#;
    let reference = Reference::parse(text).unwrap();
    let refused = imported("sklearn_binary.onnx", "").unwrap().check(&reference, 0.9);
    assert!(matches!(refused, Err(BuildError::Differs { row: 1, .. })), "{refused:?}");
}

#[test]
fn a_reference_that_does_not_fit_is_refused() {
    let imported = imported("sklearn_binary.onnx", "").unwrap();
    for (text, expected) in [
        (
            r#"{"inputs":[[1,1]],"outputs":[[1]]}"#,
            "the reference rows have 2 values a row, the model has 6",
        ),
        (
            r#"{"inputs":[[1,1,1,1,1,1]],"outputs":[[1,2,3]]}"#,
            "the reference rows have 3 values an answer, the model has 1",
        ),
    ] {
        let reference = Reference::parse(text.as_bytes()).unwrap();
        assert_eq!(imported.check(&reference, 1.0).unwrap_err().to_string(), expected);
    }
    for text in [
        r#"{"inputs":[[1]],"outputs":[]}"#,
        r#"{"inputs":[],"outputs":[]}"#,
        r#"{"inputs":[[1]],"outputs":[[1]],"x":1}"#,
        r#"{"inputs":[[null]],"outputs":[[1]]}"#,
        "[]",
    ] {
        assert!(Reference::parse(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn the_same_file_gives_the_same_artifact() {
    let file = || imported("keras_int8.tflite", "").unwrap().file;
    assert_eq!(file(), file());
}
