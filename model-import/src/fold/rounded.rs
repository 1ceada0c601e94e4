//! From 64 bits to 32, once, at the end.

use super::{Wide, WideStandardisation};
use crate::{ImportError, Layer, Standardisation};

pub(super) fn layer((index, wide): (usize, Wide)) -> Result<Layer, ImportError> {
    let name = |what| format!("{what} of layer {}", index + 1);
    Ok(Layer {
        inputs: wide.weight.inputs,
        weight: narrow(wide.weight.values, || name("weight"))?,
        bias: narrow(wide.bias, || name("bias"))?,
        activation: wide.activation,
    })
}

pub(super) fn standardisation(wide: WideStandardisation) -> Result<Standardisation, ImportError> {
    let name = || "standardisation".to_owned();
    Ok(Standardisation { mean: narrow(wide.mean, name)?, std: narrow(wide.std, name)? })
}

fn narrow(values: Vec<f64>, name: impl Fn() -> String) -> Result<Vec<f32>, ImportError> {
    let narrow: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
    if narrow.iter().all(|value| value.is_finite()) {
        return Ok(narrow);
    }
    Err(ImportError::Tensor { tensor: name(), what: "holds a value that 32 bits cannot" })
}
