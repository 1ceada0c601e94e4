//! Linear models: a network of one layer.

use crate::graph::{Graph, Linear, LinearEnd, Node, Op};
use crate::network::Activation;
use crate::tensor::Matrix;
use crate::{ImportError, Why};

use super::{Kind, Traced};

/// A linear model as its sums and what is done to them, in backward order.
pub(super) fn trace(node: &Node, model: &Linear) -> Result<Traced, ImportError> {
    let from = node.input(0).ok_or(node.refused(Why::Dangling))?;
    let (weight, bias) = sums(model).ok_or(node.refused(Why::Shape))?;
    let steps = match model.end {
        LinearEnd::Nothing => vec![Kind::Dense { weight, bias }],
        LinearEnd::Softmax => {
            vec![Kind::Activation(Activation::Softmax), Kind::Dense { weight, bias }]
        }
        LinearEnd::Logistic => {
            let sigmoid = Kind::Activation(Activation::Sigmoid);
            match second_of_two(&weight, &bias) {
                Some(dense) => vec![Kind::Pair, sigmoid, dense],
                None => vec![sigmoid, Kind::Dense { weight, bias }],
            }
        }
        LinearEnd::Other(what) => return Err(node.refused(Why::Variant(what))),
    };
    Ok(Traced { steps, from })
}

/// Probabilities by softmax sum to 1 already; anything else would change.
pub(super) fn normalised(graph: &Graph, node: &Node) -> Result<Traced, ImportError> {
    let from = node.input(0).ok_or(node.refused(Why::Dangling))?;
    let by_softmax = graph.producer(from).is_some_and(|before| match &before.op {
        Op::Linear(model) => model.end == LinearEnd::Softmax,
        Op::Softmax { axis } => matches!(axis, 1 | -1),
        _ => false,
    });
    match by_softmax {
        true => Ok(Traced { steps: vec![], from }),
        false => Err(node.refused(Why::Variant("what is no probability by softmax"))),
    }
}

fn sums(model: &Linear) -> Option<(Matrix, Vec<f64>)> {
    let Linear { coefficients, intercepts, units, .. } = model;
    let inputs = coefficients.len().checked_div(*units).filter(|inputs| *inputs > 0)?;
    let bias = match intercepts.len() {
        0 => vec![0.0; *units],
        count if count == *units => intercepts.clone(),
        _ => return None,
    };
    if inputs.checked_mul(*units) != Some(coefficients.len()) {
        return None;
    }
    let column = |at: usize| coefficients.iter().skip(at).step_by(inputs).copied();
    let values = (0..inputs).flat_map(column).collect();
    Some((Matrix { inputs, units: *units, values }, bias))
}

/// Two classes are written as a sum and its negative, whose sigmoids add up to 1.
fn second_of_two(weight: &Matrix, bias: &[f64]) -> Option<Kind> {
    let opposite = |pair: &[f64]| matches!(pair, [first, second] if *first == -second);
    if !opposite(bias) || !weight.rows().all(opposite) {
        return None;
    }
    let second = |pair: &[f64]| pair.last().copied().unwrap_or_default();
    let values = weight.rows().map(second).collect();
    let weight = Matrix { inputs: weight.inputs, units: 1, values };
    Some(Kind::Dense { weight, bias: vec![second(bias)] })
}
