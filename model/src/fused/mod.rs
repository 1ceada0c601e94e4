//! The same network without a tensor library: a chain of dense layers in vector instructions.
//!
//! What a tensor library does around the sums (allocating, dispatching, one pass per operation)
//! costs more than the sums of one row. Here weights are packed once, in the order in which they
//! are read; a block of rows goes through all layers while it is in the nearest cache; and the
//! sums of a block stay in registers until they are complete.
//!
//! A row's answer is the same to the last bit whatever rows stand beside it: every sum is taken
//! in the order of its inputs, in every kernel.
//!
//! There is no unsafe code here. `pulp` gives a token that the processor has been asked for its
//! instructions, and only who holds the token can use them. Where there are none of the kinds in
//! [`Level`], there is no fused path, and the engine answers.

mod activate;
mod chain;
mod dense;
mod level;
mod packed;
mod scratch;

use zeroize::Zeroizing;

use crate::stack::Stack;
use crate::{Activation, ModelError, Rows};
use activate::Activate;
use chain::Chain;
use level::Level;
use packed::Packed;

/// A network, packed for one kind of vector instructions.
pub(crate) struct Fused {
    level: Level,
    mean: Vec<f32>,
    layers: Vec<Layer>,
    /// Values a row takes in the widest place of the chain.
    width: usize,
    outputs: usize,
}

/// One layer of the chain.
struct Layer {
    inputs: usize,
    units: usize,
    /// Values from one row's sums to the next row's.
    stride: usize,
    activation: Activation,
    packed: Packed,
}

impl Fused {
    /// Packs a network for this machine, or nothing where it has no instructions that this is made
    /// for.
    pub(crate) fn load(stack: &Stack<'_>) -> Option<Self> {
        Level::best().map(|level| Self::for_level(stack, level))
    }

    fn for_level(stack: &Stack<'_>, level: Level) -> Self {
        let layers: Vec<_> = stack
            .layers
            .iter()
            .map(|layer| Layer {
                inputs: layer.inputs,
                units: layer.units,
                stride: layer.units.next_multiple_of(packed::panel(level.lanes())),
                activation: layer.activation,
                packed: Packed::new(
                    &layer.weight,
                    layer.bias,
                    layer.inputs,
                    layer.units,
                    level.lanes(),
                ),
            })
            .collect();
        let mean = stack.mean.clone();
        let widest = layers.iter().map(|layer| layer.stride).max();
        let width = widest.unwrap_or(0).max(mean.len());
        Self { level, width, outputs: stack.outputs(), layers, mean }
    }

    /// The answers to `rows`, row by row, whatever they are: an answer that is not a number is for
    /// the caller to refuse.
    ///
    /// # Errors
    ///
    /// When a value is too large to be standardised.
    pub(crate) fn infer(&self, rows: &Rows) -> Result<Zeroizing<Vec<f32>>, ModelError> {
        self.run(rows, End::Answers)
    }

    /// The last layer's sums, before its activation.
    ///
    /// # Errors
    ///
    /// When a value is too large to be standardised.
    pub(crate) fn sums(&self, rows: &Rows) -> Result<Zeroizing<Vec<f32>>, ModelError> {
        self.run(rows, End::Sums)
    }

    /// The answers to all of `parts` in one pass, each part's by themselves. They are what
    /// [`Fused::infer`] gives, to the last bit.
    ///
    /// The rows are copied side by side: a pass over rows that lie apart is a second kind of pass
    /// for the compiler, which then keeps the sums of neither in registers.
    ///
    /// # Errors
    ///
    /// When a value of any part is too large to be standardised; it is not said of which.
    pub(crate) fn infer_together(
        &self,
        parts: &[&Rows],
    ) -> Result<Vec<Zeroizing<Vec<f32>>>, ModelError> {
        let count: usize = parts.iter().map(|rows| rows.count()).sum();
        let (inputs, work) = (count * self.mean.len(), self.work(count));
        scratch::with(work + inputs + count * self.outputs, |scratch| {
            let (work, rest) = scratch.split_at_mut(work);
            let (rows, answers) = rest.split_at_mut(inputs);
            let mut free = &mut *rows;
            for part in parts {
                let (own, rest) = free.split_at_mut(part.values().len());
                own.copy_from_slice(part.values());
                free = rest;
            }
            self.pass(rows, work, answers, End::Answers)?;
            let mut left = &*answers;
            let own = |rows: &&Rows| {
                let (own, rest) = left.split_at(rows.count() * self.outputs);
                left = rest;
                Zeroizing::new(own.to_vec())
            };
            Ok(parts.iter().map(own).collect())
        })
    }

    fn run(&self, rows: &Rows, end: End) -> Result<Zeroizing<Vec<f32>>, ModelError> {
        let mut answers = Zeroizing::new(vec![0.0; rows.count() * self.outputs]);
        scratch::with(self.work(rows.count()), |work| {
            self.pass(rows.values(), work, &mut answers, end)
        })?;
        Ok(answers)
    }

    /// How many values a pass over so many rows works with.
    fn work(&self, count: usize) -> usize {
        2 * count.min(self.level.rows_max()) * self.width
    }

    fn pass(
        &self,
        rows: &[f32],
        work: &mut [f32],
        answers: &mut [f32],
        end: End,
    ) -> Result<(), ModelError> {
        let (from, to) = work.split_at_mut(work.len() / 2);
        self.level
            .run(Chain { fused: self, end, rows, from, to, answers })
            .map_err(|chain::Overflow { row, feature }| ModelError::ValueNotFinite { row, feature })
    }
}

/// Activates sums that were made elsewhere; false where the engine must.
pub(crate) fn activated(activation: Activation, sums: &mut [f32]) -> bool {
    let Some(level) = Level::best() else { return false };
    match activation {
        Activation::Linear => {}
        // As the sums of a layer are rectified: what is not a number stays so.
        Activation::Relu => {
            sums.iter_mut().filter(|sum| **sum < 0.0).for_each(|sum| *sum = 0.0);
        }
        Activation::Softmax => return false,
        activation => {
            let whole = sums.len() / level.lanes() * level.lanes();
            let (values, rest) = sums.split_at_mut(whole);
            level.run(Activate { activation, values });
            let mut last = [0.0; LANES_MAX];
            last.iter_mut().zip(&*rest).for_each(|(last, rest)| *last = *rest);
            level.run(Activate { activation, values: &mut last });
            rest.iter_mut().zip(&last).for_each(|(rest, last)| *rest = *last);
            last.fill(0.0);
        }
    }
    true
}

/// Values in the widest vector.
const LANES_MAX: usize = 16;

/// How far a chain goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// To the end.
    Answers,
    /// Up to the last activation.
    Sums,
}

#[cfg(test)]
mod tests;
