//! Rows with the answers of the framework that a model came from.

use burn::tensor::Device;
use sealgate_model::{Model, Rows};
use serde::Deserialize;

use super::Imported;
use crate::BuildError;

/// `{"inputs":[[..],..],"outputs":[[..],..]}`: raw values, and what was answered to them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    inputs: Vec<Vec<f64>>,
    outputs: Vec<Vec<f64>>,
}

/// How far a model's answers are from the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// How many rows were compared.
    pub rows: usize,
    /// The largest difference, divided by the reference where that is greater than 1.
    pub largest: f64,
    /// The row it was seen in, from 0.
    pub row: usize,
}

impl Reference {
    /// Reads reference rows.
    ///
    /// # Errors
    ///
    /// When it is no JSON of this form, or has no rows, or not as many answers as rows.
    pub fn parse(bytes: &[u8]) -> Result<Self, BuildError> {
        let reference: Self = serde_json::from_slice(bytes).map_err(BuildError::Reference)?;
        let (expected, found) = (reference.inputs.len().max(1), reference.outputs.len());
        if expected == found && expected == reference.inputs.len() {
            return Ok(reference);
        }
        Err(BuildError::ReferenceShape { what: "answers", expected, found })
    }
}

impl Imported {
    /// Runs the artifact on the reference rows. Two probabilities of two classes, as some
    /// frameworks answer, are compared with the one that an artifact answers.
    ///
    /// # Errors
    ///
    /// When the rows do not fit the model, the model cannot be run, or an answer differs by more
    /// than `tolerance`.
    pub fn check(&self, reference: &Reference, tolerance: f64) -> Result<Difference, BuildError> {
        let model = Model::load(&self.artifact, &Device::flex())?;
        let mut found = Difference { rows: reference.inputs.len(), largest: 0.0, row: 0 };
        let answers = model.infer(&rows(reference, model.features())?)?;
        let pairs = answers.values().chunks(model.outputs()).zip(&reference.outputs);
        for (row, (answer, expected)) in pairs.enumerate() {
            let answer = self.as_answered(answer, expected.len())?;
            for (answer, expected) in answer.iter().zip(expected) {
                let apart = (answer - expected).abs() / expected.abs().max(1.0);
                if apart > found.largest {
                    found = Difference { largest: apart, row, ..found };
                }
            }
        }
        // What is no number is no small difference.
        if found.largest <= tolerance {
            return Ok(found);
        }
        Err(BuildError::Differs { row: found.row, largest: found.largest, tolerance })
    }

    /// An answer of the artifact in the form that the reference has.
    fn as_answered(&self, answer: &[f32], width: usize) -> Result<Vec<f64>, BuildError> {
        let mut answer: Vec<f64> = answer.iter().copied().map(f64::from).collect();
        if let ([probability], true) = (&mut answer[..], self.turned) {
            *probability = 1.0 - *probability;
        }
        match (&answer[..], width) {
            (&[second], 2) => Ok(vec![1.0 - second, second]),
            (found, width) if found.len() == width => Ok(answer),
            (found, width) => Err(BuildError::ReferenceShape {
                what: "values an answer",
                expected: found.len(),
                found: width,
            }),
        }
    }
}

fn rows(reference: &Reference, features: usize) -> Result<Rows, BuildError> {
    let mut values = Vec::with_capacity(reference.inputs.len().saturating_mul(features));
    for row in &reference.inputs {
        if row.len() != features {
            let what = "values a row";
            let (expected, found) = (features, row.len());
            return Err(BuildError::ReferenceShape { what, expected, found });
        }
        values.extend(row.iter().map(|value| *value as f32));
    }
    Ok(Rows::new(reference.inputs.len(), features, values)?)
}

/// More rows than anybody needs to be sure.
pub const REFERENCE_BYTES_MAX: usize = 64 << 20;
