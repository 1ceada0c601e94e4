//! The parameters as a file stores them, and as everything else uses them: in 32 bits.
//!
//! A compressed artifact is read into the same [`LayerWeights`] as any other. Quantised weights
//! that stay resident would be converted again for every request.

use std::collections::HashMap;

use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::{ARTIFACT_BYTES_MAX, ModelError, WeightFormat};

/// The parameters of one layer.
pub struct LayerWeights {
    /// Row-major, of shape [inputs, units].
    pub weight: Vec<f32>,
    /// Of shape [units].
    pub bias: Vec<f32>,
}

/// One tensor of a file.
struct Stored {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// What the layers of a file are: how their weights are stored, and the inputs and units of each.
pub(crate) struct Shapes {
    pub(crate) weights: WeightFormat,
    pub(crate) layers: Vec<(usize, usize)>,
}

/// The parameters of every layer, out of exactly the tensors that the manifest promises.
pub(crate) fn read(
    shapes: &Shapes,
    tensors: &SafeTensors<'_>,
) -> Result<Vec<LayerWeights>, ModelError> {
    // Counted in 32 bits whatever the file stores: that is what memory must hold.
    if shapes.bytes().is_none_or(|bytes| bytes > ARTIFACT_BYTES_MAX) {
        return Err(ModelError::TooLarge { max: ARTIFACT_BYTES_MAX });
    }
    let expected = tensors_a_layer(shapes.weights) * shapes.layers.len();
    if tensors.len() != expected {
        return Err(ModelError::TensorCount { expected, found: tensors.len() });
    }
    let layer = |(index, &(inputs, units)): (usize, &(usize, usize))| {
        let name = weight_name(index);
        let shape = [inputs, units];
        let weight = match shapes.weights {
            WeightFormat::F32 => floats(find(tensors, &name, Dtype::F32, &shape)?),
            WeightFormat::F16 => halves(find(tensors, &name, Dtype::F16, &shape)?),
            WeightFormat::Int8 => {
                let steps = find(tensors, &name, Dtype::I8, &shape)?;
                let scale = read_scale(tensors, scale_name(index), units)?;
                multiplied(&name, steps, &scale)?
            }
        };
        let bias = floats(find(tensors, &bias_name(index), Dtype::F32, &[units])?);
        let weight = all_finite(name, weight)?;
        Ok(LayerWeights { weight, bias: all_finite(bias_name(index), bias)? })
    };
    shapes.layers.iter().enumerate().map(layer).collect()
}

impl Shapes {
    /// The bytes that the parameters take in memory, if that is a number.
    fn bytes(&self) -> Option<usize> {
        self.layers.iter().try_fold(0_usize, |sum, &(inputs, units)| {
            let values = inputs.checked_mul(units)?.checked_add(units)?;
            sum.checked_add(values.checked_mul(size_of::<f32>())?)
        })
    }
}

/// The tensors of a file, in its weight format.
fn store(shapes: &Shapes, layers: &[LayerWeights]) -> Result<Vec<Stored>, ModelError> {
    let (depth, each) = (shapes.layers.len(), tensors_a_layer(shapes.weights));
    if layers.len() != depth {
        return Err(ModelError::TensorCount { expected: each * depth, found: each * layers.len() });
    }
    let mut stored = Vec::with_capacity(each * depth);
    for (index, (&(inputs, units), layer)) in shapes.layers.iter().zip(layers).enumerate() {
        let (name, shape) = (weight_name(index), vec![inputs, units]);
        if layer.weight.len() != inputs * units {
            return Err(ModelError::TensorShape { name });
        }
        let (dtype, bytes) = match shapes.weights {
            WeightFormat::F32 => (Dtype::F32, little_endian(&layer.weight)),
            WeightFormat::F16 => {
                let half = |&value| f16::from_f32(value).to_le_bytes();
                (Dtype::F16, layer.weight.iter().flat_map(half).collect())
            }
            WeightFormat::Int8 => {
                let scale = scales(&layer.weight, units);
                let bytes = steps(&layer.weight, &scale);
                let (name, shape) = (scale_name(index), vec![units]);
                let scale = little_endian(&scale);
                stored.push(Stored { name, dtype: Dtype::F32, shape, bytes: scale });
                (Dtype::I8, bytes)
            }
        };
        stored.push(Stored { name, dtype, shape, bytes });
        let (name, bytes) = (bias_name(index), little_endian(&layer.bias));
        stored.push(Stored { name, dtype: Dtype::F32, shape: vec![units], bytes });
    }
    Ok(stored)
}

/// A whole file whose only metadata are `text` under `key`.
pub(crate) fn container(
    key: &str,
    text: String,
    shapes: &Shapes,
    layers: &[LayerWeights],
) -> Result<Vec<u8>, ModelError> {
    let metadata = HashMap::from([(key.to_owned(), text)]);
    let tensors = store(shapes, layers)?;
    let views = tensors.iter().map(Stored::view).collect::<Result<Vec<_>, _>>()?;
    safetensors::serialize(views, Some(metadata)).map_err(ModelError::Format)
}

impl Stored {
    /// As safetensors takes it.
    fn view(&self) -> Result<(&str, TensorView<'_>), ModelError> {
        match TensorView::new(self.dtype, self.shape.clone(), &self.bytes) {
            Ok(view) => Ok((&self.name, view)),
            Err(_) => Err(ModelError::TensorShape { name: self.name.clone() }),
        }
    }
}

pub(crate) fn weight_name(layer: usize) -> String {
    format!("layers.{layer}.weight")
}

fn bias_name(layer: usize) -> String {
    format!("layers.{layer}.bias")
}

fn scale_name(layer: usize) -> String {
    format!("layers.{layer}.scale")
}

const fn tensors_a_layer(format: WeightFormat) -> usize {
    match format {
        WeightFormat::F32 | WeightFormat::F16 => 2,
        WeightFormat::Int8 => 3,
    }
}

fn find<'a>(
    tensors: &SafeTensors<'a>,
    name: &str,
    dtype: Dtype,
    shape: &[usize],
) -> Result<&'a [u8], ModelError> {
    let Ok(tensor) = tensors.tensor(name) else {
        return Err(ModelError::TensorMissing { name: name.to_owned() });
    };
    if tensor.dtype() != dtype {
        return Err(ModelError::TensorType { name: name.to_owned() });
    }
    if tensor.shape() != shape {
        return Err(ModelError::TensorShape { name: name.to_owned() });
    }
    Ok(tensor.data())
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

