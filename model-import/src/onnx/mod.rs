//! ONNX: `ModelProto` to a graph.
//!
//! The reader is our own because it must be lazy: it borrows, bounds what it counts before it
//! allocates, and reads no deeper than five messages whatever the file nests.

mod attributes;
mod op;
mod tensor;
mod wire;

use std::collections::HashMap;

use attributes::Attributes;
use tensor::{Message, Weights};
use wire::{Field, Fields, damaged};

use crate::error::shown;
use crate::graph::{Graph, Input, NODES_MAX, Node, Op, Parsed, ValueId};
use crate::tensor::{Budget, RANK_MAX, Tensor};
use crate::{Format, ImportError};

/// Reads a model; `outside` is the file beside it that holds weights.
pub(crate) fn parse(bytes: &[u8], outside: Option<&[u8]>) -> Result<Parsed, ImportError> {
    let (mut name, mut version, mut graph) = ("", "", None);
    for field in Fields::of(bytes) {
        match field? {
            (2, field) => name = field.text()?,
            (3, field) => version = field.text()?,
            (7, field) if graph.is_none() => graph = Some(field.bytes()?),
            (7, _) => return Err(damaged("it holds two graphs")),
            (25, field) => function(field.bytes()?)?,
            _ => {}
        }
    }
    let graph = graph.ok_or(damaged("it holds no graph"))?;
    let weights = Weights { budget: Budget::new(), outside };
    let producer = shown(format!("{name} {version}").trim());
    Ok(Parsed { graph: Reader::new(weights).read(graph)?, producer })
}

/// The name of the other file that holds weights, when there is one.
pub(crate) fn outside_file(bytes: &[u8]) -> Result<Option<String>, ImportError> {
    for field in Fields::of(bytes) {
        let (7, graph) = field? else { continue };
        for field in Fields::of(graph.bytes()?) {
            let (5, tensor) = field? else { continue };
            if let Some(place) = Message::read(tensor.bytes()?)?.outside {
                return Ok(Some(place.file.to_owned()));
            }
        }
    }
    Ok(None)
}

/// A `FunctionProto`: operators of the model's own are unknown to us, and none may take the name of
/// one that we know.
fn function(message: &[u8]) -> Result<(), ImportError> {
    let mut domain = "";
    for field in Fields::of(message) {
        if let (10, field) = field? {
            domain = field.text()?;
        }
    }
    match op::is_known(domain) {
        true => Err(damaged("it defines an operator of the standard anew")),
        false => Ok(()),
    }
}

/// Collects the parts of a `GraphProto`.
struct Reader<'a> {
    weights: Weights<'a>,
    values: HashMap<&'a str, ValueId>,
    inputs: Vec<Input>,
    outputs: Vec<ValueId>,
    nodes: Vec<Node>,
    constants: HashMap<ValueId, Tensor>,
    /// The other file that a tensor named first: there is only one.
    outside: Option<&'a str>,
}

impl<'a> Reader<'a> {
    fn new(weights: Weights<'a>) -> Self {
        Self {
            weights,
            values: HashMap::new(),
            inputs: vec![],
            outputs: vec![],
            nodes: vec![],
            constants: HashMap::new(),
            outside: None,
        }
    }

    fn read(mut self, graph: &'a [u8]) -> Result<Graph, ImportError> {
        for field in Fields::of(graph) {
            match field? {
                (1, field) => self.node(field.bytes()?)?,
                (5, field) => {
                    let message = Message::read(field.bytes()?)?;
                    let value = self.value(message.name)?;
                    self.constant(value, message)?;
                }
                (11, field) => {
                    let input = self.input(field.bytes()?)?;
                    bounded(&self.inputs)?;
                    self.inputs.push(input);
                }
                (12, field) => {
                    let (name, _) = value_info(field.bytes()?)?;
                    bounded(&self.outputs)?;
                    let value = self.value(name)?;
                    self.outputs.push(value);
                }
                (15, _) => return Err(damaged("it holds sparse tensors, which are not read")),
                _ => {}
            }
        }
        // Before version 4 of the format every stored tensor is an input as well.
        let constants = self.constants;
        self.inputs.retain(|input| !constants.contains_key(&input.value));
        Graph::new(Format::Onnx, self.inputs, self.outputs, self.nodes, constants)
    }

    fn node(&mut self, message: &'a [u8]) -> Result<(), ImportError> {
        bounded(&self.nodes)?;
        let (mut name, mut op_name, mut domain) = ("", "", "");
        let (mut inputs, mut outputs, mut attributes) = (vec![], vec![], Attributes::new());
        for field in Fields::of(message) {
            match field? {
                (1, field) => {
                    bounded(&inputs)?;
                    inputs.push(self.optional(field)?);
                }
                (2, field) => {
                    bounded(&outputs)?;
                    outputs.extend(self.optional(field)?);
                }
                (3, field) => name = field.text()?,
                (4, field) => op_name = field.text()?,
                (5, field) => attributes.push(field.bytes()?)?,
                (7, field) => domain = field.text()?,
                _ => {}
            }
        }
        if op_name == "Constant" {
            return self.constant_node(&outputs, &attributes);
        }
        let op: Op = op::of(domain, op_name, &attributes);
        let (is_classifier, name, op_name) = (op_name == CLASSIFIER, shown(name), shown(op_name));
        if let (Op::Linear(_), true, [label, ..]) = (&op, is_classifier, &outputs[..]) {
            // Its labels are a branch of their own, so that nobody takes them for its scores.
            let op = Op::Named { classes: op::class_names(&attributes, "ints") };
            let (label, inputs) = (vec![*label], inputs.clone());
            outputs.remove(0);
            let (name, op_name) = (name.clone(), op_name.clone());
            self.nodes.push(Node { name, op_name, op, inputs, outputs: label });
        }
        self.nodes.push(Node { name, op_name, op, inputs, outputs });
        Ok(())
    }

