//! JSON: rows alone, rows under `x`, or a request of the Open Inference Protocol V2.

use serde::Deserialize;
use serde_json::Value;

use super::{Collected, Mistake};

pub(super) fn read(text: &str, into: &mut Collected<'_>) -> Result<(), Mistake> {
    if text.trim_start().starts_with('[') {
        return rows(&parse::<Vec<Value>>(text)?, into);
    }
    match parse(text)? {
        Object { x: Some(Value::Array(data)), inputs: None } => rows(&data, into),
        Object { x: None, inputs: Some(inputs) } => request(&inputs, into),
        _ => Err(Mistake::NotRows),
    }
}

/// Unknown members are let be; one that stands twice is refused.
#[derive(Deserialize)]
struct Object {
    x: Option<Value>,
    inputs: Option<Vec<Tensor>>,
}

#[derive(Deserialize)]
struct Tensor {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    data: Value,
}

/// One row as `[..]`, or any number of them as `[[..],..]`.
fn rows(data: &[Value], into: &mut Collected<'_>) -> Result<(), Mistake> {
    if data.first().is_some_and(|first| !first.is_array()) {
        if data.iter().any(|value| value.is_array() || value.is_object()) {
            return Err(Mistake::NotRows);
        }
        return into.row(data.iter().map(Value::as_f64));
    }
    for row in data {
        let row = row.as_array().ok_or(Mistake::NotRows)?;
        into.row(row.iter().map(Value::as_f64))?;
    }
    Ok(())
}

fn request(inputs: &[Tensor], into: &mut Collected<'_>) -> Result<(), Mistake> {
    let [Tensor { name, shape, datatype, data }] = inputs else {
        return Err(Mistake::InputCount { found: inputs.len() });
    };
    if *name != into.manifest.input {
        let expected = into.manifest.input.clone();
        return Err(Mistake::InputName { expected, found: name.clone() });
    }
    if !["FP32", "FP64"].contains(&datatype.as_str()) {
        return Err(Mistake::Datatype { found: datatype.clone() });
    }
    let width = into.width();
    let [count, found] = **shape else {
        return Err(Mistake::ShapeForm { width });
    };
    if found != width {
        return Err(Mistake::ShapeForm { width });
    }
    let data = data.as_array().ok_or(Mistake::NotRows)?;
    if data.first().is_some_and(Value::is_array) {
        rows(data, into)?;
    } else {
        flat(data, into)?;
    }
    if into.count == count { Ok(()) } else { Err(Mistake::Shape) }
}

/// The values of all rows in one list.
fn flat(data: &[Value], into: &mut Collected<'_>) -> Result<(), Mistake> {
    let mut rows = data.chunks_exact(into.width());
    if !rows.remainder().is_empty() {
        return Err(Mistake::Shape);
    }
    rows.try_for_each(|row| into.row(row.iter().map(Value::as_f64)))
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Mistake> {
    serde_json::from_str(text).map_err(|error| match error.is_data() && error.line() == 0 {
        true => Mistake::NotRows,
        false => Mistake::NotJson { line: error.line(), column: error.column() },
    })
}