fn halves(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<2>().0.iter().map(|word| f16::from_le_bytes(*word).to_f32()).collect()
}

fn little_endian(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A scale that is zero or negative says the same as another file would: there is one way.
fn read_scale(
    tensors: &SafeTensors<'_>,
    name: String,
    units: usize,
) -> Result<Vec<f32>, ModelError> {
    let scale = floats(find(tensors, &name, Dtype::F32, &[units])?);
    let scale = all_finite(name.clone(), scale)?;
    match scale.iter().all(|&scale| scale > 0.0) {
        true => Ok(scale),
        false => Err(ModelError::Scale { name }),
    }
}

/// Steps times the scale of their unit. -128 has no counterpart and is no step.
fn multiplied(name: &str, steps: &[u8], scale: &[f32]) -> Result<Vec<f32>, ModelError> {
    let step = |(&byte, &scale): (&u8, &f32)| match byte.cast_signed() {
        i8::MIN => Err(ModelError::Step { name: name.to_owned() }),
        step => Ok(f32::from(step) * scale),
    };
    steps.iter().zip(scale.iter().cycle()).map(step).collect()
}

/// For each unit, the width of a step that lets its largest weight be step 127.
fn scales(weight: &[f32], units: usize) -> Vec<f32> {
    let mut largest = vec![0.0_f32; units];
    for row in weight.chunks_exact(units) {
        for (largest, weight) in largest.iter_mut().zip(row) {
            *largest = largest.max(weight.abs());
        }
    }
    let scale = |largest: f32| match (f64::from(largest) / STEP_MAX) as f32 {
        scale if scale > 0.0 => scale,
        _ => 1.0,
    };
    largest.into_iter().map(scale).collect()
}

fn steps(weight: &[f32], scale: &[f32]) -> Vec<u8> {
    let step = |(&weight, &scale): (&f32, &f32)| {
        let step = (f64::from(weight) / f64::from(scale)).round_ties_even();
        (step.clamp(-STEP_MAX, STEP_MAX) as i8).cast_unsigned()
    };
    weight.iter().zip(scale.iter().cycle()).map(step).collect()
}

const STEP_MAX: f64 = 127.0;

fn all_finite(name: String, values: Vec<f32>) -> Result<Vec<f32>, ModelError> {
    if values.iter().all(|value| value.is_finite()) {
        Ok(values)
    } else {
        Err(ModelError::WeightNotFinite { name })
    }
}
