//! What an answer means.

use serde::{Deserialize, Serialize};

/// What the answer means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum Task {
    /// The probability of one of two classes: one sigmoid unit.
    Binary {
        /// Both classes, the negative one first.
        classes: [String; 2],
        /// The class whose probability is answered.
        positive: String,
    },
    /// The probability of each of several classes, of which one is right: softmax units.
    Multiclass {
        /// The classes, in the order of the units; at least two.
        classes: Vec<String>,
    },
    /// The probability of each of several labels, of which any number is right: sigmoid units.
    Multilabel {
        /// The labels, in the order of the units.
        labels: Vec<String>,
    },
    /// Numbers: units of any activation but softmax.
    Regression {
        /// What they are, in the order of the units.
        targets: Vec<Quantity>,
    },
}

/// A number that a model answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantity {
    /// Its name, unique in the model.
    pub name: String,
    /// Its unit; `1` where there is none.
    pub unit: String,
}

impl Task {
    /// The name of each value of an answer: a class, a label or a quantity.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Binary { positive, .. } => vec![positive],
            Self::Multiclass { classes: names } | Self::Multilabel { labels: names } => {
                names.iter().map(String::as_str).collect()
            }
            Self::Regression { targets } => {
                targets.iter().map(|target| target.name.as_str()).collect()
            }
        }
    }
}
