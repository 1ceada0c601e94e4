//! `sealgate model import`: files of other frameworks, as they are typed.

use std::fs;
use std::path::{Path, PathBuf};

use super::sealgate::{Ran, run, text};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../model-import/tests/fixtures").join(name)
}

/// Imports a file into `out`, with whatever else is said.
fn import(file: &Path, out: &Path, more: &[&str]) -> Ran {
    let said = ["model", "import", text(file), "--name", "foreign", "--out", text(out)];
    run(said.iter().chain(more))
}

#[test]
fn a_file_is_checked_and_written_as_an_artifact_that_runs() {
    let out = tempfile::tempdir().unwrap();
    let rows = fixture("sklearn_binary_zipmap.json");
    let ran = import(&fixture("sklearn_binary_zipmap.onnx"), out.path(), &["--check", text(&rows)]);
    assert!(ran.err.contains("note: the file does not name its features"), "{}", ran.err);
    let said = ran.well();
    for expected in [
        "6 -> 12 relu -> 5 relu -> 1 sigmoid",
        "probability of `1`, of `0` and `1`",
        "imported from onnx",
        "written by skl2onnx 1.20.0",
        "checked       50 rows, largest difference ",
        "model.safetensors",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let inspected = run(["model", "inspect", text(out.path())]).well();
    assert!(inspected.contains("unknown"), "no range is invented: {inspected}");
    let input = out.path().join("rows.json");
    fs::write(&input, "[[1,2,3,4,5,6]]").unwrap();
    run(["model", "run", text(out.path()), "--input", text(&input)]).well();
}

#[test]
fn a_model_that_answers_otherwise_is_not_written() {
    let out = tempfile::tempdir().unwrap();
    let rows = fixture("pytorch_binary.json");
    let dir = out.path().join("new");
    let said = import(&fixture("sklearn_binary.onnx"), &dir, &["--check", text(&rows)]).failed(1);
    assert!(said.contains("the answer differs by"), "{said}");
    assert!(said.contains("more than 1e-4\nhint: "), "{said}");
    assert!(!dir.exists(), "nothing is left");
}

#[test]
fn a_model_that_is_there_stays_when_another_is_refused() {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("model.safetensors");
    fs::write(&path, "the old one").unwrap();
    import(&fixture("keras_models.py"), out.path(), &[]).failed(1);
    assert_eq!(fs::read(&path).unwrap(), b"the old one");
    import(&fixture("keras_int8.tflite"), out.path(), &[]).well();
    assert_ne!(fs::read(&path).unwrap(), b"the old one");
}

#[test]
fn the_tolerance_may_be_named() {
    let out = tempfile::tempdir().unwrap();
    let rows = fixture("keras_int8.json");
    let with = |tolerance| {
        let more = ["--check", text(&rows), "--tolerance", tolerance];
        import(&fixture("keras_int8.tflite"), out.path(), &more)
    };
    with("1e-5").well();
    with("1e-12").failed(1);
    for none in ["NaN", "-1", "x"] {
        with(none).failed(64);
    }
    import(&fixture("keras_int8.tflite"), out.path(), &["--tolerance", "1"]).failed(64);
}

#[test]
fn weights_beside_the_model_are_found() {
    let (out, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let rows = fixture("pytorch_outside.json");
    let check = ["--check", text(&rows)];
    import(&fixture("pytorch_outside.onnx"), out.path(), &check).well();
    let alone = dir.path().join("alone.onnx");
    fs::copy(fixture("pytorch_outside.onnx"), &alone).unwrap();
    let said = import(&alone, out.path(), &check).failed(1);
    assert!(said.contains("another file, `pytorch_outside.onnx.data`"), "{said}");
}

#[test]
fn a_name_that_leads_elsewhere_is_not_followed() {
    let (out, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let inner = dir.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let (name, elsewhere) = (b"pytorch_outside.onnx.data", b"../pytorch_weights_a.data");
    fs::copy(fixture("pytorch_outside.onnx.data"), dir.path().join("pytorch_weights_a.data"))
        .unwrap();
    let mut model = fs::read(fixture("pytorch_outside.onnx")).unwrap();
    let at = model.windows(name.len()).position(|window| window == name).unwrap();
    model[at..at + name.len()].copy_from_slice(elsewhere);
    fs::write(inner.join("model.onnx"), model).unwrap();
    let said = import(&inner.join("model.onnx"), out.path(), &[]).failed(1);
    assert!(said.contains("the weights are in another file"), "{said}");
}

#[test]
fn weights_of_a_sequential_need_a_few_words() {
    let out = tempfile::tempdir().unwrap();
    let (file, rows) =
        (fixture("pytorch_sequential.safetensors"), fixture("pytorch_sequential.json"));
    let said = import(&file, out.path(), &[]).failed(1);
    assert!(said.contains("hint: say what follows each layer"), "{said}");
    let words = ["--architecture", "relu, tanh, softmax", "--check", text(&rows)];
    import(&file, out.path(), &words).well();
}

#[test]
fn a_keras_file_is_refused_with_what_to_type() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("model.h5");
    fs::write(&file, b"\x89HDF\r\n\x1a\n and so on").unwrap();
    let said = import(&file, dir.path(), &[]).failed(1);
    assert!(said.starts_with("error: the file is a Keras model\nhint: in Python:\n"), "{said}");
    assert!(said.contains("tf.lite.TFLiteConverter.from_keras_model(model).convert()"), "{said}");
}

#[test]
fn a_schema_that_does_not_fit_is_bad_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let schema = dir.path().join("schema.toml");
    fs::write(&schema, "classes = [\"one\"]\n").unwrap();
    let more = ["--schema", text(&schema)];
    let said = import(&fixture("sklearn_binary.onnx"), dir.path(), &more).failed(78);
    assert!(said.contains("the schema names 1 classes, the model has 2\nhint: "), "{said}");
}

#[test]
fn a_report_for_programs_has_the_digest_and_the_difference() {
    let out = tempfile::tempdir().unwrap();
    let rows = fixture("keras_curves.json");
    let more = ["--check", text(&rows), "--json"];
    let report = import(&fixture("keras_curves.tflite"), out.path(), &more).json();
    assert_eq!(report["checked"]["rows"], 50);
    assert!(report["checked"]["largest_difference"].as_f64().unwrap() < 1e-5, "{report}");
    let inspected = run(["model", "inspect", text(out.path()), "--json"]).json();
    assert_eq!(inspected["digest"], report["digest"]);
}
