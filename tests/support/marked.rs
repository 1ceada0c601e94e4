//! Requests whose rows have digits that nothing else has, and every form those rows may take in the
//! memory of whoever handles them.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::fmt;

use sealgate_keys::ohttp::{REQUEST_TYPE, RESPONSE_TYPE};
use sealgate_keys::{Cleartext, InnerRequest};
use sealgate_model::Standardisation;
use serde_json::json;

/// A name and the bytes.
pub type Needle = (String, Vec<u8>);

/// A request, the status it gets, and what no one may find afterwards.
#[derive(Clone)]
pub struct Exchange {
    pub path: &'static str,
    pub content_type: &'static str,
    accept: String,
    pub body: Vec<u8>,
    /// How much of the body is JSON, where tensors follow.
    json_bytes: Option<usize>,
    pub status: u16,
    pub needles: Vec<Needle>,
}

impl Exchange {
    /// A request with a header field that is marked, too.
    pub fn new(path: &'static str, body: Vec<u8>, status: u16) -> Self {
        let mut state = body.iter().fold(1, |sum: u64, &b| sum.wrapping_mul(31) + u64::from(b));
        let mark = unit(&mut state).abs().to_string();
        let accept = format!("application/json;q={mark}");
        let control = [&[0, 4][..], b"POST\x05https\0", &varint(path.len()), path.as_bytes()];
        let seam = [&b"application/json"[..], &varint(body.len()), &body[..12]];
        let needles = vec![
            ("header".to_owned(), mark.into_bytes()),
            ("message control".to_owned(), control.concat()),
            ("message seam".to_owned(), seam.concat()),
        ];
        let content_type = "application/json";
        Self { path, content_type, accept, body, json_bytes: None, status, needles }
    }

    /// The same with tensors behind the first bytes of the body, which are JSON.
    pub fn with_tensors_behind(self, json_bytes: usize) -> Self {
        Self { json_bytes: Some(json_bytes), ..self }
    }

    /// Adds the rows in every form that the worker may write them in: as text, and as numbers, one
    /// beside the next in the row and, for engines that turn rows into columns, in the column.
    pub fn and_forms(mut self, rows: &[Vec<f64>], fit: &Standardisation) -> Self {
        for value in rows.iter().flatten() {
            let text = json!(value).to_string();
            if text.len() >= 10 {
                self.needles.push(("text".to_owned(), text.into_bytes()));
            }
            self.needles.push(("f64".to_owned(), value.to_le_bytes().to_vec()));
        }
        for (name, numbers) in forms(rows, fit) {
            let beside = numbers.iter().flat_map(|row| row.windows(2).map(|p| [p[0], p[1]]));
            let below =
                numbers.windows(2).flat_map(|p| p[0].iter().zip(&p[1]).map(|(a, b)| [*a, *b]));
            let both = beside.map(|p| ("row", p)).chain(below.map(|p| ("column", p)));
            self.needles.extend(
                both.map(|(way, pair)| {
                    (format!("{name} {way}"), pair.map(f32::to_le_bytes).concat())
                }),
            );
        }
        self
    }

    /// The same request as it stands inside what a client seals.
    pub fn inner(&self) -> InnerRequest {
        let headers = [("accept", self.accept.as_str()), ("content-type", self.content_type)];
        InnerRequest {
            method: "POST".into(),
            path: self.path.into(),
            headers: headers.map(|(n, v)| (n.to_owned(), v.as_bytes().to_vec())).into(),
            body: Cleartext::new(self.body.clone()),
        }
    }

    /// What goes over the wire when that was sealed: nothing marked is outside.
    pub fn sealed(&self, path: &'static str, message: Vec<u8>) -> Self {
        Self {
            path,
            content_type: REQUEST_TYPE,
            accept: RESPONSE_TYPE.into(),
            body: message,
            json_bytes: None,
            status: 200,
            needles: self.needles.clone(),
        }
    }

    /// In the order in which the gateway writes them into the inner message.
    pub fn headers(&self, token: &str) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("Authorization", format!("Bearer {token}")),
            ("Accept", self.accept.clone()),
            ("Content-Type", self.content_type.to_owned()),
        ];
        let json_bytes = self.json_bytes.map(|bytes| bytes.to_string());
        headers.extend(json_bytes.map(|bytes| ("Inference-Header-Content-Length", bytes)));
        headers
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes to {}, answered with {}", self.body.len(), self.path, self.status)
    }
}

/// Rows that a model may score. The same seed gives the same rows.
pub fn rows(fit: &Standardisation, seed: u64, count: usize) -> Vec<Vec<f64>> {
    let mut state = seed;
    let mut row = || {
        let value = |(&mean, &std)| f64::from(mean) + f64::from(std) * unit(&mut state);
        fit.mean.iter().zip(&fit.std).map(value).collect()
    };
    (0..count).map(|_| row()).collect()
}

/// The rows as 32-bit numbers: as sent, without the mean, and standardised in both ways to round.
fn forms(rows: &[Vec<f64>], fit: &Standardisation) -> [(&'static str, Vec<Vec<f32>>); 4] {
    let each = |form: &dyn Fn(f64, f32, f32) -> f32| -> Vec<Vec<f32>> {
        let of = |row: &Vec<f64>| {
            let fits = fit.mean.iter().zip(&fit.std);
            row.iter().zip(fits).map(|(&value, (&mean, &std))| form(value, mean, std)).collect()
        };
        rows.iter().map(of).collect()
    };
    [
        ("f32", each(&|value, _, _| value as f32)),
        ("centred", each(&|value, mean, _| value as f32 - mean)),
        ("standardised", each(&|value, mean, std| (value as f32 - mean) / std)),
        (
            "standardised",
            each(&|value, mean, std| ((value - f64::from(mean)) / f64::from(std)) as f32),
        ),
    ]
}

/// The numbers of an answer in JSON that are long enough to be found by no accident.
pub fn answer_needles(body: &[u8]) -> Vec<Needle> {
    let text = String::from_utf8_lossy(body);
    let words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    let numbers = words.filter(|word| word.contains('.') && word.len() >= 9);
    numbers.map(|number| ("answer".to_owned(), number.as_bytes().to_vec())).collect()
}

/// The raw numbers of an answer, in pairs that are found by no accident.
pub fn raw_answer_needles(scores: &[u8]) -> Vec<Needle> {
    let scores: Vec<_> =
        scores.as_chunks::<4>().0.iter().map(|le| f32::from_le_bytes(*le)).collect();
    let telling = |pair: &&[f32]| pair.iter().all(|score| *score > 1e-6 && *score < 1.0 - 1e-6);
    let pairs = scores.windows(2).filter(telling);
    pairs
        .map(|pair| ("answer".to_owned(), [pair[0].to_le_bytes(), pair[1].to_le_bytes()].concat()))
        .collect()
}

/// Between -1 and 1, by SplitMix64.
fn unit(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// RFC 9000, section 16, as binary HTTP counts.
fn varint(number: usize) -> Vec<u8> {
    let number = u32::try_from(number).unwrap();
    match number {
        0..64 => vec![number as u8],
        64..16_384 => (number as u16 | 0x4000).to_be_bytes().to_vec(),
        _ => (number | 0x8000_0000).to_be_bytes().to_vec(),
    }
}
