//! Files of other frameworks, kept beside the parsers, with the frameworks' own answers.

use std::path::{Path, PathBuf};

use sealgate_model_builder::{BuildError, Imported, Reference, Schema, Source, import};

pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../model-import/tests/fixtures").join(name)
}

/// Imported under the name `foreign`.
pub fn imported(file: &str, schema: &str) -> Result<Imported, BuildError> {
    let bytes = std::fs::read(path(file)).unwrap();
    let outside = std::fs::read(path(&format!("{file}.data"))).ok();
    let mut source = Source::of(&bytes);
    source.outside = outside.as_deref();
    source.architecture = Some("relu, tanh, softmax").filter(|_| file.ends_with(".safetensors"));
    import("foreign", &source, &Schema::parse(schema)?)
}

pub fn reference(name: &str) -> Reference {
    Reference::parse(&std::fs::read(path(&format!("{name}.json"))).unwrap()).unwrap()
}
