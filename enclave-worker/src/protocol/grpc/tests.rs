#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;

use super::write::Message;
use super::*;
use crate::protocol::{Answer, encode_answer};

fn attempt(message: &[u8]) -> Result<Decoded, Refusal> {
    let features = ["age", "dose"].map(str::to_owned);
    let classes = ["benign", "malignant"].map(str::to_owned);
    let interface = super::super::tests::interface(&features);
    decode(message, &Interface { classes: &classes, ..interface }, 4)
}

fn code(message: Message) -> &'static str {
    attempt(&message.into_bytes()).err().unwrap().code()
}

fn request() -> Message {
    Message::default().text(1, "triage").text(2, "3").text(3, "7")
}

fn tensor(name: &str, datatype: &str, shape: [i64; 2]) -> Message {
    Message::default().text(1, name).text(2, datatype).shape(3, shape)
}

fn le(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

const ROWS: [f32; 4] = [61.0, 0.5, 40.0, 2.0];

#[test]
fn raw_contents_and_contents_by_datatype_are_the_same_rows() {
    let raw = request().message(5, &tensor("x", "FP32", [2, 2])).bytes(7, &le(&ROWS));
    let floats = Message::default().bytes(6, &le(&ROWS));
    let listed = request().message(5, &tensor("x", "FP32", [2, 2]).message(5, &floats));
    let wide: Vec<u8> = ROWS.iter().flat_map(|value| f64::from(*value).to_le_bytes()).collect();
    let doubles = Message::default().bytes(7, &wide);
    let listed_wide = request().message(5, &tensor("x", "FP64", [2, 2]).message(5, &doubles));
    for message in [raw, listed, listed_wide] {
        let decoded = attempt(&message.into_bytes()).unwrap();
        assert_eq!(decoded.rows.values(), ROWS);
        assert!(matches!(decoded.reply, ReplyShape::Grpc { id: Some(id), .. } if id == "7"));
    }
}

#[test]
fn columns_come_in_their_own_datatypes() {
    // -2 as 64 bits in two's complement, then 3; and one boolean to a field.
    let ints = Message::default().bytes(2, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x03");
    let bools = Message::default().integer(1, 1).integer(1, 0);
    let message = request()
        .message(5, &tensor("dose", "INT8", [2, 1]).message(5, &ints))
        .message(5, &tensor("age", "BOOL", [2, 1]).message(5, &bools));
    let decoded = attempt(&message.into_bytes()).unwrap();
    assert_eq!(decoded.rows.values(), [1.0, -2.0, 0.0, 3.0]);
}

#[test]
fn each_mistake_has_its_own_code() {
    let x = || tensor("x", "FP32", [2, 2]);
    let floats = Message::default().bytes(6, &le(&ROWS));
    let ints = Message::default().bytes(2, b"\x01\x02\x03\x04");
    for (message, expected) in [
        (request(), "input_missing"),
        (request().message(5, &x()), "member_missing"),
        (request().message(5, &x()).bytes(7, &le(&ROWS[..3])), "binary_size"),
        (request().message(5, &x()).bytes(7, &le(&ROWS)).bytes(7, &le(&ROWS)), "contents_mismatch"),
        (request().message(5, &x().message(5, &floats)).bytes(7, &le(&ROWS)), "contents_mismatch"),
        (request().message(5, &x().message(5, &ints)), "contents_mismatch"),
        (
            request().message(5, &tensor("x", "FP16", [2, 2]).message(5, &floats)),
            "contents_mismatch",
        ),
        (request().message(5, &tensor("x", "BYTES", [2, 2])), "datatype_unsupported"),
        (request().message(5, &tensor("y", "FP32", [2, 2])), "input_unknown"),
        (request().message(5, &x()).message(5, &x()), "input_repeated"),
        (request().message(5, &tensor("x", "FP32", [5, 2])).bytes(7, &[]), "too_many_rows"),
        (request().message(5, &tensor("x", "FP32", [-1, 2])).bytes(7, &[]), "too_many_rows"),
        (request().message(5, &tensor("x", "FP32", [2, 3])).bytes(7, &[]), "row_length"),
        (request().message(5, &x().text(1, "x")), "member_repeated"),
        (request().message(5, &x().bytes(3, &[1; 9])), "body_not_protobuf"),
        (request().message(6, &Message::default().text(1, "other")), "output_unknown"),
        (
            request().message(
                6,
                &Message::default()
                    .text(1, "label")
                    .message(2, &Message::default().text(1, "classification")),
            ),
            "parameter_unsupported",
        ),
        (request().text(3, &"i".repeat(257)), "id_too_long"),
        (request().integer(5, 1), "body_not_protobuf"),
    ] {
        assert_eq!(code(message), expected);
    }
    let nan = request().message(5, &x()).bytes(7, &le(&[1.0, 2.0, 3.0, f32::NAN]));
    let sentence = attempt(&nan.into_bytes()).err().unwrap().to_string();
    assert_eq!(sentence, "row 1, feature 1 (`dose`) is not a finite 32-bit number");
}

#[test]
fn an_answer_is_raw_and_names_model_version_and_id() {
    let features = ["age", "dose"].map(str::to_owned);
    let classes = ["benign", "malignant"].map(str::to_owned);
    let interface = super::super::tests::interface(&features);
    let interface = Interface { classes: &classes, ..interface };
    let label = Message::default().text(1, "label");
    let both = request()
        .message(5, &tensor("x", "FP32", [1, 2]))
        .message(6, &Message::default().text(1, "probability"))
        .message(6, &label)
        .bytes(7, &le(&ROWS[..2]));
    let decoded = decode(&both.into_bytes(), &interface, 4).unwrap();
    let Answer { content_type, body, .. } =
        encode_answer(&decoded.reply, &interface, &[0.75]).unwrap();
    let expected = Message::default()
        .text(1, "triage")
        .text(2, "3")
        .text(3, "7")
        .message(5, &tensor("probability", "FP32", [1, 1]))
        .message(5, &tensor("label", "BYTES", [1, 1]))
        .bytes(6, &le(&[0.75]))
        .bytes(6, b"\x09\0\0\0malignant");
    assert_eq!((content_type, body), ("application/grpc", expected.into_bytes()));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = attempt(&bytes);
        let _ = attempt(&request().bytes(5, &bytes).bytes(7, &bytes).into_bytes());
        for datatype in ["BOOL", "INT64", "UINT8", "FP32", "FP64"] {
            let tensor = tensor("x", datatype, [2, 2]).bytes(5, &bytes);
            let _ = attempt(&request().message(5, &tensor).into_bytes());
        }
    }
}
