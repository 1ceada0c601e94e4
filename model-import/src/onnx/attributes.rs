//! `AttributeProto`: what a node is told beside its inputs.

use super::tensor::Message;
use super::wire::Fields;
use crate::{ImportError, WIDTH_MAX};

/// The attributes of one node.
pub(super) struct Attributes<'a>(Vec<(&'a str, Attribute<'a>)>);

#[derive(Default)]
struct Attribute<'a> {
    float: Option<f64>,
    integer: Option<i64>,
    text: Option<&'a [u8]>,
    tensor: Option<&'a [u8]>,
    floats: Vec<f64>,
    integers: Vec<i64>,
    texts: Vec<String>,
    /// `g` and `graphs`: the node runs other nodes.
    graph: bool,
}

impl<'a> Attributes<'a> {
    pub(super) const fn new() -> Self {
        Self(vec![])
    }

    pub(super) fn push(&mut self, message: &'a [u8]) -> Result<(), ImportError> {
        if self.0.len() >= ATTRIBUTES_MAX {
            return Err(ImportError::Limit { what: "attributes of a node", max: ATTRIBUTES_MAX });
        }
        let (mut name, mut read, max) = ("", Attribute::default(), WIDTH_MAX);
        for field in Fields::of(message) {
            match field? {
                (1, field) => name = field.text()?,
                (2, field) => read.float = Some(field.float()?),
                (3, field) => read.integer = Some(field.integer()?),
                (4, field) => read.text = Some(field.bytes()?),
                (5, field) => read.tensor = Some(field.bytes()?),
                (6 | 11, _) => read.graph = true,
                (7, field) => field.floats(&mut read.floats, max)?,
                (8, field) => field.integers(&mut read.integers, max)?,
                (9, field) => field.texts(&mut read.texts, max)?,
                _ => {}
            }
        }
        self.0.push((name, read));
        Ok(())
    }

    fn find(&self, name: &str) -> Option<&Attribute<'a>> {
        self.0.iter().find(|(found, _)| *found == name).map(|(_, attribute)| attribute)
    }

    pub(super) fn float(&self, name: &str) -> Option<f64> {
        self.find(name)?.float
    }

    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        self.find(name)?.integer
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a [u8]> {
        self.find(name)?.text
    }

    pub(super) fn floats(&self, name: &str) -> Vec<f64> {
        self.find(name).map(|attribute| attribute.floats.clone()).unwrap_or_default()
    }

    pub(super) fn integers(&self, name: &str) -> Option<Vec<i64>> {
        self.find(name).map(|attribute| attribute.integers.clone())
    }

    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        self.find(name).map(|attribute| attribute.texts.clone()).unwrap_or_default()
    }

    pub(super) fn tensor(&self, name: &str) -> Result<Option<Message<'a>>, ImportError> {
        self.find(name).and_then(|attribute| attribute.tensor).map(Message::read).transpose()
    }

    pub(super) fn has_graph(&self) -> bool {
        self.0.iter().any(|(_, attribute)| attribute.graph)
    }
}

/// No operator has half as many.
const ATTRIBUTES_MAX: usize = 32;
