//! Scores as people and as programs read them.

use sealgate_model::{Manifest, Outputs, Task};
use serde::Serialize;

use crate::error::CliError;
use crate::output;

/// `{"outputs":[[..],..]}`: every number in the shortest form that reads back the same.
pub(crate) fn json(outputs: &Outputs) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Answer<'a> {
        outputs: Vec<&'a [f32]>,
    }
    let outputs = outputs.values().chunks(outputs.width().max(1)).collect();
    output::json(&Answer { outputs })
}

/// A table in words, one line a row.
pub(crate) fn table(manifest: &Manifest, values: &[f32]) -> Result<(), CliError> {
    let width = manifest.outputs().max(1);
    output::line(format_args!("row  {}", meaning(manifest)))?;
    for (row, values) in values.chunks(width).enumerate() {
        let values: Vec<String> = values.iter().map(|value| format!("{value:.6}")).collect();
        output::line(format_args!("{row:>3}  {}", values.join("  ")))?;
    }
    Ok(())
}

fn meaning(manifest: &Manifest) -> String {
    match &manifest.task {
        Task::Binary { positive, .. } => format!("probability of `{positive}`"),
        _ => manifest.output.clone(),
    }
}
