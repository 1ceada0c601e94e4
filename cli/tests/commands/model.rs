//! `sealgate model` from training to scores.

use std::fs;
use std::path::{Path, PathBuf};

use sealgate_model::Artifact;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::sealgate::{run, text};

/// A small table on which training takes no time.
pub fn trained() -> (TempDir, PathBuf) {
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

/// Two dozen rows of two measures, and what is true of them in words and in numbers.
fn table(dir: &TempDir) -> PathBuf {
    let mut csv = "a,b,level,cost\n".to_owned();
    for row in 0..60 {
        let (a, b) = (row % 7, row % 11);
        let level = ["low", "middle", "high"][(a + b) / 6];
        csv.push_str(&format!("{a},{b},{level},{}\n", 100 + 10 * a));
    }
    write(dir, "table.csv", &csv)
}

/// `table` without one of its columns, for another to be learned.
fn without(dir: &TempDir, column: usize) -> PathBuf {
    let text = fs::read_to_string(table(dir)).unwrap();
    let cut = |line: &str| {
        let cells = line.split(',').enumerate().filter(|(at, _)| *at != column);
        cells.map(|(_, cell)| cell).collect::<Vec<_>>().join(",") + "\n"
    };
    write(dir, &format!("without-{column}.csv"), &text.lines().map(cut).collect::<String>())
}

#[test]
fn several_classes_are_trained_with_their_curves_beside_the_artifact_and_named_by_run() {
    let dir = tempfile::tempdir().unwrap();
    let (data, out) = (without(&dir, 3), dir.path().join("out"));
    let said =
        run(["model", "train", "--data", text(&data), "--target", "level", "--out", text(&out)])
            .well();
    assert!(said.starts_with("accuracy  0.") && said.contains("\nauc       0."), "{said}");
    for picture in ["learning-curve.svg", "roc.svg"] {
        assert!(fs::read_to_string(out.join(picture)).unwrap().starts_with("<svg "));
    }
    let rows = write(&dir, "rows.json", "[[0,0],[6,10]]");
    let said = run(["model", "run", text(&out), "--input", text(&rows)]).well();
    let header = "row  probability of `high`  probability of `low`  probability of `middle`\n";
    assert!(said.starts_with(header), "{said}");
    let sum: f64 =
        scores(&out, &rows)[0].as_array().unwrap().iter().filter_map(Value::as_f64).sum();
    assert!((sum - 1.0).abs() < 1e-6, "{sum}");
    let said = run(["model", "inspect", text(&out)]).well();
    assert!(said.contains("one of which is right: `high`, `low`, `middle`"), "{said}");
}

#[test]
fn a_number_is_trained_until_held_back_rows_say_to_stop() {
    let dir = tempfile::tempdir().unwrap();
    let (data, out) = (without(&dir, 2), dir.path().join("out"));
    let learned = ["--data", text(&data), "--target", "cost", "--regression", "EUR"];
    fs::create_dir(&out).unwrap();
    fs::write(out.join("roc.svg"), "of another model").unwrap();
    let stopped = ["--patience", "3", "--epochs", "8", "--skip-validation", "--out", text(&out)];
    run(["model", "train"].iter().chain(&learned).chain(&stopped)).well();
    assert!(out.join("learning-curve.svg").exists() && !out.join("roc.svg").exists());
    let said = run(["model", "inspect", text(&out)]).well();
    assert!(said.contains("`cost` in EUR") && said.contains("the best on 12 other rows"), "{said}");
}

fn compress(out: &Path, arguments: &[&str]) -> super::sealgate::Ran {
    let of = ["model", "compress", text(out)];
    run(of.iter().chain(arguments))
}

#[test]
fn a_compressed_model_is_smaller_and_says_what_it_lost() {
    let (dir, out) = trained();
    let (data, small) = (dir.path().join("Small Table.csv"), dir.path().join("small"));
    let compared = ["--data", text(&data), "--target", "outcome", "--out", text(&small)];
    let said = compress(&out, &[&["--to", "int8"], &compared[..]].concat()).well();
    for expected in
        ["C = Sc/So = 0.", "largest difference", "accuracy            1", "auc", "wrote"]
    {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let bytes = |of: &Path| fs::metadata(of.join("model.safetensors")).unwrap().len();
    assert!(bytes(&out) > 2 * bytes(&small));
    let said = run(["model", "inspect", text(&small)]).well();
    assert!(said.contains("weights       int8") && said.contains("compressed from f32"), "{said}");
    let again = compress(&small, &[&["--to", "int8"], &compared[..]].concat()).failed(1);
    assert!(again.contains("hint: compress the artifact it was made from"), "{again}");
}

#[test]
fn a_compressed_model_that_lost_too_much_is_not_written() {
    let (dir, out) = trained();
    let (rows, small) = (write(&dir, "rows.json", "[[5,20],[10,21]]"), dir.path().join("small"));
    let refused = ["--to", "int8", "--data", text(&rows), "--max-loss", "0", "--out", text(&small)];
    let said = compress(&out, &refused).failed(1);
    assert!(said.contains("loses") && said.contains("hint: nothing was written"), "{said}");
    assert!(!small.exists());
}

#[test]
fn a_table_that_calls_the_classes_otherwise_is_told_by_the_positive_one() {
    let (dir, out) = trained();
    let data = write(&dir, "codes.csv", "age,dose,ill\n20,0,0\n21,10,1\n22,0,0\n23,10,1\n");
    let small = dir.path().join("small");
    let asked = ["--to", "f16", "--data", text(&data), "--target", "ill", "--out", text(&small)];
    let said = compress(&out, &asked).failed(1);
    assert!(said.contains("not a class of the model") && said.contains("`--positive"), "{said}");
    let report = compress(&out, &[&asked[..], &["--positive", "1", "--json"]].concat()).json();
    assert_eq!(report["after"]["auc"], 1.0);
}

#[test]
fn list_says_of_each_file_what_it_is_or_why_it_is_none() {
    let (dir, out) = trained();
    let said = run(["model", "list", text(dir.path())]).well();
    assert!(said.contains("  small-table  2-128-64-1  f32  "), "{said}");
    fs::write(out.join("broken.safetensors"), "x").unwrap();
    let ran = run(["model", "list", text(dir.path()), "--json"]);
    assert_eq!(ran.code, Some(1));
    let listed = ran.json();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert!(listed[0]["error"].as_str().unwrap().contains("not a safetensors file"), "{listed}");
}

#[test]
fn list_knows_what_is_sealed_and_what_is_split() {
    let (dir, out) = trained();
    let model = out.join("model.safetensors");
    let [kek, sealed] = ["model.kek", "model.sealed"].map(|name| dir.path().join(name));
    let id = run(["keys", "generate", "--kek", "--out", text(&kek)]).well();
    let arguments =
        ["model", "seal", text(&model), "--kek-file", text(&kek), "--out", text(&sealed)];
    run(arguments).well();
    let split = dir.path().join("split");
    let arguments = ["model", "split", text(&model), "--parts", "2", "--anyway"];
    run(arguments.iter().chain(&["--batches", "1", "--out", text(&split)])).well();

    let said = run(["model", "list", text(dir.path())]).well();
    let line = |end: &str| said.lines().find(|line| line.ends_with(end)).unwrap().to_owned();
    let digest = run(["model", "inspect", text(&model), "--json"]).json()["digest"].clone();
    let digest = digest.as_str().unwrap();
    assert!(line("  out/model.safetensors").starts_with(digest), "{said}");
    let sealed_for = format!("{digest}  sealed for key-file {}", id.trim());
    assert!(line("  model.sealed").starts_with(&sealed_for), "{said}");
    let plan = "  small-table  2-128-64-1  split into 2 parts";
    assert!(line("  split/plan.json").contains(plan), "{said}");
    assert!(line("  split/part-1.safetensors").contains("  part 1 of 0 to 1  "), "{said}");
    let listed = run(["model", "list", text(dir.path()), "--json"]).json();
    let kinds: Vec<_> = listed.as_array().unwrap().iter().map(|one| &one["kind"]).collect();
    assert_eq!(kinds, ["sealed", "artifact", "part", "part", "plan"]);

    fs::write(split.join("part-0.safetensors"), fs::read(&model).unwrap()).unwrap();
    let ran = run(["model", "list", text(&split)]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("refused: plan.json: "), "{}", ran.out);
}

#[test]
fn verify_judges_the_fused_path_and_refuses_another_digest() {
    let (_dir, out) = trained();
    let report = run(["model", "verify", text(&out), "--json"]).json();
    let digest = report["digest"].as_str().unwrap().to_owned();
    let sums = report["judged"]["sums_difference"].as_f64().unwrap();
    assert!(0.0 < sums && sums < 1e-4, "{report}");
    let said = run(["model", "verify", text(&out), "--digest", &digest]).well();
    assert!(said.contains("from the engine at most, ") && said.contains(" on 19 rows"), "{said}");
    let other = "0".repeat(64);
    let said = run(["model", "verify", text(&out), "--digest", &other]).failed(1);
    assert!(said.contains(&format!("promised was `{other}`")), "{said}");
}
