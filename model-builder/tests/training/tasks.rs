//! Several classes, numbers, and stopping early.

use sealgate_model::{Provenance, Task};
use sealgate_model_builder::{
    BuildError, Dataset, Measure, Stopping, Target, Training, Truth, cross_validate, evaluate,
    learning_curve_svg, roc_svg, train, wdbc,
};

#[test]
fn three_classes_are_learned_and_answered_in_the_order_of_their_names() {
    let data = three_classes();
    let trained = train(&data, &quick(), &mut |_| ()).unwrap();
    let manifest = trained.artifact.manifest();
    let expected = ["high", "low", "middle"].map(str::to_owned).to_vec();
    assert_eq!(manifest.task, Task::Multiclass { classes: expected });
    let score = evaluate(&trained.artifact, &data).unwrap();
    assert!(score.get(Measure::Accuracy).unwrap() > 0.95, "{score:?}");
    assert!(score.get(Measure::Auc).unwrap() > 0.99, "{score:?}");
}

#[test]
fn several_classes_are_validated_on_rows_that_were_not_seen() {
    let found = cross_validate(&three_classes(), &quick(), 3, &[1], &mut |_| ()).unwrap();
    assert!(found.get(Measure::Auc).unwrap().mean > 0.98, "{:?}", found.measures);
    let roc = found.roc.unwrap();
    assert_eq!(roc.curves.len(), 3);
    assert!(roc_svg(&roc).contains(">middle</text>"));
}

#[test]
fn a_number_is_learned_in_its_own_unit() {
    let data = numbers();
    let trained = train(&data, &quick(), &mut |_| ()).unwrap();
    let Task::Regression { targets } = &trained.artifact.manifest().task else {
        panic!("another task");
    };
    assert_eq!((targets[0].name.as_str(), targets[0].unit.as_str()), ("cost", "EUR"));
    let rmse = evaluate(&trained.artifact, &data).unwrap().get(Measure::Rmse).unwrap();
    // The costs are spread by about 170 around 1,000.
    assert!(rmse < 20.0, "{rmse}");
}

#[test]
fn training_stops_when_held_back_rows_say_so_and_keeps_the_best_weights() {
    let training = stopping(200, 3);
    let trained = train(&wdbc().unwrap(), &training, &mut |_| ()).unwrap();
    let epochs = trained.curve.len();
    assert!(epochs < 200, "never stopped");
    let losses: Vec<f32> = trained.curve.iter().map(|e| e.validation_loss.unwrap()).collect();
    let best = losses.iter().copied().fold(f32::INFINITY, f32::min);
    let kept = losses.iter().position(|loss| *loss == best).unwrap() + 1;
    assert_eq!(kept + 3, epochs);
    let Provenance::Trained { early_stopping, dataset, .. } =
        &trained.artifact.manifest().provenance
    else {
        panic!("another provenance");
    };
    let told = early_stopping.unwrap();
    assert_eq!((told.kept_epoch as usize, told.patience_epochs), (kept, 3));
    assert_eq!(told.validation_rows + dataset.rows, 569);
    let shorter = Training { epochs: kept as u32, ..training };
    let same = train(&wdbc().unwrap(), &shorter, &mut |_| ()).unwrap();
    assert_eq!(bias(&trained.file), bias(&same.file));
}

#[test]
fn stopping_early_gives_the_same_bytes_again() {
    let file = || train(&wdbc().unwrap(), &stopping(10, 2), &mut |_| ()).unwrap().file;
    assert_eq!(file(), file());
}

#[test]
fn held_back_rows_of_two_classes_have_a_curve_and_numbers_have_none() {
    assert!(train(&wdbc().unwrap(), &stopping(3, 2), &mut |_| ()).unwrap().roc.is_some());
    let trained = train(&numbers(), &Training { hidden: vec![4], ..stopping(3, 2) }, &mut |_| ());
    let trained = trained.unwrap();
    assert!(trained.roc.is_none());
    assert_eq!(learning_curve_svg(&trained.curve).matches("<polyline").count(), 2);
}

#[test]
fn impossible_ways_to_stop_are_refused() {
    for (validation_share, patience_epochs) in [(0.0, 1), (1.0, 1), (f32::NAN, 1), (0.5, 0)] {
        let stopping = Some(Stopping { validation_share, patience_epochs });
        let training = Training { stopping, ..quick() };
        let refused = train(&wdbc().unwrap(), &training, &mut |_| ());
        assert!(matches!(refused, Err(BuildError::Parameter { .. })));
    }
}

#[test]
fn a_table_is_read_for_a_model_by_the_names_of_its_features() {
    let trained = train(&three_classes(), &quick(), &mut |_| ()).unwrap();
    let manifest = trained.artifact.manifest();
    let read = |table: &str| Dataset::for_model(manifest, table.as_bytes(), "level", None);
    let data = read("note,b,level,a\nx,2,low,1\ny,4,high,3\n").unwrap();
    assert_eq!(data.to_rows().unwrap().values(), [1.0, 2.0, 3.0, 4.0]);
    assert!(matches!(data.truth(), Truth::Classes { labels, .. } if *labels == [1, 0]));
    let unknown = read("a,b,level\n1,2,lowest\n").unwrap_err();
    assert_eq!(unknown.to_string(), "line 2, column `level`: not a class of the model");
    assert!(matches!(read("a,level\n1,low\n"), Err(BuildError::ColumnMissing { .. })));
}

#[test]
fn one_class_is_nothing_to_learn() {
    let target = Target::classes("level");
    let refused = Dataset::from_csv("one", "a,level\n1,x\n2,x\n".as_bytes(), &target);
    assert!(matches!(refused, Err(BuildError::ClassesCount { found: 1, .. })));
}

fn quick() -> Training {
    Training { epochs: 60, hidden: vec![16], learning_rate: 1e-2, ..Training::default() }
}

fn stopping(epochs: u32, patience_epochs: u32) -> Training {
    let stopping = Some(Stopping { validation_share: 0.2, patience_epochs });
    Training { epochs, stopping, ..Training::default() }
}

fn bias(file: &[u8]) -> Vec<f32> {
    sealgate_model::Artifact::parse(file).unwrap().layers()[0].bias.clone()
}

/// Which third of its range a sum is in.
fn three_classes() -> Dataset {
    let mut csv = "a,b,level\n".to_owned();
    for row in 0..300 {
        let (a, b) = (row % 17, row % 23);
        let level = ["low", "middle", "high"][(a + b) as usize / 13];
        csv.push_str(&format!("{a},{b},{level}\n"));
    }
    Dataset::from_csv("levels", csv.as_bytes(), &Target::classes("level")).unwrap()
}

fn numbers() -> Dataset {
    let mut csv = "days,kind,cost\n".to_owned();
    for row in 0..300 {
        let (days, kind) = (row % 19, row % 3);
        csv.push_str(&format!("{days},{kind},{}\n", 700 + 30 * days + 40 * kind));
    }
    Dataset::from_csv("costs", csv.as_bytes(), &Target::numbers("cost", "EUR")).unwrap()
}
