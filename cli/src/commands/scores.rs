//! Scores as people and as programs read them.

use sealgate_model::{Manifest, Outputs, Quantity, Task};
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
    let task = &manifest.task;
    match task {
        Task::Binary { positive, .. } => format!("probability of `{positive}`"),
        Task::Multiclass { .. } | Task::Multilabel { .. } => {
            let probability = |name: &&str| format!("probability of `{name}`");
            task.names().iter().map(probability).collect::<Vec<_>>().join("  ")
        }
        Task::Regression { targets } => {
            let quantity = |Quantity { name, unit }: &Quantity| format!("`{name}` in {unit}");
            targets.iter().map(quantity).collect::<Vec<_>>().join("  ")
        }
        _ => manifest.output.clone(),
    }
}
