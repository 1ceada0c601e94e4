//! The fused path on every kind of instructions that this machine has, compared with the engine
//! and with the same sums written out in 64 bits.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use burn::tensor::Device;
use proptest::prelude::*;

use super::Fused;
use super::level::Level;
use crate::stack::Stack;
use crate::{Activation, Artifact, Dense, LayerWeights, Manifest, Network, Outputs, Rows};
use crate::{reference, sample};

#[test]
fn this_machine_has_instructions_that_the_fused_path_is_made_for() {
    assert!(!Level::all().is_empty(), "nothing below was tested");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_network_answers_what_the_engine_and_the_reference_answer(
        features in 1_usize..70,
        hidden in prop::collection::vec((1_u32..150, activation()), 0..4),
        outputs in 1_u32..20,
        head in prop_oneof![activation(), Just(Activation::Softmax)],
        rows in 1_usize..300,
        seed in any::<u32>(),
    ) {
        let manifest = manifest(features, &hidden, Dense { units: outputs.max(2), activation: head });
        let artifact = artifact(&manifest);
        let rows = rows_of(&artifact, rows, seed);
        let engine = Network::load(&artifact, &Device::flex()).unwrap().infer(&rows).unwrap();
        for level in Level::all() {
            let ours = infer(&artifact, level, &rows);
            let width = ours.width();
            for (index, row) in rows.values().chunks(features).enumerate() {
                let place = index * width..(index + 1) * width;
                let expected = reference::answer(&artifact, row);
                let answers = ours.values()[place.clone()].iter().zip(&engine.values()[place]);
                for ((ours, theirs), expected) in answers.zip(expected) {
                    let apart = |other: f64| (f64::from(*ours) - other).abs();
                    let scale = expected.abs().max(1.0);
                    prop_assert!(apart(expected) < 2e-5 * scale, "{ours} {expected}");
                    prop_assert!(apart((*theirs).into()) < 3e-5 * scale, "{ours} {theirs}");
                }
            }
        }
    }

    #[test]
    fn a_row_is_scored_the_same_to_the_last_bit_whatever_stands_beside_it(
        features in 1_usize..40,
        hidden in prop::collection::vec((1_u32..80, activation()), 0..3),
        rows in 2_usize..40,
        seed in any::<u32>(),
    ) {
        let head = Dense { units: 5, activation: Activation::Softmax };
        let artifact = artifact(&manifest(features, &hidden, head));
        let rows = rows_of(&artifact, rows, seed);
        for level in Level::all() {
            let together = infer(&artifact, level, &rows);
            for (row, together) in rows.values().chunks(features).zip(together.values().chunks(5)) {
                let alone = Rows::new(1, features, row.to_vec()).unwrap();
                let bits = |values: &[f32]| -> Vec<u32> { values.iter().map(|v| v.to_bits()).collect() };
                prop_assert_eq!(bits(infer(&artifact, level, &alone).values()), bits(together));
            }
        }
    }
}

#[test]
fn every_activation_agrees_with_its_formula_over_its_whole_range() {
    let swept: Vec<f32> = (-200_000..200_000).map(|step| step as f32 / 2000.0).collect();
    for activation in ACTIVATIONS {
        for level in Level::all() {
            let artifact = artifact(&identity(4, activation));
            let rows = Rows::new(swept.len() / 4, 4, swept.clone()).unwrap();
            let found = infer(&artifact, level, &rows);
            for (found, x) in found.values().iter().zip(&swept) {
                let expected = reference::activated(activation, &[f64::from(*x)])[0];
                let error = (f64::from(*found) - expected).abs();
                let relative = matches!(activation, Activation::Sigmoid | Activation::Tanh);
                // What is below the normal numbers of 32 bits stays at their end.
                let scale =
                    if relative { expected.abs().max(1e-31) } else { expected.abs().max(1.0) };
                assert!(error <= 1e-6 * scale, "{activation} of {x}: {found}, expected {expected}");
            }
        }
    }
}

