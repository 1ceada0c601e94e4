//! What the network answers, compared with the same sums written out in 64 bits.

use burn::tensor::Device;
use sealgate_model::{Artifact, Manifest, Model, ModelError, Rows};

use crate::{reference, sample};

#[test]
fn the_network_agrees_with_a_64_bit_reference() {
    for (features, hidden) in [(1, vec![]), (3, vec![4]), (30, vec![128, 64]), (7, vec![5; 9])] {
        let artifact = artifact(sample::manifest(features, &hidden));
        let rows = rows_of(&artifact, 50);
        let outputs = load(&artifact).infer(&rows).unwrap();
        for (answer, row) in outputs.values().iter().zip(rows.values().chunks(features)) {
            let expected = reference::answer(&artifact, row)[0];
            assert!((f64::from(*answer) - expected).abs() < 1e-5, "{answer} {expected}");
        }
    }
}

#[test]
fn a_network_without_standardisation_takes_values_as_they_are() {
    let mut manifest = sample::manifest(3, &[4]);
    manifest.standardisation = None;
    let artifact = artifact(manifest);
    let answer = load(&artifact).infer(&Rows::new(1, 3, vec![0.2, -0.4, 0.8]).unwrap()).unwrap();
    let expected = reference::answer(&artifact, &[0.2, -0.4, 0.8])[0];
    assert!((f64::from(answer.values()[0]) - expected).abs() < 1e-6);
}

#[test]
fn a_mean_far_from_zero_costs_no_precision() {
    let mut manifest = sample::manifest(3, &[4]);
    let fit = manifest.standardisation.as_mut().unwrap();
    // Seconds since 1970, spread over an hour: folded into the bias, this would be noise.
    fit.mean = vec![1.7e9; 3];
    fit.std = vec![3600.0; 3];
    let artifact = artifact(manifest);
    let row = vec![1.7e9 + 1024.0, 1.7e9 - 4096.0, 1.7e9 + 256.0];
    let expected = reference::answer(&artifact, &row)[0];
    let answer = load(&artifact).infer(&Rows::new(1, 3, row).unwrap()).unwrap();
    assert!((f64::from(answer.values()[0]) - expected).abs() < 1e-6);
}

#[test]
fn a_row_is_scored_the_same_alone_and_among_others() {
    let artifact = artifact(sample::manifest(30, &[128, 64]));
    let model = load(&artifact);
    let rows = rows_of(&artifact, 33);
    let together = model.infer(&rows).unwrap();
    for (row, expected) in rows.values().chunks(30).zip(together.values()) {
        let alone = model.infer(&Rows::new(1, 30, row.to_vec()).unwrap()).unwrap();
        assert!((alone.values()[0] - expected).abs() < 1e-6);
    }
}

#[test]
fn rows_of_another_width_are_refused() {
    let refused = load(&artifact(sample::manifest(3, &[4])))
        .infer(&Rows::new(3, 2, vec![0.0; 6]).unwrap())
        .err();
    assert!(matches!(refused, Some(ModelError::FeatureCount { expected: 3, found: 2 })));
}

#[test]
fn a_value_too_large_to_standardise_is_named_by_its_place() {
    let mut manifest = sample::manifest(3, &[4]);
    manifest.standardisation.as_mut().unwrap().mean = vec![f32::MIN; 3];
    let rows = Rows::new(1, 3, vec![0.0, f32::MAX, 0.0]).unwrap();
    let refused = load(&artifact(manifest)).infer(&rows).err();
    assert!(matches!(refused, Some(ModelError::ValueNotFinite { row: 0, feature: 1 })));
}

#[test]
fn a_row_that_overflows_the_network_is_refused_and_not_scored() {
    let model = load(&artifact(sample::manifest(30, &[128, 64])));
    let mut values = vec![0.0; 60];
    values[30..].fill(f32::MAX);
    let refused = model.infer(&Rows::new(2, 30, values).unwrap()).err();
    assert!(matches!(refused, Some(ModelError::OutputNotFinite { row: 1 })), "{refused:?}");
}

#[test]
fn a_deviation_too_small_to_divide_by_is_refused_at_loading() {
    let mut manifest = sample::manifest(3, &[4]);
    manifest.standardisation.as_mut().unwrap().std = vec![f32::from_bits(1); 3];
    let refused = Model::load(&artifact(manifest), &Device::flex()).err();
    assert!(matches!(refused, Some(ModelError::WeightNotFinite { .. })));
}

#[test]
fn one_model_serves_many_threads_at_once() {
    let artifact = artifact(sample::manifest(30, &[128, 64]));
    let model = load(&artifact);
    let rows = rows_of(&artifact, 8);
    let expected = model.infer(&rows).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(model.infer(&rows).unwrap().values(), expected.values());
                }
            });
        }
    });
}

#[test]
fn a_model_warms_up_and_knows_where_it_came_from() {
    let artifact = artifact(sample::manifest(3, &[4]));
    let model = load(&artifact);
    model.warm_up().unwrap();
    assert_eq!(model.digest(), artifact.digest());
    assert_eq!((model.features(), model.outputs()), (3, 1));
}

fn artifact(manifest: Manifest) -> Artifact {
    Artifact::parse(&Artifact::encode(&manifest, &sample::weights(&manifest)).unwrap()).unwrap()
}

fn load(artifact: &Artifact) -> Model {
    Model::load(artifact, &Device::flex()).unwrap()
}

/// Raw rows about as far from the mean as training rows are.
fn rows_of(artifact: &Artifact, count: usize) -> Rows {
    let fit = artifact.manifest().standardisation.as_ref().unwrap();
    let features = fit.mean.len();
    let mut values = sample::noise(99, count * features, 2.0);
    for row in values.chunks_mut(features) {
        for ((value, mean), std) in row.iter_mut().zip(&fit.mean).zip(&fit.std) {
            *value = value.mul_add(*std, *mean);
        }
    }
    Rows::new(count, features, values).unwrap()
}
