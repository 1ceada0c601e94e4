//! How well training works on rows it has not seen: stratified k-fold, several times.

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;

use burn::tensor::Device;
use sealgate_model::Model;

use crate::{BuildError, Dataset, Measure, Progress, Roc, Score, Spread, Training, Truth, train};

/// What held-back rows said.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossValidation {
    /// Each measure over all folds of all seeds.
    pub measures: Vec<(Measure, Spread)>,
    /// How the held-back rows of all folds were told apart, where there are classes.
    pub roc: Option<Roc>,
}

impl CrossValidation {
    /// One measure, where it is one of the data's.
    #[must_use]
    pub fn get(&self, measure: Measure) -> Option<Spread> {
        let of = self.measures.iter().find(|(found, _)| *found == measure);
        of.map(|(_, spread)| *spread)
    }
}

/// Trains `folds` networks for each of `seeds`, each on all folds but one, and scores each on the
/// fold it has not seen. Every fold has the classes in the proportion of the whole.
///
/// # Errors
///
/// When there are fewer than two folds, no seed, a class with fewer rows than folds, or when a
/// training fails.
pub fn cross_validate(
    data: &Dataset,
    training: &Training,
    folds: usize,
    seeds: &[u32],
    progress: &mut dyn FnMut(Progress),
) -> Result<CrossValidation, BuildError> {
    check(data, folds, seeds)?;
    let trainings = u32::try_from(folds * seeds.len()).unwrap_or(u32::MAX);
    let epochs_total = training.epochs.saturating_mul(trainings);
    let (mut scores, mut answers, mut classes) = (Vec::<Score>::new(), Vec::new(), Vec::new());
    for &seed in seeds {
        let fold_of = stratified(&data.truth.strata(), folds, seed);
        for fold in 0..folds {
            let done = training.epochs.saturating_mul(scores.len() as u32);
            let mut report = |step: Progress| {
                let epochs_done = done.saturating_add(step.epochs_done);
                progress(Progress { epochs_done, epochs_total, ..step });
            };
            let (seen, held_back) = split(&fold_of, fold);
            let training = Training { seed, ..training.clone() };
            let trained = train(&data.subset(&seen), &training, &mut report)?;
            let held_back = data.subset(&held_back);
            let model = Model::load(&trained.artifact, &Device::flex())?;
            let outputs = model.infer(&held_back.to_rows()?)?;
            scores.push(Score::of(&outputs, &held_back.truth));
            answers.extend_from_slice(outputs.values());
            classes.extend(held_back.truth.strata());
        }
    }
    let measures = scores.first().into_iter().flat_map(Score::measures).map(|(measure, _)| {
        let found: Vec<f64> = scores.iter().filter_map(|score| score.get(measure)).collect();
        (measure, Spread::of(&found))
    });
    let roc = Roc::of(&data.truth, &answers, &classes);
    Ok(CrossValidation { measures: measures.collect(), roc })
}

fn check(data: &Dataset, folds: usize, seeds: &[u32]) -> Result<(), BuildError> {
    let strata = data.truth.strata();
    let classes = strata.iter().max().map_or(0, |last| last + 1);
    let rows_of = |class| strata.iter().filter(|of| **of == class).count();
    let smaller = (0..classes).map(rows_of).min().unwrap_or(0);
    for (holds, field, reason) in [
        (folds >= 2, "folds", "at least 2"),
        (folds <= smaller, "folds", "no more than the smaller class has rows"),
        (!seeds.is_empty(), "seeds", "at least one"),
    ] {
        if !holds {
            return Err(BuildError::Parameter { field, reason });
        }
    }
    Ok(())
}

/// The fold of each row: each class is shuffled and dealt out in turn.
fn stratified(strata: &[usize], folds: usize, seed: u32) -> Vec<usize> {
    let mut dealt: Vec<(usize, usize)> = Vec::with_capacity(strata.len());
    for rows in shuffled(strata, seed) {
        dealt.extend(rows.into_iter().zip((0..folds).cycle()));
    }
    dealt.sort_unstable();
    dealt.into_iter().map(|(_, fold)| fold).collect()
}

