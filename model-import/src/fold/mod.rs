//! Steps as layers: what is affine is multiplied out, in 64 bits, until only layers are left.

mod head;
mod pending;
mod rounded;

use crate::chain::{Chain, Kind, Layout, Step};
use crate::network::Activation;
use crate::tensor::{Budget, Matrix};
use crate::{DEPTH_MAX, Format, ImportError, Network, WIDTH_MAX, Why};
use pending::Pending;

/// A layer in 64 bits.
#[derive(Debug)]
struct Wide {
    weight: Matrix,
    bias: Vec<f64>,
    activation: Activation,
}

/// The standardisation in 64 bits.
#[derive(Debug, PartialEq)]
struct WideStandardisation {
    mean: Vec<f64>,
    std: Vec<f64>,
}

/// The steps of `chain` as a network.
pub(crate) fn fold(chain: Chain, format: Format, producer: String) -> Result<Network, ImportError> {
    let mut folding = Folding {
        width: chain.width,
        rows: chain.rows.and_then(|rows| i64::try_from(rows).ok()),
        products_left: PRODUCTS_MAX,
        is_vector: false,
        pending: Pending::Nothing,
        standardisation: None,
        layers: vec![],
        paired: false,
        budget: Budget::new(),
    };
    let count = chain.steps.len();
    for (at, step) in chain.steps.into_iter().enumerate() {
        folding.step(step, at + 1 == count)?;
    }
    let (mut layers, standardisation) = folding.end()?;
    let head = head::of(&mut layers)?;
    let standardisation = standardisation.map(rounded::standardisation).transpose()?;
    let layers = layers.into_iter().enumerate().map(rounded::layer).collect::<Result<_, _>>()?;
    Ok(Network {
        format,
        producer,
        features: chain.features,
        standardisation,
        layers,
        head,
        classes: chain.classes,
        rounds_activations: chain.rounds_activations,
    })
}

struct Folding {
    /// How many values a row has here, once a step has said so.
    width: Option<usize>,
    /// How many rows the file was made for: a shape that says so leaves them as they are.
    rows: Option<i64>,
    /// How many more products may be computed to multiply matrices out.
    products_left: usize,
    /// Whether a row is one number without a dimension of its own.
    is_vector: bool,
    pending: Pending,
    standardisation: Option<WideStandardisation>,
    layers: Vec<Wide>,
    paired: bool,
    budget: Budget,
}

impl Folding {
    fn step(&mut self, step: Step, is_last: bool) -> Result<(), ImportError> {
        let refused = |why| ImportError::Node { node: step.node.clone(), op: step.op.clone(), why };
        let ended =
            self.paired || self.layers.last().is_some_and(|l| l.activation == Activation::Softmax);
        if ended && !matches!(step.kind, Kind::Layout(_) | Kind::Round) {
            return Err(refused(Why::AfterLast));
        }
        match step.kind {
            Kind::Round => Ok(()),
            Kind::Layout(layout) => self.layout(&layout, is_last).map_err(refused),
            Kind::Scale { factor, offset } => self.scale(factor, offset).map_err(refused),
            Kind::Dense { weight, bias } => {
                self.fits(weight.inputs).map_err(refused)?;
                self.dense(weight, bias, &refused)
            }
            Kind::Activation(activation) => self.activation(activation, &refused),
            Kind::Pair => {
                let one = self.width == Some(1) && matches!(self.pending, Pending::Nothing);
                let last = self.layers.last().map(|layer| layer.activation);
                if !one || last != Some(Activation::Sigmoid) {
                    return Err(refused(Why::Variant("what is no sigmoid of one value")));
                }
                self.paired = true;
                Ok(())
            }
        }
    }

    fn fits(&mut self, expected: usize) -> Result<(), Why> {
        match self.width.replace(expected) {
            _ if self.is_vector => Err(Why::Shape),
            Some(found) if found != expected => Err(Why::Width { expected, found }),
            _ => Ok(()),
        }
    }

    fn scale(&mut self, factor: Vec<f64>, offset: Vec<f64>) -> Result<(), Why> {
        if !factor.iter().chain(&offset).all(|value| value.is_finite()) {
            return Err(Why::NotFinite);
        }
        for list in [&factor, &offset] {
            // One value holds for every feature; a vector's only number is not made more.
            if list.len() != 1 {
                self.fits(list.len())?;
            }
        }
        self.pending.scale(&factor, &offset);
        Ok(())
    }

