//! TFLite: a flatbuffer to a graph.
//!
//! Numbers of fields are those of TensorFlow's `schema.fbs`, version 3.

mod flat;
mod op;
mod tensor;

use std::collections::HashMap;

use flat::{Table, damaged};

use crate::error::shown;
use crate::graph::{Graph, Input, NODES_MAX, Node, Op, Parsed, ValueId};
use crate::tensor::{Budget, RANK_MAX, Tensor, Values};
use crate::{Format, ImportError};

/// What stands at byte 4 of every such file.
pub(crate) const IDENTIFIER: [u8; 4] = *b"TFL3";

pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed, ImportError> {
    let model = Table::root(bytes, IDENTIFIER)?;
    if model.u32(0)? != VERSION {
        return Err(damaged("it is not of version 3"));
    }
    let [subgraph] = model.tables(2, NODES_MAX)?[..] else {
        return Err(damaged("it has not one graph"));
    };
    let codes = model.tables(1, NODES_MAX)?.into_iter().map(code).collect::<Result<_, _>>()?;
    let mut reader = Reader { codes, ..Reader::default() };
    reader.tensors(&subgraph.tables(0, NODES_MAX)?, &model.tables(4, NODES_MAX)?)?;
    for (at, operator) in subgraph.tables(3, NODES_MAX)?.into_iter().enumerate() {
        reader.operator(at, operator)?;
    }
    let inputs = ends(&subgraph, 1)?.map(input).collect::<Result<_, _>>()?;
    let outputs = ends(&subgraph, 2)?.map(|(value, tensor)| {
        floating(tensor)?;
        Ok(value)
    });
    let outputs = outputs.collect::<Result<_, _>>()?;
    let graph = Graph::new(Format::Tflite, inputs, outputs, reader.nodes, reader.constants)?;
    Ok(Parsed { graph, producer: shown(model.text(3)?) })
}

/// The tensors that a subgraph names as its inputs or its outputs.
fn ends<'a>(
    subgraph: &Table<'a>,
    field: usize,
) -> Result<impl Iterator<Item = (ValueId, Table<'a>)>, ImportError> {
    let tensors = subgraph.tables(0, NODES_MAX)?;
    let named = subgraph.integers(field)?.into_iter().map(|value| {
        let value = usize::try_from(value).ok()?;
        Some((value, *tensors.get(value)?))
    });
    let named: Option<Vec<_>> = named.collect();
    Ok(named.ok_or(damaged(NO_TENSOR))?.into_iter())
}

