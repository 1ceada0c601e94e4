//! Weights in 16 and in 8 bits: what a file holds, what is read from it, and what is refused.

use safetensors::tensor::Dtype::{F16, F32, I8};
use sealgate_model::{Artifact, LayerWeights, Manifest, ModelError, WeightFormat};

use crate::sample;

#[test]
fn weights_of_16_bits_are_rounded_to_the_nearest() {
    let read = parse(&encode(WeightFormat::F16));
    for (layer, original) in read.layers().iter().zip(&sample::weights(read.manifest())) {
        for (found, weight) in layer.weight.iter().zip(&original.weight) {
            // Half a unit in the last place of 11 significant bits.
            assert!((found - weight).abs() <= weight.abs() / 2048.0, "{found} {weight}");
        }
        assert_eq!(layer.bias, original.bias);
    }
}

#[test]
fn weights_of_8_bits_are_within_half_a_step_of_their_unit() {
    let read = parse(&encode(WeightFormat::Int8));
    let shapes = [4, 1];
    for ((layer, original), units) in
        read.layers().iter().zip(&sample::weights(read.manifest())).zip(shapes)
    {
        for unit in 0..units {
            let of_unit = |values: &[f32]| -> Vec<f32> {
                values.iter().skip(unit).step_by(units).copied().collect()
            };
            let weights = of_unit(&original.weight);
            let largest = weights.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            for (found, weight) in of_unit(&layer.weight).iter().zip(&weights) {
                assert!((found - weight).abs() <= largest / 127.0 * 0.5001, "{found} {weight}");
            }
        }
        assert_eq!(layer.bias, original.bias);
    }
}

#[test]
fn fewer_bits_take_fewer_bytes() {
    let [full, half, eighth] = [WeightFormat::F32, WeightFormat::F16, WeightFormat::Int8]
        .map(|format| sized(format).len());
    assert!(full > half + half / 2 && half > eighth + eighth / 2, "{full} {half} {eighth}");
}

#[test]
fn a_unit_without_weights_stays_without() {
    let manifest = with(WeightFormat::Int8);
    let mut weights = sample::weights(&manifest);
    weights[0].weight.iter_mut().skip(2).step_by(4).for_each(|weight| *weight = 0.0);
    let read = parse(&Artifact::encode(&manifest, &weights).unwrap());
    assert!(read.layers()[0].weight.iter().skip(2).step_by(4).all(|&weight| weight == 0.0));
}

#[test]
fn quantising_what_was_quantised_changes_nothing() {
    let once = parse(&encode(WeightFormat::Int8));
    let twice = parse(&Artifact::encode(once.manifest(), once.layers()).unwrap());
    for (once, twice) in once.layers().iter().zip(twice.layers()) {
        for (once, twice) in once.weight.iter().zip(&twice.weight) {
            assert!((once - twice).abs() <= once.abs() * 1e-6);
        }
    }
}

#[test]
fn a_weight_too_large_for_16_bits_is_refused() {
    let manifest = with(WeightFormat::F16);
    let mut weights = sample::weights(&manifest);
    weights[0].weight[0] = 70_000.0;
    let refused = Artifact::encode(&manifest, &weights);
    assert!(matches!(refused, Err(ModelError::WeightNotFinite { .. })));
}

#[test]
fn a_scale_that_is_not_greater_than_zero_is_refused() {
    for scale in [0.0_f32, -0.0, -1.0] {
        let refused = with_scale(scale);
        assert!(matches!(refused, ModelError::Scale { .. }), "{refused}");
    }
    for scale in [f32::NAN, f32::INFINITY] {
        assert!(matches!(with_scale(scale), ModelError::WeightNotFinite { .. }));
    }
}

#[test]
fn a_scale_whose_steps_overflow_is_refused() {
    assert!(matches!(with_scale(f32::MAX), ModelError::WeightNotFinite { .. }));
}

#[test]
fn the_step_that_has_no_counterpart_is_refused() {
    let mut file = encode(WeightFormat::Int8);
    let at = start_of(&file, "layers.0.weight");
    file[at] = i8::MIN.cast_unsigned();
    assert!(matches!(Artifact::parse(&file), Err(ModelError::Step { .. })));
}

#[test]
fn tensors_of_another_weight_format_are_refused() {
    let text = sample::manifest_text(&encode(WeightFormat::Int8));
    let tensors = [
        ("layers.0.bias", F32, [4].as_slice()),
        ("layers.0.scale", F32, &[4]),
        ("layers.0.weight", I8, &[3, 4]),
        ("layers.1.bias", F32, &[1]),
        ("layers.1.scale", F32, &[1]),
        ("layers.1.weight", I8, &[4, 1]),
    ];
    let refused = |tensors: &[_]| {
        Artifact::parse(&sample::forged(&[("sealgate.manifest", &text)], tensors)).unwrap_err()
    };
    let mut halves = tensors;
    halves[2].1 = F16;
    assert!(matches!(refused(&halves), ModelError::TensorType { .. }));
    let mut short = tensors;
    short[1].2 = &[3];
    assert!(matches!(refused(&short), ModelError::TensorShape { .. }));
    let missing = [&tensors[..1], &tensors[2..]].concat();
    assert!(matches!(refused(&missing), ModelError::TensorCount { expected: 6, found: 5 }));
    // The forged scales are all zero; everything before them was right.
    assert!(matches!(refused(&tensors), ModelError::Scale { .. }));
}

#[test]
fn every_truncation_is_refused() {
    for format in [WeightFormat::F16, WeightFormat::Int8] {
        let file = encode(format);
        for length in 0..file.len() {
            assert!(Artifact::parse(&file[..length]).is_err(), "{format}, {length} bytes");
        }
    }
}

fn with(format: WeightFormat) -> Manifest {
    Manifest { weights: format, ..sample::manifest(3, &[4]) }
}

fn encode(format: WeightFormat) -> Vec<u8> {
    let manifest = with(format);
    Artifact::encode(&manifest, &sample::weights(&manifest)).unwrap()
}

fn sized(format: WeightFormat) -> Vec<u8> {
    let manifest = Manifest { weights: format, ..sample::manifest(300, &[128]) };
    let weights: Vec<LayerWeights> = sample::weights(&manifest);
    Artifact::encode(&manifest, &weights).unwrap()
}

fn parse(file: &[u8]) -> Artifact {
    Artifact::parse(file).unwrap()
}

/// What becomes of a file whose first scale is another.
fn with_scale(scale: f32) -> ModelError {
    let mut file = encode(WeightFormat::Int8);
    let at = start_of(&file, "layers.0.scale");
    file[at..at + 4].copy_from_slice(&scale.to_le_bytes());
    Artifact::parse(&file).unwrap_err()
}

/// Where a tensor begins in a file.
fn start_of(file: &[u8], name: &str) -> usize {
    let (header, metadata) = safetensors::SafeTensors::read_metadata(file).unwrap();
    8 + header + metadata.info(name).unwrap().data_offsets.0
}
