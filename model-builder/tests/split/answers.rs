use proptest::prelude::*;
use sealgate_model::{Activation, Dense, Manifest, WeightFormat};
use sealgate_model_builder::SplitBy;

use crate::near::both;
use crate::sample;

const INNER: [Activation; 9] = [
    Activation::Linear,
    Activation::Relu,
    Activation::LeakyRelu { alpha: 0.01 },
    Activation::Elu { alpha: 1.25 },
    Activation::Selu,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Sigmoid,
    Activation::Tanh,
];

/// Standardised as real features are: the sample's own means are far from its rows.
fn of(mut manifest: Manifest, inner: Activation) -> Manifest {
    let depth = manifest.architecture.len();
    for layer in &mut manifest.architecture[..depth - 1] {
        layer.activation = inner;
    }
    let fit = manifest.standardisation.as_mut().unwrap();
    fit.mean.iter_mut().for_each(|mean| *mean /= 100.0);
    fit.std.iter_mut().for_each(|std| *std = 1.0 + *std / 10.0);
    manifest
}

fn largest([whole, split]: &[Vec<f32>; 2]) -> f64 {
    assert_eq!(whole.len(), split.len());
    let apart = |(one, other): (&f32, &f32)| {
        let (one, other) = (f64::from(*one), f64::from(*other));
        (one - other).abs() / one.abs().max(1.0)
    };
    whole.iter().zip(split).map(apart).fold(0.0, f64::max)
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn cut_by_layers_every_answer_is_the_same_to_the_last_bit() {
    for inner in INNER {
        for (hidden, parts) in [(&[7][..], 2), (&[33, 17], 3), (&[64, 1, 40], 2), (&[5, 6, 7], 4)] {
            let manifest = of(sample::multiclass(13, hidden, 3), inner);
            for count in [1, 2, 70] {
                let [whole, split] = both(&manifest, parts, SplitBy::Layers, count);
                assert_eq!(bits(&whole), bits(&split), "{inner} {hidden:?} {parts} {count}");
            }
        }
    }
}

#[test]
fn cut_by_columns_every_answer_is_within_a_millionth() {
    for inner in INNER {
        for (hidden, parts) in [(&[7][..], 2), (&[33, 17], 3), (&[64, 3, 40], 2), (&[8, 9, 10], 8)]
        {
            let manifest = of(sample::multilabel(13, hidden, 5), inner);
            for count in [1, 2, 70] {
                let found = both(&manifest, parts, SplitBy::Columns, count);
                assert!(largest(&found) <= 1e-6, "{inner} {hidden:?} {parts}: {}", largest(&found));
            }
        }
    }
}

#[test]
fn every_kind_of_answer_is_put_together() {
    let hidden = [24, 18];
    for manifest in [
        sample::manifest(9, &hidden),
        sample::manifest(9, &hidden[..1]),
        sample::multiclass(9, &hidden, 4),
        sample::multiclass(9, &hidden[..1], 4),
        sample::multiclass(9, &[], 4),
        sample::multilabel(9, &[], 6),
        sample::regression(9, &hidden, 3),
        sample::regression(9, &[], 3),
    ] {
        let manifest = of(manifest, Activation::Tanh);
        let found = both(&manifest, 2, SplitBy::Columns, 5);
        assert!(largest(&found) <= 1e-6, "{:?}: {}", manifest.task, largest(&found));
    }
}

#[test]
fn compressed_models_split_into_what_they_compute() {
    for weights in [WeightFormat::F16, WeightFormat::Int8] {
        let mut manifest = of(sample::multiclass(13, &[33, 17], 3), Activation::Relu);
        manifest.weights = weights;
        let [whole, split] = both(&manifest, 2, SplitBy::Layers, 20);
        assert_eq!(bits(&whole), bits(&split), "{weights}");
        let found = both(&manifest, 3, SplitBy::Columns, 20);
        assert!(largest(&found) <= 1e-6, "{weights}: {}", largest(&found));
    }
}

#[test]
fn more_rows_than_a_message_holds_are_answered_in_their_order() {
    // 4 MiB are 32 rows of the widest layer.
    let manifest = of(sample::regression(3, &[32_768, 4], 2), Activation::Relu);
    let [whole, split] = both(&manifest, 2, SplitBy::Layers, 50);
    assert_eq!(bits(&whole), bits(&split));
}

#[test]
fn a_model_without_standardisation_is_split_as_one_with_it() {
    let mut manifest = of(sample::multiclass(6, &[12, 8], 3), Activation::Gelu);
    manifest.standardisation = None;
    let [whole, split] = both(&manifest, 2, SplitBy::Layers, 9);
    assert_eq!(bits(&whole), bits(&split));
    assert!(largest(&both(&manifest, 2, SplitBy::Columns, 9)) <= 1e-6);
}

#[test]
fn layers_that_amplify_differ_in_their_last_bits() {
    let manifest = of(sample::multiclass(2, &[26, 17, 30], 4), Activation::Selu);
    let found = largest(&both(&manifest, 4, SplitBy::Columns, 10));
    assert!(0.0 < found && found <= ANY_SHAPE, "{found}");
}

/// Sums of 50 products in another order differ by some 4e-7 of their size, and up to six layers pass
/// that on.
const ANY_SHAPE: f64 = 4e-6;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_shape_is_split_without_a_difference(
        features in 1_usize..20,
        hidden in proptest::collection::vec(1_u32..50, 0..5),
        outputs in 2_u32..6,
        parts in 2_usize..5,
        count in 1_usize..20,
        inner in proptest::sample::select(INNER.to_vec()),
    ) {
        let manifest = of(sample::multiclass(features, &hidden, outputs), inner);
        let firsts = manifest.architecture.iter().step_by(2).take(hidden.len().div_ceil(2));
        let depth = manifest.architecture.len();
        let wide = |layer: &Dense| layer.units as usize >= parts;
        if depth >= parts {
            let [whole, split] = both(&manifest, parts, SplitBy::Layers, count);
            prop_assert_eq!(bits(&whole), bits(&split));
        }
        if depth > 1 && firsts.clone().all(wide) {
            let found = both(&manifest, parts, SplitBy::Columns, count);
            prop_assert!(largest(&found) <= ANY_SHAPE, "{}", largest(&found));
        }
    }
}
