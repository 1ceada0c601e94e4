//! Which manifests are possible: every limit and every agreement between fields.

use std::collections::HashSet;

use super::{Activation, FORMAT, Feature, Manifest, Provenance, Standardisation, Task};
use crate::ModelError;

/// The largest number of layers.
pub const DEPTH_MAX: usize = 32;
/// The largest number of features, and of units of a layer.
pub const WIDTH_MAX: usize = 65_536;
/// The longest name of a model or of a tensor.
const NAME_BYTES_MAX: usize = 64;
/// The longest text elsewhere.
const TEXT_BYTES_MAX: usize = 128;

impl Manifest {
    /// Refuses whatever cannot be run or cannot be shown to a person.
    pub(crate) fn check(&self) -> Result<(), ModelError> {
        require(self.format == FORMAT, "format", "format 1")?;
        require(is_name(&self.name), "name", "1 to 64 of a-z, 0-9, `.`, `_`, `-`")?;
        require(is_name(&self.input), "input", "1 to 64 of a-z, 0-9, `.`, `_`, `-`")?;
        require(is_name(&self.output), "output", "1 to 64 of a-z, 0-9, `.`, `_`, `-`")?;
        check_features(&self.features)?;
        if let Some(standardisation) = &self.standardisation {
            check_standardisation(standardisation, self.features.len())?;
        }
        let depth = self.architecture.len();
        require((1..=DEPTH_MAX).contains(&depth), "architecture", "1 to 32 layers")?;
        for layer in &self.architecture {
            let units = layer.units as usize;
            require((1..=WIDTH_MAX).contains(&units), "architecture", "1 to 65,536 units")?;
        }
        self.check_task()?;
        check_provenance(&self.provenance)
    }

    fn check_task(&self) -> Result<(), ModelError> {
        let Task::Binary { classes, positive } = &self.task;
        let [negative, second] = classes;
        require(is_text(negative) && is_text(second), "task", "class names of 1 to 128 bytes")?;
        require(negative != second, "task", "two different classes")?;
        require(positive == second, "task", "the positive class is the second")?;
        let head = self.architecture.last().map(|layer| (layer.units, layer.activation));
        let fits = head == Some((1, Activation::Sigmoid));
        require(fits, "task", "a binary task ends in one sigmoid unit")
    }

    /// The inputs and units of every layer.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = (usize, usize)> {
        let units = || self.architecture.iter().map(|layer| layer.units as usize);
        std::iter::once(self.features.len()).chain(units()).zip(units())
    }
}

/// The bytes that the parameters of a manifest take, if that is a number.
pub(crate) fn parameter_bytes(manifest: &Manifest) -> Option<usize> {
    manifest.shapes().try_fold(0_usize, |sum, (inputs, units)| {
        let values = inputs.checked_mul(units)?.checked_add(units)?;
        sum.checked_add(values.checked_mul(size_of::<f32>())?)
    })
}

fn check_features(features: &[Feature]) -> Result<(), ModelError> {
    let count = features.len();
    require((1..=WIDTH_MAX).contains(&count), "features", "1 to 65,536 features")?;
    let mut names = HashSet::with_capacity(count);
    for feature in features {
        require(is_text(&feature.name), "features", "names of 1 to 128 bytes")?;
        require(is_text(&feature.unit), "features", "units of 1 to 128 bytes")?;
        require(names.insert(feature.name.as_str()), "features", "no name twice")?;
        let [low, high] = feature.range;
        let ordered = low.is_finite() && high.is_finite() && low <= high;
        require(ordered, "features", "a range from the smallest to the largest value")?;
    }
    Ok(())
}

fn check_standardisation(fit: &Standardisation, features: usize) -> Result<(), ModelError> {
    let complete = fit.mean.len() == features && fit.std.len() == features;
    require(complete, "standardisation", "a mean and a deviation for each feature")?;
    let finite = fit.mean.iter().chain(&fit.std).all(|value| value.is_finite());
    require(finite, "standardisation", "finite numbers")?;
    let positive = fit.std.iter().all(|&std| std > 0.0);
    require(positive, "standardisation", "deviations greater than zero")
}

fn check_provenance(provenance: &Provenance) -> Result<(), ModelError> {
    let Provenance::Trained { dataset, optimiser, engine, .. } = provenance;
    for text in [&dataset.name, &optimiser.name, &engine.name, &engine.version] {
        require(is_text(text), "provenance", "texts of 1 to 128 bytes")?;
    }
    let finite = optimiser.learning_rate.is_finite();
    require(finite, "provenance", "a finite learning rate")
}

fn require(holds: bool, field: &'static str, reason: &'static str) -> Result<(), ModelError> {
    if holds { Ok(()) } else { Err(ModelError::Field { field, reason }) }
}

/// Names go into paths of URLs and of files: nothing there that needs escaping, no leading dot.
fn is_name(text: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    !text.starts_with('.') && (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
}

/// Text that a terminal or a page may show: no control characters in it.
fn is_text(text: &str) -> bool {
    (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}
