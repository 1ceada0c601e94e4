//! A graph as a straight chain of steps: from the answer back to the input.
//!
//! Going backwards leaves behind whatever does not lead to the answer, above all the branch of
//! labels that classifiers have. What does lead there must be one chain; the only joins are an
//! activation that an exporter wrote out, and the two probabilities of two classes.

mod answer;
mod columns;
mod constant;
mod curve;
mod linear;
mod node;
mod shape;

use crate::graph::{Graph, Input, ValueId};
use crate::network::Activation;
use crate::tensor::{Budget, Matrix};
use crate::{ImportError, error};
pub(crate) use node::norm;
pub(crate) use shape::Layout;

/// The steps from the input to the answer.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) steps: Vec<Step>,
    /// How many values a row has, where the file says so.
    pub(crate) width: Option<usize>,
    /// How many rows the file was made for, where it says so.
    pub(crate) rows: Option<usize>,
    /// The names of the features, when each is an input of its own.
    pub(crate) features: Option<Vec<String>>,
    pub(crate) classes: Option<Vec<String>>,
    pub(crate) rounds_activations: bool,
}

/// One thing that is done to every row, and the node it came from.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) kind: Kind,
    pub(crate) node: String,
    pub(crate) op: String,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Kind {
    /// `row x weight + bias`; the bias has `units` values, or one for all.
    Dense {
        weight: Matrix,
        bias: Vec<f64>,
    },
    /// `value factor + offset`, each with a value for every feature or one for all.
    Scale {
        factor: Vec<f64>,
        offset: Vec<f64>,
    },
    Activation(Activation),
    /// From p to [1 - p, p].
    Pair,
    Layout(Layout),
    /// 8 bits and back.
    Round,
}

/// What a node turned into: steps in backward order, and the value that they start from.
struct Traced {
    steps: Vec<Kind>,
    from: ValueId,
}

impl Traced {
    fn one(kind: Kind, from: ValueId) -> Self {
        Self { steps: vec![kind], from }
    }
}

impl Chain {
    /// # Errors
    ///
    /// When what leads to the answer is no chain of known steps, or too long a one: also when it
    /// goes in a circle.
    pub(crate) fn of(graph: &Graph) -> Result<Self, ImportError> {
        let answer = answer::find(graph)?;
        let (mut value, mut steps, mut budget) = (answer.value, vec![], Budget::new());
        let columns = loop {
            if let Some(columns) = Columns::at(graph, value) {
                break columns;
            }
            let Some(node) = graph.producer(value) else {
                return Err(ImportError::Ends { what: error::INPUTS, found: 0 });
            };
            if steps.len() >= STEPS_MAX {
                return Err(ImportError::Limit { what: "steps in a row", max: STEPS_MAX });
            }
            let traced = node::trace(graph, node, &mut budget)?;
            for kind in traced.steps {
                steps.push(Step { kind, node: node.name.clone(), op: node.op_name.clone() });
            }
            value = traced.from;
        };
        steps.reverse();
        let rounds_activations = steps.iter().any(|step| step.kind == Kind::Round);
        let Columns { width, features } = columns;
        let rows = graph.inputs.first().and_then(|input| input.rows);
        let classes = answer.classes;
        Ok(Self { steps, width, rows, features, classes, rounds_activations })
    }
}

/// Where the chain begins: the only input, or all of them side by side.
struct Columns {
    width: Option<usize>,
    features: Option<Vec<String>>,
}

impl Columns {
    fn at(graph: &Graph, value: ValueId) -> Option<Self> {
        if let ([input], true) = (&graph.inputs[..], graph.input(value).is_some()) {
            return Some(Self { width: width(input), features: None });
        }
        let inputs = shape::joined_inputs(graph, value)?;
        let widths: Option<Vec<usize>> = inputs.iter().map(|input| width(input)).collect();
        let widths = widths?;
        let single = widths.iter().all(|width| *width == 1);
        let names = || inputs.iter().map(|input| input.name.clone()).collect();
        let total = widths.iter().try_fold(0_usize, |sum, width| sum.checked_add(*width));
        Some(Self { width: Some(total?), features: single.then(names) })
    }
}

/// The values of a row, when the file says how many.
fn width(input: &Input) -> Option<usize> {
    let row = input.row.as_ref()?;
    row.iter().try_fold(1_usize, |width, dimension| width.checked_mul((*dimension)?))
}

/// 32 layers of which each is written as a dozen nodes, and some more.
const STEPS_MAX: usize = 512;
