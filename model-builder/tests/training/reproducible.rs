//! The same seed, data, build and engine give the same bytes.

use sealgate_model::{Artifact, Digest, Provenance};
use sealgate_model_builder::{Training, train, wdbc, wdbc_csv};

fn file(seed: u32) -> Vec<u8> {
    let training = Training { seed, epochs: 2, ..Training::default() };
    train(&wdbc().unwrap(), &training, &mut |_| ()).unwrap().file
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    assert_eq!(file(1), file(1));
}

#[test]
fn another_seed_gives_other_weights() {
    let bias = |file: &[u8]| Artifact::parse(file).unwrap().layers()[0].bias.clone();
    assert_ne!(bias(&file(1)), bias(&file(2)));
}

#[test]
fn trainings_at_the_same_time_do_not_disturb_each_other() {
    let alone = file(1);
    std::thread::scope(|scope| {
        let trainings: Vec<_> = (1..=3).map(|seed| scope.spawn(move || file(seed))).collect();
        let mut files = trainings.into_iter().map(|training| training.join().unwrap());
        assert_eq!(files.next(), Some(alone));
    });
}

#[test]
fn the_artifact_names_the_data_it_was_trained_on() {
    let training = Training { epochs: 1, ..Training::default() };
    let trained = train(&wdbc().unwrap(), &training, &mut |_| ()).unwrap();
    let Provenance::Trained { dataset, seed, .. } = &trained.artifact.manifest().provenance else {
        panic!("another provenance");
    };
    assert_eq!((dataset.sha256, dataset.rows, *seed), (Digest::of(wdbc_csv()), 569, 1));
}
