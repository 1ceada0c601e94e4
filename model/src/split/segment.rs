//! A part that computes.

use burn::tensor::Device;
use zeroize::Zeroizing;

use super::exchange::{answer, asked};
use super::{Part, SegmentManifest};
use crate::judge;
use crate::path::Path;
use crate::stack::Stack;
use crate::{Digest, LayerWeights, ModelError, Outputs, Rows, Standardisation};

/// Layers that are computed in one go.
pub(super) struct Segment {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    path: Path,
}

impl Segment {
    /// Those of a part, in their order.
    pub(super) fn all_of(part: &Part, device: &Device) -> Result<Vec<Self>, ModelError> {
        let mut layers = part.layers();
        let mut fit = part.manifest().standardisation.as_ref();
        let segment = |manifest: &SegmentManifest| {
            let (now, later) = layers.split_at_checked(manifest.layers.len()).unwrap_or_default();
            layers = later;
            Self::load(manifest, fit.take(), now, device)
        };
        part.manifest().segments.iter().map(segment).collect()
    }

    fn load(
        manifest: &SegmentManifest,
        fit: Option<&Standardisation>,
        weights: &[LayerWeights],
        device: &Device,
    ) -> Result<Self, ModelError> {
        let inputs = manifest.inputs as usize;
        let stack = Stack::new(inputs, fit, &manifest.layers, weights)?;
        let path = Path::load(stack, &judge::around(inputs, fit), device)?;
        Ok(Self { inputs, outputs: manifest.outputs(), path })
    }

    pub(super) fn infer(&self, rows: &Rows) -> Result<Outputs, ModelError> {
        self.path.infer(rows, self.outputs)
    }
}

/// A part other than the first, ready to be asked. It can be used from many threads at once.
pub struct RunningPart {
    segments: Vec<Segment>,
    digest: Digest,
}

impl RunningPart {
    /// Makes a part ready; `device` is the engine that judges.
    ///
    /// # Errors
    ///
    /// As of [`Model::load`](crate::Model::load).
    pub fn load(part: &Part, device: &Device) -> Result<Self, ModelError> {
        Ok(Self { segments: Segment::all_of(part, device)?, digest: part.digest() })
    }

    /// Answers a question of the head's. Any bytes may be given.
    ///
    /// # Errors
    ///
    /// [`ModelError::Exchange`] when it is none; as of [`Model::infer`](crate::Model::infer).
    pub fn answer(&self, question: &[u8]) -> Result<Zeroizing<Vec<u8>>, ModelError> {
        let inputs = |segment| Some(self.segments.get::<usize>(segment)?.inputs);
        let (segment, rows) = asked(question, inputs)?;
        let segment = self.segments.get(segment).ok_or(ModelError::Exchange)?;
        Ok(answer(&segment.infer(&rows)?))
    }

    /// The digest of the part's file.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}