    fn dense(
        &mut self,
        weight: Matrix,
        bias: Vec<f64>,
        refused: &impl Fn(Why) -> ImportError,
    ) -> Result<(), ImportError> {
        let units = weight.units;
        for (what, count) in [("features", weight.inputs), ("units of a layer", units)] {
            if count > WIDTH_MAX {
                return Err(ImportError::Limit { what, max: WIDTH_MAX });
            }
        }
        let bias = match bias[..] {
            [one] => vec![one; units],
            _ if bias.len() == units => bias,
            _ => return Err(refused(Why::Shape)),
        };
        match self.pending.products(&weight).and_then(|count| self.products_left.checked_sub(count))
        {
            Some(left) => self.products_left = left,
            None => self.push(Activation::Linear)?,
        }
        let leads = self.layers.is_empty() && self.standardisation.is_none();
        self.standardisation =
            self.pending.dense(weight, bias, leads).or(self.standardisation.take());
        self.width = Some(units);
        Ok(())
    }

    /// Ends a layer. An activation without sums before it gets an identity to stand on.
    fn activation(
        &mut self,
        activation: Activation,
        refused: &impl Fn(Why) -> ImportError,
    ) -> Result<(), ImportError> {
        if activation == Activation::Softmax && (self.is_vector || self.width == Some(1)) {
            return Err(refused(Why::Variant("one value, of which it makes 1")));
        }
        self.stand(refused)?;
        self.push(activation)
    }

    /// Makes sums of what is pending, where there are none.
    fn stand(&mut self, refused: &impl Fn(Why) -> ImportError) -> Result<(), ImportError> {
        if matches!(self.pending, Pending::Dense { .. }) {
            return Ok(());
        }
        let width = self.width.filter(|width| (1..=IDENTITY_WIDTH_MAX).contains(width));
        let width = width.ok_or_else(|| refused(Why::Variant("no dense layer before it")))?;
        self.budget.take(width * width)?;
        self.dense(Matrix::identity(width), vec![0.0], refused)
    }

    fn push(&mut self, activation: Activation) -> Result<(), ImportError> {
        if self.layers.len() >= DEPTH_MAX {
            return Err(ImportError::Limit { what: "layers", max: DEPTH_MAX });
        }
        if let Pending::Dense { weight, bias } =
            std::mem::replace(&mut self.pending, Pending::Nothing)
        {
            self.layers.push(Wide { weight, bias, activation });
        }
        Ok(())
    }

    /// A change of shape is no change where each row stays by itself, and at the very end, where
    /// the values of all rows still stand in their order.
    fn layout(&mut self, layout: &Layout, is_last: bool) -> Result<(), Why> {
        match layout {
            Layout::Flatten => {}
            Layout::Squeeze => self.is_vector = self.width == Some(1),
            Layout::Reshape(_) if is_last => {}
            Layout::Reshape(sizes) => match sizes[..] {
                // [-1] of one value a row is a vector of rows.
                [-1] if self.width == Some(1) => self.is_vector = true,
                [-1 | 0, size] if size > 0 => {
                    let size = usize::try_from(size).unwrap_or(usize::MAX);
                    if self.is_vector && size == 1 {
                        self.is_vector = false;
                    }
                    self.fits(size).map_err(|_| Why::Rows)?;
                }
                [0, -1] => {}
                [rows, -1] if Some(rows) == self.rows => {}
                _ => return Err(Why::Rows),
            },
        }
        Ok(())
    }

    /// What is left without an activation is the last layer.
    fn end(mut self) -> Result<(Vec<Wide>, Option<WideStandardisation>), ImportError> {
        let (node, op) = ("the answer".to_owned(), "no layer".to_owned());
        let refused = |why| ImportError::Node { node: node.clone(), op: op.clone(), why };
        if self.pending == Pending::Nothing && self.layers.is_empty() {
            return Err(refused(Why::Variant("no layer at all")));
        }
        if self.pending != Pending::Nothing {
            self.stand(&refused)?;
            self.push(Activation::Linear)?;
        }
        Ok((self.layers, self.standardisation))
    }
}

/// Some seconds of multiplying.
const PRODUCTS_MAX: usize = 1 << 32;
/// An identity in front of an activation is as large as its width squared.
const IDENTITY_WIDTH_MAX: usize = 1_024;

#[cfg(test)]
mod tests;
