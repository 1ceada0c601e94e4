//! How well training works on rows it has not seen: stratified k-fold, several times.

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;

use crate::{BuildError, Dataset, Progress, Score, Spread, Training, evaluate, train};

/// What held-back rows said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossValidation {
    /// Accuracy over all folds of all seeds.
    pub accuracy: Spread,
    /// Area under the ROC curve over all folds of all seeds.
    pub auc: Spread,
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
    let mut scores: Vec<Score> = Vec::new();
    for &seed in seeds {
        let fold_of = stratified(&data.labels, folds, seed);
        for fold in 0..folds {
            let done = training.epochs.saturating_mul(scores.len() as u32);
            let mut report = |step: Progress| {
                let epochs_done = done.saturating_add(step.epochs_done);
                progress(Progress { epochs_done, epochs_total, ..step });
            };
            let (seen, held_back) = split(&fold_of, fold);
            let training = Training { seed, ..training.clone() };
            let trained = train(&data.subset(&seen), &training, &mut report)?;
            scores.push(evaluate(&trained.artifact, &data.subset(&held_back))?);
        }
    }
    let spread = |of: fn(&Score) -> f64| Spread::of(&scores.iter().map(of).collect::<Vec<_>>());
    Ok(CrossValidation { accuracy: spread(|score| score.accuracy), auc: spread(|score| score.auc) })
}

fn check(data: &Dataset, folds: usize, seeds: &[u32]) -> Result<(), BuildError> {
    let positive = data.labels.iter().filter(|label| **label).count();
    let smaller = positive.min(data.rows() - positive);
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
fn stratified(labels: &[bool], folds: usize, seed: u32) -> Vec<usize> {
    let mut random = ChaCha12Rng::seed_from_u64(seed.into());
    let mut dealt: Vec<(usize, usize)> = Vec::with_capacity(labels.len());
    for class in [false, true] {
        let of_class = labels.iter().enumerate().filter(|(_, label)| **label == class);
        let mut rows: Vec<usize> = of_class.map(|(row, _)| row).collect();
        rows.shuffle(&mut random);
        dealt.extend(rows.into_iter().zip((0..folds).cycle()));
    }
    dealt.sort_unstable();
    dealt.into_iter().map(|(_, fold)| fold).collect()
}

/// The rows outside `fold`, and those in it.
fn split(fold_of: &[usize], fold: usize) -> (Vec<usize>, Vec<usize>) {
    (0..fold_of.len()).partition(|&row| fold_of.get(row) != Some(&fold))
}

#[cfg(test)]
mod tests {
    use super::{split, stratified};

    #[test]
    fn every_fold_has_the_classes_in_proportion() {
        let labels: Vec<bool> = (0..100).map(|row| row % 5 == 0).collect();
        let fold_of = stratified(&labels, 5, 7);
        for fold in 0..5 {
            let (_, held_back) = split(&fold_of, fold);
            assert_eq!(held_back.len(), 20);
            assert_eq!(held_back.iter().filter(|&&row| labels[row]).count(), 4);
        }
    }

    #[test]
    fn no_row_is_both_seen_and_held_back() {
        let fold_of = stratified(&[true, false, true, false, true], 2, 1);
        let (seen, held_back) = split(&fold_of, 0);
        assert!(seen.iter().all(|row| !held_back.contains(row)));
        assert_eq!(seen.len() + held_back.len(), 5);
    }

    #[test]
    fn another_seed_deals_other_folds() {
        let labels: Vec<bool> = (0..50).map(|row| row % 2 == 0).collect();
        assert_eq!(stratified(&labels, 5, 1), stratified(&labels, 5, 1));
        assert_ne!(stratified(&labels, 5, 1), stratified(&labels, 5, 2));
    }
}
