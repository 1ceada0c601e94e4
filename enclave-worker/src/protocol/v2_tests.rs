//! Whole V2 requests, as foreign clients send them: binary tensors, columns, datatypes, outputs.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;

use super::*;

/// Three features, with room for four rows.
fn ask(headers: &[(&str, &str)], body: &[u8]) -> Result<Decoded, Refusal> {
    let features = ["age", "dose", "smokes"].map(str::to_owned);
    let classes = ["benign", "malignant"].map(str::to_owned);
    let interface = Interface { features: &features, classes: &classes, ..tests::interface(&[]) };
    let request = InnerRequest { method: "POST", path: "/v2/models/triage/infer", headers, body };
    let route = Route::parse(request.method, request.path)?;
    decode(&route, &request, &interface, 4)
}

fn values(headers: &[(&str, &str)], body: &[u8]) -> Vec<f32> {
    ask(headers, body).map(|decoded| decoded.rows.values().to_vec()).unwrap()
}

fn code(headers: &[(&str, &str)], body: &[u8]) -> &'static str {
    ask(headers, body).err().unwrap().code()
}

/// JSON with `tail` behind it, and the length of the JSON.
fn with_tail(json: &str, tail: &[u8]) -> (String, Vec<u8>) {
    (json.len().to_string(), [json.as_bytes(), tail].concat())
}

fn binary(json: &str, tail: &[u8]) -> Result<Decoded, Refusal> {
    let (length, body) = with_tail(json, tail);
    ask(&[("inference-header-content-length", &length)], &body)
}

fn le(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// What tritonclient sends where it is told nothing else.
const DEFAULT: &str = r#"{"inputs":[{"name":"x","shape":[2,3],"datatype":"FP32","parameters":
    {"binary_data_size":24}}],"parameters":{"binary_data_output":true}}"#;
const ROWS: [f32; 6] = [61.0, 0.5, 1.0, 40.0, -2.5, 0.0];

#[test]
fn a_binary_tensor_is_read_and_answered_in_binary() {
    let decoded = binary(DEFAULT, &le(&ROWS)).unwrap();
    assert_eq!(decoded.rows.values(), ROWS);
    assert!(matches!(decoded.reply, ReplyShape::V2 { binary: true, .. }));
}

#[test]
fn every_cut_and_every_longer_tail_is_refused() {
    let tail = le(&ROWS);
    for end in 0..tail.len() {
        let refusal = binary(DEFAULT, &tail[..end]).err().unwrap();
        assert_eq!(refusal.code(), "binary_size", "cut at {end}");
    }
    let longer = binary(DEFAULT, &[&tail[..], &[0]].concat()).err();
    assert_eq!(longer, Some(Refusal::BinaryRest));
}

