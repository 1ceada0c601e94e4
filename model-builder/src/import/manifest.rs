//! The manifest of an imported network.

use sealgate_model::{
    Activation, Dense, Digest, FORMAT, Feature, Manifest, Provenance, Quantity, Standardisation,
    Task, WeightFormat,
};
use sealgate_model_import::{Activation as Foreign, Format, Head, Layer, Network};

use super::schema::{Schema, SchemaFeature, SchemaTarget};
use crate::BuildError;

/// What the answer means.
pub(super) struct Meaning {
    task: Task,
    /// Whether the positive class is the file's first one.
    pub(super) turned: bool,
}

impl Meaning {
    pub(super) fn of(network: &Network, schema: &Schema) -> Result<Self, BuildError> {
        check_fields(network.head, schema)?;
        let names = |given: &Option<Vec<String>>, what, count| {
            let named = given.as_ref().or(network.classes.as_ref());
            let names = named.cloned().unwrap_or_else(|| numbered("", count));
            counted(names, what, count)
        };
        let units = network.outputs();
        let task = match network.head {
            Head::Binary => return Self::binary(names(&schema.classes, "classes", 2)?, schema),
            Head::Multiclass => {
                Task::Multiclass { classes: names(&schema.classes, "classes", units)? }
            }
            Head::Multilabel => {
                Task::Multilabel { labels: names(&schema.labels, "labels", units)? }
            }
            _ => Task::Regression { targets: targets(schema, units)? },
        };
        Ok(Self { task, turned: false })
    }

    fn binary(classes: Vec<String>, schema: &Schema) -> Result<Self, BuildError> {
        let Ok([first, second]) = <[String; 2]>::try_from(classes) else {
            return Err(BuildError::SchemaCount { what: "classes", expected: 2, found: 0 });
        };
        let turned = match &schema.positive {
            Some(positive) if *positive == first => true,
            Some(positive) if *positive != second => {
                return Err(BuildError::PositiveUnknown { positive: positive.clone() });
            }
            _ => false,
        };
        let classes = if turned { [second, first] } else { [first, second] };
        Ok(Self { task: Task::Binary { positive: classes[1].clone(), classes }, turned })
    }
}

/// A field about another kind of answer is a mistake, not something to overlook.
fn check_fields(head: Head, schema: &Schema) -> Result<(), BuildError> {
    let answers = match head {
        Head::Binary => "the probability of one of two classes",
        Head::Multiclass => "the probabilities of several classes",
        Head::Multilabel => "the probabilities of labels",
        _ => "values, not probabilities",
    };
    let classes = matches!(head, Head::Binary | Head::Multiclass);
    for (field, said, fits) in [
        ("classes", schema.classes.is_some(), classes),
        ("positive", schema.positive.is_some(), head == Head::Binary),
        ("labels", schema.labels.is_some(), head == Head::Multilabel),
        ("targets", schema.targets.is_some(), head == Head::Regression),
    ] {
        if said && !fits {
            return Err(BuildError::SchemaUnfit { field, answers });
        }
    }
    Ok(())
}

pub(super) fn write(
    name: &str,
    file: &[u8],
    network: &Network,
    schema: &Schema,
    meaning: Meaning,
) -> Result<Manifest, BuildError> {
    let output = match network.head {
        Head::Binary => "probability",
        Head::Multiclass | Head::Multilabel => "probabilities",
        _ => "values",
    };
    Ok(Manifest {
        format: FORMAT,
        name: name.to_owned(),
        architecture: network.layers.iter().map(dense).collect(),
        weights: WeightFormat::F32,
        input: schema.input.as_deref().unwrap_or("x").to_owned(),
        output: schema.output.as_deref().unwrap_or(output).to_owned(),
        features: features(network, schema)?,
        standardisation: network
            .standardisation
            .as_ref()
            .map(|fit| Standardisation { mean: fit.mean.clone(), std: fit.std.clone() }),
        task: meaning.task,
        provenance: Provenance::Imported {
            format: format_name(network.format).to_owned(),
            sha256: Digest::of(file),
            producer: producer(network),
        },
    })
}

fn features(network: &Network, schema: &Schema) -> Result<Vec<Feature>, BuildError> {
    let count = network.inputs();
    let unnamed = |name| SchemaFeature { name, unit: None, range: None };
    let features = match (&schema.features, &network.features) {
        (Some(features), _) => counted(features.clone(), "features", count)?,
        (None, Some(names)) => names.iter().cloned().map(unnamed).collect(),
        (None, None) => numbered("x", count).into_iter().map(unnamed).collect(),
    };
    let feature =
        |SchemaFeature { name, unit, range }| Feature { name, unit: unit_or(unit), range };
    Ok(features.into_iter().map(feature).collect())
}

fn targets(schema: &Schema, units: usize) -> Result<Vec<Quantity>, BuildError> {
    let unnamed = |name| SchemaTarget { name, unit: None };
    let targets = match &schema.targets {
        Some(targets) => counted(targets.clone(), "targets", units)?,
        None => numbered("y", units).into_iter().map(unnamed).collect(),
    };
    let quantity = |SchemaTarget { name, unit }| Quantity { name, unit: unit_or(unit) };
    Ok(targets.into_iter().map(quantity).collect())
}

fn unit_or(unit: Option<String>) -> String {
    unit.unwrap_or_else(|| "unspecified".to_owned())
}

fn numbered(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number}")).collect()
}

fn counted<T>(list: Vec<T>, what: &'static str, expected: usize) -> Result<Vec<T>, BuildError> {
    match list.len() {
        found if found == expected => Ok(list),
        found => Err(BuildError::SchemaCount { what, expected, found }),
    }
}

fn dense(layer: &Layer) -> Dense {
    // No layer has more than 65,536 units.
    Dense {
        units: u32::try_from(layer.units()).unwrap_or(u32::MAX),
        activation: own(layer.activation),
    }
}

fn own(activation: Foreign) -> Activation {
    match activation {
        Foreign::Relu => Activation::Relu,
        Foreign::LeakyRelu { alpha } => Activation::LeakyRelu { alpha },
        Foreign::Elu { alpha } => Activation::Elu { alpha },
        Foreign::Selu => Activation::Selu,
        Foreign::Gelu => Activation::Gelu,
        Foreign::GeluTanh => Activation::GeluTanh,
        Foreign::Sigmoid => Activation::Sigmoid,
        Foreign::Tanh => Activation::Tanh,
        Foreign::Softmax => Activation::Softmax,
        _ => Activation::Linear,
    }
}

const fn format_name(format: Format) -> &'static str {
    match format {
        Format::Onnx => "onnx",
        Format::Tflite => "tflite",
        _ => "safetensors",
    }
}

/// What wrote the file, cut to what a manifest holds.
fn producer(network: &Network) -> String {
    match network.producer.as_str() {
        "" => "unknown".to_owned(),
        producer => producer.chars().take(PRODUCER_CHARS_MAX).collect(),
    }
}

/// At most 128 bytes.
const PRODUCER_CHARS_MAX: usize = 32;
