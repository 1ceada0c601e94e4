//! Bodies that nobody thought of: none panics, none is repeated.

use super::tests::{Decode, attempt};
use super::{infer, invocations, v1};
use proptest::prelude::*;

const DECODERS: [Decode; 3] = [infer::decode, invocations::decode, v1::decode];

/// A number that stands nowhere in our own words.
const MARK: &str = "73519264";

/// Pieces of requests, in any order: close enough to JSON to get past the first byte.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\n",
        "\"",
        "\\",
        "\"x\"",
        "\"id\"",
        "\"inputs\"",
        "\"instances\"",
        "\"age\"",
        "\"dose\"",
        "\"outputs\"",
        "\"name\"",
        "\"shape\"",
        "\"datatype\"",
        "\"data\"",
        "\"parameters\"",
        "\"probability\"",
        "\"FP32\"",
        "1",
        "-",
        "2.5",
        "1e39",
        "1e999",
        "NaN",
        "-Infinity",
        "null",
        "true",
        "{\"inputs\":[{\"name\":\"x\",\"data\":[",
        "{\"x\":[",
        "[[1,2],",
        "\u{e9}",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// Something a client might wrongly put where a number, a text or a list belongs.
fn wrong() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        MARK.to_owned(),
        format!("-{MARK}e999"),
        format!("{MARK}e35"),
        format!("{MARK}.5x"),
        format!("\"{MARK}\""),
        format!("\"\\u0{MARK}"),
        format!("[{MARK}]"),
        format!("[[[{MARK}]]]"),
        format!("[{MARK},NaN]"),
        format!("{{\"{MARK}\":{MARK}}}"),
    ])
}

fn template() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "@",
        "{\"x\":@}",
        "{\"x\":[1,@]}",
        "{\"x\":[[1,2],[1,@]]}",
        "{\"x\":[1,2],@:1}",
        "{\"id\":@,\"inputs\":[]}",
        "{\"inputs\":@}",
        "{\"inputs\":[@]}",
        "{\"inputs\":[{\"name\":@}]}",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":@}]}",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,@]}]}",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,@],\"datatype\":\"FP32\",\"data\":[1,2]}]}",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[@,2],\"datatype\":\"FP32\",\"data\":[1,2]}]}",
        "{\"inputs\":[{\"name\":\"x\",\"datatype\":@}]}",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,2],\"datatype\":\"FP32\",\"data\":@}]}",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,2],\"datatype\":\"FP32\",\"data\":[1,@]}]}",
        "{\"outputs\":[{\"name\":@}]}",
        "{\"parameters\":@}",
        "{@:1}",
        "{\"instances\":[[1,@]]}",
        "{\"instances\":[{\"age\":@}]}",
        "{\"inputs\":{\"dose\":[@]}}",
        "{\"inputs\":{@:[1]}}",
        "{\"inputs\":[{\"name\":\"age\",\"shape\":[1],\"datatype\":\"INT8\",\"data\":[@]}]}",
    ])
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(body in prop::collection::vec(any::<u8>(), 0..400)) {
        for decode in DECODERS {
            let _ = attempt(decode, &body);
        }
    }

    #[test]
    fn no_near_json_makes_a_decoder_panic(body in pieces()) {
        for decode in DECODERS {
            let _ = attempt(decode, body.as_bytes());
        }
    }

    #[test]
    fn what_is_decoded_has_the_models_shape(body in pieces()) {
        for decode in DECODERS {
            if let Ok(decoded) = attempt(decode, body.as_bytes()) {
                prop_assert_eq!(decoded.rows.values().len(), decoded.rows.count() * 2);
                prop_assert!(decoded.rows.count() <= 4);
            }
        }
    }

    #[test]
    fn no_refusal_repeats_what_was_sent(template in template(), wrong in wrong()) {
        let body = template.replace('@', &wrong);
        for decode in DECODERS {
            if let Err(refusal) = attempt(decode, body.as_bytes()) {
                let told = String::from_utf8_lossy(&refusal.to_json("r-1")).into_owned();
                prop_assert!(!told.contains(MARK), "{}", told);
                let noted = format!("{refusal:?}");
                prop_assert!(!noted.contains(MARK), "{}", noted);
            }
        }
    }
}

#[test]
fn a_deep_body_is_refused_and_not_followed() {
    for open in ["[", "{\"a\":"] {
        for decode in DECODERS {
            let body = format!("{{\"parameters\":{}", open.repeat(100_000));
            assert!(attempt(decode, body.as_bytes()).is_err());
        }
    }
}
