//! The weights of a PyTorch Sequential, and a few words about what stands between them.
//!
//! The words are one phrase for each dense layer, divided by commas: what follows it, in order.
//! `norm relu, leaky_relu:0.05, sigmoid` is three layers, the first with a BatchNorm1d behind it.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors};

use crate::ImportError;
use crate::chain::{Chain, Kind, Step, norm};
use crate::error::shown;
use crate::float::{self, Stored};
use crate::graph::NODES_MAX;
use crate::network::Activation;
use crate::tensor::{Budget, Matrix, Tensor, Values};

/// The file's layers in the order of their names, with what the words say after each.
pub(crate) fn chain(file: &[u8], words: Option<&str>) -> Result<Chain, ImportError> {
    let words = words.ok_or(ImportError::Foreign {
        what: "a list of weights, which does not say what is done between them",
        hint: HINT,
    })?;
    let refused = |what: String| ImportError::Architecture { words: shown(words), what };
    let modules = modules(file)?;
    let layers = modules.values().filter(|module| module.is_layer()).count();
    let phrases: Vec<&str> = words.split(',').map(str::trim).collect();
    if phrases.len() != layers {
        return Err(refused(format!("{} layers are named, the file has {layers}", phrases.len())));
    }
    let (mut rest, mut steps) = (modules.into_values().peekable(), vec![]);
    for phrase in phrases {
        let layer = rest.next().ok_or_else(|| refused(TOO_FEW.to_owned()))?;
        steps.push(layer.dense()?);
        for word in phrase.split_whitespace() {
            steps.push(match word {
                "linear" => continue,
                "norm" => {
                    let norm = rest.next_if(|module| !module.is_layer());
                    norm.ok_or_else(|| refused("no `norm` is there in the file".to_owned()))?
                        .norm()?
                }
                _ => activation(word)
                    .ok_or_else(|| refused(format!("`{}` is unknown", shown(word))))?,
            });
        }
        if let Some(norm) = rest.next_if(|module| !module.is_layer()) {
            return Err(refused(format!(
                "the file has a `norm`, `{}`, that is not named",
                norm.name
            )));
        }
    }
    Ok(Chain {
        steps,
        width: None,
        rows: None,
        features: None,
        classes: None,
        rounds_activations: false,
    })
}

/// The tensors whose names differ in nothing but their last word.
struct Module {
    name: String,
    tensors: BTreeMap<String, Tensor>,
}

impl Module {
    /// A dense layer has a matrix.
    fn is_layer(&self) -> bool {
        self.tensors.get("weight").is_some_and(|weight| weight.shape().len() == 2)
    }

    fn dense(self) -> Result<Step, ImportError> {
        for name in self.tensors.keys() {
            if !["weight", "bias"].contains(&name.as_str()) {
                return Err(self.refused("is of no dense layer"));
            }
        }
        let weight = self.tensors.get("weight").and_then(|weight| Matrix::of(weight, true));
        let weight = weight.ok_or_else(|| self.refused("has no matrix as its weight"))?;
        let bias = match self.tensors.get("bias") {
            None => vec![0.0],
            Some(bias) => bias
                .row()
                .map(<[f64]>::to_vec)
                .ok_or_else(|| self.refused("has no row as its bias"))?,
        };
        Ok(Step { kind: Kind::Dense { weight, bias }, node: self.name, op: "Linear".to_owned() })
    }

    fn norm(self) -> Result<Step, ImportError> {
        let row = |name| self.tensors.get(name).and_then(Tensor::row);
        let found = match (row("running_mean"), row("running_var")) {
            (Some(mean), Some(variance)) => {
                let (ones, zeros) = (vec![1.0; mean.len()], vec![0.0; mean.len()]);
                let scale = row("weight").unwrap_or(&ones);
                norm([scale, row("bias").unwrap_or(&zeros), mean, variance], EPSILON)
            }
            _ => None,
        };
        let [factor, offset] =
            found.ok_or_else(|| self.refused("is no BatchNorm1d that was trained"))?;
        Ok(Step {
            kind: Kind::Scale { factor, offset },
            node: self.name,
            op: "BatchNorm1d".to_owned(),
        })
    }

    fn refused(&self, what: &'static str) -> ImportError {
        ImportError::Tensor { tensor: shown(&self.name), what }
    }
}

/// A name as people count: `layers.10` comes after `layers.9`.
type Order = Vec<Part>;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u64),
    Text(String),
}

fn order(name: &str) -> Order {
    let mut parts = vec![];
    for c in name.chars() {
        match (c.to_digit(10), parts.last_mut()) {
            (Some(digit), Some(Part::Number(number))) => {
                *number = number.saturating_mul(10).saturating_add(digit.into());
            }
            (Some(digit), _) => parts.push(Part::Number(digit.into())),
            (None, Some(Part::Text(text))) => text.push(c),
            (None, _) => parts.push(Part::Text(c.to_string())),
        }
    }
    parts
}

