//! Which of a model's outputs is the answer, and what its classes are called.

use crate::ImportError;
use crate::error::ANSWERS;
use crate::graph::{Graph, Op, ValueId};

use super::constant;

pub(super) struct Answer {
    pub(super) value: ValueId,
    pub(super) classes: Option<Vec<String>>,
}

/// The only output that is not made of labels.
pub(super) fn find(graph: &Graph) -> Result<Answer, ImportError> {
    let (mut answers, mut looked_up) = (vec![], None);
    for &output in &graph.outputs {
        match Origin::of(graph, output)? {
            Origin::Values => answers.push(output),
            Origin::Labels(names) => looked_up = names.or(looked_up),
        }
    }
    let [value] = answers[..] else {
        return Err(ImportError::Ends { what: ANSWERS, found: answers.len() });
    };
    Ok(match graph.producer(value) {
        Some(node) => match (&node.op, node.input(0)) {
            (Op::ZipMap { classes }, Some(value)) => {
                Answer { value, classes: classes.clone().or(looked_up) }
            }
            _ => Answer { value, classes: looked_up },
        },
        None => Answer { value, classes: looked_up },
    })
}

/// What an output is made of.
enum Origin {
    Values,
    /// The most probable class, or what was looked up by it, with the names.
    Labels(Option<Vec<String>>),
}

impl Origin {
    /// Behind casts and reshapes.
    fn of(graph: &Graph, output: ValueId) -> Result<Self, ImportError> {
        let mut value = output;
        for _ in 0..BEHIND_MAX {
            let Some(node) = graph.producer(value) else { break };
            value = match (&node.op, node.input(0)) {
                (Op::LookUp, Some(names)) => {
                    let names = constant::of(graph, names)?;
                    return Ok(Self::Labels(names.and_then(|names| names.names())));
                }
                (Op::Named { classes }, _) => return Ok(Self::Labels(classes.clone())),
                // A cast to whole numbers of what was looked up is a label as well.
                (Op::Label, Some(input)) => match Self::of_cast(graph, input)? {
                    Some(names) => return Ok(Self::Labels(Some(names))),
                    None => return Ok(Self::Labels(None)),
                },
                (Op::Identity | Op::Reshape | Op::Squeeze { .. }, Some(input)) => input,
                _ => break,
            };
        }
        Ok(Self::Values)
    }

    fn of_cast(graph: &Graph, mut value: ValueId) -> Result<Option<Vec<String>>, ImportError> {
        for _ in 0..BEHIND_MAX {
            let Some(node) = graph.producer(value) else { break };
            value = match (&node.op, node.input(0)) {
                (Op::LookUp, Some(names)) => {
                    return Ok(constant::of(graph, names)?.and_then(|names| names.names()));
                }
                (Op::Named { classes }, _) => return Ok(classes.clone()),
                (Op::Label | Op::Identity | Op::Reshape | Op::Squeeze { .. }, Some(input)) => input,
                _ => break,
            };
        }
        Ok(None)
    }
}

/// How many steps a label is behind its lookup.
const BEHIND_MAX: usize = 8;
