//! What each kind of answer needs from the network, and what a manifest says of its origin.

use sealgate_model::{
    Activation, Artifact, Digest, EarlyStopping, Manifest, ModelError, Provenance, Quantity, Task,
    WeightFormat,
};

use crate::sample;

#[test]
fn every_task_reads_back_as_it_was_written() {
    for manifest in [
        sample::manifest(3, &[4]),
        sample::multiclass(3, &[4], 5),
        sample::multilabel(3, &[4], 1),
        sample::regression(3, &[4], 2),
    ] {
        let file = Artifact::encode(&manifest, &sample::weights(&manifest)).unwrap();
        assert_eq!(Artifact::parse(&file).unwrap().manifest(), &manifest);
        assert_eq!(manifest.task.names().len(), manifest.outputs());
    }
}

#[test]
fn activations_with_a_parameter_read_back_as_they_were_written() {
    let mut manifest = sample::regression(3, &[4, 4], 1);
    manifest.architecture[0].activation = Activation::LeakyRelu { alpha: 0.1 };
    manifest.architecture[1].activation = Activation::Elu { alpha: 1.5 };
    let file = Artifact::encode(&manifest, &sample::weights(&manifest)).unwrap();
    assert_eq!(Artifact::parse(&file).unwrap().manifest(), &manifest);
    assert!(sample::manifest_text(&file).contains(r#"{"leaky_relu":{"alpha":0.1}}"#));
}

#[test]
fn every_origin_reads_back_as_it_was_written() {
    let trained = sample::manifest(3, &[4]).provenance;
    let imported = imported();
    let stopped = with_early_stopping(trained.clone());
    for provenance in [trained.clone(), imported.clone(), stopped, compressed(imported)] {
        let mut manifest = sample::manifest(3, &[4]);
        manifest.provenance = provenance;
        let file = Artifact::encode(&manifest, &sample::weights(&manifest)).unwrap();
        assert_eq!(Artifact::parse(&file).unwrap().manifest(), &manifest);
    }
}

#[test]
fn a_feature_whose_range_nobody_knows_has_none() {
    let mut manifest = sample::manifest(3, &[4]);
    manifest.features[1].range = None;
    let file = Artifact::encode(&manifest, &sample::weights(&manifest)).unwrap();
    assert_eq!(Artifact::parse(&file).unwrap().manifest(), &manifest);
}

#[test]
fn a_head_that_does_not_fit_its_task_is_refused() {
    let heads: [(Manifest, Activation); 4] = [
        (sample::manifest(3, &[4]), Activation::Linear),
        (sample::multiclass(3, &[4], 3), Activation::Sigmoid),
        (sample::multilabel(3, &[4], 3), Activation::Softmax),
        (sample::regression(3, &[4], 3), Activation::Softmax),
    ];
    for (mut manifest, activation) in heads {
        manifest.architecture.last_mut().unwrap().activation = activation;
        refused(&manifest, "task");
    }
}

#[test]
fn as_many_names_as_units_are_needed() {
    for mut manifest in [
        sample::multiclass(3, &[4], 3),
        sample::multilabel(3, &[4], 3),
        sample::regression(3, &[4], 3),
    ] {
        manifest.architecture.last_mut().unwrap().units = 4;
        refused(&manifest, "task");
    }
}

/// The field that is spoilt, and how.
type Change = (&'static str, fn(&mut Manifest));

#[test]
fn impossible_manifests_cannot_be_written() {
    let changes: [Change; 7] = [
        ("task", |m| m.task = Task::Multiclass { classes: names(&["a", "a", "b"]) }),
        ("task", |m| m.task = Task::Multiclass { classes: names(&["a", "", "b"]) }),
        ("architecture", |m| m.architecture[0].activation = Activation::Softmax),
        ("architecture", |m| {
            m.architecture[0].activation = Activation::Elu { alpha: f32::NAN };
        }),
        ("provenance", |m| m.provenance = compressed(compressed(imported()))),
        ("provenance", |m| {
            let Provenance::Imported { sha256, format, .. } = imported() else { return };
            m.provenance = Provenance::Imported { sha256, format, producer: String::new() };
        }),
        ("features", |m| m.features[0].range = Some([f32::NAN, 0.0])),
    ];
    for (field, change) in changes {
        let mut manifest = sample::multiclass(3, &[4], 3);
        change(&mut manifest);
        refused(&manifest, field);
    }
    let mut one = sample::multiclass(3, &[4], 1);
    refused(&one, "task");
    one = sample::regression(3, &[4], 1);
    let target = Quantity { name: "risk".to_owned(), unit: "\u{1b}[2J".to_owned() };
    one.task = Task::Regression { targets: vec![target] };
    refused(&one, "task");
}

#[test]
fn an_unknown_field_of_an_activation_is_refused() {
    let mut manifest = sample::manifest(3, &[4]);
    manifest.architecture[0].activation = Activation::Elu { alpha: 2.0 };
    let file = Artifact::encode(&manifest, &sample::weights(&manifest)).unwrap();
    let text = sample::manifest_text(&file);
    let changed = text.replace(r#"{"alpha":2.0}"#, r#"{"alpha":2.0,"beta":1}"#);
    assert_ne!(text, changed);
    let refused = Artifact::parse(&sample::forged(&[("sealgate.manifest", &changed)], &[]));
    assert!(matches!(refused, Err(ModelError::Manifest(_))));
}

#[test]
fn origins_nested_without_end_are_refused() {
    let mut manifest = sample::manifest(3, &[4]);
    for _ in 0..200 {
        manifest.provenance = compressed(manifest.provenance);
    }
    let weights = sample::weights(&manifest);
    let mut plain = manifest.clone();
    plain.provenance = imported();
    let text = sample::manifest_text(&Artifact::encode(&plain, &weights).unwrap());
    let open = r#"{"kind":"compressed","original":"#.repeat(100_000);
    let changed = text.replace(r#""provenance":{"#, &format!(r#""provenance":{open}{{"#));
    let refused = Artifact::parse(&sample::forged(&[("sealgate.manifest", &changed)], &[]));
    assert!(matches!(refused, Err(ModelError::Manifest(_))));
    assert!(Artifact::encode(&manifest, &weights).is_err());
}

fn refused(manifest: &Manifest, expected: &str) {
    let refused = Artifact::encode(manifest, &sample::weights(manifest)).unwrap_err();
    let named = matches!(refused, ModelError::Field { field, .. } if field == expected);
    assert!(named, "{expected}: {refused}");
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn imported() -> Provenance {
    Provenance::Imported {
        format: "onnx".to_owned(),
        sha256: Digest::of(b"file"),
        producer: "pytorch 2.9".to_owned(),
    }
}

fn compressed(original: Provenance) -> Provenance {
    Provenance::Compressed {
        of: Digest::of(b"artifact"),
        from: WeightFormat::F32,
        original: Box::new(original),
    }
}

fn with_early_stopping(mut provenance: Provenance) -> Provenance {
    if let Provenance::Trained { early_stopping, .. } = &mut provenance {
        *early_stopping =
            Some(EarlyStopping { validation_rows: 10, patience_epochs: 3, kept_epoch: 7 });
    }
    provenance
}
