//! What a file of another framework cannot say: what its columns and its answers mean.

use serde::Deserialize;

use crate::BuildError;

/// The meaning of a model's input and answer, as `schema.toml` says it.
///
/// Whatever it leaves out is taken from the file, or is called by its number.
///
/// ```
/// use sealgate_model_builder::Schema;
///
/// let schema = Schema::parse(
///     r#"
///     classes = ["benign", "malignant"]
///     positive = "malignant"
///
///     [[features]]
///     name = "age"
///     unit = "years"
///     range = [18, 97]
///     "#,
/// );
/// assert!(schema.is_ok());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The name of the input tensor.
    pub input: Option<String>,
    /// The name of the output tensor.
    pub output: Option<String>,
    /// The columns of the input, in order.
    pub features: Option<Vec<SchemaFeature>>,
    /// The classes, in the file's order; of two, the second is the one the file answers.
    pub classes: Option<Vec<String>>,
    /// Of two classes, the one whose probability is answered; the second, if nothing is said.
    pub positive: Option<String>,
    /// The labels of which any number may be right, in the file's order.
    pub labels: Option<Vec<String>>,
    /// What a regression answers, in the file's order.
    pub targets: Option<Vec<SchemaTarget>>,
}

/// One column of the input.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaFeature {
    /// Its name.
    pub name: String,
    /// Its unit; `1` where there is none.
    pub unit: Option<String>,
    /// The smallest and the largest value seen in training.
    pub range: Option<[f32; 2]>,
}

/// One number that a regression answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaTarget {
    /// Its name.
    pub name: String,
    /// Its unit; `1` where there is none.
    pub unit: Option<String>,
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    ///
    /// When it is no TOML of this form.
    pub fn parse(text: &str) -> Result<Self, BuildError> {
        toml::from_str(text).map_err(BuildError::Schema)
    }
}

/// More than the names of 65,536 features take.
pub const SCHEMA_BYTES_MAX: usize = 32 << 20;
