//! Files that other frameworks made, with the answers those frameworks gave.

use std::path::{Path, PathBuf};

use sealgate_model_import::{Activation, ImportError, Network, Source, read};

/// Every file, the words it needs, and the rows it is checked with.
pub const ALL: [(&str, Option<&str>, &str); 29] = [
    ("sklearn_binary.onnx", None, "sklearn_binary"),
    ("sklearn_binary_zipmap.onnx", None, "sklearn_binary_zipmap"),
    ("sklearn_multiclass.onnx", None, "sklearn_multiclass"),
    ("sklearn_multiclass_zipmap.onnx", None, "sklearn_multiclass_zipmap"),
    ("sklearn_columns.onnx", None, "sklearn_columns"),
    ("sklearn_multilabel.onnx", None, "sklearn_multilabel"),
    ("sklearn_regressor.onnx", None, "sklearn_regressor"),
    ("sklearn_regressor_one.onnx", None, "sklearn_regressor_one"),
    ("sklearn_logistic.onnx", None, "sklearn_logistic"),
    ("sklearn_logistic_zipmap.onnx", None, "sklearn_logistic_zipmap"),
    ("sklearn_logistic_three.onnx", None, "sklearn_logistic_three"),
    ("sklearn_linear.onnx", None, "sklearn_linear"),
    ("sklearn_linear_two.onnx", None, "sklearn_linear_two"),
    ("pytorch_binary_dynamo.onnx", None, "pytorch_binary"),
    ("pytorch_binary_legacy.onnx", None, "pytorch_binary"),
    ("pytorch_norm_first_dynamo.onnx", None, "pytorch_norm_first"),
    ("pytorch_norm_first_legacy.onnx", None, "pytorch_norm_first"),
    ("pytorch_curves_dynamo.onnx", None, "pytorch_curves"),
    ("pytorch_curves_legacy.onnx", None, "pytorch_curves"),
    ("pytorch_curves_opset17.onnx", None, "pytorch_curves"),
    ("pytorch_squeezed_dynamo.onnx", None, "pytorch_squeezed"),
    ("pytorch_squeezed_legacy.onnx", None, "pytorch_squeezed"),
    ("pytorch_outside.onnx", None, "pytorch_outside"),
    ("pytorch_sequential.safetensors", Some("relu, tanh, softmax"), "pytorch_sequential"),
    ("keras_binary.tflite", None, "keras_binary"),
    ("keras_curves.tflite", None, "keras_curves"),
    ("keras_grid.tflite", None, "keras_grid"),
    ("keras_float16.tflite", None, "keras_float16"),
    ("keras_int8.tflite", None, "keras_int8"),
];

pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// As a caller does it who has the folder.
pub fn import(name: &str, words: Option<&str>) -> Result<Network, ImportError> {
    let file = bytes(name);
    let outside = std::fs::read(path(&format!("{name}.data"))).ok();
    let mut source = Source::of(&file);
    source.outside = outside.as_deref();
    source.architecture = words;
    read(&source)
}

pub fn rows(name: &str) -> [Vec<Vec<f64>>; 2] {
    let text = std::fs::read(path(&format!("{name}.json"))).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
    ["inputs", "outputs"].map(|key| {
        let row = |row: &serde_json::Value| {
            row.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
        };
        value[key].as_array().unwrap().iter().map(row).collect()
    })
}

/// What a network answers, computed plainly in 64 bits.
pub fn answer(network: &Network, row: &[f64]) -> Vec<f64> {
    let mut values = row.to_vec();
    if let Some(fit) = &network.standardisation {
        for ((value, mean), std) in values.iter_mut().zip(&fit.mean).zip(&fit.std) {
            *value = (*value - f64::from(*mean)) / f64::from(*std);
        }
    }
    for layer in &network.layers {
        let mut sums: Vec<f64> = layer.bias.iter().map(|bias| f64::from(*bias)).collect();
        for (value, weights) in values.iter().zip(layer.weight.chunks_exact(layer.units())) {
            sums.iter_mut()
                .zip(weights)
                .for_each(|(sum, weight)| *sum += value * f64::from(*weight));
        }
        values = activated(layer.activation, &sums);
    }
    values
}

fn activated(activation: Activation, sums: &[f64]) -> Vec<f64> {
    let elu = |alpha: f64, x: f64| if x > 0.0 { x } else { alpha * x.exp_m1() };
    let each = |one: &dyn Fn(f64) -> f64| sums.iter().map(|x| one(*x)).collect();
    match activation {
        Activation::Linear => sums.to_vec(),
        Activation::Relu => each(&|x| x.max(0.0)),
        Activation::LeakyRelu { alpha } => {
            each(&|x| if x > 0.0 { x } else { f64::from(alpha) * x })
        }
        Activation::Elu { alpha } => each(&|x| elu(alpha.into(), x)),
        Activation::Selu => each(&|x| 1.050_700_987_355_480_5 * elu(1.673_263_242_354_377_2, x)),
        Activation::Gelu => each(&|x| 0.5 * x * (1.0 + libm::erf(x / std::f64::consts::SQRT_2))),
        Activation::GeluTanh => each(&|x| {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            0.5 * x * (1.0 + inner.tanh())
        }),
        Activation::Sigmoid => each(&|x| 1.0 / (1.0 + (-x).exp())),
        Activation::Tanh => each(&f64::tanh),
        Activation::Softmax => {
            let most = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let powers: Vec<f64> = sums.iter().map(|x| (x - most).exp()).collect();
            let total: f64 = powers.iter().sum();
            powers.iter().map(|power| power / total).collect()
        }
        other => panic!("{other:?} is new"),
    }
}

/// The largest difference between a network and the answers it should give. Two probabilities of
/// two classes are one of ours.
pub fn difference(network: &Network, inputs: &[Vec<f64>], outputs: &[Vec<f64>]) -> f64 {
    assert_eq!((inputs.len(), outputs.len()), (50, 50));
    let mut largest = 0.0_f64;
    for (input, expected) in inputs.iter().zip(outputs) {
        let mut found = answer(network, input);
        if found.len() == 1 && expected.len() == 2 {
            found.insert(0, 1.0 - found[0]);
        }
        assert_eq!(found.len(), expected.len());
        let apart = found.iter().zip(expected).map(|(a, b)| (a - b).abs() / b.abs().max(1.0));
        largest = apart.fold(largest, f64::max);
    }
    largest
}
