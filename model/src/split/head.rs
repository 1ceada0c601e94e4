//! The head of a split model: asks the other parts and puts together what they answer.

use burn::tensor::Device;
use zeroize::Zeroizing;

use super::exchange::{answered, question};
use super::segment::Segment;
use super::{Cut, Part, Plan};
use crate::{Activation, ModelError, Outputs, Rows, fused, network};

/// A part that another process holds.
pub trait Elsewhere: Send + Sync {
    /// Sends a question, and returns before it is answered.
    ///
    /// # Errors
    ///
    /// [`ModelError::PartLost`].
    fn ask(&self, question: &[u8]) -> Result<Awaited, ModelError>;
}

/// Waits for the answer to one question.
pub type Awaited = Box<dyn FnOnce() -> Result<Zeroizing<Vec<u8>>, ModelError> + Send>;

/// A split model, seen from its first part.
pub(crate) struct Split {
    own: Vec<Segment>,
    others: Vec<Box<dyn Elsewhere>>,
    exchanges: Exchanges,
    /// The most values that a row has in any message.
    widest: usize,
    device: Device,
}

/// How parts work together.
enum Exchanges {
    /// One after the other; each but the head's answers so many values.
    Layers(Vec<usize>),
    /// All at once, so many times.
    Columns(Vec<Exchange>),
}

/// What is done with the answers of all parts.
struct Exchange {
    gather: Gather,
    activation: Activation,
    /// Values of a row afterwards.
    units: usize,
}

enum Gather {
    /// Each part has a share of every sum.
    Sum,
    /// Each part has so many of the sums.
    Beside(Vec<usize>),
}

impl Split {
    pub(crate) fn new(
        plan: &Plan,
        own: &Part,
        others: Vec<Box<dyn Elsewhere>>,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let (expected, found) = (plan.parts().len(), others.len() + 1);
        if expected != found {
            return Err(ModelError::PartCount { expected, found });
        }
        if plan.parts().first() != Some(&own.digest()) {
            return Err(ModelError::OtherPart { part: 0 });
        }
        let own = Segment::all_of(own, device)?;
        let widths = |part: usize| {
            plan.part_manifest(part)
                .segments
                .iter()
                .map(|segment| [segment.inputs as usize, segment.outputs()])
                .collect::<Vec<_>>()
        };
        let widest = (0..expected).flat_map(widths).flatten().max().unwrap_or(1).max(1);
        let ends = |part| widths(part).last().map_or(0, |[_, outputs]| *outputs);
        let exchanges = match plan.cut() {
            Cut::Layers { .. } => Exchanges::Layers((1..expected).map(ends).collect()),
            Cut::Columns { bounds } => {
                let layers = &plan.manifest().architecture;
                let exchange = |pair: usize| match (layers.get(2 * pair), layers.get(2 * pair + 1))
                {
                    (_, Some(second)) => Some((Gather::Sum, second)),
                    (only, None) => {
                        Some((Gather::Beside((0..expected).map(ends).collect()), only?))
                    }
                };
                let exchange = |pair| {
                    let (gather, layer) = exchange(pair)?;
                    let (activation, units) = (layer.activation, layer.units as usize);
                    Some(Exchange { gather, activation, units })
                };
                Exchanges::Columns((0..bounds.len()).filter_map(exchange).collect())
            }
        };
        Ok(Self { own, others, exchanges, widest, device: device.clone() })
    }

    /// Scores rows of raw values.
    pub(crate) fn infer(&self, rows: &Rows) -> Result<Outputs, ModelError> {
        match &self.exchanges {
            Exchanges::Layers(outputs) => self.by_layers(rows, outputs),
            Exchanges::Columns(exchanges) => {
                let answers = blocks(rows, self.block_rows_max())
                    .map(|block| self.by_columns(block?, exchanges));
                joined(answers.collect::<Result<_, _>>()?)
            }
        }
    }

    /// Rows go through in blocks, so that a part works on one while the next is at the part before.
    fn by_layers(&self, rows: &Rows, outputs: &[usize]) -> Result<Outputs, ModelError> {
        let first = self.own.first().ok_or(ModelError::Exchange)?;
        let even = rows.count().div_ceil(BLOCKS_A_PART * (self.others.len() + 1));
        let block = even.max(BLOCK_ROWS_MIN).min(self.block_rows_max());
        let Some(((next, later), width)) = self.others.split_first().zip(outputs.first()) else {
            return Err(ModelError::Exchange);
        };
        // Each block is on its way before the next one is computed.
        let mut asked = blocks(rows, block)
            .map(|block| Asked::of(&**next, first.infer(&block?)?, *width))
            .collect::<Result<Vec<_>, _>>()?;
        for (other, &width) in later.iter().zip(outputs.iter().skip(1)) {
            let on = |asked: Asked| Asked::of(&**other, asked.arrived()?, width);
            asked = asked.into_iter().map(on).collect::<Result<_, _>>()?;
        }
        joined(asked.into_iter().map(Asked::arrived).collect::<Result<_, _>>()?)
    }

