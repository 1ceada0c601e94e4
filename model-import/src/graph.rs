//! A model as a graph of named nodes, whichever file it came from.

use std::collections::HashMap;

use crate::error::shown;
use crate::network::Activation;
use crate::tensor::Tensor;
use crate::{Format, ImportError, Why};

/// A value between nodes: its place in [`Graph::values`].
pub(crate) type ValueId = usize;

/// Nodes and what flows between them. Each value has at most one origin; whether the graph goes
/// in circles is found out by whoever walks it.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) inputs: Vec<Input>,
    pub(crate) outputs: Vec<ValueId>,
    nodes: Vec<Node>,
    constants: HashMap<ValueId, Tensor>,
    producers: HashMap<ValueId, usize>,
}

/// A file's graph, and what wrote it.
pub(crate) struct Parsed {
    pub(crate) graph: Graph,
    pub(crate) producer: String,
}

/// Where rows come in.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) value: ValueId,
    pub(crate) name: String,
    /// How many rows there are, where the file does not leave it open.
    pub(crate) rows: Option<usize>,
    /// The dimensions after the rows; one that the file leaves open is `None`.
    pub(crate) row: Option<Vec<Option<usize>>>,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    /// What the file calls it.
    pub(crate) op_name: String,
    pub(crate) op: Op,
    /// `None` where an optional one is left out.
    pub(crate) inputs: Vec<Option<ValueId>>,
    pub(crate) outputs: Vec<ValueId>,
}

/// What nodes do, in one vocabulary for all formats.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Op {
    /// `alpha A B + beta C`; A comes from the network, B and C are stored.
    Gemm {
        alpha: f64,
        beta: f64,
        transpose_b: bool,
    },
    MatMul,
    Add,
    Sub,
    Mul,
    Div,
    /// `(value - offset) scale`.
    Scaler {
        offset: Vec<f64>,
        scale: Vec<f64>,
    },
    /// A linear model of classical machine learning.
    Linear(Linear),
    /// Values divided by their sum.
    Normalise,
    BatchNorm {
        epsilon: f64,
    },
    Activation(Activation),
    /// Over the dimension `axis` of [rows, values].
    Softmax {
        axis: i64,
    },
    /// A function of one value that is only a part of an activation.
    Scalar(Scalar),
    /// What changes nothing: a cast among floating-point numbers, a dropout, a note.
    Identity,
    /// To 8 bits and back: what is lost is not imported.
    Round,
    Flatten {
        axis: i64,
    },
    /// The shape is the second input.
    Reshape,
    /// Dimensions of 1 are taken out; which, the second input may say.
    Squeeze {
        axes: Option<Vec<i64>>,
    },
    /// The sizes of a value.
    ShapeOf,
    /// Elements of the first input, chosen by the second.
    Gather,
    Unsqueeze,
    Transpose {
        permutation: Option<Vec<i64>>,
    },
    Concat {
        axis: i64,
    },
    /// Probabilities with the names of their classes.
    ZipMap {
        classes: Option<Vec<String>>,
    },
    /// Where a branch begins that gives labels and no probabilities.
    Label,
    /// Labels as a classifier gives them, with all the names there are.
    Named {
        classes: Option<Vec<String>>,
    },
    /// Names of classes are looked up: the first input stores them.
    LookUp,
    /// Known, but not in this variant.
    Variant(&'static str),
    Unknown,
}

/// Sums of all values, each with its own weights, and what is done to them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Linear {
    /// All of the first sum, then all of the second.
    pub(crate) coefficients: Vec<f64>,
    /// One for each sum, or none at all.
    pub(crate) intercepts: Vec<f64>,
    /// How many sums.
    pub(crate) units: usize,
    pub(crate) end: LinearEnd,
}

/// What is done to the sums of a linear model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinearEnd {
    Nothing,
    Logistic,
    Softmax,
    /// Known, but not to us.
    Other(&'static str),
}

/// Functions of one value (or of two) that exporters write activations with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    Erf,
    Exp,
    Neg,
    Pow,
    Max,
    Min,
    Greater,
    Less,
    Where,
}

impl Graph {
    /// # Errors
    ///
    /// When a value has two origins.
    pub(crate) fn new(
        format: Format,
        inputs: Vec<Input>,
        outputs: Vec<ValueId>,
        nodes: Vec<Node>,
        constants: HashMap<ValueId, Tensor>,
    ) -> Result<Self, ImportError> {
        let mut producers = HashMap::new();
        for (at, node) in nodes.iter().enumerate() {
            for output in &node.outputs {
                let twice = producers.insert(*output, at).is_some();
                if twice || constants.contains_key(output) {
                    return Err(ImportError::Damaged { format, what: "two nodes give one value" });
                }
            }
        }
        if inputs.iter().any(|input| producers.contains_key(&input.value)) {
            return Err(ImportError::Damaged { format, what: "a node gives an input" });
        }
        Ok(Self { inputs, outputs, nodes, constants, producers })
    }

    /// The node that gives a value.
    pub(crate) fn producer(&self, value: ValueId) -> Option<&Node> {
        self.producers.get(&value).and_then(|&at| self.nodes.get(at))
    }

    /// A value that stands in the file.
    pub(crate) fn stored(&self, value: ValueId) -> Option<&Tensor> {
        self.constants.get(&value)
    }

    pub(crate) fn input(&self, value: ValueId) -> Option<&Input> {
        self.inputs.iter().find(|input| input.value == value)
    }
}

impl Node {
    pub(crate) fn refused(&self, why: Why) -> ImportError {
        ImportError::Node { node: shown(&self.name), op: shown(&self.op_name), why }
    }

    /// The input at a place, when it is there.
    pub(crate) fn input(&self, at: usize) -> Option<ValueId> {
        self.inputs.get(at).copied().flatten()
    }
}

/// The most nodes of a file. A network of 32 layers has some hundred.
pub(crate) const NODES_MAX: usize = 4_096;
