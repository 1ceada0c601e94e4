//! Columns of the input that are scaled in groups and joined again, as a ColumnTransformer does.

use crate::graph::{Graph, Node, Op, ValueId};
use crate::tensor::{Budget, Matrix};
use crate::{ImportError, WIDTH_MAX};

use super::{Kind, Traced, constant, node, width};

/// Some columns of the input, and what is done to each.
struct Group {
    from: ValueId,
    columns: Vec<usize>,
    factor: Vec<f64>,
    offset: Vec<f64>,
}

/// A join of groups of one input as one step; nothing where it is another kind of join.
pub(super) fn side_by_side(
    graph: &Graph,
    join: &Node,
    budget: &mut Budget,
) -> Result<Option<Traced>, ImportError> {
    let mut all: Option<Group> = None;
    for part in &join.inputs {
        let Some(part) = part else { return Ok(None) };
        let Some(group) = Group::of(graph, *part, budget)? else { return Ok(None) };
        all = match all.take() {
            None => Some(group),
            Some(before) if before.from == group.from => before.followed_by(group),
            Some(_) => return Ok(None),
        };
        if all.is_none() {
            return Ok(None);
        }
    }
    let Some(all) = all else { return Ok(None) };
    let inputs = graph.input(all.from).and_then(width);
    let in_order = all.columns.iter().enumerate().all(|(at, column)| at == *column);
    if in_order && inputs.is_none_or(|inputs| inputs == all.columns.len()) {
        let from = all.from;
        return Ok(Some(Traced::one(Kind::Scale { factor: all.factor, offset: all.offset }, from)));
    }
    let Some(inputs) = inputs.filter(|inputs| (1..=WIDTH_MAX).contains(inputs)) else {
        return Ok(None);
    };
    budget.take(inputs.saturating_mul(all.columns.len()))?;
    let from = all.from;
    Ok(all
        .into_matrix(inputs)
        .map(|(weight, bias)| Traced::one(Kind::Dense { weight, bias }, from)))
}

impl Group {
    /// Back over scalers to the input, or to the choice of its columns.
    fn of(graph: &Graph, end: ValueId, budget: &mut Budget) -> Result<Option<Self>, ImportError> {
        let (mut value, mut scales) = (end, vec![]);
        for _ in 0..STEPS_MAX {
            if let Some(input) = graph.input(value) {
                let columns = width(input).filter(|width| (1..=WIDTH_MAX).contains(width));
                return Ok(
                    columns.and_then(|width| Self::scaled(value, (0..width).collect(), scales))
                );
            }
            let Some(step) = graph.producer(value) else { return Ok(None) };
            if step.op == Op::LookUp {
                let (Some(from), Some(chosen)) = (step.input(0), step.input(1)) else {
                    return Ok(None);
                };
                let Some(chosen) = constant::of(graph, chosen)? else { return Ok(None) };
                let column = |&column: &i64| usize::try_from(column).ok();
                let columns = chosen.integers().and_then(|all| all.iter().map(column).collect());
                let columns = columns.filter(|_| graph.input(from).is_some());
                return Ok(columns.and_then(|columns| Self::scaled(from, columns, scales)));
            }
            if !is_scale(&step.op) {
                return Ok(None);
            }
            let traced = node::trace(graph, step, budget)?;
            scales.extend(traced.steps);
            value = traced.from;
        }
        Ok(None)
    }

    /// The scales are in backward order.
    fn scaled(from: ValueId, columns: Vec<usize>, scales: Vec<Kind>) -> Option<Self> {
        let width = columns.len();
        let (mut factors, mut offsets) = (vec![1.0; width], vec![0.0; width]);
        for scale in scales.into_iter().rev() {
            let Kind::Scale { factor, offset } = scale else { return None };
            let fits = |list: &[f64]| list.len() == 1 || list.len() == width;
            if !fits(&factor) || !fits(&offset) {
                return None;
            }
            let each = factor.iter().cycle().zip(offset.iter().cycle());
            for ((factors, offsets), (factor, offset)) in
                factors.iter_mut().zip(&mut offsets).zip(each)
            {
                *factors *= factor;
                *offsets = *offsets * factor + offset;
            }
        }
        Some(Self { from, columns, factor: factors, offset: offsets })
    }

    fn followed_by(mut self, next: Self) -> Option<Self> {
        self.columns.extend(next.columns);
        self.factor.extend(next.factor);
        self.offset.extend(next.offset);
        (self.columns.len() <= WIDTH_MAX).then_some(self)
    }

    /// Each unit is one column, scaled.
    fn into_matrix(self, inputs: usize) -> Option<(Matrix, Vec<f64>)> {
        let units = self.columns.len();
        let mut values = vec![0.0; inputs.checked_mul(units)?];
        for (unit, (column, factor)) in self.columns.iter().zip(&self.factor).enumerate() {
            let place = column.checked_mul(units)?.checked_add(unit)?;
            *values.get_mut(place)? = *factor;
        }
        (units > 0).then_some((Matrix { inputs, units, values }, self.offset))
    }
}

/// Whether a node may scale columns one by one.
fn is_scale(op: &Op) -> bool {
    matches!(
        op,
        Op::Identity
            | Op::Add
            | Op::Sub
            | Op::Mul
            | Op::Div
            | Op::Scaler { .. }
            | Op::BatchNorm { .. }
    )
}

/// How many nodes a group of columns may go through.
const STEPS_MAX: usize = 16;
