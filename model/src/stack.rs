//! What both paths are made of: dense layers with their weights, and what is taken off the rows.
//!
//! The standardisation costs nothing extra at run time: see [`folding`](crate::folding).

use std::borrow::Cow;

use crate::folding::{means, scaled_down};
use crate::tensors::weight_name;
use crate::{Activation, Artifact, Dense, LayerWeights, ModelError, Standardisation};

/// Dense layers, from the first input to the last sum.
pub(crate) struct Stack<'a> {
    /// What is taken off each value of a row.
    pub(crate) mean: Vec<f32>,
    pub(crate) layers: Vec<StackLayer<'a>>,
}

/// One of them.
pub(crate) struct StackLayer<'a> {
    pub(crate) inputs: usize,
    pub(crate) units: usize,
    pub(crate) activation: Activation,
    /// Row-major, of shape [inputs, units].
    pub(crate) weight: Cow<'a, [f32]>,
    /// Of shape [units].
    pub(crate) bias: &'a [f32],
}

impl<'a> Stack<'a> {
    /// The whole network of an artifact.
    ///
    /// # Errors
    ///
    /// When a weight divided by its feature's deviation is no longer finite.
    pub(crate) fn of(artifact: &'a Artifact) -> Result<Self, ModelError> {
        let manifest = artifact.manifest();
        let (inputs, fit) = (manifest.features.len(), manifest.standardisation.as_ref());
        Self::new(inputs, fit, &manifest.architecture, artifact.layers())
    }

    /// Layers on rows of `inputs` values, which `fit` standardises.
    ///
    /// # Errors
    ///
    /// When a weight divided by its feature's deviation is no longer finite.
    pub(crate) fn new(
        inputs: usize,
        fit: Option<&Standardisation>,
        layers: &[Dense],
        weights: &'a [LayerWeights],
    ) -> Result<Self, ModelError> {
        let mut width = inputs;
        let layer = |(dense, weights): (&Dense, &'a LayerWeights)| {
            let units = dense.units as usize;
            let inputs = std::mem::replace(&mut width, units);
            let weight = Cow::Borrowed(weights.weight.as_slice());
            let (activation, bias) = (dense.activation, weights.bias.as_slice());
            StackLayer { inputs, units, activation, weight, bias }
        };
        let mut layers: Vec<_> = layers.iter().zip(weights).map(layer).collect();
        if let (Some(first), Some(fit)) = (layers.first_mut(), fit) {
            let folded = scaled_down(&first.weight, &fit.std);
            let folded =
                folded.ok_or_else(|| ModelError::WeightNotFinite { name: weight_name(0) })?;
            first.weight = Cow::Owned(folded);
        }
        Ok(Self { mean: means(inputs, fit), layers })
    }

    /// How many values a row has in the end.
    pub(crate) fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.units)
    }
}
