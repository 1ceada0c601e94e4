//! Stored tensors, also behind the few nodes that exporters put between them and their use.

use std::borrow::Cow;

use crate::graph::{Graph, Node, Op, ValueId};
use crate::tensor::{Budget, Tensor};
use crate::{ImportError, WIDTH_MAX};

/// The tensor that a value is, whatever the input; nothing when it depends on the input. No larger
/// than a row: one stored tensor may be used by every node, and each use may copy it.
pub(super) fn of(graph: &Graph, value: ValueId) -> Result<Option<Cow<'_, Tensor>>, ImportError> {
    if elements(graph, value) > WIDTH_MAX {
        return Err(ImportError::Limit { what: "values in what stands for a row", max: WIDTH_MAX });
    }
    behind(graph, value, BEHIND_MAX)
}

/// As [`of`], of any size that is left.
pub(super) fn matrix<'a>(
    graph: &'a Graph,
    value: ValueId,
    budget: &mut Budget,
) -> Result<Option<Cow<'a, Tensor>>, ImportError> {
    budget.take(elements(graph, value))?;
    behind(graph, value, BEHIND_MAX)
}

/// How many values the stored tensor has that a value may be made of.
fn elements(graph: &Graph, mut value: ValueId) -> usize {
    for _ in 0..=BEHIND_MAX {
        if let Some(tensor) = graph.stored(value) {
            return tensor.len();
        }
        match graph.producer(value).and_then(|node| node.input(0)) {
            Some(input) => value = input,
            None => break,
        }
    }
    0
}

fn behind(
    graph: &Graph,
    value: ValueId,
    left: usize,
) -> Result<Option<Cow<'_, Tensor>>, ImportError> {
    if let Some(tensor) = graph.stored(value) {
        return Ok(Some(Cow::Borrowed(tensor)));
    }
    let (Some(node), Some(left)) = (graph.producer(value), left.checked_sub(1)) else {
        return Ok(None);
    };
    let changes_nothing = matches!(node.op, Op::Identity | Op::Round);
    if !changes_nothing
        && !matches!(node.op, Op::Transpose { .. } | Op::Reshape | Op::Squeeze { .. })
    {
        return Ok(None);
    }
    let Some(input) = node.input(0) else { return Ok(None) };
    let Some(tensor) = behind(graph, input, left)? else { return Ok(None) };
    match &node.op {
        Op::Identity => Ok(tensor.to_floats().map(Cow::Owned)),
        Op::Round => Ok(Some(tensor)),
        Op::Transpose { permutation } => {
            Ok(transposed(&tensor, permutation.as_deref()).map(Cow::Owned))
        }
        _ => Ok(reshaped(graph, node, &tensor, left)?.map(Cow::Owned)),
    }
}

/// Of two dimensions, the other way round.
fn transposed(tensor: &Tensor, permutation: Option<&[i64]>) -> Option<Tensor> {
    let turns = permutation.is_none_or(|order| order == [1, 0]);
    let &[rows, columns] = tensor.shape() else { return None };
    if !turns {
        return Some(tensor.clone()).filter(|_| permutation == Some(&[0, 1]));
    }
    tensor.turned(rows, columns)
}

fn reshaped(
    graph: &Graph,
    node: &Node,
    tensor: &Tensor,
    left: usize,
) -> Result<Option<Tensor>, ImportError> {
    let kept = || tensor.shape().iter().copied().filter(|&size| size != 1).collect::<Vec<_>>();
    if matches!(node.op, Op::Squeeze { .. }) {
        return Ok(tensor.reshaped(&kept()));
    }
    let Some(wanted) = node.input(1) else { return Ok(None) };
    let Some(wanted) = behind(graph, wanted, left)? else { return Ok(None) };
    let sizes =
        wanted.integers().unwrap_or_default().iter().map(|&size| usize::try_from(size).ok());
    let sizes: Option<Vec<usize>> = sizes.collect();
    Ok(sizes.and_then(|sizes| tensor.reshaped(&sizes)))
}

/// How many nodes may stand between a stored tensor and its use.
const BEHIND_MAX: usize = 8;
