//! What a model takes and gives, as its manifest says.

/// Names and widths of one version of one model.
#[derive(Clone, Copy, Debug)]
pub struct Interface<'a> {
    /// The model's name in paths.
    pub model: &'a str,
    /// The version that the grant names.
    pub version: &'a str,
    /// SHA-256 of the artifact, in hex.
    pub digest: &'a str,
    /// The name of the one input tensor.
    pub input: &'a str,
    /// The name of the one output tensor.
    pub output: &'a str,
    /// The features in the order of a row.
    pub features: &'a [String],
    /// How many numbers the model gives for a row.
    pub width: usize,
    /// The classes that scores tell apart: as many as numbers, or two for one probability, whose
    /// positive class is the second. None where scores are no choice between classes.
    pub classes: &'a [String],
}

impl<'a> Interface<'a> {
    /// More than a row takes in any answer: its scores as text, and its class in whichever form is
    /// longer.
    pub(crate) fn row_bytes_max(&self) -> usize {
        let class_bytes = self.classes.iter().map(|class| escaped_bytes(class)).max();
        let label_bytes = class_bytes.map_or(0, |bytes| bytes + LABEL_FRAME_BYTES);
        self.width.saturating_mul(NUMBER_BYTES).saturating_add(label_bytes)
    }

    /// The class that a row's scores speak for; of equal ones the first.
    pub(super) fn class_of(&self, scores: &[f32]) -> Option<&'a str> {
        let index = match scores {
            [probability] => usize::from(*probability >= 0.5),
            _ => {
                let larger = |best: usize, (index, score): (usize, &f32)| {
                    if scores.get(best).is_some_and(|most| score > most) { index } else { best }
                };
                scores.iter().enumerate().fold(0, larger)
            }
        };
        self.classes.get(index).map(String::as_str)
    }
}

/// How long a text is in JSON.
pub(super) fn escaped_bytes(text: &str) -> usize {
    let bytes = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..=0x1f => 6,
        _ => 1,
    };
    text.bytes().map(bytes).sum()
}

/// More than a 32-bit float, its comma and a bracket take as text.
const NUMBER_BYTES: usize = 20;
/// Quotes and a comma, or a length of four bytes.
const LABEL_FRAME_BYTES: usize = 4;

/// The output that names classes, beside the model's own.
pub(super) const LABEL: &str = "label";
