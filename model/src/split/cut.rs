//! How a model is cut, and what of each layer a part gets.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::manifest::require;
use crate::{Activation, Manifest, ModelError};

/// The most parts of one model: each is a process.
pub const PARTS_MAX: usize = 8;

/// Where the cuts are. Part `p` gets what lies from `bounds[p]` to `bounds[p + 1]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "lowercase", deny_unknown_fields)]
pub enum Cut {
    /// By units: for each pair of layers, the bounds among the units of the first. A last layer
    /// without a partner is the first part's, unless it is the only one.
    Columns {
        /// Pair by pair.
        bounds: Vec<Vec<u32>>,
    },
    /// By layers.
    Layers {
        /// Among the layers.
        bounds: Vec<u32>,
    },
}

/// What a part has of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// Which layer of the whole model, from 0.
    pub layer: usize,
    /// Which of its inputs.
    pub inputs: Range<usize>,
    /// Which of its units.
    pub units: Range<usize>,
    /// Whether the biases are here. Where sums are added up, one part has them and the others zeros.
    pub biased: bool,
    /// What the part does to the sums.
    pub activation: Activation,
}

impl Cut {
    /// In even pieces of units.
    ///
    /// # Errors
    ///
    /// When there are fewer units than parts, or fewer than two parts or more than [`PARTS_MAX`].
    pub fn columns(manifest: &Manifest, parts: usize) -> Result<Self, ModelError> {
        let even = |(_, units): (usize, usize)| {
            (0..=parts)
                .map(|part| u32::try_from(units * part / parts.max(1)).unwrap_or(0))
                .collect()
        };
        let pairs = (manifest.architecture.len() / 2).max(1);
        let bounds = manifest.shapes().step_by(2).take(pairs).map(even).collect();
        let cut = Self::Columns { bounds };
        cut.check(manifest, parts).map(|()| cut)
    }

    /// In pieces of layers, the one with the most weights as small as can be.
    ///
    /// # Errors
    ///
    /// When there are fewer layers than parts, or fewer than two parts or more than [`PARTS_MAX`].
    pub fn layers(manifest: &Manifest, parts: usize) -> Result<Self, ModelError> {
        let costs: Vec<usize> =
            manifest.shapes().map(|(inputs, units)| inputs.saturating_mul(units)).collect();
        let cut = Self::Layers { bounds: even_pieces(&costs, parts) };
        cut.check(manifest, parts).map(|()| cut)
    }

    /// Refuses what gives a part nothing to do, or something twice.
    pub(crate) fn check(&self, manifest: &Manifest, parts: usize) -> Result<(), ModelError> {
        require((2..=PARTS_MAX).contains(&parts), "parts", "2 to 8 parts")?;
        let depth = manifest.architecture.len();
        let well = match self {
            Self::Layers { bounds } => {
                if depth < parts {
                    return Err(ModelError::Cut { reason: "it has fewer layers than parts" });
                }
                rises(bounds, parts, depth)
            }
            Self::Columns { bounds } => {
                let pairs = (depth / 2).max(1);
                let firsts = || manifest.shapes().map(|(_, units)| units).step_by(2).take(pairs);
                if firsts().any(|units| units < parts) {
                    return Err(ModelError::Cut {
                        reason: "a layer has fewer units than there are parts",
                    });
                }
                bounds.len() == pairs
                    && bounds
                        .iter()
                        .zip(firsts())
                        .all(|(bounds, units)| rises(bounds, parts, units))
            }
        };
        require(well, "cut", "bounds that rise from 0 to the end, one more than parts")
    }

