//! Activations that exporters write out as a dozen nodes.
//!
//! They are not told by their nodes, which differ from exporter to exporter and from version to
//! version, but by what they compute: the nodes are evaluated at some points and compared with
//! each activation that could be meant.

use std::collections::{BTreeMap, BTreeSet};

use crate::ImportError;
use crate::graph::{Graph, Node, Op, Scalar, ValueId};
use crate::network::Activation;

use super::constant;

/// `factor activation(value)`.
pub(super) struct Found {
    pub(super) activation: Activation,
    pub(super) factor: f64,
    pub(super) from: ValueId,
}

/// The activation that ends in `node`, if it is a known one of one value.
pub(super) fn recognise(graph: &Graph, node: &Node) -> Result<Option<Found>, ImportError> {
    let Some(part) = Part::of(graph, node)? else { return Ok(None) };
    let known =
        [Activation::Gelu, Activation::GeluTanh, Activation::Selu, Activation::Elu { alpha: 1.0 }];
    Ok(known.into_iter().find_map(|activation| {
        let factor = part.at(LARGE)? / reference(activation, LARGE);
        let agrees = |x: f64| {
            let expected = factor * reference(activation, x);
            part.at(x).is_some_and(|found| (found - expected).abs() < TOLERANCE * factor.abs())
        };
        let usable = factor.is_finite() && factor != 0.0;
        (usable && (-40..=40).all(|tenth| agrees(f64::from(tenth) / 5.0))).then_some(Found {
            activation,
            factor,
            from: part.from,
        })
    }))
}

/// The nodes between a value and the end of an activation.
struct Part<'a> {
    from: ValueId,
    end: &'a Node,
    nodes: BTreeMap<ValueId, &'a Node>,
    stored: BTreeMap<ValueId, f64>,
}

impl<'a> Part<'a> {
    /// Walks back until all branches have met in one value.
    fn of(graph: &'a Graph, end: &'a Node) -> Result<Option<Self>, ImportError> {
        let (mut nodes, mut stored) = (BTreeMap::new(), BTreeMap::new());
        let mut open: BTreeSet<ValueId> = BTreeSet::new();
        if !enter(graph, end, &mut open, &mut stored)? {
            return Ok(None);
        }
        for _ in 0..NODES_MAX {
            if let (Some(&from), 1) = (open.first(), open.len()) {
                return Ok(Some(Self { from, end, nodes, stored }));
            }
            if open.len() > BRANCHES_MAX {
                return Ok(None);
            }
            // The one that none of the others is made of goes first.
            let next = open.iter().copied().find(|&value| {
                graph.producer(value).is_some_and(is_scalar)
                    && !open.iter().any(|&other| other != value && reaches(graph, other, value))
            });
            let Some(value) = next else { return Ok(None) };
            let Some(node) = graph.producer(value) else { return Ok(None) };
            open.remove(&value);
            nodes.insert(value, node);
            if !enter(graph, node, &mut open, &mut stored)? {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// What comes out for `x`.
    fn at(&self, x: f64) -> Option<f64> {
        let mut known = self.stored.clone();
        known.insert(self.from, x);
        // Each round finds one more; a circle finds none.
        for _ in 0..=self.nodes.len() {
            if let Some(value) = compute(self.end, &known) {
                return Some(value);
            }
            for (value, node) in &self.nodes {
                if !known.contains_key(value)
                    && let Some(result) = compute(node, &known)
                {
                    known.insert(*value, result);
                }
            }
        }
        None
    }
}

/// Adds the inputs of a node to those still open; stored numbers are known at once.
fn enter(
    graph: &Graph,
    node: &Node,
    open: &mut BTreeSet<ValueId>,
    stored: &mut BTreeMap<ValueId, f64>,
) -> Result<bool, ImportError> {
    for input in node.inputs.iter().flatten() {
        match constant::of(graph, *input)? {
            None => drop(open.insert(*input)),
            Some(tensor) => match tensor.to_floats().and_then(|tensor| tensor.scalar()) {
                Some(value) => drop(stored.insert(*input, value)),
                None => return Ok(false),
            },
        }
    }
    Ok(true)
}

fn is_scalar(node: &Node) -> bool {
    matches!(
        node.op,
        Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Scalar(_) | Op::Activation(_) | Op::Identity
    )
}

/// Whether `value` is among what `from` is computed of, a few nodes back.
fn reaches(graph: &Graph, from: ValueId, value: ValueId) -> bool {
    let (mut open, mut seen) = (vec![from], BTreeSet::new());
    while let Some(at) = open.pop() {
        if seen.len() > REACH_MAX || !seen.insert(at) {
            continue;
        }
        let Some(node) = graph.producer(at).filter(|node| is_scalar(node)) else { continue };
        if node.inputs.contains(&Some(value)) {
            return true;
        }
        open.extend(node.inputs.iter().flatten());
    }
    false
}

fn compute(node: &Node, known: &BTreeMap<ValueId, f64>) -> Option<f64> {
    let input = |at: usize| known.get(&node.input(at)?).copied();
    let a = input(0)?;
    let truth = |holds| if holds { 1.0 } else { 0.0 };
    Some(match &node.op {
        Op::Add => a + input(1)?,
        Op::Sub => a - input(1)?,
        Op::Mul => a * input(1)?,
        Op::Div => a / input(1)?,
        Op::Identity => a,
        Op::Activation(activation) => reference(*activation, a),
        Op::Scalar(scalar) => match scalar {
            Scalar::Erf => libm::erf(a),
            Scalar::Exp => a.exp(),
            Scalar::Neg => -a,
            Scalar::Pow => a.powf(input(1)?),
            Scalar::Max => a.max(input(1)?),
            Scalar::Min => a.min(input(1)?),
            Scalar::Greater => truth(a > input(1)?),
            Scalar::Less => truth(a < input(1)?),
            Scalar::Where => {
                if a == 0.0 {
                    input(2)?
                } else {
                    input(1)?
                }
            }
        },
        _ => return None,
    })
}

/// Each activation as its paper defines it.
pub(crate) fn reference(activation: Activation, x: f64) -> f64 {
    let below = |alpha: f64| if x > 0.0 { x } else { alpha * x.exp_m1() };
    match activation {
        Activation::Linear | Activation::Softmax => x,
        Activation::Relu => x.max(0.0),
        Activation::LeakyRelu { alpha } => {
            if x > 0.0 {
                x
            } else {
                f64::from(alpha) * x
            }
        }
        Activation::Elu { alpha } => below(f64::from(alpha)),
        Activation::Selu => 1.050_700_987_355_480_5 * below(1.673_263_242_354_377_2),
        Activation::Gelu => 0.5 * x * (1.0 + libm::erf(x / std::f64::consts::SQRT_2)),
        Activation::GeluTanh => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            0.5 * x * (1.0 + inner.tanh())
        }
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
    }
}

/// Where a factor in front is seen: far from zero, all of these are nearly straight.
const LARGE: f64 = 8.0;
/// Exporters write constants with 32 bits. The two kinds of GELU differ by 5e-4.
const TOLERANCE: f64 = 2e-6;
/// The longest, GELU by way of tanh, has nine.
const NODES_MAX: usize = 24;
const REACH_MAX: usize = 64;
/// No activation is of more parts at a time.
const BRANCHES_MAX: usize = 8;
