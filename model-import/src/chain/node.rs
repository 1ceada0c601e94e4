//! One node as steps.

use crate::graph::{Graph, Node, Op, ValueId};
use crate::network::Activation;
use crate::tensor::{Budget, Matrix, Tensor};
use crate::{ImportError, Why};

use super::{Kind, Traced, columns, constant, curve, linear, shape};

/// The steps that a node stands for, in backward order, and the value they start from.
pub(super) fn trace(
    graph: &Graph,
    node: &Node,
    budget: &mut Budget,
) -> Result<Traced, ImportError> {
    let first = || node.input(0).ok_or(node.refused(Why::Dangling));
    match &node.op {
        Op::Gemm { alpha, beta, transpose_b } => {
            gemm(graph, node, [*alpha, *beta], *transpose_b, budget)
        }
        Op::MatMul => matmul(graph, node, budget),
        Op::Add | Op::Sub | Op::Mul | Op::Div => elementwise(graph, node),
        Op::Scaler { offset, scale } => {
            let moved = scaled(node, scale, offset)?;
            Ok(Traced::one(Kind::Scale { factor: scale.clone(), offset: moved }, first()?))
        }
        Op::Linear(model) => linear::trace(node, model),
        Op::Normalise => linear::normalised(graph, node),
        Op::BatchNorm { epsilon } => batch_norm(graph, node, *epsilon),
        Op::Activation(activation) => Ok(Traced::one(Kind::Activation(*activation), first()?)),
        Op::Softmax { axis: 1 | -1 } => {
            Ok(Traced::one(Kind::Activation(Activation::Softmax), first()?))
        }
        Op::Softmax { .. } => Err(node.refused(Why::Rows)),
        Op::Identity => Ok(Traced { steps: vec![], from: first()? }),
        Op::Round => Ok(Traced::one(Kind::Round, first()?)),
        Op::Flatten { .. } | Op::Reshape | Op::Squeeze { .. } => {
            Ok(Traced::one(Kind::Layout(shape::layout(graph, node)?), first()?))
        }
        Op::Concat { axis: 1 | -1 } => match columns::side_by_side(graph, node, budget)? {
            Some(traced) => Ok(traced),
            None => pair(graph, node),
        },
        Op::Concat { .. } => Err(node.refused(Why::Rows)),
        Op::Scalar(_) => curve(graph, node),
        Op::Variant(what) => Err(node.refused(Why::Variant(what))),
        Op::Transpose { .. }
        | Op::ShapeOf
        | Op::Gather
        | Op::Unsqueeze
        | Op::ZipMap { .. }
        | Op::Label
        | Op::Named { .. }
        | Op::LookUp
        | Op::Unknown => Err(node.refused(Why::Unknown)),
    }
}

fn gemm(
    graph: &Graph,
    node: &Node,
    [alpha, beta]: [f64; 2],
    transposed: bool,
    budget: &mut Budget,
) -> Result<Traced, ImportError> {
    let from = node.input(0).ok_or(node.refused(Why::Dangling))?;
    let mut weight = matrix(graph, node, 1, transposed, budget)?;
    weight.values.iter_mut().for_each(|value| *value *= alpha);
    let bias = match node.input(2) {
        None => vec![0.0],
        Some(_) => row(graph, node, 2, "bias")?.iter().map(|value| value * beta).collect(),
    };
    Ok(Traced::one(Kind::Dense { weight, bias }, from))
}

fn matmul(graph: &Graph, node: &Node, budget: &mut Budget) -> Result<Traced, ImportError> {
    let from = node.input(0).ok_or(node.refused(Why::Dangling))?;
    let weight = matrix(graph, node, 1, false, budget)?;
    Ok(Traced::one(Kind::Dense { weight, bias: vec![0.0] }, from))
}

fn elementwise(graph: &Graph, node: &Node) -> Result<Traced, ImportError> {
    let [Some(left), Some(right)] = node.inputs[..] else {
        return Err(node.refused(Why::Dangling));
    };
    let (stored, from, flipped) = match (constant::of(graph, left)?, constant::of(graph, right)?) {
        (None, Some(stored)) => (stored, left, false),
        (Some(stored), None) => (stored, right, true),
        (None, None) => return curve(graph, node),
        (Some(_), Some(_)) => return Err(node.refused(Why::Variant("stored tensors alone"))),
    };
    let stored = stored.to_floats();
    let row = stored.as_ref().and_then(Tensor::row).ok_or(node.refused(Why::Shape))?;
    let kind = match (&node.op, flipped) {
        (Op::Add, _) => Kind::Scale { factor: vec![1.0], offset: row.to_vec() },
        (Op::Sub, false) => Kind::Scale { factor: vec![1.0], offset: negated(row) },
        (Op::Sub, true) => Kind::Scale { factor: vec![-1.0], offset: row.to_vec() },
        (Op::Mul, _) => Kind::Scale { factor: row.to_vec(), offset: vec![0.0] },
        (_, false) => {
            Kind::Scale { factor: row.iter().map(|value| 1.0 / value).collect(), offset: vec![0.0] }
        }
        (_, true) => return Err(node.refused(Why::Variant("the values below the line"))),
    };
    Ok(Traced::one(kind, from))
}