    /// What part `part` has: for each question that it is asked, the layers it goes through.
    #[must_use]
    pub fn slices(&self, manifest: &Manifest, part: usize) -> Vec<Vec<Slice>> {
        let shapes: Vec<_> = manifest.shapes().collect();
        let whole = |layer: usize| -> Option<Slice> {
            let (inputs, units) = *shapes.get(layer)?;
            let activation = manifest.architecture.get(layer)?.activation;
            Some(Slice { layer, inputs: 0..inputs, units: 0..units, biased: true, activation })
        };
        match self {
            Self::Layers { bounds } => {
                let here = range(bounds, part);
                vec![here.filter_map(whole).collect()]
            }
            Self::Columns { bounds } => {
                let pair = |(pair, bounds): (usize, &Vec<u32>)| {
                    let here = range(bounds, part);
                    let first = Slice { units: here.clone(), ..whole(2 * pair)? };
                    let linear = Activation::Linear;
                    Some(match whole(2 * pair + 1) {
                        // What makes one answer of many values is done to all of them.
                        None => vec![Slice { activation: linear, ..first }],
                        Some(second) => {
                            let biased = part == 0;
                            let activation = linear;
                            vec![first, Slice { inputs: here, biased, activation, ..second }]
                        }
                    })
                };
                let mut slices: Vec<_> = bounds.iter().enumerate().filter_map(pair).collect();
                let alone = (part == 0 && shapes.len() > 1).then(|| whole(2 * bounds.len()));
                slices.extend(alone.flatten().map(|slice| vec![slice]));
                slices
            }
        }
    }
}

/// Whether bounds cut `of` into so many pieces, none of them empty.
fn rises(bounds: &[u32], parts: usize, of: usize) -> bool {
    bounds.len() == parts + 1
        && bounds.first() == Some(&0)
        && bounds.last().is_some_and(|&last| last as usize == of)
        && bounds.is_sorted_by(|one, next| one < next)
}

fn range(bounds: &[u32], part: usize) -> Range<usize> {
    let at = |index: usize| bounds.get(index).map_or(0, |&bound| bound as usize);
    at(part)..at(part + 1)
}

/// Bounds of `parts` pieces in a row, none empty, whose largest sum is as small as can be: the
/// smallest limit that the pieces can be filled up to.
fn even_pieces(costs: &[usize], parts: usize) -> Vec<u32> {
    let sum = |range: Range<usize>| {
        costs.get(range).unwrap_or_default().iter().copied().fold(0, usize::saturating_add)
    };
    let mut limits: Vec<usize> = (0..costs.len())
        .flat_map(|from| (from + 1..=costs.len()).map(move |to| from..to))
        .map(sum)
        .collect();
    limits.sort_unstable();
    let filled = |limit: usize| {
        let mut bounds = vec![0];
        for part in 1..=parts {
            let from = bounds.last().copied().unwrap_or(0);
            // Something must be left for each of the parts after this one.
            let last = costs.len().saturating_sub(parts - part);
            let fits = |to: &usize| part == parts || *to == from + 1 || sum(from..*to) <= limit;
            bounds.push((from + 1..=last).take_while(fits).last().unwrap_or(last));
        }
        bounds
    };
    let fits = |bounds: &Vec<usize>, limit: usize| {
        bounds.windows(2).all(|pair| match pair {
            [from, to] => from < to && sum(*from..*to) <= limit,
            _ => false,
        })
    };
    let found = limits.into_iter().map(|limit| (filled(limit), limit));
    let found = found.into_iter().find(|(bounds, limit)| fits(bounds, *limit));
    let bounds = found.map(|(bounds, _)| bounds).unwrap_or_default();
    bounds.into_iter().map(|bound| u32::try_from(bound).unwrap_or(u32::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::even_pieces;

    #[test]
    fn layers_are_dealt_out_so_that_the_slowest_part_has_least() {
        assert_eq!(even_pieces(&[10, 1, 1, 8], 2), [0, 1, 4]);
        assert_eq!(even_pieces(&[1, 1, 1, 10], 2), [0, 3, 4]);
        assert_eq!(even_pieces(&[5, 5, 5], 3), [0, 1, 2, 3]);
        assert_eq!(even_pieces(&[100, 1, 1], 3), [0, 1, 2, 3]);
        assert_eq!(even_pieces(&[1, 1], 3), Vec::<u32>::new());
    }
}
