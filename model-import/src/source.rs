//! Which reader a file is for.

use crate::chain::Chain;
use crate::{Format, ImportError, Network, fold, onnx, sequential, tflite};

/// A file to import, and what it cannot say by itself.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Source<'a> {
    /// The file.
    pub file: &'a [u8],
    /// The file beside it that holds an ONNX model's weights: see [`outside_file`].
    pub outside: Option<&'a [u8]>,
    /// What follows each layer of a PyTorch Sequential, as in `relu, relu, sigmoid`.
    pub architecture: Option<&'a str>,
}

impl<'a> Source<'a> {
    /// A file that says everything by itself.
    #[must_use]
    pub const fn of(file: &'a [u8]) -> Self {
        Self { file, outside: None, architecture: None }
    }
}

/// Reads a network. Any bytes may be given.
///
/// # Errors
///
/// When the file is none of those that are read, is damaged or too large, or holds what no
/// multi-layer perceptron can represent: then with the node's name.
pub fn read(source: &Source<'_>) -> Result<Network, ImportError> {
    let file = source.file;
    if file.len() > FILE_BYTES_MAX || source.outside.is_some_and(|file| file.len() > FILE_BYTES_MAX)
    {
        return Err(ImportError::TooLarge { max: FILE_BYTES_MAX });
    }
    let format = format(file)?;
    let parsed = match format {
        Format::Onnx => onnx::parse(file, source.outside)?,
        Format::Tflite => tflite::parse(file)?,
        Format::Safetensors => {
            let chain = sequential::chain(file, source.architecture)?;
            return fold::fold(chain, format, String::new());
        }
    };
    fold::fold(Chain::of(&parsed.graph)?, format, parsed.producer)
}

/// The name of the file that holds an ONNX model's weights, if they are outside of it.
///
/// It is a name as the file says it: whoever opens it makes sure that it is one beside the model.
///
/// # Errors
///
/// When the file is ONNX and damaged.
pub fn outside_file(file: &[u8]) -> Result<Option<String>, ImportError> {
    match format(file) {
        Ok(Format::Onnx) if file.len() <= FILE_BYTES_MAX => onnx::outside_file(file),
        _ => Ok(None),
    }
}

/// By what a file begins with.
fn format(file: &[u8]) -> Result<Format, ImportError> {
    if file.get(4..8) == Some(&tflite::IDENTIFIER) {
        return Ok(Format::Tflite);
    }
    // The length of a JSON object, and then the object.
    let header = file.first_chunk().map_or(u64::MAX, |length| u64::from_le_bytes(*length));
    if file.get(8) == Some(&b'{') && header <= file.len() as u64 {
        return Ok(Format::Safetensors);
    }
    if let Some((_, what, hint)) = FOREIGN.iter().find(|(magic, ..)| file.starts_with(magic)) {
        let keras = has(file, b"model.weights.h5");
        let (what, hint) = if keras { ("a Keras model", KERAS) } else { (*what, *hint) };
        return Err(ImportError::Foreign { what, hint });
    }
    // `ir_version`, as every exporter writes first.
    if file.first() == Some(&0x08) { Ok(Format::Onnx) } else { Err(ImportError::UnknownFormat) }
}

/// Whether a name stands in an archive.
fn has(file: &[u8], name: &[u8]) -> bool {
    file.windows(name.len()).any(|window| window == name)
}

/// The largest file that is read, in bytes: as large as an artifact may be.
pub const FILE_BYTES_MAX: usize = 256 << 20;
/// What a file begins with, what it is, and what to do.
const FOREIGN: [(&[u8], &str, &str); 3] = [
    (b"\x89HDF\r\n\x1a\n", "a Keras model", KERAS),
    (b"PK\x03\x04", "an archive, as PyTorch and Keras save them", TORCH),
    (b"\x80", "a Python pickle, which could run anything when it is read", PICKLE),
];
const KERAS: &str = "in Python:
  import keras, tensorflow as tf; model = keras.models.load_model(\"model.keras\")
  open(\"model.tflite\", \"wb\").write(tf.lite.TFLiteConverter.from_keras_model(model).convert())";
const TORCH: &str = "in Python: `torch.onnx.export(model.eval(), (example,), \"model.onnx\")`, or `safetensors.torch.save_file(model.state_dict(), \"model.safetensors\")`";
const PICKLE: &str = "in Python: `open(\"model.onnx\", \"wb\").write(skl2onnx.to_onnx(model, rows[:1]).SerializeToString())`";