fn batch_norm(graph: &Graph, node: &Node, epsilon: f64) -> Result<Traced, ImportError> {
    let from = node.input(0).ok_or(node.refused(Why::Dangling))?;
    let [scale, bias, mean, variance] = [(1, "scale"), (2, "bias"), (3, "mean"), (4, "variance")]
        .map(|(at, what)| row(graph, node, at, what));
    let (scale, bias, mean, variance) = (scale?, bias?, mean?, variance?);
    let [factor, offset] =
        norm([&scale, &bias, &mean, &variance], epsilon).ok_or(node.refused(Why::Shape))?;
    Ok(Traced::one(Kind::Scale { factor, offset }, from))
}

/// `scale (value - mean) / sqrt(variance + epsilon) + bias` as a factor and an offset.
pub(crate) fn norm(
    [scale, bias, mean, variance]: [&[f64]; 4],
    epsilon: f64,
) -> Option<[Vec<f64>; 2]> {
    if [bias, mean, variance].iter().any(|other| other.len() != scale.len()) {
        return None;
    }
    let factor =
        scale.iter().zip(variance).map(|(scale, variance)| scale / (variance + epsilon).sqrt());
    let factor: Vec<f64> = factor.collect();
    let offset =
        factor.iter().zip(mean).zip(bias).map(|((factor, mean), bias)| bias - factor * mean);
    Some([factor.clone(), offset.collect()])
}

/// The offset that `(value - offset) scale` comes to.
fn scaled(node: &Node, scale: &[f64], offset: &[f64]) -> Result<Vec<f64>, ImportError> {
    let width = scale.len().max(offset.len());
    let fits = |list: &[f64]| list.len() == 1 || list.len() == width;
    if !fits(scale) || !fits(offset) {
        return Err(node.refused(Why::Shape));
    }
    let each = |list: &[f64], at| list.get(at).or(list.first()).copied().unwrap_or(0.0);
    Ok((0..width).map(|at| -each(offset, at) * each(scale, at)).collect())
}

/// [1 - p, p], the two probabilities of two classes.
fn pair(graph: &Graph, node: &Node) -> Result<Traced, ImportError> {
    let refused = || node.refused(Why::Branches);
    let (Op::Concat { axis: 1 | -1 }, [Some(rest), Some(positive)]) = (&node.op, &node.inputs[..])
    else {
        return Err(refused());
    };
    let positive = shape::behind_casts(graph, *positive);
    let rest = shape::behind_casts(graph, *rest);
    let complement = graph.producer(rest).filter(|node| node.op == Op::Sub).ok_or_else(refused)?;
    let (Some(one), Some(subtracted)) = (complement.input(0), complement.input(1)) else {
        return Err(refused());
    };
    let one = constant::of(graph, one)?.and_then(|one| one.to_floats()?.scalar());
    if one != Some(1.0) || shape::behind_casts(graph, subtracted) != positive {
        return Err(refused());
    }
    Ok(Traced::one(Kind::Pair, positive))
}

fn curve(graph: &Graph, node: &Node) -> Result<Traced, ImportError> {
    let found = curve::recognise(graph, node)?.ok_or(node.refused(Why::Branches))?;
    let factor = Kind::Scale { factor: vec![found.factor], offset: vec![0.0] };
    Ok(Traced { steps: vec![factor, Kind::Activation(found.activation)], from: found.from })
}

fn matrix(
    graph: &Graph,
    node: &Node,
    at: usize,
    transposed: bool,
    budget: &mut Budget,
) -> Result<Matrix, ImportError> {
    let value = node.input(at).ok_or(node.refused(Why::Dangling))?;
    let stored = constant::matrix(graph, value, budget)?;
    let stored = stored.ok_or(node.refused(Why::Stored("weight")))?;
    Matrix::of(&stored, transposed).ok_or(node.refused(Why::Shape))
}

fn row(graph: &Graph, node: &Node, at: usize, what: &'static str) -> Result<Vec<f64>, ImportError> {
    let value: ValueId = node.input(at).ok_or(node.refused(Why::Dangling))?;
    let stored = constant::of(graph, value)?.ok_or(node.refused(Why::Stored(what)))?;
    let stored = stored.to_floats().ok_or(node.refused(Why::Shape))?;
    stored.row().map(<[f64]>::to_vec).ok_or(node.refused(Why::Shape))
}

fn negated(row: &[f64]) -> Vec<f64> {
    row.iter().map(|value| -value).collect()
}
