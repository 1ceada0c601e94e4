//! Whether the fused path computes what the engine computes.
//!
//! Two implementations that share no arithmetic are compared on rows that are made from what the
//! manifest says of the features: the ends of the ranges, their middle, and points spread evenly
//! between. A miscompiled kernel, a processor that lies or a mistake in the packing shows here and
//! not in somebody's score.

use crate::fused::Fused;
use crate::{Feature, Manifest, ModelError, Network, Outputs, Rows, Standardisation};

/// How two computations of the same rows compare.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// On how many rows both were asked.
    pub rows: usize,
    /// How far two answers were apart at most; beyond 1 relative to the engine's answer.
    pub difference: f64,
    /// The same of the last layer's sums. Many rows made from ranges alone are like no real one and
    /// far on one side: their scores are all 0 or 1 and say nothing, their sums do.
    pub sums_difference: f64,
}

/// Compares both, the fused path in one batch and row by row.
pub(crate) fn compare(
    ranges: &[[f64; 2]],
    fused: &Fused,
    engine: &Network,
) -> Result<Judgement, ModelError> {
    let width = engine.outputs();
    let answers = Compared {
        ours: &|rows| Outputs::new(rows.count(), width, fused.infer(rows)?),
        theirs: &|rows| engine.infer(rows),
    };
    let sums = Compared {
        ours: &|rows| Outputs::new(rows.count(), width, fused.sums(rows)?),
        theirs: &|rows| engine.sums(rows),
    };
    let (shape, values) = ([ranges.len(), width], rows_of(ranges));
    let difference = answers.difference(shape, &values)?;
    let sums_difference = sums.difference(shape, &values)?;
    if difference <= DIFFERENCE_MAX && sums_difference <= SUMS_DIFFERENCE_MAX {
        Ok(Judgement { rows: ROWS, difference, sums_difference })
    } else {
        Err(ModelError::Disagreement { difference: difference.max(sums_difference) })
    }
}

type Answer<'a> = &'a dyn Fn(&Rows) -> Result<Outputs, ModelError>;

/// Two ways to compute one thing.
struct Compared<'a> {
    ours: Answer<'a>,
    theirs: Answer<'a>,
}

impl Compared<'_> {
    /// On rows of so many features, with answers of so many values.
    fn difference(&self, [features, width]: [usize; 2], values: &[f32]) -> Result<f64, ModelError> {
        let together = (self.ours)(&Rows::new(ROWS, features, values.to_vec())?).ok();
        let mut difference = 0.0_f64;
        for (index, row) in values.chunks_exact(features).enumerate() {
            let row = Rows::new(1, features, row.to_vec())?;
            // What overflows in both is no disagreement: neither would score it.
            let (ours, theirs) = match ((self.ours)(&row), (self.theirs)(&row)) {
                (Err(_), Err(_)) => continue,
                (Ok(ours), Ok(theirs)) => (ours, theirs),
                _ => return Ok(f64::INFINITY),
            };
            let among_others = together.as_ref().map(Outputs::values).unwrap_or_default();
            let among_others = among_others.get(index * width..(index + 1) * width);
            for ours in [Some(ours.values()), among_others].into_iter().flatten() {
                difference = difference.max(apart(ours, theirs.values()));
            }
        }
        Ok(difference)
    }
}

fn apart(ours: &[f32], theirs: &[f32]) -> f64 {
    let apart = |(ours, theirs): (&f32, &f32)| {
        let (ours, theirs) = (f64::from(*ours), f64::from(*theirs));
        (ours - theirs).abs() / theirs.abs().max(1.0)
    };
    ours.iter().zip(theirs).map(apart).fold(0.0, f64::max)
}

/// Row by row: all low ends, all high ends, all middles, then points that have no pattern in
/// common between features.
fn rows_of(ranges: &[[f64; 2]]) -> Vec<f32> {
    let mut values = Vec::with_capacity(ROWS * ranges.len());
    for row in 0..ROWS {
        values.extend(ranges.iter().enumerate().map(|(feature, [low, high])| {
            let share = match row {
                0 => 0.0,
                1 => 1.0,
                2 => 0.5,
                _ => ((row * (feature + 1)) as f64 * GOLDEN).fract(),
            };
            (high - low).mul_add(share, *low) as f32
        }));
    }
    values
}

