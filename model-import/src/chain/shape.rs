//! What nodes do to the shape of a batch, and which inputs stand side by side.

use crate::graph::{Graph, Input, Node, Op, ValueId};
use crate::{ImportError, Why};

use super::constant;

/// A change of a batch's shape: whether rows stay apart is seen when their width is known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Layout {
    /// Everything after the rows becomes one dimension.
    Flatten,
    /// To the sizes given; -1 for whatever is left, 0 for what it was.
    Reshape(Vec<i64>),
    /// Dimensions of 1 are taken out.
    Squeeze,
}

pub(super) fn layout(graph: &Graph, node: &Node) -> Result<Layout, ImportError> {
    match &node.op {
        Op::Flatten { axis: 1 } => Ok(Layout::Flatten),
        Op::Flatten { .. } => Err(node.refused(Why::Rows)),
        Op::Reshape => {
            let value = node.input(1).ok_or(node.refused(Why::Dangling))?;
            let sizes = match constant::of(graph, value)? {
                Some(shape) => shape.integers().map(<[i64]>::to_vec),
                None => computed(graph, node, value)?,
            };
            let sizes = sizes.ok_or(node.refused(Why::Stored("shape")))?;
            Ok(Layout::Reshape(sizes.into_iter().take(SIZES_MAX).collect()))
        }
        // Which ones does not matter: of [rows, 1] only the last can go, or the rows are one.
        _ => Ok(Layout::Squeeze),
    }
}

/// A shape that begins with the number of rows, as it is asked for by `x.view(x.size(0), -1)`.
fn computed(graph: &Graph, node: &Node, value: ValueId) -> Result<Option<Vec<i64>>, ImportError> {
    let join = graph.producer(value).filter(|join| join.op == Op::Concat { axis: 0 });
    let Some([Some(rows), rest @ ..]) = join.map(|join| &join.inputs[..]) else { return Ok(None) };
    if !is_row_count(graph, node, *rows)? {
        return Ok(None);
    }
    let mut sizes = vec![0];
    for part in rest {
        let part = part.map(|part| constant::of(graph, part)).transpose()?.flatten();
        let Some(stored) = part.as_ref().and_then(|part| part.integers()) else { return Ok(None) };
        sizes.extend(stored.iter().take(SIZES_MAX));
    }
    Ok(Some(sizes))
}

/// Whether a value is the first size of what `node` is given, or of an input.
fn is_row_count(graph: &Graph, node: &Node, mut value: ValueId) -> Result<bool, ImportError> {
    let mut is_first = false;
    for _ in 0..CASTS_MAX {
        let Some(step) = graph.producer(value) else { break };
        let Some(input) = step.input(0) else { break };
        match (&step.op, step.input(1)) {
            (Op::ShapeOf, _) => {
                let known = node.input(0) == Some(input) || graph.input(input).is_some();
                return Ok(is_first && known);
            }
            (Op::Gather, Some(chosen)) => {
                let chosen = constant::of(graph, chosen)?;
                is_first = chosen.is_some_and(|chosen| chosen.integers() == Some(&[0]));
            }
            (Op::Unsqueeze | Op::Identity, _) => {}
            _ => break,
        }
        value = input;
    }
    Ok(false)
}

/// The inputs of a join, when they are all inputs of the graph, each once.
pub(super) fn joined_inputs(graph: &Graph, value: ValueId) -> Option<Vec<&Input>> {
    let node =
        graph.producer(value).filter(|node| matches!(node.op, Op::Concat { axis: 1 | -1 }))?;
    let inputs: Option<Vec<&Input>> =
        node.inputs.iter().map(|part| graph.input(behind_casts(graph, (*part)?))).collect();
    let inputs = inputs?;
    let mut values: Vec<ValueId> = inputs.iter().map(|input| input.value).collect();
    values.sort_unstable();
    values.dedup();
    (values.len() == inputs.len() && inputs.len() == graph.inputs.len()).then_some(inputs)
}

/// The value that casts and other nodes that change nothing were given.
pub(super) fn behind_casts(graph: &Graph, mut value: ValueId) -> ValueId {
    for _ in 0..CASTS_MAX {
        match graph.producer(value) {
            Some(Node { op: Op::Identity, inputs, .. }) => match inputs.first() {
                Some(Some(input)) => value = *input,
                _ => break,
            },
            _ => break,
        }
    }
    value
}

const CASTS_MAX: usize = 8;
/// A shape with more sizes than this fits no row.
const SIZES_MAX: usize = 8;
