//! Fewer bits: how much smaller, how much worse, and what is refused.

use sealgate_model::{Artifact, Provenance, WeightFormat};
use sealgate_model_builder::{BuildError, Compression, Training, compress, train, wdbc};

#[test]
fn int8_is_about_three_times_smaller_and_loses_nothing_that_counts() {
    let found = compressed(WeightFormat::Int8);
    let [before, after] = found.weight_bytes;
    assert!(before > 2 * after, "{before} {after}");
    assert!(found.file_bytes[0] > 2 * found.file_bytes[1]);
    assert!(found.largest_difference < 0.05, "{}", found.largest_difference);
    assert!(found.mean_difference < 0.005, "{}", found.mean_difference);
    assert!(found.loss() <= 0.005, "{}", found.loss());
}

#[test]
fn f16_is_half_as_large_and_differs_less_than_int8() {
    let (half, eighth) = (compressed(WeightFormat::F16), compressed(WeightFormat::Int8));
    let [before, after] = half.weight_bytes;
    assert!((1.9..2.01).contains(&(before as f64 / after as f64)));
    assert!(half.largest_difference < eighth.largest_difference / 4.0);
}

#[test]
fn the_weight_bytes_are_those_of_the_tensors_in_the_file() {
    let found = compressed(WeightFormat::Int8);
    let header = u64::from_le_bytes(found.file[..8].try_into().unwrap()) as usize;
    assert_eq!(found.weight_bytes[1], found.file.len() - 8 - header);
}

#[test]
fn the_compressed_artifact_says_what_it_was_made_from() {
    let artifact = artifact();
    let found = of(&artifact, WeightFormat::Int8).unwrap();
    let expected = Provenance::Compressed {
        of: artifact.digest(),
        from: WeightFormat::F32,
        original: Box::new(artifact.manifest().provenance.clone()),
    };
    assert_eq!(found.artifact.manifest().provenance, expected);
    assert_eq!(
        found.artifact.manifest().schema_digest().unwrap(),
        artifact.manifest().schema_digest().unwrap()
    );
}

#[test]
fn the_same_artifact_compresses_to_the_same_bytes() {
    assert_eq!(compressed(WeightFormat::Int8).file, compressed(WeightFormat::Int8).file);
}

#[test]
fn a_loss_beyond_what_is_allowed_is_refused() {
    let found = compressed(WeightFormat::Int8);
    let loss = found.loss();
    assert!(found.within(loss).is_ok());
    let refused = compressed(WeightFormat::Int8).within(loss - 0.001);
    assert!(matches!(refused, Err(BuildError::LossTooLarge { .. })));
}

#[test]
fn what_does_not_become_smaller_or_was_compressed_before_is_refused() {
    let artifact = artifact();
    let refused = of(&artifact, WeightFormat::F32);
    assert!(matches!(refused, Err(BuildError::NotSmaller { .. })));
    let half = of(&artifact, WeightFormat::F16).unwrap().artifact;
    assert!(matches!(of(&half, WeightFormat::Int8), Err(BuildError::CompressedBefore)));
}

fn artifact() -> Artifact {
    let training = Training { epochs: 5, ..Training::default() };
    train(&wdbc().unwrap(), &training, &mut |_| ()).unwrap().artifact
}

fn of(artifact: &Artifact, to: WeightFormat) -> Result<Compression, BuildError> {
    let data = wdbc().unwrap();
    compress(artifact, 60_000, to, &data.to_rows().unwrap(), Some(data.truth()))
}

fn compressed(to: WeightFormat) -> Compression {
    of(&artifact(), to).unwrap()
}