    /// A stored tensor that stands among the nodes.
    fn constant_node(
        &mut self,
        outputs: &[ValueId],
        attributes: &Attributes<'a>,
    ) -> Result<(), ImportError> {
        let &[value] = outputs else { return Err(damaged("a constant has not one name")) };
        if let Some(message) = attributes.tensor("value")? {
            return self.constant(value, message);
        }
        let floats = attributes
            .float("value_float")
            .map_or_else(|| attributes.floats("value_floats"), |v| vec![v]);
        let integers = attributes
            .integer("value_int")
            .map(|v| vec![v])
            .or_else(|| attributes.integers("value_ints"));
        let tensor = Message::of_lists(floats, integers.unwrap_or_default());
        self.constant(value, tensor)
    }

    fn constant(&mut self, value: ValueId, message: Message<'a>) -> Result<(), ImportError> {
        if let Some(place) = message.outside
            && *self.outside.get_or_insert(place.file) != place.file
        {
            return Err(damaged("its weights are in more than one other file"));
        }
        bounded_by(self.constants.len())?;
        let tensor = message.into_tensor(&mut self.weights)?;
        match self.constants.insert(value, tensor) {
            None => Ok(()),
            Some(_) => Err(damaged("two tensors have one name")),
        }
    }

    fn input(&mut self, message: &'a [u8]) -> Result<Input, ImportError> {
        let (name, shape) = value_info(message)?;
        let rows = shape.as_ref().and_then(|shape| *shape.first()?);
        let row = shape.and_then(|shape| Some(shape.get(1..)?.to_vec()));
        Ok(Input { value: self.value(name)?, name: shown(name), rows, row })
    }

    /// An empty name stands for an input that is left out.
    fn optional(&mut self, field: Field<'a>) -> Result<Option<ValueId>, ImportError> {
        let name = field.text()?;
        if name.is_empty() { Ok(None) } else { self.value(name).map(Some) }
    }

    fn value(&mut self, name: &'a str) -> Result<ValueId, ImportError> {
        let next = self.values.len();
        if next >= VALUES_MAX {
            return Err(ImportError::Limit { what: "values", max: VALUES_MAX });
        }
        Ok(*self.values.entry(name).or_insert(next))
    }
}

/// Dimensions, `None` where they are free; nothing where there are none.
type Shape = Option<Vec<Option<usize>>>;

/// `ValueInfoProto`: a name, and the shape if it is a tensor.
fn value_info(message: &[u8]) -> Result<(&str, Shape), ImportError> {
    let (mut name, mut shape) = ("", None);
    for field in Fields::of(message) {
        match field? {
            (1, field) => name = field.text()?,
            (2, field) => shape = tensor_shape(field.bytes()?)?,
            _ => {}
        }
    }
    Ok((name, shape))
}

/// `TypeProto`, then its `Tensor`, then its `TensorShapeProto`.
fn tensor_shape(message: &[u8]) -> Result<Shape, ImportError> {
    let Some(tensor) = only(message, 1)? else { return Ok(None) };
    let Some(shape) = only(tensor, 2)? else { return Ok(None) };
    let mut dimensions = vec![];
    for field in Fields::of(shape) {
        let (1, field) = field? else { continue };
        let mut dimension = None;
        for field in Fields::of(field.bytes()?) {
            if let (1, field) = field? {
                // Some exporters write zero for a free one.
                dimension = usize::try_from(field.integer()?).ok().filter(|size| *size > 0);
            }
        }
        if dimensions.len() >= RANK_MAX {
            return Err(ImportError::Limit { what: "dimensions of an input", max: RANK_MAX });
        }
        dimensions.push(dimension);
    }
    Ok(Some(dimensions))
}

/// The message in a field.
fn only(message: &[u8], number: u32) -> Result<Option<&[u8]>, ImportError> {
    let mut found = None;
    for field in Fields::of(message) {
        match field? {
            (at, field) if at == number => found = Some(field.bytes()?),
            _ => {}
        }
    }
    Ok(found)
}

fn bounded<T>(list: &[T]) -> Result<(), ImportError> {
    bounded_by(list.len())
}

fn bounded_by(count: usize) -> Result<(), ImportError> {
    if count < NODES_MAX {
        return Ok(());
    }
    Err(ImportError::Limit { what: "nodes, tensors or names in a list", max: NODES_MAX })
}

/// The operator that gives labels first and scores second.
const CLASSIFIER: &str = "LinearClassifier";
/// Names of values in a file.
const VALUES_MAX: usize = 4 * NODES_MAX;
