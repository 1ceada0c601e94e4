//! A request to try: a row of the data set, as the Open Inference Protocol wants it.

use std::path::PathBuf;

use sealgate_model::{Manifest, Rows};
use sealgate_model_builder::wdbc;
use serde::Serialize;

use super::{State, files};
use crate::error::CliError;

/// Writes the example file.
pub(crate) fn prepare(state: &State, manifest: &Manifest) -> Result<PathBuf, CliError> {
    let path = state.path("example.json");
    let rows = wdbc()?.to_rows()?;
    let row = rows.values().chunks(rows.features()).nth(ROW).unwrap_or_default();
    let row = Rows::new(1, rows.features(), row.to_vec())?;
    files::replace(&path, &request(manifest, &row)?)?;
    Ok(path)
}

/// A V2 request for `rows`. Floats are written in their shortest form that reads back the same.
pub(crate) fn request(manifest: &Manifest, rows: &Rows) -> Result<Vec<u8>, CliError> {
    #[derive(Serialize)]
    struct Request<'a> {
        inputs: [Tensor<'a>; 1],
    }
    #[derive(Serialize)]
    struct Tensor<'a> {
        name: &'a str,
        shape: [usize; 2],
        datatype: &'static str,
        data: &'a [f32],
    }
    let tensor = Tensor {
        name: &manifest.input,
        shape: [rows.count(), rows.features()],
        datatype: "FP32",
        data: rows.values(),
    };
    serde_json::to_vec(&Request { inputs: [tensor] }).map_err(CliError::Json)
}

/// Not a clear case: its score is neither 0 nor 1, so there is something to see.
const ROW: usize = 40;
