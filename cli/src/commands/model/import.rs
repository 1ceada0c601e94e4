//! `sealgate model import`: from another framework's file to an artifact.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use clap::Args;
use sealgate_model_builder::{
    Difference, FILE_BYTES_MAX, ImportError, Imported, REFERENCE_BYTES_MAX, Reference,
    SCHEMA_BYTES_MAX, Schema, Source, import, outside_file,
};
use serde::Serialize;

use super::inspect;
use crate::error::CliError;
use crate::state::files;
use crate::{Verdict, output};

/// Make an artifact of another framework's file
///
/// Reads ONNX (of PyTorch's exporters and of skl2onnx), TFLite, and the weights of a PyTorch
/// Sequential as safetensors; of these, multi-layer perceptrons. Scalers in front become the model's
/// standardisation, so clients go on sending raw values. What cannot be represented is refused with
/// the node's name.
#[derive(Args)]
pub(crate) struct Options {
    /// ONNX, TFLite or safetensors file
    file: PathBuf,
    /// The model's name in its manifest
    #[arg(long, value_name = "NAME")]
    name: String,
    /// TOML file with the names and meaning of features and classes
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// What follows each layer of a PyTorch Sequential, as in `relu, relu, sigmoid`
    #[arg(long, value_name = "WORDS")]
    architecture: Option<String>,
    /// JSON file `{"inputs":[[..],..],"outputs":[[..],..]}` with the framework's own answers
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// How much an answer may differ from `--check`; relative where that answer is greater than 1
    #[arg(
        long,
        value_name = "DIFFERENCE",
        default_value_t = TOLERANCE,
        value_parser = tolerance,
        requires = "check"
    )]
    tolerance: f64,
    /// Folder for `model.safetensors`
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print a report for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let schema = schema(options)?;
    let imported = read_file(options, &schema)?;
    let checked = check(options, &imported)?;
    // Nothing is written before everything has been looked at.
    files::private_dir(&options.out)?;
    let path = options.out.join("model.safetensors");
    files::replace(&path, &imported.file)?;
    match options.json {
        true => report(&imported, &path, checked)?,
        false => words(&imported, &path, checked)?,
    }
    Ok(Verdict::Well)
}

fn schema(options: &Options) -> Result<Schema, CliError> {
    let Some(path) = &options.schema else { return Ok(Schema::default()) };
    let bytes = read(path, SCHEMA_BYTES_MAX)?;
    let not_text = |error| std::io::Error::new(std::io::ErrorKind::InvalidData, error);
    let text = String::from_utf8(bytes).map_err(not_text).map_err(CliError::io("read", path))?;
    Ok(Schema::parse(&text)?)
}

fn read_file(options: &Options, schema: &Schema) -> Result<Imported, CliError> {
    let file = read(&options.file, FILE_BYTES_MAX)?;
    let outside = outside(&options.file, &file)?;
    let mut source = Source::of(&file);
    source.outside = outside.as_deref();
    source.architecture = options.architecture.as_deref();
    Ok(import(&options.name, &source, schema)?)
}

/// The file with an ONNX model's weights, if it is beside the model. The name comes from the model:
/// one that leads elsewhere is not followed.
fn outside(model: &Path, file: &[u8]) -> Result<Option<Vec<u8>>, CliError> {
    let refused = |error: ImportError| CliError::Build(error.into());
    let Some(name) = outside_file(file).map_err(refused)? else { return Ok(None) };
    let mut parts = Path::new(&name).components();
    if !matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name.as_str())
    {
        return Ok(None);
    }
    let path = model.with_file_name(name);
    if path.is_file() { read(&path, FILE_BYTES_MAX).map(Some) } else { Ok(None) }
}

fn check(options: &Options, imported: &Imported) -> Result<Option<Difference>, CliError> {
    let Some(path) = &options.check else { return Ok(None) };
    let reference = Reference::parse(&read(path, REFERENCE_BYTES_MAX)?)?;
    Ok(Some(imported.check(&reference, options.tolerance)?))
}

/// A whole file, or one byte more than `max` for whoever parses it to refuse.
fn read(path: &Path, max: usize) -> Result<Vec<u8>, CliError> {
    let file = File::open(path).map_err(CliError::io("open", path))?;
    let mut bytes = Vec::new();
    file.take(max as u64 + 1).read_to_end(&mut bytes).map_err(CliError::io("read", path))?;
    Ok(bytes)
}

fn tolerance(given: &str) -> Result<f64, &'static str> {
    let number = given.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or("not a number from 0 up")
}

fn words(imported: &Imported, path: &Path, checked: Option<Difference>) -> Result<(), CliError> {
    let manifest = imported.artifact.manifest();
    imported.notes.iter().for_each(|note| output::note(format_args!("note: {note}")));
    output::line(format_args!("architecture  {}", inspect::architecture(manifest)))?;
    output::line(format_args!("answers       {}", inspect::answers(manifest)))?;
    output::line(format_args!("provenance    {}", inspect::provenance(&manifest.provenance)))?;
    if let Some(Difference { rows, largest, row }) = checked {
        output::line(format_args!(
            "checked       {rows} rows, largest difference {largest:.1e} in row {row}"
        ))?;
    }
    output::line(format_args!("digest        {}", imported.artifact.digest()))?;
    output::line(format_args!("wrote         {}", path.display()))
}

fn report(imported: &Imported, path: &Path, checked: Option<Difference>) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Report<'a> {
        digest: String,
        path: PathBuf,
        notes: &'a [&'static str],
        #[serde(skip_serializing_if = "Option::is_none")]
        checked: Option<Checked>,
    }
    #[derive(Serialize)]
    struct Checked {
        rows: usize,
        largest_difference: f64,
        row: usize,
    }
    let checked = checked.map(|Difference { rows, largest, row }| Checked {
        rows,
        largest_difference: largest,
        row,
    });
    output::json(&Report {
        digest: imported.artifact.digest().to_string(),
        path: std::path::absolute(path).map_err(CliError::io("find", path))?,
        notes: &imported.notes,
        checked,
    })
}

/// Above what 32-bit arithmetic in another order gives, below what a wrong layer does.
const TOLERANCE: f64 = 1e-4;
