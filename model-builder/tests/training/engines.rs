//! Both engines answer the same.

use burn::tensor::Device;
use sealgate_model::{Artifact, Model, ModelError, Network, Rows};
use sealgate_model_builder::{Training, train, wdbc};

#[test]
fn burn_flex_and_burn_ndarray_agree_on_every_row() {
    let artifact = artifact();
    let rows = wdbc().unwrap().to_rows().unwrap();
    let answers = |device| Network::load(&artifact, &device).unwrap().infer(&rows).unwrap();
    let (flex, ndarray) = (answers(Device::flex()), answers(ndarray()));
    assert_eq!(flex.count(), 569);
    for (left, right) in flex.values().iter().zip(ndarray.values()) {
        assert!((left - right).abs() <= 1e-6, "{left} {right}");
    }
}

#[test]
fn the_fused_path_agrees_with_both_engines_on_every_row() {
    let artifact = artifact();
    let rows = wdbc().unwrap().to_rows().unwrap();
    for device in [Device::flex(), ndarray()] {
        let engine = Network::load(&artifact, &device).unwrap().infer(&rows).unwrap();
        let fused = Model::load(&artifact, &device).unwrap();
        assert!(fused.judgement().is_some_and(|judgement| judgement.difference <= 1e-6));
        for (left, right) in fused.infer(&rows).unwrap().values().iter().zip(engine.values()) {
            assert!((left - right).abs() <= 1e-6, "{left} {right}");
        }
    }
}

#[test]
fn a_row_that_overflows_is_scored_by_nobody() {
    let artifact = artifact();
    for device in [Device::flex(), ndarray()] {
        let rows = Rows::new(1, 30, vec![f32::MAX; 30]).unwrap();
        let engine = Network::load(&artifact, &device).unwrap().infer(&rows).err();
        let fused = Model::load(&artifact, &device).unwrap().infer(&rows).err();
        for refused in [engine, fused] {
            assert!(matches!(refused, Some(ModelError::OutputNotFinite { row: 0 })), "{refused:?}");
        }
    }
}

fn artifact() -> Artifact {
    let training = Training { epochs: 5, ..Training::default() };
    train(&wdbc().unwrap(), &training, &mut |_| ()).unwrap().artifact
}

#[expect(deprecated, reason = "upstream gives it up; here it is a first-class engine still")]
fn ndarray() -> Device {
    Device::ndarray()
}
