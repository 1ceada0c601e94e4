//! Which manifests are possible: every limit and every agreement between fields.

use std::collections::HashSet;

use super::{
    Activation, FORMAT, Feature, Manifest, Provenance, Standardisation, Task, WeightFormat,
};
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
        self.check_layers()?;
        self.check_task()?;
        check_provenance(&self.provenance)
    }

    fn check_layers(&self) -> Result<(), ModelError> {
        let depth = self.architecture.len();
        require((1..=DEPTH_MAX).contains(&depth), "architecture", "1 to 32 layers")?;
        for (index, layer) in self.architecture.iter().enumerate() {
            let units = layer.units as usize;
            require((1..=WIDTH_MAX).contains(&units), "architecture", "1 to 65,536 units")?;
            let finite = layer.activation.alpha().is_none_or(f32::is_finite);
            require(finite, "architecture", "a finite `alpha`")?;
            let fits = layer.activation != Activation::Softmax || index + 1 == depth;
            require(fits, "architecture", "`softmax` in the last layer only")?;
        }
        Ok(())
    }

    fn check_task(&self) -> Result<(), ModelError> {
        let names = self.task.names();
        require(names.iter().all(|name| is_text(name)), "task", "names of 1 to 128 bytes")?;
        let distinct: HashSet<_> = names.iter().collect();
        require(distinct.len() == names.len(), "task", "no name twice")?;
        let head = self.architecture.last().map(|layer| (layer.units as usize, layer.activation));
        let (units, activation) = head.unwrap_or((0, Activation::Linear));
        require(units == names.len(), "task", "as many names as the last layer has units")?;
        match &self.task {
            Task::Binary { classes: [negative, second], positive } => {
                require(is_text(negative), "task", "names of 1 to 128 bytes")?;
                require(negative != second, "task", "two different classes")?;
                require(positive == second, "task", "the positive class is the second")?;
                let fits = activation == Activation::Sigmoid;
                require(fits, "task", "a binary task ends in one sigmoid unit")
            }
            Task::Multiclass { .. } => {
                require(units >= 2, "task", "at least two classes")?;
                let fits = activation == Activation::Softmax;
                require(fits, "task", "a task of several classes ends in softmax units")
            }
            Task::Multilabel { .. } => {
                let fits = activation == Activation::Sigmoid;
                require(fits, "task", "a task of several labels ends in sigmoid units")
            }
            Task::Regression { targets } => {
                let units = targets.iter().all(|target| is_text(&target.unit));
                require(units, "task", "units of 1 to 128 bytes")?;
                let fits = activation != Activation::Softmax;
                require(fits, "task", "a regression does not end in softmax units")
            }
        }
    }

    /// The bytes that the parameters take in the file.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        let [weight, unit] = match self.weights {
            WeightFormat::F32 => [4, 4],
            WeightFormat::F16 => [2, 4],
            // A bias and a scale.
            WeightFormat::Int8 => [1, 8],
        };
        let layer = |(inputs, units): (usize, usize)| {
            inputs.saturating_mul(units).saturating_mul(weight).saturating_add(units * unit)
        };
        self.shapes().map(layer).fold(0, usize::saturating_add)
    }

    /// The inputs and units of every layer.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = (usize, usize)> {
        let units = || self.architecture.iter().map(|layer| layer.units as usize);
        std::iter::once(self.features.len()).chain(units()).zip(units())
    }
}

fn check_features(features: &[Feature]) -> Result<(), ModelError> {
    let count = features.len();
    require((1..=WIDTH_MAX).contains(&count), "features", "1 to 65,536 features")?;
    let mut names = HashSet::with_capacity(count);
    for feature in features {
        require(is_text(&feature.name), "features", "names of 1 to 128 bytes")?;
        require(is_text(&feature.unit), "features", "units of 1 to 128 bytes")?;
        require(names.insert(feature.name.as_str()), "features", "no name twice")?;
        let ordered = |[low, high]: [f32; 2]| low.is_finite() && high.is_finite() && low <= high;
        let ordered = feature.range.is_none_or(ordered);
        require(ordered, "features", "a range from the smallest to the largest value")?;
    }
    Ok(())
}

pub(crate) fn check_standardisation(
    fit: &Standardisation,
    features: usize,
) -> Result<(), ModelError> {
    let complete = fit.mean.len() == features && fit.std.len() == features;
    require(complete, "standardisation", "a mean and a deviation for each feature")?;
    let finite = fit.mean.iter().chain(&fit.std).all(|value| value.is_finite());
    require(finite, "standardisation", "finite numbers")?;
    let positive = fit.std.iter().all(|&std| std > 0.0);
    require(positive, "standardisation", "deviations greater than zero")
}

fn check_provenance(provenance: &Provenance) -> Result<(), ModelError> {
    match provenance {
        Provenance::Trained { dataset, optimiser, engine, .. } => {
            for text in [&dataset.name, &optimiser.name, &engine.name, &engine.version] {
                require(is_text(text), "provenance", "texts of 1 to 128 bytes")?;
            }
            let finite = optimiser.learning_rate.is_finite();
            require(finite, "provenance", "a finite learning rate")
        }
        Provenance::Imported { format, producer, .. } => {
            let texts = is_text(format) && is_text(producer);
            require(texts, "provenance", "texts of 1 to 128 bytes")
        }
        Provenance::Compressed { original, .. } => {
            let once = !matches!(**original, Provenance::Compressed { .. });
            require(once, "provenance", "an original that is not compressed")?;
            check_provenance(original)
        }
    }
}

pub(crate) fn require(
    holds: bool,
    field: &'static str,
    reason: &'static str,
) -> Result<(), ModelError> {
    if holds { Ok(()) } else { Err(ModelError::Field { field, reason }) }
}

/// Names go into paths of URLs and of files: nothing there that needs escaping, no leading dot.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    !text.starts_with('.') && (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
}

/// Text that a terminal or a page may show: no control characters in it.
fn is_text(text: &str) -> bool {
    (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}
