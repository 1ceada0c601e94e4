//! Parts in the same process, one call away.

use std::sync::Arc;

use burn::tensor::Device;
use sealgate_model::split::{Awaited, Elsewhere, Plan, RunningPart};
use sealgate_model::{Artifact, Manifest, Model, ModelError, Rows};
use sealgate_model_builder::{SplitBy, SplitModel, split};

use crate::sample;

struct Near(Arc<RunningPart>);

impl Elsewhere for Near {
    fn ask(&self, question: &[u8]) -> Result<Awaited, ModelError> {
        let (part, question) = (self.0.clone(), question.to_vec());
        Ok(Box::new(move || part.answer(&question)))
    }
}

pub fn artifact(manifest: &Manifest) -> Artifact {
    let weights = sample::weights(manifest);
    Artifact::parse(&Artifact::encode(manifest, &weights).unwrap()).unwrap()
}

pub fn assembled(found: &SplitModel) -> Result<Model, ModelError> {
    let plan = Plan::parse(&found.file)?;
    let near = |(index, file): (usize, &Vec<u8>)| -> Result<Box<dyn Elsewhere>, ModelError> {
        let part = plan.part(index, file)?;
        Ok(Box::new(Near(Arc::new(RunningPart::load(&part, &Device::flex())?))))
    };
    let others = found.parts.iter().enumerate().skip(1).map(near).collect::<Result<_, _>>()?;
    Model::assemble(&plan, &plan.part(0, &found.parts[0])?, others, &Device::flex())
}

/// The answers of the whole and of the split model to the same rows.
pub fn both(manifest: &Manifest, parts: usize, by: SplitBy, count: usize) -> [Vec<f32>; 2] {
    let artifact = artifact(manifest);
    let whole = Model::load(&artifact, &Device::flex()).unwrap();
    let split = assembled(&split(&artifact, parts, by).unwrap()).unwrap();
    let features = manifest.features.len();
    let values = sample::noise(9, count * features, 2.0);
    [whole, split].map(|model| {
        let rows = Rows::new(count, features, values.clone()).unwrap();
        model.infer(&rows).unwrap().values().to_vec()
    })
}
