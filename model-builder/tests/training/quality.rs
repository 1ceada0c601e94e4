//! How good the demo's model is.

use sealgate_model_builder::{
    BuildError, Dataset, Measure, Target, Training, cross_validate, evaluate, train, wdbc, wdbc_csv,
};

#[test]
fn five_folds_and_three_seeds_reach_an_auc_of_99_percent() {
    let data = wdbc().unwrap();
    let found = cross_validate(&data, &Training::default(), 5, &[1, 2, 3], &mut |_| ()).unwrap();
    let [accuracy, auc] = [Measure::Accuracy, Measure::Auc].map(|of| found.get(of).unwrap());
    assert!(auc.mean >= 0.99, "{auc:?}");
    assert!(accuracy.mean >= 0.96, "{accuracy:?}");
    assert!(accuracy.std < 0.03, "{accuracy:?}");
}

#[test]
fn labels_without_meaning_are_not_learned() {
    let csv = String::from_utf8(wdbc_csv().to_vec()).unwrap();
    let swapped = csv.lines().enumerate().map(|(line, text)| match line {
        0 => format!("{text}\n"),
        _ => format!("{}{}\n", if line % 3 == 0 { "M" } else { "B" }, &text[1..]),
    });
    let csv: String = swapped.collect();
    let target = Target::new("diagnosis", "M");
    let data = Dataset::from_csv("noise", csv.as_bytes(), &target).unwrap();
    let training = Training { epochs: 5, ..Training::default() };
    let found = cross_validate(&data, &training, 5, &[1], &mut |_| ()).unwrap();
    let auc = found.get(Measure::Auc).unwrap();
    assert!((0.35..0.65).contains(&auc.mean), "{auc:?}");
}

#[test]
fn progress_runs_from_the_first_epoch_to_the_last() {
    let mut seen = Vec::new();
    let training = Training { epochs: 2, hidden: vec![4], ..Training::default() };
    cross_validate(&wdbc().unwrap(), &training, 2, &[1], &mut |step| {
        seen.push((step.epochs_done, step.epochs_total));
    })
    .unwrap();
    assert_eq!(seen, [(1, 4), (2, 4), (3, 4), (4, 4)]);
}

#[test]
fn the_loss_falls() {
    let mut losses = Vec::new();
    let training = Training { epochs: 5, ..Training::default() };
    let trained = train(&wdbc().unwrap(), &training, &mut |step| losses.push(step.loss)).unwrap();
    assert!(losses.is_sorted_by(|before, after| before > after), "{losses:?}");
    assert_eq!(losses.last(), Some(&trained.loss));
    assert!(
        evaluate(&trained.artifact, &wdbc().unwrap()).unwrap().get(Measure::Auc).unwrap() > 0.98
    );
}

/// The parameter that is spoilt, and how.
type Change = (&'static str, fn(&mut Training));

#[test]
fn impossible_parameters_are_refused() {
    let changes: [Change; 6] = [
        ("epochs", |t| t.epochs = 0),
        ("batch_rows", |t| t.batch_rows = 0),
        ("learning_rate", |t| t.learning_rate = f32::NAN),
        ("hidden", |t| t.hidden = vec![0]),
        ("hidden", |t| t.hidden = vec![1; 32]),
        ("hidden", |t| t.hidden = vec![65_536, 65_536]),
    ];
    let data = wdbc().unwrap();
    for (expected, change) in changes {
        let mut training = Training::default();
        change(&mut training);
        let refused = train(&data, &training, &mut |_| ()).unwrap_err();
        assert!(matches!(refused, BuildError::Parameter { field, .. } if field == expected));
    }
}

#[test]
fn more_folds_than_rows_of_a_class_are_refused() {
    let data = wdbc().unwrap();
    for (folds, seeds) in [(1, [1].as_slice()), (213, &[1]), (5, &[])] {
        let refused = cross_validate(&data, &Training::default(), folds, seeds, &mut |_| ());
        assert!(matches!(refused, Err(BuildError::Parameter { .. })));
    }
}

#[test]
fn a_step_too_large_diverges_and_says_so() {
    let training = Training { learning_rate: 1e30, ..Training::default() };
    let refused = train(&wdbc().unwrap(), &training, &mut |_| ()).unwrap_err();
    assert!(matches!(refused, BuildError::Diverged { .. }), "{refused:?}");
}
