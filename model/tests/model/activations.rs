//! Every activation, compared with its formula in 64 bits over the whole range that matters.

use burn::tensor::Device;
use sealgate_model::{Activation, Artifact, Dense, LayerWeights, Model, Rows};

use crate::{reference, sample};

pub const ALL: [Activation; 10] = [
    Activation::Linear,
    Activation::Relu,
    Activation::LeakyRelu { alpha: 0.01 },
    Activation::Elu { alpha: 1.25 },
    Activation::Selu,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::Softmax,
];

#[test]
fn every_activation_agrees_with_its_formula() {
    for activation in ALL {
        let values = swept();
        let found = through_identity(activation, &values);
        for (found, values) in found.chunks(WIDTH).zip(values.chunks(WIDTH)) {
            let values: Vec<f64> = values.iter().copied().map(f64::from).collect();
            let expected = reference::activated(activation, &values);
            for ((found, expected), value) in found.iter().zip(expected).zip(values) {
                let error = (f64::from(*found) - expected).abs() / expected.abs().max(1.0);
                assert!(error <= 1e-6, "{activation} of {value}: {found}, expected {expected}");
            }
        }
    }
}

#[test]
fn softmax_of_numbers_whose_exponentials_overflow_is_still_a_distribution() {
    let row = [500.0, 499.0, -500.0, 0.0];
    let found = through_identity(Activation::Softmax, &row);
    let expected = reference::activated(Activation::Softmax, &row.map(f64::from));
    for (found, expected) in found.iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() < 1e-6);
    }
}

const WIDTH: usize = 4;

/// From -30 to 30, finer around zero.
fn swept() -> Vec<f32> {
    let coarse = (-3000..3000).map(|step| step as f32 / 100.0);
    let fine = (-2000..2000).map(|step| step as f32 / 10_000.0);
    coarse.chain(fine).collect()
}

/// What a layer answers whose weights are the identity.
fn through_identity(activation: Activation, values: &[f32]) -> Vec<f32> {
    let mut manifest = sample::regression(WIDTH, &[], WIDTH as u32);
    if activation == Activation::Softmax {
        manifest = sample::multiclass(WIDTH, &[], WIDTH as u32);
    }
    manifest.standardisation = None;
    manifest.architecture = vec![Dense { units: WIDTH as u32, activation }];
    let diagonal = (0..WIDTH * WIDTH).map(|at| f32::from(u8::from(at.is_multiple_of(WIDTH + 1))));
    let weights = LayerWeights { weight: diagonal.collect(), bias: vec![0.0; WIDTH] };
    let artifact = Artifact::parse(&Artifact::encode(&manifest, &[weights]).unwrap()).unwrap();
    let model = Model::load(&artifact, &Device::flex()).unwrap();
    let rows = Rows::new(values.len() / WIDTH, WIDTH, values.to_vec()).unwrap();
    model.infer(&rows).unwrap().values().to_vec()
}
