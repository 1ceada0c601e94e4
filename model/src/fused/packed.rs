//! Weights in the order in which they are read.

/// The weights and the bias of a layer.
pub(super) enum Packed {
    /// Panel by panel, each of two vectors of units: for each input the weights of those units.
    /// Units are filled up to whole panels with zeros.
    Panels {
        /// Panels x inputs x two vectors.
        weight: Aligned,
        /// Two vectors for each panel.
        bias: Aligned,
    },
    /// For layers of so few units that a panel would be mostly empty: unit by unit, the weights of
    /// all inputs.
    Units {
        /// Units x inputs.
        weight: Vec<f32>,
        /// One for each unit.
        bias: Vec<f32>,
    },
}

/// How many units a panel has.
pub(super) const fn panel(lanes: usize) -> usize {
    2 * lanes
}

impl Packed {
    /// `weight` is row-major, [inputs, units].
    pub(super) fn new(
        weight: &[f32],
        bias: &[f32],
        inputs: usize,
        units: usize,
        lanes: usize,
    ) -> Self {
        if units <= UNITS_BY_THEMSELVES {
            let unit = |unit| weight.iter().skip(unit).step_by(units).copied();
            let weight = (0..units).flat_map(unit).collect();
            return Self::Units { weight, bias: bias.to_vec() };
        }
        let panel = panel(lanes);
        let filled = units.next_multiple_of(panel);
        let mut packed = Aligned::zeros(inputs * filled);
        let mut slots = packed.values_mut().chunks_exact_mut(panel);
        for first in (0..units).step_by(panel) {
            let end = units.min(first + panel);
            for (row, slot) in weight.chunks_exact(units).zip(&mut slots) {
                for (slot, weight) in slot.iter_mut().zip(row.get(first..end).unwrap_or_default()) {
                    *slot = *weight;
                }
            }
        }
        let mut padded = Aligned::zeros(filled);
        for (slot, bias) in padded.values_mut().iter_mut().zip(bias) {
            *slot = *bias;
        }
        Self::Panels { weight: packed, bias: padded }
    }
}

/// Up to here, summing along the inputs is faster than a panel of zeros.
const UNITS_BY_THEMSELVES: usize = 3;

/// Numbers that begin where a cache line does: a vector of 64 bytes that lies across two lines
/// costs two loads.
pub(super) struct Aligned {
    values: Vec<f32>,
    start: usize,
    count: usize,
}

impl Aligned {
    pub(super) fn zeros(count: usize) -> Self {
        let values = vec![0.0_f32; count + LINE];
        let start = values.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        Self { values, start, count }
    }

    pub(super) fn values(&self) -> &[f32] {
        self.values.get(self.start..self.start + self.count).unwrap_or_default()
    }

    pub(super) fn values_mut(&mut self) -> &mut [f32] {
        self.values.get_mut(self.start..self.start + self.count).unwrap_or_default()
    }
}

/// Numbers in a cache line.
const LINE: usize = 16;

#[cfg(test)]
mod tests {
    use super::{Aligned, Packed};

    #[test]
    fn a_panel_holds_two_vectors_of_units_for_each_input_and_zeros_behind_the_last_unit() {
        // Two inputs, five units, vectors of two: two panels.
        let weight: Vec<f32> = (1..=10).map(|value| value as f32).collect();
        let Packed::Panels { weight, bias } = Packed::new(&weight, &[0.5; 5], 2, 5, 2) else {
            panic!("not in panels");
        };
        let expected =
            [1., 2., 3., 4., 6., 7., 8., 9., 5., 0., 0., 0., 10., 0., 0., 0.].map(|v: f32| v);
        assert_eq!(weight.values(), expected);
        assert_eq!(bias.values(), [0.5, 0.5, 0.5, 0.5, 0.5, 0., 0., 0.]);
    }

    #[test]
    fn few_units_are_packed_one_after_the_other() {
        let Packed::Units { weight, .. } =
            Packed::new(&[1., 2., 3., 4., 5., 6.], &[0.; 2], 3, 2, 8)
        else {
            panic!("not unit by unit");
        };
        assert_eq!(weight, [1., 3., 5., 2., 4., 6.]);
    }

    #[test]
    fn aligned_numbers_begin_where_a_cache_line_does() {
        for count in [1, 7, 100] {
            let aligned = Aligned::zeros(count);
            assert_eq!(aligned.values().len(), count);
            assert_eq!(aligned.values().as_ptr() as usize % 64, 0);
        }
    }
}
