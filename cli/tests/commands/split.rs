//! `sealgate model split`: what is measured, and what is written only where it pays.

use std::fs;

use sealgate_model::split::{PLAN_FILE, Plan, part_file};

use super::model::trained;
use super::sealgate::{run, text};

#[test]
fn a_model_that_is_faster_whole_is_not_split_and_the_numbers_are_named() {
    let (dir, model) = trained();
    let out = dir.path().join("split");
    let ran = run(["model", "split", text(&model), "--parts", "2", "--out", text(&out)]);
    let said = ran.failed(1);
    assert!(said.contains("not split: at best, with") && said.contains("T = "), "{said}");
    assert!(said.contains("hint: `--anyway`"), "{said}");
    assert!(!out.exists());
}

#[test]
fn a_split_model_lies_there_with_its_plan_and_is_measured_for_programs() {
    let (dir, model) = trained();
    let out = dir.path().join("split");
    let split = ["model", "split", text(&model), "--parts", "3", "--out", text(&out)];
    for by in ["columns", "layers"] {
        let more = ["--by", by, "--anyway", "--json", "--batches", "1,64"];
        let ran = run(split.iter().chain(&more));
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let report = ran.json();
        let file = fs::read(out.join(PLAN_FILE)).unwrap();
        let plan = Plan::parse(&file).unwrap();
        assert_eq!(report["plan"], plan.digest().to_string());
        for part in 0..3 {
            plan.part(part, &fs::read(out.join(part_file(part))).unwrap()).unwrap();
        }
        let measured = report["measured"].as_array().unwrap();
        assert_eq!(measured.len(), 2);
        for line in measured {
            let number = |name: &str| line[name].as_f64().unwrap();
            let ratio = number("tp_us") / number("ts_us");
            assert!((number("ratio") - ratio).abs() < 1e-9 && ratio > 1.0, "{line}");
            assert!(number("largest_difference") <= 1e-6, "{line}");
        }
    }
    let one =
        run(["model", "run", text(&out.join(part_file(0))), "--input", "/dev/null"]).failed(1);
    assert!(one.contains("this is a part of a split model"), "{one}");
}

#[test]
fn a_number_of_parts_or_rows_that_cannot_be_is_bad_usage() {
    for more in [&["--parts", "1"][..], &["--parts", "9"], &["--parts", "2", "--batches", "0"]] {
        let split = ["model", "split", "model", "--out", "nowhere"];
        run(split.iter().chain(more)).failed(64);
    }
}