#[test]
fn each_mistake_with_binary_tensors_has_its_own_code() {
    let input = |members: &str| format!(r#"{{"inputs":[{{"name":"x","shape":[1,3],{members}}}]}}"#);
    let twelve = le(&ROWS[..3]);
    for (json, tail, code) in [
        (
            input(r#""datatype":"FP32","parameters":{"binary_data_size":11}"#),
            &twelve[..],
            "binary_size",
        ),
        (
            input(r#""datatype":"FP64","parameters":{"binary_data_size":12}"#),
            &twelve,
            "binary_size",
        ),
        (
            input(r#""datatype":"FP32","parameters":{"binary_data_size":-1}"#),
            &twelve,
            "member_invalid",
        ),
        (
            input(r#""datatype":"FP32","data":[1,2,3],"parameters":{"binary_data_size":12}"#),
            &twelve,
            "binary_size",
        ),
        (input(r#""datatype":"FP32","data":[1,2,3]"#), &twelve, "binary_size"),
        (
            input(r#""datatype":"BYTES","parameters":{"binary_data_size":12}"#),
            &twelve,
            "datatype_unsupported",
        ),
        (
            input(r#""datatype":"FP32","parameters":{"shared_memory_region":"a"}"#),
            &[],
            "parameter_unsupported",
        ),
        (input(r#""datatype":"FP32""#), &twelve, "member_missing"),
        (DEFAULT.replace("[2,3]", "[5,3]"), &twelve, "too_many_rows"),
        (DEFAULT.replace("[2,3]", "[18446744073709551615,3]"), &twelve, "too_many_rows"),
        (
            r#"{"outputs":[{"name":"probability","parameters":{"classification":2}}]}"#.to_owned(),
            &[],
            "parameter_unsupported",
        ),
        (
            r#"{"outputs":[{"name":"probability"},{"name":"probability"}]}"#.to_owned(),
            &[],
            "output_repeated",
        ),
    ] {
        let refusal = binary(&json, tail).err().unwrap();
        assert_eq!(refusal.code(), code, "{json}");
    }
    let (_, body) = with_tail(DEFAULT, &le(&ROWS));
    let too_long = (body.len() + 1).to_string();
    for length in [too_long.as_str(), "x"] {
        let headers = [("inference-header-content-length", length)];
        assert_eq!(code(&headers, &body), "header_length");
    }
}

#[test]
fn a_body_without_json_is_one_tensor_of_32_bit_floats() {
    let raw = [("inference-header-content-length", "0")];
    let decoded = ask(&raw, &le(&ROWS)).unwrap();
    assert_eq!(decoded.rows.values(), ROWS);
    assert!(matches!(decoded.reply, ReplyShape::V2 { binary: true, .. }));
    assert_eq!(code(&raw, &le(&ROWS[..4])), "binary_size");
    assert_eq!(code(&raw, b""), "no_rows");
    assert_eq!(code(&raw, &le(&[0.0; 15])), "too_many_rows");
    let sentence = ask(&raw, &le(&[1.0, 2.0, f32::NAN])).err().unwrap().to_string();
    assert_eq!(sentence, "row 0, feature 2 (`smokes`) is not a finite 32-bit number");
}

#[test]
fn columns_are_named_after_features_and_may_come_in_any_order_and_form() {
    let json = r#"{"inputs":[
        {"data":[[1],[0]],"datatype":"BOOL","name":"smokes","shape":[2,1]},
        {"name":"age","shape":[2],"datatype":"UINT8","parameters":{"binary_data_size":2}},
        {"name":"dose","shape":[2,1],"datatype":"FP16","parameters":{"binary_data_size":4}}]}"#;
    let decoded = binary(json, &[61, 40, 0x00, 0x38, 0x00, 0xc1]).unwrap();
    assert_eq!(decoded.rows.values(), ROWS);
}

#[test]
fn each_mistake_with_columns_has_its_own_code() {
    let column = |name: &str, shape: &str, data: &str| {
        format!(r#"{{"name":"{name}","shape":{shape},"datatype":"INT32","data":{data}}}"#)
    };
    let age = column("age", "[2]", "[1,2]");
    for (inputs, code) in [
        (age.clone(), "input_missing"),
        (format!("{age},{age}"), "input_repeated"),
        (format!("{age},{}", column("x", "[1,3]", "[1,2,3]")), "input_repeated"),
        (format!("{age},{}", column("weight", "[2]", "[1,2]")), "input_unknown"),
        (format!("{age},{}", column("dose", "[3]", "[1,2,3]")), "shape_mismatch"),
        (format!("{age},{}", column("dose", "[2,2]", "[1,2,3,4]")), "shape_mismatch"),
        (format!("{age},{}", column("dose", "[2,1,1]", "[1,2]")), "shape_mismatch"),
        (format!("{age},{}", column("dose", "[2]", "[1]")), "shape_mismatch"),
        (format!("{age},{}", column("dose", "[2]", "[[1,2]]")), "row_length"),
        (column("age", "[5]", "[1,2,3,4,5]"), "too_many_rows"),
    ] {
        assert_eq!(
            self::code(&[], format!(r#"{{"inputs":[{inputs}]}}"#).as_bytes()),
            code,
            "{inputs}"
        );
    }
}

#[test]
fn a_number_that_is_none_of_its_datatype_is_named_by_row_and_feature() {
    for (datatype, bad, what) in [
        ("INT32", "16777217", "an integer that a 32-bit float cannot hold exactly"),
        ("UINT64", "18446744073709551615", "an integer that a 32-bit float cannot hold exactly"),
        ("INT64", "0.1", "an integer that a 32-bit float cannot hold exactly"),
        ("INT8", "0.5", "not a value of the datatype"),
        ("INT8", "128", "not a value of the datatype"),
        ("UINT8", "-1", "not a value of the datatype"),
        ("BOOL", "2", "not a value of the datatype"),
        ("FP32", "true", "not a number"),
    ] {
        // The datatype after its numbers is as good as before them.
        for members in [
            format!(r#""datatype":"{datatype}","data":[1,0,1,1,{bad},0]"#),
            format!(r#""data":[[1,0,1],[1,{bad},0]],"datatype":"{datatype}""#),
        ] {
            let json = format!(r#"{{"inputs":[{{"name":"x","shape":[2,3],{members}}}]}}"#);
            let sentence = ask(&[], json.as_bytes()).err().unwrap().to_string();
            let place = "row 1, feature 1 (`dose`) is";
            assert!(sentence == format!("{place} {what}"), "{json}: {sentence}");
        }
    }
    let json = r#"{"inputs":[{"name":"x","shape":[1,3],"datatype":"INT32","parameters":
        {"binary_data_size":12}}]}"#;
    let tail = [1i32, 16_777_217, 3].map(i32::to_le_bytes).concat();
    assert_eq!(
        binary(json, &tail).err().unwrap().to_string(),
        "row 0, feature 1 (`dose`) is an integer that a 32-bit float cannot hold exactly"
    );
}

#[test]
fn every_datatype_means_the_same_in_json() {
    for datatype in [
        "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP16",
        "BF16", "FP32", "FP64",
    ] {
        let json = format!(
            r#"{{"inputs":[{{"name":"x","shape":[1,3],"datatype":"{datatype}","data":[1,0,1]}}]}}"#
        );
        assert_eq!(values(&[], json.as_bytes()), [1.0, 0.0, 1.0], "{datatype}");
    }
    let truth =
        br#"{"inputs":[{"name":"x","shape":[1,3],"datatype":"BOOL","data":[true,false,1]}]}"#;
    assert_eq!(values(&[], truth), [1.0, 0.0, 1.0]);
}

#[test]
fn the_class_of_a_row_is_an_output_too_where_it_is_asked_for() {
    let json = br#"{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,2,3]}],
        "outputs":[{"name":"label"},{"name":"probability","parameters":{"binary_data":true}}]}"#;
    let decoded = ask(&[], json).unwrap();
    assert!(matches!(&decoded.reply, ReplyShape::V2 { outputs, .. } if outputs.len() == 2));
}

#[test]
fn binary_tensors_belong_to_the_protocol_that_has_them() {
    let features = ["age".to_owned()];
    let headers = [("inference-header-content-length", "0")];
    let request =
        InnerRequest { method: "POST", path: "/invocations", headers: &headers, body: b"" };
    let route = Route { question: Question::Invocations, named: None };
    let refusal = decode(&route, &request, &tests::interface(&features), 4);
    assert_eq!(refusal.err(), Some(Refusal::BinaryUnsupported));
}

proptest! {
    #[test]
    fn binary_and_json_say_the_same(rows in prop::collection::vec(any::<[f32; 3]>(), 1..4)) {
        prop_assume!(rows.iter().flatten().all(|value| value.is_finite()));
        let (count, values) = (rows.len(), rows.concat());
        let head = format!(r#"{{"inputs":[{{"name":"x","shape":[{count},3],"datatype":"FP32","#);
        let parameters = format!(r#""parameters":{{"binary_data_size":{}}}}}]}}"#, values.len() * 4);
        let raw = binary(&format!("{head}{parameters}"), &le(&values)).unwrap();
        let text: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
        let json = ask(&[], format!(r#"{head}"data":[{}]}}]}}"#, text.join(",")).as_bytes()).unwrap();
        prop_assert_eq!(raw.rows.values(), json.rows.values());
        prop_assert_eq!(raw.rows.values(), values);
    }

    #[test]
    fn no_tail_makes_it_panic(tail in prop::collection::vec(any::<u8>(), 0..40), head in 0usize..200) {
        let (_, body) = with_tail(DEFAULT, &tail);
        let head = head.to_string();
        let _ = ask(&[("inference-header-content-length", &head)], &body);
        let _ = ask(&[("inference-header-content-length", "0")], &tail);
    }
}
