//! Any bytes may be given to the parser: it refuses them or reads a model that runs.

use burn::tensor::Device;
use proptest::prelude::*;
use sealgate_model::{Artifact, Manifest, Model, ModelError, Rows, WeightFormat};

use crate::sample;

/// Goes as far as the bytes allow; nothing on the way may panic.
fn use_it(file: &[u8]) -> Option<ModelError> {
    let run = || {
        let artifact = Artifact::parse(file)?;
        let model = Model::load(&artifact, &Device::flex())?;
        model.warm_up()?;
        let features = model.features();
        model.infer(&Rows::new(2, features, vec![0.5; 2 * features])?).map(drop)
    };
    run().err()
}

#[test]
fn every_truncation_is_refused() {
    let file = sample::file();
    for length in 0..file.len() {
        assert!(Artifact::parse(&file[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn an_appended_byte_is_refused() {
    let mut file = sample::file();
    file.push(0);
    assert!(Artifact::parse(&file).is_err());
}

#[test]
fn every_flipped_bit_is_refused_or_runs() {
    for format in [WeightFormat::F32, WeightFormat::F16, WeightFormat::Int8] {
        let manifest = Manifest { weights: format, ..sample::manifest(3, &[4]) };
        let file = Artifact::encode(&manifest, &sample::weights(&manifest)).unwrap();
        for byte in 0..file.len() {
            for bit in 0..8 {
                let mut changed = file.clone();
                changed[byte] ^= 1 << bit;
                use_it(&changed);
            }
        }
    }
}

#[test]
fn a_header_that_claims_to_be_huge_is_refused() {
    let mut file = u64::MAX.to_le_bytes().to_vec();
    file.extend(b"{}");
    assert!(matches!(use_it(&file), Some(ModelError::HeaderTooLarge { .. })));
}

#[test]
fn deeply_nested_json_is_refused() {
    let nested = "[".repeat(200_000);
    let file = sample::forged(&[("sealgate.manifest", &nested)], &[]);
    assert!(matches!(use_it(&file), Some(ModelError::Manifest(_))));
}

proptest! {
    #[test]
    fn mutated_files_are_refused_or_run(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut file = sample::file();
        for (at, byte) in edits {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if let Some(cut) = cut {
            file.remove(cut.index(file.len()));
        }
        use_it(&file);
    }

    #[test]
    fn mutated_manifests_are_refused_or_run(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0x20_u8..0x7f), 1..4),
    ) {
        use safetensors::tensor::Dtype::F32;
        let mut text = sample::manifest_text(&sample::file()).into_bytes();
        for (at, byte) in edits {
            let at = at.index(text.len());
            text[at] = byte;
        }
        let text = String::from_utf8(text).unwrap();
        use_it(&sample::forged(
            &[("sealgate.manifest", &text)],
            &[
                ("layers.0.bias", F32, &[4]),
                ("layers.0.weight", F32, &[3, 4]),
                ("layers.1.bias", F32, &[1]),
                ("layers.1.weight", F32, &[4, 1]),
            ],
        ));
    }

    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(use_it(&bytes).is_some());
    }
}
