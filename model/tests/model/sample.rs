//! A small network with weights that are as good as random and always the same.

use safetensors::tensor::{Dtype, TensorView};
use sealgate_model::{
    Activation, Artifact, DataSource, Dense, Digest, Engine, FORMAT, Feature, LayerWeights,
    MANIFEST_KEY, Manifest, Optimiser, Provenance, Quantity, Standardisation, Task, WeightFormat,
};
use std::collections::HashMap;

pub fn manifest(features: usize, hidden: &[u32]) -> Manifest {
    let relu = |&units| Dense { units, activation: Activation::Relu };
    let head = Dense { units: 1, activation: Activation::Sigmoid };
    let feature = |index| Feature {
        name: format!("feature_{index}"),
        unit: "1".to_owned(),
        range: Some([-0.1, 1.5]),
    };
    Manifest {
        format: FORMAT,
        name: "sample".to_owned(),
        architecture: hidden.iter().map(relu).chain([head]).collect(),
        weights: WeightFormat::F32,
        input: "x".to_owned(),
        output: "probability".to_owned(),
        features: (0..features).map(feature).collect(),
        standardisation: Some(Standardisation {
            mean: noise(1, features, 100.0),
            std: noise(2, features, 10.0).iter().map(|value| value.abs() + 0.5).collect(),
        }),
        task: Task::Binary {
            classes: ["no".to_owned(), "yes".to_owned()],
            positive: "yes".to_owned(),
        },
        provenance: Provenance::Trained {
            dataset: DataSource { name: "noise".to_owned(), sha256: Digest::of(b""), rows: 1 },
            seed: 1,
            epochs: 1,
            optimiser: Optimiser { name: "none".to_owned(), learning_rate: 0.1, batch_rows: 1 },
            engine: Engine { name: "none".to_owned(), version: "0".to_owned() },
            early_stopping: None,
        },
    }
}

/// Softmax over `classes` units.
pub fn multiclass(features: usize, hidden: &[u32], classes: u32) -> Manifest {
    let task = Task::Multiclass { classes: names("class", classes) };
    with_head(manifest(features, hidden), classes, Activation::Softmax, task)
}

/// Sigmoids over `labels` units.
pub fn multilabel(features: usize, hidden: &[u32], labels: u32) -> Manifest {
    let task = Task::Multilabel { labels: names("label", labels) };
    with_head(manifest(features, hidden), labels, Activation::Sigmoid, task)
}

/// Numbers as they are.
pub fn regression(features: usize, hidden: &[u32], targets: u32) -> Manifest {
    let quantity = |name| Quantity { name, unit: "1".to_owned() };
    let task = names("target", targets).into_iter().map(quantity).collect();
    let task = Task::Regression { targets: task };
    with_head(manifest(features, hidden), targets, Activation::Linear, task)
}

fn with_head(mut manifest: Manifest, units: u32, activation: Activation, task: Task) -> Manifest {
    *manifest.architecture.last_mut().unwrap() = Dense { units, activation };
    manifest.task = task;
    manifest
}

fn names(of: &str, count: u32) -> Vec<String> {
    (0..count).map(|index| format!("{of} {index}")).collect()
}

pub fn weights(manifest: &Manifest) -> Vec<LayerWeights> {
    let mut inputs = manifest.features.len();
    let mut layers = Vec::new();
    for (index, layer) in manifest.architecture.iter().enumerate() {
        let units = layer.units as usize;
        let seed = 10 + 2 * index as u32;
        let scale = (6.0 / inputs as f32).sqrt();
        layers.push(LayerWeights {
            weight: noise(seed, inputs * units, scale),
            bias: noise(seed + 1, units, 0.1),
        });
        inputs = units;
    }
    layers
}

pub fn file() -> Vec<u8> {
    let manifest = manifest(3, &[4]);
    Artifact::encode(&manifest, &weights(&manifest)).unwrap()
}

/// A file as somebody else could have written it: any metadata, any tensors.
pub fn forged(metadata: &[(&str, &str)], tensors: &[(&str, Dtype, &[usize])]) -> Vec<u8> {
    let metadata: HashMap<String, String> =
        metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let zeros = vec![0; 4096];
    let views = tensors.iter().map(|(name, dtype, shape)| {
        let bytes = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        (*name, TensorView::new(*dtype, shape.to_vec(), &zeros[..bytes]).unwrap())
    });
    safetensors::serialize(views, Some(metadata)).unwrap()
}

/// The manifest inside a file, as text.
pub fn manifest_text(file: &[u8]) -> String {
    let (_, header) = safetensors::SafeTensors::read_metadata(file).unwrap();
    header.metadata().as_ref().unwrap()[MANIFEST_KEY].clone()
}

/// `count` numbers between -`scale` and `scale`, from an xorshift generator.
pub fn noise(seed: u32, count: usize, scale: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        scale * (state as f32 / u32::MAX as f32).mul_add(2.0, -1.0)
    };
    (0..count).map(|_| next()).collect()
}