#[test]
fn what_is_not_a_number_comes_out_of_every_activation_as_not_a_number() {
    for activation in ACTIVATIONS.into_iter().chain([Activation::Softmax]) {
        for units in [2, 3, 20] {
            for level in Level::all() {
                let head = Dense { units, activation };
                let mut manifest = manifest(2, &[(2, Activation::Linear)], head);
                manifest.standardisation = None;
                // Infinity twice, and one taken off the other.
                let infinite = LayerWeights { weight: vec![10.0; 4], bias: vec![0.0; 2] };
                let units = units as usize;
                let weight = [vec![1.0; units], vec![-1.0; units]].concat();
                let difference = LayerWeights { weight, bias: vec![0.0; units] };
                let file = Artifact::encode(&manifest, &[infinite, difference]).unwrap();
                let fused =
                    Fused::for_level(&Stack::of(&Artifact::parse(&file).unwrap()).unwrap(), level);
                let rows = Rows::new(7, 2, vec![f32::MAX; 14]).unwrap();
                let answers = fused.infer(&rows).unwrap().to_vec();
                assert!(answers.iter().all(|value| value.is_nan()), "{activation} {answers:?}");
            }
        }
    }
}

#[test]
fn a_value_too_large_to_standardise_is_named_by_its_place_in_any_block() {
    let mut manifest = manifest(3, &[], Dense { units: 2, activation: Activation::Linear });
    manifest.standardisation.as_mut().unwrap().mean = vec![f32::MIN; 3];
    let artifact = artifact(&manifest);
    for level in Level::all() {
        for row in 0..30 {
            let mut values = vec![0.0; 90];
            values[row * 3 + 1] = f32::MAX;
            let fused = Fused::for_level(&Stack::of(&artifact).unwrap(), level);
            let refused = fused.infer(&Rows::new(30, 3, values).unwrap()).err().unwrap();
            assert_eq!(refused.to_string(), format!("row {row}, feature 1: not a finite number"));
        }
    }
}

const ACTIVATIONS: [Activation; 9] = [
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

fn activation() -> impl Strategy<Value = Activation> {
    prop::sample::select(ACTIVATIONS.as_slice())
}

/// Several classes or a regression, as the head needs it.
fn manifest(features: usize, hidden: &[(u32, Activation)], head: Dense) -> Manifest {
    let widths: Vec<u32> = hidden.iter().map(|(units, _)| *units).collect();
    let mut manifest = match head.activation {
        Activation::Softmax => sample::multiclass(features, &widths, head.units),
        _ => sample::regression(features, &widths, head.units),
    };
    let activations = hidden.iter().map(|(_, activation)| *activation).chain([head.activation]);
    for (layer, activation) in manifest.architecture.iter_mut().zip(activations) {
        layer.activation = activation;
    }
    manifest
}

/// One layer that changes nothing but by its activation.
fn identity(width: u32, activation: Activation) -> Manifest {
    let mut manifest = manifest(width as usize, &[], Dense { units: width, activation });
    manifest.standardisation = None;
    "identity".clone_into(&mut manifest.name);
    manifest
}

fn artifact(manifest: &Manifest) -> Artifact {
    let mut weights = sample::weights(manifest);
    if manifest.name == "identity" {
        let width = manifest.features.len();
        let diagonal = |at: usize| f32::from(u8::from(at.is_multiple_of(width + 1)));
        weights[0].weight = (0..width * width).map(diagonal).collect();
        weights[0].bias.fill(0.0);
    }
    Artifact::parse(&Artifact::encode(manifest, &weights).unwrap()).unwrap()
}

/// Raw rows about as far from the mean as training rows are.
fn rows_of(artifact: &Artifact, count: usize, seed: u32) -> Rows {
    let fit = artifact.manifest().standardisation.as_ref().unwrap();
    let features = fit.mean.len();
    let mut values = sample::noise(seed, count * features, 2.0);
    for row in values.chunks_mut(features) {
        for ((value, mean), std) in row.iter_mut().zip(&fit.mean).zip(&fit.std) {
            *value = value.mul_add(*std, *mean);
        }
    }
    Rows::new(count, features, values).unwrap()
}

fn infer(artifact: &Artifact, level: Level, rows: &Rows) -> Outputs {
    let fused = Fused::for_level(&Stack::of(artifact).unwrap(), level);
    let answers = fused.infer(rows).unwrap();
    Outputs::new(rows.count(), artifact.manifest().outputs(), answers).unwrap()
}
