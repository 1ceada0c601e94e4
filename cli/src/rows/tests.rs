//! Good and bad rows files, for a model with the features `age` and `dose`.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use sealgate_model::{
    Activation, DataSource, Dense, Digest, Engine, FORMAT, Feature, Manifest, Optimiser,
    Provenance, Task, WeightFormat,
};

fn manifest() -> Manifest {
    let feature = |name: &str| Feature { name: name.to_owned(), unit: "1".to_owned(), range: None };
    Manifest {
        format: FORMAT,
        name: "m".to_owned(),
        architecture: vec![Dense { units: 1, activation: Activation::Sigmoid }],
        weights: WeightFormat::F32,
        input: "x".to_owned(),
        output: "probability".to_owned(),
        features: vec![feature("age"), feature("dose")],
        standardisation: None,
        task: Task::Binary {
            classes: ["no".to_owned(), "yes".to_owned()],
            positive: "yes".to_owned(),
        },
        provenance: Provenance::Trained {
            dataset: DataSource { name: "d".to_owned(), sha256: Digest::of(b""), rows: 1 },
            seed: 1,
            epochs: 1,
            optimiser: Optimiser { name: "o".to_owned(), learning_rate: 0.1, batch_rows: 1 },
            engine: Engine { name: "e".to_owned(), version: "0".to_owned() },
            early_stopping: None,
        },
    }
}

fn values(text: &str) -> Vec<f32> {
    let rows = super::parse(text.as_bytes(), &manifest());
    rows.unwrap_or_else(|mistake| panic!("{mistake}")).values().to_vec()
}

fn refused(text: &str) -> String {
    super::parse(text.as_bytes(), &manifest()).err().unwrap().to_string()
}

fn v2(rest: &str) -> String {
    format!(r#"{{"inputs":[{{"name":"x","datatype":"FP32",{rest}}}]}}"#)
}

#[test]
fn every_form_gives_the_same_rows() {
    let flat = v2(r#""shape":[2,2],"data":[1,2,3,4.5]"#);
    let nested = v2(r#""shape":[2,2],"data":[[1,2],[3,4.5]]"#);
    for text in [
        "[[1,2],[3,4.5]]",
        r#" {"x":[[1,2],[3,4.5]]}"#,
        &flat,
        &nested,
        "age,dose\n1,2\n3,4.5\n",
        "\u{feff}age,dose\r\n1,2\r\n3,4.5\r\n",
    ] {
        assert_eq!(values(text), [1.0, 2.0, 3.0, 4.5], "{text}");
    }
}

#[test]
fn one_row_needs_no_brackets_of_its_own() {
    for text in [r#"{"x":[1,2]}"#, "[1,2]"] {
        assert_eq!(values(text), [1.0, 2.0], "{text}");
    }
}

#[test]
fn columns_are_found_by_name_in_any_order_and_others_are_let_be() {
    assert_eq!(values("diagnosis,dose,age\nM,2,1\nB, 4.5 ,3\n"), [1.0, 2.0, 3.0, 4.5]);
}

#[test]
fn each_mistake_is_named_with_its_place() {
    let name = r#"{"inputs":[{"name":"y","datatype":"FP32","shape":[1,2],"data":[1,2]}]}"#;
    let datatype = r#"{"inputs":[{"name":"x","datatype":"BYTES","shape":[1,2],"data":[1,2]}]}"#;
    let not_rows = "neither rows of numbers, nor an object with `x`, nor a V2 request";
    for (text, expected) in [
        ("", "there are no rows"),
        ("[]", "there are no rows"),
        ("age,dose\n", "there are no rows"),
        ("[[1,2]", "not JSON: line 1, column 6"),
        ("[[1,NaN]]", "not JSON: line 1, column 5"),
        ("[[1,2],3]", not_rows),
        ("{}", not_rows),
        (r#"{"x":5}"#, not_rows),
        (r#"{"x":[1,2],"inputs":[]}"#, not_rows),
        (r#"{"x":[1,2],"x":[1,2]}"#, "not JSON: line 1, column 14"),
        ("[[1,2],[3]]", "row 1 has 1 numbers, the model takes 2"),
        ("[[1,2],[3,\"4\"]]", "row 1, column `dose`: not a finite number"),
        ("[[1,null]]", "row 0, column `dose`: not a finite number"),
        ("[[1e39,2]]", "row 0, column `age`: not a finite number"),
        (&v2(r#""shape":[1,2],"data":[1,2,3]"#), "the shape and the data differ"),
        (&v2(r#""shape":[2],"data":[1,2]"#), "the shape must be [rows, 2]"),
        (&v2(r#""shape":[1,2],"data":5"#), not_rows),
        (name, "the input is named `y`, the model takes `x`"),
        (datatype, "the datatype is `BYTES`, the model takes `FP32`"),
        ("age\n1\n", "no column `dose`"),
        ("a,b\n1,2\n", "no column `age`, `dose`"),
        ("age,dose,age\n1,2,3\n", "two columns `age`"),
        ("age,dose\n1,2\n3\n", "line 3 has another number of cells than the header"),
        ("age,dose\n1,2\n3,x\n", "line 3, column `dose`: not a finite number"),
        ("age,dose\n1,NaN\n", "line 2, column `dose`: not a finite number"),
        ("age,dose\n1,inf\n", "line 2, column `dose`: not a finite number"),
        ("age,dose\n1,\n", "line 2, column `dose`: not a finite number"),
    ] {
        assert_eq!(refused(text), expected, "{text}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    assert!(super::parse(b"age,dose\n1,\xff\n", &manifest()).is_err());
}