    fn by_columns(&self, mut rows: Rows, exchanges: &[Exchange]) -> Result<Outputs, ModelError> {
        for (segment, (exchange, own)) in exchanges.iter().zip(&self.own).enumerate() {
            let question = question(segment, &rows)?;
            let asked: Vec<_> =
                self.others.iter().map(|other| other.ask(&question)).collect::<Result<_, _>>()?;
            // The others work while this part does.
            let own = own.infer(&rows)?;
            let count = rows.count();
            let sums = match &exchange.gather {
                Gather::Sum => added(own, asked, count, exchange.units)?,
                Gather::Beside(widths) => beside(own, asked, count, widths)?,
            };
            let outputs = self.activated(exchange, count, sums)?;
            if segment + 1 == self.own.len() {
                return Ok(outputs);
            }
            rows = Rows::try_from(outputs)?;
        }
        self.own.last().ok_or(ModelError::Exchange)?.infer(&rows)
    }

    fn activated(
        &self,
        exchange: &Exchange,
        count: usize,
        mut sums: Zeroizing<Vec<f32>>,
    ) -> Result<Outputs, ModelError> {
        let (activation, units) = (exchange.activation, exchange.units);
        if !fused::activated(activation, &mut sums) {
            sums = network::activated(activation, sums, units, &self.device)?;
        }
        Outputs::new(count, units, sums)
    }

    fn block_rows_max(&self) -> usize {
        (BLOCK_BYTES_MAX / (size_of::<f32>() * self.widest)).max(1)
    }
}

/// A block of rows that is at another part.
struct Asked {
    answer: Awaited,
    count: usize,
    width: usize,
}

impl Asked {
    fn of(part: &dyn Elsewhere, values: Outputs, width: usize) -> Result<Self, ModelError> {
        let rows = Rows::try_from(values)?;
        let answer = part.ask(&question(0, &rows)?)?;
        Ok(Self { answer, count: rows.count(), width })
    }

    fn arrived(self) -> Result<Outputs, ModelError> {
        answered(&(self.answer)()?, self.count, self.width)
    }
}

fn added(
    own: Outputs,
    asked: Vec<Awaited>,
    count: usize,
    units: usize,
) -> Result<Zeroizing<Vec<f32>>, ModelError> {
    let mut sums = own.into_values();
    for answer in asked {
        let share = answered(&answer()?, count, units)?;
        sums.iter_mut().zip(share.values()).for_each(|(sum, share)| *sum += share);
    }
    Ok(sums)
}

fn beside(
    own: Outputs,
    asked: Vec<Awaited>,
    count: usize,
    widths: &[usize],
) -> Result<Zeroizing<Vec<f32>>, ModelError> {
    let mut parts = vec![own];
    for (answer, &width) in asked.into_iter().zip(widths.iter().skip(1)) {
        parts.push(answered(&answer()?, count, width)?);
    }
    let mut rows: Vec<_> =
        parts.iter().map(|part| part.values().chunks_exact(part.width())).collect();
    let mut sums = Zeroizing::new(Vec::with_capacity(count * widths.iter().sum::<usize>()));
    for _ in 0..count {
        rows.iter_mut().filter_map(Iterator::next).for_each(|row| sums.extend_from_slice(row));
    }
    Ok(sums)
}

/// The same rows, so many at a time.
fn blocks(rows: &Rows, count: usize) -> impl Iterator<Item = Result<Rows, ModelError>> {
    let features = rows.features();
    let block = move |values: &[f32]| Rows::new(values.len() / features, features, values.to_vec());
    rows.values().chunks(count.saturating_mul(features)).map(block)
}

/// The answers to one block after the other.
fn joined(mut blocks: Vec<Outputs>) -> Result<Outputs, ModelError> {
    if blocks.len() == 1 {
        return blocks.pop().ok_or(ModelError::NoRows);
    }
    let count = blocks.iter().map(Outputs::count).sum();
    let width = blocks.first().map_or(0, Outputs::width);
    let mut values = Zeroizing::new(Vec::with_capacity(count * width));
    blocks.iter().for_each(|block| values.extend_from_slice(block.values()));
    Outputs::new(count, width, values)
}

/// A message is at most so long, unless one row is longer: far below what a frame may carry.
const BLOCK_BYTES_MAX: usize = 4 << 20;
/// So that each part has a block to work on and one that waits.
const BLOCKS_A_PART: usize = 2;
/// Fewer rows than these cost more to send than they gain.
const BLOCK_ROWS_MIN: usize = 16;
