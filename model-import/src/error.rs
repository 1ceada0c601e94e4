//! Why a file was not imported, and what to do about it.

use safetensors::SafeTensorError;
use thiserror::Error;

use crate::Format;

/// Why a file was not imported.
///
/// Names come from the file: what a terminal must not show is replaced, and long ones are cut.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file is larger than any that is read.
    #[error("the file is larger than {max} bytes")]
    TooLarge {
        /// The limit, in bytes.
        max: usize,
    },
    /// Nothing here reads such a file.
    #[error("the file is of no format that can be imported")]
    UnknownFormat,
    /// The file is known, and is to be written in another form first.
    #[error("the file is {what}")]
    Foreign {
        /// What it is.
        what: &'static str,
        /// What to type.
        hint: &'static str,
    },
    /// The file is not what its format says.
    #[error("the {format} file is damaged: {what}")]
    Damaged {
        /// Which format.
        format: Format,
        /// What is wrong.
        what: &'static str,
    },
    /// The container of the weights cannot be read.
    #[error("the safetensors file is damaged")]
    Safetensors(#[source] SafeTensorError),
    /// There is more of something than is read.
    #[error("the file has more than {max} {what}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many are read.
        max: usize,
    },
    /// A tensor cannot be used.
    #[error("tensor `{tensor}` {what}")]
    Tensor {
        /// Its name.
        tensor: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Weights are in a second file.
    #[error("the weights are in another file, `{file}`, beside the model")]
    Outside {
        /// Its name.
        file: String,
    },
    /// A node cannot be part of a dense network.
    #[error("node `{node}` ({op}) {why}")]
    Node {
        /// Its name.
        node: String,
        /// What it does.
        op: String,
        /// What is wrong with it.
        why: Why,
    },
    /// The model has not one input and one answer.
    #[error("the model has {found} {what}, one is needed")]
    Ends {
        /// Inputs or answers.
        what: &'static str,
        /// How many.
        found: usize,
    },
    /// The words given as the architecture do not fit the file.
    #[error("architecture `{words}`: {what}")]
    Architecture {
        /// The words.
        words: String,
        /// What is wrong with them.
        what: String,
    },
}

/// What is wrong with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Why {
    /// No step stands for it.
    #[error("cannot be represented")]
    Unknown,
    /// It does, but not in this variant.
    #[error("cannot be represented with {0}")]
    Variant(&'static str),
    /// It joins two branches.
    #[error("joins branches that are not one known activation")]
    Branches,
    /// What should be a stored number is computed.
    #[error("needs a stored tensor as its {0}")]
    Stored(&'static str),
    /// It has another width than what comes to it.
    #[error("takes {expected} values a row and gets {found}")]
    Width {
        /// What it takes.
        expected: usize,
        /// What comes.
        found: usize,
    },
    /// Its tensor has another shape than it can have.
    #[error("has a tensor whose shape does not fit")]
    Shape,
    /// It puts values of one row into another.
    #[error("does not keep each row by itself")]
    Rows,
    /// It is left to do where only the last layer may be.
    #[error("stands after the last layer")]
    AfterLast,
    /// It gives what is no finite number.
    #[error("gives a weight that is not a finite number")]
    NotFinite,
    /// It reads a value that nothing gives.
    #[error("reads a value that nothing gives")]
    Dangling,
}

impl ImportError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::UnknownFormat => {
                "ONNX, TFLite, and the weights of a PyTorch Sequential as safetensors can be imported"
            }
            Self::Foreign { hint, .. } => hint,
            Self::Damaged { .. } | Self::Safetensors(_) => "export the model again",
            Self::Outside { .. } => {
                "put it beside the model, or export with `torch.onnx.export(.., external_data=False)`"
            }
            Self::Ends { what: ANSWERS, .. } => {
                "export the model with its probabilities or its values as the only answer beside labels"
            }
            Self::Ends { .. } => {
                "export the model with all features in one input of shape [rows, features]"
            }
            Self::Node { why, .. } => why.hint(),
            _ => return None,
        })
    }
}

impl Why {
    fn hint(self) -> &'static str {
        match self {
            Self::Unknown | Self::Variant(_) => {
                "only dense layers with relu, leaky_relu, elu, selu, gelu, sigmoid, tanh or softmax can be imported: take this step out before the export and do it in the caller"
            }
            Self::Branches => {
                "only a straight chain of layers can be imported: no sums, products or joins of branches"
            }
            Self::Stored(_) => "export the model in evaluation mode, with its weights inside",
            Self::Width { .. } | Self::Shape => {
                "export the model again, with an input of [rows, features]"
            }
            Self::Rows => {
                "export the model with an input of [rows, features] and a free number of rows"
            }
            Self::AfterLast => {
                "softmax is only possible as the last layer: take what follows out before the export"
            }
            Self::NotFinite => "train the model again: a weight has overflowed",
            Self::Dangling => "export the model again",
        }
    }
}

/// What [`ImportError::Ends`] counts at the end of a model.
pub(crate) const ANSWERS: &str = "answers";
/// And at its beginning.
pub(crate) const INPUTS: &str = "inputs";

/// A name out of a file, as it may be shown.
pub(crate) fn shown(name: &str) -> String {
    let plain = |c: char| if c.is_control() { '?' } else { c };
    name.chars().map(plain).take(NAME_CHARS_MAX).collect()
}

const NAME_CHARS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_name_cannot_write_to_the_terminal() {
        assert_eq!(shown("a\u{1b}[2J\nb"), "a?[2J?b");
        assert_eq!(shown(&"é".repeat(10_000)).chars().count(), 100);
    }
}
