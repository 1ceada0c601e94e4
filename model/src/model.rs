//! A model that answers.

use std::fmt;

use burn::tensor::Device;

use crate::folding::means;
use crate::judge::{self, Judgement};
use crate::path::Path;
use crate::split::{Elsewhere, Part, Plan, Split};
use crate::stack::Stack;
use crate::{Artifact, Digest, Manifest, ModelError, Outputs, Rows};

/// A network, loaded and ready. It can be used from many threads at once.
///
/// Rows are scored by vector instructions where this machine has the kinds that are known here,
/// else by the engine. At every load the engine judges them on a few rows: whoever computes
/// otherwise than the engine does not get to answer.
pub struct Model {
    name: String,
    digest: Digest,
    mean: Vec<f32>,
    outputs: usize,
    way: Way,
}

/// Where it is computed.
enum Way {
    /// Here, whole.
    Whole(Path),
    /// Here in part.
    Split(Box<Split>),
}

impl Model {
    /// Makes an artifact's network ready; `device` is the engine that judges.
    ///
    /// # Errors
    ///
    /// When a weight divided by its feature's deviation is no longer finite, or when the fused
    /// path and the engine do not agree.
    pub fn load(artifact: &Artifact, device: &Device) -> Result<Self, ModelError> {
        let manifest = artifact.manifest();
        let path = Path::load(Stack::of(artifact)?, &judge::ranges(manifest), device)?;
        Ok(Self::new(manifest, artifact.digest(), Way::Whole(path)))
    }

    /// Makes a split network ready: `own` is the plan's first part, `others` are those after it, in
    /// their order, wherever they are.
    ///
    /// # Errors
    ///
    /// When these are not the plan's parts, or as of [`Model::load`] for the part that is here.
    pub fn assemble(
        plan: &Plan,
        own: &Part,
        others: Vec<Box<dyn Elsewhere>>,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let split = Split::new(plan, own, others, device)?;
        Ok(Self::new(plan.manifest(), plan.digest(), Way::Split(Box::new(split))))
    }

    fn new(manifest: &Manifest, digest: Digest, way: Way) -> Self {
        Self {
            name: manifest.name.clone(),
            digest,
            mean: means(manifest.features.len(), manifest.standardisation.as_ref()),
            outputs: manifest.outputs(),
            way,
        }
    }

    /// Scores rows of raw values: the standardisation is the model's business.
    ///
    /// A row's answer does not depend on the rows beside it.
    ///
    /// # Errors
    ///
    /// When the rows have another width than the model, when a value is too large to compute
    /// with, or when the engine fails.
    pub fn infer(&self, rows: &Rows) -> Result<Outputs, ModelError> {
        let (expected, found) = (self.features(), rows.features());
        if expected != found {
            return Err(ModelError::FeatureCount { expected, found });
        }
        match &self.way {
            Way::Whole(path) => path.infer(rows, self.outputs),
            Way::Split(split) => split.infer(rows),
        }
    }

    /// Scores the rows of several callers in one pass, and answers each part by itself with what
    /// [`Model::infer`] would have said to it alone: the scores are the same to the last bit, and
    /// what is wrong with one part is the error of no other.
    ///
    /// The engine promises neither, so where it answers, and where the network is split, the parts go
    /// through one after the other.
    pub fn infer_together(&self, parts: &[&Rows]) -> Vec<Result<Outputs, ModelError>> {
        let alone = || parts.iter().map(|rows| self.infer(rows)).collect();
        let fit = parts.iter().all(|rows| rows.features() == self.features());
        let Way::Whole(Path::Fused(fused, _)) = &self.way else { return alone() };
        if parts.len() < 2 || !fit {
            return alone();
        }
        // A value that is too large ends the pass for all; alone it ends it for its own part.
        let Ok(answers) = fused.infer_together(parts) else { return alone() };
        let outputs =
            |(rows, answers): (&&Rows, _)| Outputs::new(rows.count(), self.outputs, answers);
        parts.iter().zip(answers).map(outputs).collect()
    }

    /// Scores the mean row, so that the first request does not pay for cold memory.
    ///
    /// # Errors
    ///
    /// When the model cannot score even that: it must not replace one that can.
    pub fn warm_up(&self) -> Result<(), ModelError> {
        let rows = Rows::new(1, self.features(), self.mean.clone())?;
        self.infer(&rows).map(drop)
    }

    /// How many values a row must have.
    #[must_use]
    pub fn features(&self) -> usize {
        self.mean.len()
    }

    /// How many values the model answers per row.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The digest of the artifact it was loaded from; of the plan, where it is split.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What the engine said of the fused path; nothing where the engine itself answers
    /// or where the network is split.
    #[must_use]
    pub fn judgement(&self) -> Option<Judgement> {
        match &self.way {
            Way::Whole(path) => path.judgement(),
            Way::Split(_) => None,
        }
    }
}

/// Which model it is; never its weights.
impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("name", &self.name)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// The worker shares one model among its inference threads.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Model>();
    shared::<Artifact>();
};