fn input((value, tensor): (ValueId, Table<'_>)) -> Result<Input, ImportError> {
    floating(tensor)?;
    let shape = signature(tensor)?;
    let dimension = |&size: &i32| usize::try_from(size).ok().filter(|size| *size > 0);
    let row = shape.get(1..).map(|row| row.iter().map(dimension).collect());
    let rows = shape.first().and_then(dimension);
    Ok(Input { value, name: shown(tensor.text(3)?), rows, row })
}

/// A tensor's shape, with -1 for a free dimension, where the shape proper says 1.
fn signature(tensor: Table<'_>) -> Result<Vec<i32>, ImportError> {
    let signature = tensor.integers(7)?;
    let shape = if signature.is_empty() { tensor.integers(0)? } else { signature };
    if shape.len() > RANK_MAX {
        return Err(ImportError::Limit { what: "dimensions of a tensor", max: RANK_MAX });
    }
    Ok(shape)
}

fn floating(tensor: Table<'_>) -> Result<(), ImportError> {
    if tensor.byte(1)? == tensor::FLOAT32 {
        return Ok(());
    }
    Err(ImportError::Foreign {
        what: "a TFLite file whose rows or answers are not floating-point numbers",
        hint: "convert it without `inference_input_type` and `inference_output_type`",
    })
}

/// The number of an operator; files from before 2020 have it in a byte.
fn code(table: Table<'_>) -> Result<i32, ImportError> {
    Ok(table.i32(3)?.max(i32::from(table.byte(0)?)))
}

#[derive(Default)]
struct Reader {
    codes: Vec<i32>,
    /// Of the file's tensors, in their order.
    names: Vec<String>,
    /// Their shapes, -1 for a dimension that is free.
    signatures: Vec<Vec<i32>>,
    nodes: Vec<Node>,
    constants: HashMap<ValueId, Tensor>,
    /// The first value that is no tensor of the file.
    next: ValueId,
}

impl Reader {
    fn tensors(&mut self, tensors: &[Table<'_>], buffers: &[Table<'_>]) -> Result<(), ImportError> {
        self.next = tensors.len();
        let mut budget = Budget::new();
        for (value, table) in tensors.iter().enumerate() {
            self.names.push(shown(table.text(3)?));
            self.signatures.push(signature(*table)?);
            let buffer =
                buffers.get(table.u32(2)? as usize).ok_or(damaged("a tensor has no buffer"))?;
            if buffer.bytes::<8>(1)?.is_some_and(|offset| u64::from_le_bytes(offset) > 1) {
                return Err(damaged("its weights are behind its end, which is not read"));
            }
            let bytes = buffer.vector(0, 1)?;
            // A tensor without bytes is computed.
            if !bytes.is_empty() {
                let tensor = tensor::read(*table, table.text(3)?, bytes, &mut budget)?;
                self.constants.insert(value, tensor);
            }
        }
        Ok(())
    }

    fn operator(&mut self, at: usize, operator: Table<'_>) -> Result<(), ImportError> {
        let code =
            self.codes.get(operator.u32(0)? as usize).ok_or(damaged("an operator has no code"))?;
        let options = operator.table(4)?;
        let meaning = op::of(*code, options)?;
        let mut inputs = self.values(&operator.integers(1)?)?;
        let mut outputs: Vec<ValueId> =
            self.values(&operator.integers(2)?)?.into_iter().flatten().collect();
        if meaning.op == Op::Reshape {
            self.reshape(&mut inputs, outputs.first(), options)?;
        }
        // Operators have no names of their own: they are called by what they give.
        let given = outputs.first().and_then(|output| self.names.get(*output));
        let name = format!("{at}: {}", given.map_or("", String::as_str));
        let fused = meaning.fused.map(|op| {
            let sums = self.fresh();
            let given = std::mem::replace(&mut outputs, vec![sums]);
            let (name, op_name) = (name.clone(), meaning.name.clone());
            Node { name, op_name, op, inputs: vec![Some(sums)], outputs: given }
        });
        self.nodes.push(Node { name, op_name: meaning.name, op: meaning.op, inputs, outputs });
        self.nodes.extend(fused);
        Ok(())
    }

    /// The shape may be stored, told, or computed of the batch: then the result says what comes out.
    fn reshape(
        &mut self,
        inputs: &mut Vec<Option<ValueId>>,
        output: Option<&ValueId>,
        options: Option<Table<'_>>,
    ) -> Result<(), ImportError> {
        let given = inputs.get(1).copied().flatten();
        if given.is_some_and(|shape| self.constants.contains_key(&shape)) {
            return Ok(());
        }
        let shape = match (given, output.and_then(|output| self.signatures.get(*output))) {
            (Some(_), Some(signature)) => signature.clone(),
            _ => options.map_or(Ok(vec![]), |options| options.integers(0))?,
        };
        let shape = self.stored(&shape)?;
        inputs.truncate(1);
        inputs.push(Some(shape));
        Ok(())
    }

    /// Tensors of the file by number; -1 stands for one that is left out.
    fn values(&self, numbers: &[i32]) -> Result<Vec<Option<ValueId>>, ImportError> {
        let value = |&number: &i32| match usize::try_from(number) {
            Ok(value) if value < self.names.len() => Ok(Some(value)),
            Ok(_) => Err(damaged(NO_TENSOR)),
            Err(_) => Ok(None),
        };
        numbers.iter().map(value).collect()
    }

    fn stored(&mut self, shape: &[i32]) -> Result<ValueId, ImportError> {
        let values = Values::Integers(shape.iter().map(|&size| size.into()).collect());
        let tensor = Tensor::new("new_shape", vec![shape.len()], values)?;
        let value = self.fresh();
        self.constants.insert(value, tensor);
        Ok(value)
    }

    fn fresh(&mut self) -> ValueId {
        self.next += 1;
        self.next - 1
    }
}

const VERSION: u32 = 3;
const NO_TENSOR: &str = "it names a tensor that is not there";