/// Modules by place and name: two of one place have two names.
type Modules = BTreeMap<(Order, String), Module>;

fn modules(file: &[u8]) -> Result<Modules, ImportError> {
    let length = file.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
    if length > HEADER_BYTES_MAX {
        return Err(ImportError::Limit {
            what: "bytes in its header",
            max: HEADER_BYTES_MAX as usize,
        });
    }
    let tensors = SafeTensors::deserialize(file).map_err(ImportError::Safetensors)?;
    if tensors.len() > NODES_MAX {
        return Err(ImportError::Limit { what: "tensors", max: NODES_MAX });
    }
    let mut modules = Modules::new();
    let mut budget = Budget::new();
    for (name, view) in tensors.iter() {
        let (path, last) = name.rsplit_once('.').unwrap_or(("", name));
        if last == "num_batches_tracked" {
            continue;
        }
        let stored = match view.dtype() {
            Dtype::F16 => Stored::F16,
            Dtype::BF16 => Stored::Bf16,
            Dtype::F32 => Stored::F32,
            Dtype::F64 => Stored::F64,
            _ => {
                return Err(ImportError::Tensor {
                    tensor: shown(name),
                    what: "is not of floating-point numbers",
                });
            }
        };
        budget.take(view.data().len() / stored.width())?;
        let values = Values::Floats(float::floats(stored, view.data()));
        let tensor = Tensor::new(name, view.shape().to_vec(), values)?;
        let module = modules.entry((order(path), path.to_owned()));
        let module =
            module.or_insert_with(|| Module { name: shown(path), tensors: BTreeMap::new() });
        module.tensors.insert(last.to_owned(), tensor);
    }
    let counted = |order: &Order| order.iter().any(|part| matches!(part, Part::Number(_)));
    match modules.iter().find(|((order, _), _)| modules.len() > 1 && !counted(order)) {
        None => Ok(modules),
        Some((_, module)) => {
            Err(module.refused("has no number in its name, so that its place is not known"))
        }
    }
}

/// A word, with its parameter behind a colon where it has one.
fn activation(word: &str) -> Option<Step> {
    let (name, alpha) = match word.split_once(':') {
        Some((name, alpha)) => {
            (name, Some(alpha.parse::<f32>().ok().filter(|alpha| alpha.is_finite())?))
        }
        None => (word, None),
    };
    let activation = match (name, alpha) {
        // PyTorch's own defaults.
        ("leaky_relu", alpha) => Activation::LeakyRelu { alpha: alpha.unwrap_or(0.01) },
        ("elu", alpha) => Activation::Elu { alpha: alpha.unwrap_or(1.0) },
        ("relu", None) => Activation::Relu,
        ("selu", None) => Activation::Selu,
        ("gelu", None) => Activation::Gelu,
        ("gelu_tanh", None) => Activation::GeluTanh,
        ("sigmoid", None) => Activation::Sigmoid,
        ("tanh", None) => Activation::Tanh,
        ("softmax", None) => Activation::Softmax,
        _ => return None,
    };
    Some(Step { kind: Kind::Activation(activation), node: word.to_owned(), op: name.to_owned() })
}

/// That of a BatchNorm1d of which nothing else was asked; the file does not hold it.
const EPSILON: f64 = 1e-5;
const HEADER_BYTES_MAX: u64 = 1 << 20;
const TOO_FEW: &str = "the file begins with a `norm`";
const HINT: &str = "say what follows each layer, as in `--architecture \"relu, relu, sigmoid\"`; also `linear`, `norm` (BatchNorm1d), `leaky_relu:0.01`, `elu:1`, `selu`, `gelu`, `gelu_tanh`, `tanh`, `softmax`";

#[cfg(test)]
mod tests {
    use super::{activation, order};
    use crate::chain::Kind;
    use crate::network::Activation;

    #[test]
    fn names_are_ordered_as_people_count() {
        assert!(order("net.9") < order("net.10"));
        assert!(order("fc2") < order("fc10"));
        assert!(order("0") < order("2"));
    }

    #[test]
    fn a_word_may_have_a_parameter() {
        let found = activation("leaky_relu:0.05").map(|step| step.kind);
        assert_eq!(found, Some(Kind::Activation(Activation::LeakyRelu { alpha: 0.05 })));
        for word in ["relu:1", "leaky_relu:x", "leaky_relu:inf", "swish"] {
            assert!(activation(word).is_none(), "{word}");
        }
    }
}
