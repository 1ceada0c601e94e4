//! What a model takes and gives, as its manifest says.

/// Names and widths of one version of one model.
#[derive(Clone, Copy, Debug)]
pub struct Interface<'a> {
    /// The model's name in paths.
    pub model: &'a str,
    /// The version that the grant names.
    pub version: &'a str,
    /// The name of the one input tensor.
    pub input: &'a str,
    /// The name of the one output tensor.
    pub output: &'a str,
    /// The features in the order of a row.
    pub features: &'a [String],
}
