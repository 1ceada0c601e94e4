//! Parts of several callers in one pass: each is answered as if it had been alone.

use burn::tensor::Device;
use proptest::prelude::*;
use sealgate_model::{Artifact, Model, ModelError, Outputs, Rows};

use crate::sample;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn each_part_is_answered_to_the_last_bit_as_if_it_had_been_alone(
        features in 1_usize..40,
        hidden in prop::collection::vec(1_u32..100, 0..3),
        outputs in 2_u32..20,
        counts in prop::collection::vec(1_usize..20, 0..12),
        seed in any::<u32>(),
    ) {
        let model = load(&sample::multiclass(features, &hidden, outputs));
        let noise = |(part, count): (usize, &usize)| {
            let seed = seed.wrapping_add(part as u32);
            Rows::new(*count, features, sample::noise(seed, count * features, 9.0)).unwrap()
        };
        let parts: Vec<Rows> = counts.iter().enumerate().map(noise).collect();
        let together = model.infer_together(&parts.iter().collect::<Vec<_>>());
        prop_assert_eq!(together.len(), parts.len());
        for (part, answered) in parts.iter().zip(together) {
            let (alone, answered) = (model.infer(part).unwrap(), answered.unwrap());
            prop_assert_eq!((answered.count(), answered.width()), (part.count(), outputs as usize));
            prop_assert_eq!(bits(&answered), bits(&alone));
        }
    }
}

#[test]
fn a_value_too_large_to_standardise_is_refused_to_its_own_part_alone() {
    let mut manifest = sample::manifest(3, &[4]);
    let fit = manifest.standardisation.as_mut().unwrap();
    (fit.mean, fit.std) = (vec![f32::MIN; 3], vec![f32::MAX; 3]);
    refused_alone(&load(&manifest), |error| {
        matches!(error, ModelError::ValueNotFinite { row: 1, feature: 2 })
    });
}

#[test]
fn a_score_that_is_no_number_is_refused_to_its_own_part_alone() {
    let mut manifest = sample::regression(3, &[4], 1);
    manifest.standardisation.as_mut().unwrap().std = vec![1e-6; 3];
    refused_alone(&load(&manifest), |error| {
        matches!(error, ModelError::OutputNotFinite { row: 1 })
    });
}

#[test]
fn rows_of_another_width_are_refused_to_their_own_part_alone() {
    let model = load(&sample::manifest(3, &[4]));
    let (good, bad) = (usual(), Rows::new(1, 2, vec![0.0; 2]).unwrap());
    let answered = model.infer_together(&[&good, &bad, &good]);
    let refused = answered.iter().map(Result::is_err).collect::<Vec<_>>();
    assert_eq!(refused, [false, true, false]);
}

/// Between two usual parts, one whose second row ends in the largest number there is.
fn refused_alone(model: &Model, expected: impl Fn(&ModelError) -> bool) {
    let (usual, mut values) = (usual(), vec![0.5; 6]);
    values[5] = f32::MAX;
    let bad = Rows::new(2, 3, values).unwrap();
    let answered = model.infer_together(&[&usual, &bad, &usual]);
    let [Ok(first), Err(refused), Ok(last)] = answered.as_slice() else {
        panic!("{:?}", answered.iter().map(|part| part.as_ref().err()).collect::<Vec<_>>());
    };
    assert!(expected(refused), "{refused}");
    let alone = bits(&model.infer(&usual).unwrap());
    assert_eq!([bits(first), bits(last)], [alone.clone(), alone]);
}

fn usual() -> Rows {
    Rows::new(2, 3, vec![0.1, -0.2, 0.3, 0.4, 0.5, -0.6]).unwrap()
}

fn load(manifest: &sealgate_model::Manifest) -> Model {
    let file = Artifact::encode(manifest, &sample::weights(manifest)).unwrap();
    Model::load(&Artifact::parse(&file).unwrap(), &Device::flex()).unwrap()
}

fn bits(outputs: &Outputs) -> Vec<u32> {
    outputs.values().iter().map(|value| value.to_bits()).collect()
}
