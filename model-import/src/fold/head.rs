//! What the last layer answers.

use crate::network::Activation;
use crate::tensor::Matrix;
use crate::{Head, ImportError};

use super::Wide;

/// Says what the answer is, after two classes by softmax have become one sigmoid.
pub(super) fn of(layers: &mut [Wide]) -> Result<Head, ImportError> {
    let softmax = |layer: &Wide| layer.activation == Activation::Softmax;
    let (last, before) = match layers.split_last_mut() {
        Some((last, before)) => (last, before),
        None => return Ok(Head::Regression),
    };
    if before.iter().any(softmax) {
        return Err(ImportError::Limit { what: "softmax layers", max: 1 });
    }
    if softmax(last) && last.bias.len() == 2 {
        one_sigmoid(last);
    }
    Ok(match (last.activation, last.bias.len()) {
        (Activation::Softmax, _) => Head::Multiclass,
        (Activation::Sigmoid, 1) => Head::Binary,
        (Activation::Sigmoid, _) => Head::Multilabel,
        _ => Head::Regression,
    })
}

/// The second of two probabilities by softmax is the sigmoid of the difference of the sums.
fn one_sigmoid(layer: &mut Wide) {
    let difference = |pair: &[f64]| match pair {
        [first, second] => second - first,
        _ => 0.0,
    };
    layer.weight = Matrix {
        inputs: layer.weight.inputs,
        units: 1,
        values: layer.weight.rows().map(difference).collect(),
    };
    layer.bias = vec![difference(&layer.bias)];
    layer.activation = Activation::Sigmoid;
}