/// Where values of each feature are to be expected.
pub(crate) fn ranges(manifest: &Manifest) -> Vec<[f64; 2]> {
    let around = around(manifest.features.len(), manifest.standardisation.as_ref());
    let stated = |(Feature { range, .. }, around): (&Feature, [f64; 2])| {
        range.map_or(around, |range| range.map(f64::from))
    };
    manifest.features.iter().zip(around).map(stated).collect()
}

/// Where they are to be expected when all that is known is how they are standardised.
pub(crate) fn around(inputs: usize, fit: Option<&Standardisation>) -> Vec<[f64; 2]> {
    let Some(fit) = fit else { return vec![[-1.0, 1.0]; inputs] };
    let around = |(&mean, &std): (&f32, &f32)| {
        let end = |times: f64| {
            times.mul_add(f64::from(std), f64::from(mean)).clamp(f32::MIN.into(), f32::MAX.into())
        };
        [end(-2.0), end(2.0)]
    };
    fit.mean.iter().zip(&fit.std).map(around).collect()
}

/// More than the largest block of rows and no multiple of any, so that each kernel has its turn.
const ROWS: usize = 19;
/// Far above what two orders of summation differ by, far below what anyone would act on.
const DIFFERENCE_MAX: f64 = 1e-4;
/// Sums are not bounded: where large ones cancel, less is left of their digits.
const SUMS_DIFFERENCE_MAX: f64 = 1e-3;
/// Its multiples leave no gap in the unit interval longer than they must.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use burn::tensor::Device;

    use super::{ROWS, compare, ranges, rows_of};
    use crate::fused::Fused;
    use crate::stack::Stack;
    use crate::{Artifact, LayerWeights, Manifest, ModelError, Network, sample};

    #[test]
    fn both_paths_of_one_network_agree() {
        let manifest = sample::manifest(30, &[128, 64]);
        let artifact = artifact(&manifest, &sample::weights(&manifest));
        let judgement = judge(&artifact, &artifact).unwrap();
        assert_eq!(judgement.rows, ROWS);
        assert!(judgement.difference < 1e-5 && judgement.sums_difference < 1e-4, "{judgement:?}");
    }

    #[test]
    fn a_path_that_computes_another_network_is_refused() {
        // Its ranges are far from its means: every score is 0 or 1, and the sums tell.
        let manifest = sample::manifest(30, &[128, 64]);
        let mut weights = sample::weights(&manifest);
        let right = artifact(&manifest, &weights);
        weights[2].bias[0] += 0.1;
        let wrong = artifact(&manifest, &weights);
        let refused = judge(&right, &wrong).err();
        assert!(matches!(refused, Some(ModelError::Disagreement { .. })), "{refused:?}");
    }

    #[test]
    fn rows_lie_within_the_ranges_and_differ_from_each_other() {
        let manifest = sample::manifest(5, &[4]);
        let values = rows_of(&ranges(&manifest));
        let [low, high] = manifest.features[0].range.unwrap();
        assert!(values.iter().all(|value| (low..=high).contains(value)));
        let mut rows: Vec<_> = values.chunks(5).collect();
        rows.dedup();
        assert_eq!(rows.len(), ROWS);
    }

    #[test]
    fn features_without_a_range_are_judged_around_their_mean() {
        let mut manifest = sample::manifest(3, &[4]);
        manifest.features.iter_mut().for_each(|feature| feature.range = None);
        let fit = manifest.standardisation.clone().unwrap();
        let far = |value: &f32, at: usize| (value - fit.mean[at]).abs() <= 2.01 * fit.std[at];
        assert!(
            rows_of(&ranges(&manifest))
                .chunks(3)
                .all(|row| row.iter().enumerate().all(|(at, v)| far(v, at)))
        );
        manifest.standardisation = None;
        assert!(rows_of(&ranges(&manifest)).iter().all(|value| value.abs() <= 1.0));
    }

    fn judge(ours: &Artifact, theirs: &Artifact) -> Result<super::Judgement, ModelError> {
        let fused = Fused::load(&Stack::of(ours)?).unwrap();
        let engine = Network::load(theirs, &Device::flex())?;
        compare(&ranges(ours.manifest()), &fused, &engine)
    }

    fn artifact(manifest: &Manifest, weights: &[LayerWeights]) -> Artifact {
        Artifact::parse(&Artifact::encode(manifest, weights).unwrap()).unwrap()
    }
}
