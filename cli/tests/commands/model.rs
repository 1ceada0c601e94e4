//! `sealgate model` from training to scores.

use std::fs;
use std::path::{Path, PathBuf};

use sealgate_model::Artifact;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::sealgate::{run, text};

/// A small table on which training takes no time.
fn trained() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let table = dir.path().join("Small Table.csv");
    let mut csv = "dose,outcome,age\n".to_owned();
    for row in 0..40 {
        let outcome = if row % 2 == 0 { "well" } else { "ill" };
        csv.push_str(&format!("{},{outcome},{}\n", row % 2 * 10, 20 + row));
    }
    fs::write(&table, csv).unwrap();
    let out = dir.path().join("out");
    run([
        "model",
        "train",
        "--data",
        text(&table),
        "--target",
        "outcome",
        "--positive",
        "ill",
        "--seed",
        "7",
        "--skip-validation",
        "--out",
        text(&out),
    ])
    .well();
    (dir, out)
}

fn write(dir: &TempDir, name: &str, content: &str) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, content).unwrap();
    path
}

fn scores(artifact: &Path, input: &Path) -> Value {
    let ran = run(["model", "run", text(artifact), "--input", text(input), "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    ran.json()["outputs"].clone()
}

#[test]
fn every_form_of_a_rows_file_gives_the_same_scores() {
    let (dir, out) = trained();
    let v2 = r#"{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[0,20,10,21]}]}"#;
    let expected = scores(&out, &write(&dir, "rows.json", "[[0,20],[10,21]]"));
    assert_eq!(expected.as_array().unwrap().len(), 2);
    for (name, content) in [
        ("x.json", r#"{"x":[[0,20],[10,21]]}"#),
        ("v2.json", v2),
        ("rows.csv", "age,ward,dose\n20,A,0\n21,B,10\n"),
    ] {
        assert_eq!(scores(&out, &write(&dir, name, content)), expected, "{name}");
    }
}

#[test]
fn a_binary_model_answers_one_probability_a_row() {
    let (dir, out) = trained();
    let scores = scores(&out, &write(&dir, "rows.json", "[[0,20],[10,21]]"));
    let [well, ill] = [0, 1].map(|row| scores[row][0].as_f64().unwrap());
    assert_eq!(scores[0].as_array().unwrap().len(), 1);
    assert!((0.0..0.5).contains(&well) && (0.5..=1.0).contains(&ill), "{scores}");
}

#[test]
fn a_file_and_the_folder_that_holds_it_are_the_same_artifact() {
    let (dir, out) = trained();
    let rows = write(&dir, "rows.json", "[[0,20]]");
    assert_eq!(scores(&out.join("model.safetensors"), &rows), scores(dir.path(), &rows));
}

#[test]
fn a_folder_with_two_artifacts_is_refused() {
    let (dir, out) = trained();
    fs::copy(out.join("model.safetensors"), out.join("other.safetensors")).unwrap();
    let rows = write(&dir, "rows.json", "[[0,20]]");
    let said = run(["model", "run", text(&out), "--input", text(&rows)]).failed(1);
    assert!(
        said.contains("holds 2 artifacts, one is needed\nhint: name the file itself"),
        "{said}"
    );
}

#[test]
fn a_cut_artifact_is_refused() {
    let (dir, out) = trained();
    let bytes = fs::read(out.join("model.safetensors")).unwrap();
    let cut = dir.path().join("cut.safetensors");
    fs::write(&cut, &bytes[..bytes.len() - 1]).unwrap();
    assert!(run(["model", "inspect", text(&cut)]).failed(1).contains("is no artifact: "));
}

#[test]
fn scores_without_json_are_words() {
    let (dir, out) = trained();
    let rows = write(&dir, "rows.json", "[[0,20]]");
    let said = run(["model", "run", text(&out), "--input", text(&rows)]).well();
    assert!(said.starts_with("row  probability of `ill`\n  0  0."), "{said}");
}

#[test]
fn a_mistake_in_a_rows_file_is_told_with_its_place_and_without_its_value() {
    let (dir, out) = trained();
    let rows = write(&dir, "rows.csv", "age,dose\n20,0\n20,secret\n");
    let said = run(["model", "run", text(&out), "--input", text(&rows)]).failed(1);
    assert_eq!(
        said,
        format!("error: `{}`: line 3, column `dose`: not a finite number\n", rows.display())
    );
}

#[test]
fn inspect_shows_digest_features_and_provenance() {
    let (_dir, out) = trained();
    let bytes = fs::read(out.join("model.safetensors")).unwrap();
    let digest = Artifact::parse(&bytes).unwrap().digest().to_string();
    let said = run(["model", "inspect", text(&out)]).well();
    for expected in
        ["small-table", &digest, "2 -> 128 relu -> 64 relu -> 1 sigmoid", "0 to 10", "seed 7"]
    {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let report = run(["model", "inspect", text(&out), "--json"]).json();
    assert_eq!(report["digest"], digest);
    assert_eq!(report["manifest"]["features"][1]["name"], "age");
}

#[test]
fn the_same_seed_gives_the_same_file() {
    let ((_a, one), (_b, two)) = (trained(), trained());
    let read = |out: PathBuf| fs::read(out.join("model.safetensors")).unwrap();
    assert_eq!(read(one), read(two));
}

#[test]
fn training_says_how_well_it_works_on_rows_it_has_not_seen() {
    let dir = tempfile::tempdir().unwrap();
    let report = run(["model", "train", "--out", text(dir.path()), "--json"]).json();
    assert_eq!((&report["rows"], &report["seed"]), (&json!(569), &json!(1)));
    assert!(report["validation"]["auc"]["mean"].as_f64().unwrap() >= 0.99, "{report}");
    assert!(report["validation"]["accuracy"]["std"].as_f64().unwrap() < 0.05, "{report}");
    let inspected = run(["model", "inspect", text(dir.path()), "--json"]).json();
    assert_eq!(inspected["digest"], report["digest"]);
}

#[test]
fn a_table_without_its_target_is_bad_usage() {
    run(["model", "train", "--data", "x.csv"]).failed(64);
}