/// The rows of each class, in an order drawn from the seed.
fn shuffled(strata: &[usize], seed: u32) -> Vec<Vec<usize>> {
    let mut random = ChaCha12Rng::seed_from_u64(seed.into());
    let classes = strata.iter().max().map_or(0, |last| last + 1);
    let mut of_class = vec![Vec::new(); classes];
    for (row, &class) in strata.iter().enumerate() {
        if let Some(rows) = of_class.get_mut(class) {
            rows.push(row);
        }
    }
    for rows in &mut of_class {
        rows.shuffle(&mut random);
    }
    of_class
}

/// The rows to learn from and those to hold back: `share` of each class, at least one of each that
/// has two.
pub(crate) fn hold_back(truth: &Truth, share: f32, seed: u32) -> (Vec<usize>, Vec<usize>) {
    let (mut seen, mut held_back) = (Vec::new(), Vec::new());
    for mut rows in shuffled(&truth.strata(), seed) {
        let count = (rows.len() as f32 * share).round() as usize;
        let count = count.max(1).min(rows.len().saturating_sub(1));
        held_back.extend(rows.drain(..count));
        seen.extend(rows);
    }
    seen.sort_unstable();
    held_back.sort_unstable();
    (seen, held_back)
}

/// The rows outside `fold`, and those in it.
fn split(fold_of: &[usize], fold: usize) -> (Vec<usize>, Vec<usize>) {
    (0..fold_of.len()).partition(|&row| fold_of.get(row) != Some(&fold))
}

#[cfg(test)]
mod tests {
    use super::{hold_back, split, stratified};
    use crate::Truth;

    #[test]
    fn every_fold_has_the_classes_in_proportion() {
        let labels: Vec<bool> = (0..100).map(|row| row % 5 == 0).collect();
        let strata: Vec<usize> = labels.iter().map(|&label| label.into()).collect();
        let fold_of = stratified(&strata, 5, 7);
        for fold in 0..5 {
            let (_, held_back) = split(&fold_of, fold);
            assert_eq!(held_back.len(), 20);
            assert_eq!(held_back.iter().filter(|&&row| labels[row]).count(), 4);
        }
    }

    #[test]
    fn no_row_is_both_seen_and_held_back() {
        let fold_of = stratified(&[1, 0, 1, 0, 1], 2, 1);
        let (seen, held_back) = split(&fold_of, 0);
        assert!(seen.iter().all(|row| !held_back.contains(row)));
        assert_eq!(seen.len() + held_back.len(), 5);
    }

    #[test]
    fn another_seed_deals_other_folds() {
        let labels: Vec<usize> = (0..50).map(|row| row % 2).collect();
        assert_eq!(stratified(&labels, 5, 1), stratified(&labels, 5, 1));
        assert_ne!(stratified(&labels, 5, 1), stratified(&labels, 5, 2));
    }

    #[test]
    fn a_share_of_each_class_is_held_back_and_none_is_left_without() {
        let labels = (0..30).map(|row| usize::from(row >= 10) + usize::from(row >= 28)).collect();
        let classes = ["a", "b", "c"].map(str::to_owned).to_vec();
        let truth = Truth::Classes { classes, labels };
        let (seen, held_back) = hold_back(&truth, 0.2, 1);
        let count = |from, to| held_back.iter().filter(|row| (from..to).contains(*row)).count();
        assert_eq!([count(0, 10), count(10, 28), count(28, 30)], [2, 4, 1]);
        assert!(seen.len() == 23 && seen.iter().all(|row| !held_back.contains(row)));
        assert_eq!(hold_back(&truth, 0.2, 1), hold_back(&truth, 0.2, 1));
        assert_ne!(hold_back(&truth, 0.2, 1), hold_back(&truth, 0.2, 2));
    }
}
