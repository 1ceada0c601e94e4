//! The plan of a split model: which model, cut how, into which files.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::part::weights_of;
use super::{Cut, Part, PartManifest, SegmentManifest, Slice};
use crate::manifest::require;
use crate::{Dense, Digest, FORMAT, Manifest, ModelError, canonical};

/// The file of a plan.
pub const PLAN_FILE: &str = "plan.json";
/// The largest plan, in bytes: its largest part is the manifest of the whole model.
pub const PLAN_BYTES_MAX: usize = 32 << 20;

/// The file of part `part`, beside the plan.
#[must_use]
pub fn part_file(part: usize) -> String {
    format!("part-{part}.safetensors")
}

/// How a model was cut. Its digest is the identity of the split model.
pub struct Plan {
    text: Text,
    digest: Digest,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    format: u32,
    kind: Kind,
    cut: Cut,
    /// What the whole model says about itself.
    model: Manifest,
    /// SHA-256 of the whole model's file.
    of: Digest,
    /// SHA-256 of each part's file.
    parts: Vec<Digest>,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Plan,
}

impl Plan {
    /// Writes the plan of a model, cut like this, whose parts have these digests: canonical JSON.
    ///
    /// # Errors
    ///
    /// When [`Plan::parse`] would refuse it.
    pub fn encode(
        model: &Manifest,
        of: Digest,
        cut: &Cut,
        parts: Vec<Digest>,
    ) -> Result<Vec<u8>, ModelError> {
        let (model, cut) = (model.clone(), cut.clone());
        let text = Text { format: FORMAT, kind: Kind::Plan, cut, model, of, parts };
        let bytes = canonical::to_string(&text).map_err(ModelError::Manifest)?.into_bytes();
        Self::parse(&bytes).map(|_| bytes)
    }

    /// Reads a plan. Any bytes may be given.
    ///
    /// # Errors
    ///
    /// When it is larger than [`PLAN_BYTES_MAX`], not canonical, of a model that cannot be, or cut
    /// where it cannot be.
    pub fn parse(bytes: &[u8]) -> Result<Self, ModelError> {
        if bytes.len() > PLAN_BYTES_MAX {
            return Err(ModelError::TooLarge { max: PLAN_BYTES_MAX });
        }
        let text: Text = serde_json::from_slice(bytes).map_err(ModelError::Manifest)?;
        require(text.format == FORMAT, "format", "format 1")?;
        text.model.check()?;
        text.cut.check(&text.model, text.parts.len())?;
        if canonical::to_string(&text).map_err(ModelError::Manifest)?.as_bytes() != bytes {
            return Err(ModelError::NotCanonical);
        }
        Ok(Self { text, digest: Digest::of(bytes) })
    }

    /// What the whole model says about itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.text.model
    }

    /// The digest of the whole model.
    #[must_use]
    pub fn of(&self) -> Digest {
        self.text.of
    }

    /// Where it is cut.
    #[must_use]
    pub fn cut(&self) -> &Cut {
        &self.text.cut
    }

    /// The digests of the parts.
    #[must_use]
    pub fn parts(&self) -> &[Digest] {
        &self.text.parts
    }

    /// SHA-256 of the plan.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What part `part` must say about itself.
    #[must_use]
    pub fn part_manifest(&self, part: usize) -> PartManifest {
        manifest_of(&self.text.model, self.text.of, &self.text.cut, [part, self.text.parts.len()])
    }

    /// Reads part `part` and sees that it is the one that the plan names.
    ///
    /// # Errors
    ///
    /// [`ModelError::OtherPart`], before anything of another file is read; as of [`Part::parse`].
    pub fn part(&self, part: usize, bytes: &[u8]) -> Result<Part, ModelError> {
        self.is_part(part, bytes)?;
        let found = Part::parse(bytes)?;
        match *found.manifest() == self.part_manifest(part) {
            true => Ok(found),
            false => Err(ModelError::OtherPart { part }),
        }
    }

    /// Whether these bytes have the digest of part `part`.
    ///
    /// # Errors
    ///
    /// [`ModelError::OtherPart`].
    pub fn is_part(&self, part: usize, bytes: &[u8]) -> Result<(), ModelError> {
        match self.text.parts.get(part) == Some(&Digest::of(bytes)) {
            true => Ok(()),
            false => Err(ModelError::OtherPart { part }),
        }
    }
}

/// What the part of a model says about itself; `[part, parts]`.
pub(crate) fn manifest_of(
    model: &Manifest,
    of: Digest,
    cut: &Cut,
    [part, parts]: [usize; 2],
) -> PartManifest {
    let slices = cut.slices(model, part);
    let segment = |slices: &Vec<Slice>| SegmentManifest {
        inputs: narrow(slices.first().map_or(0, |slice| slice.inputs.len())),
        layers: slices
            .iter()
            .map(|slice| Dense { units: narrow(slice.units.len()), activation: slice.activation })
            .collect(),
    };
    let starts = slices.first().and_then(|slices| slices.first()).map(|slice| slice.layer);
    let fit = model.standardisation.clone().filter(|_| starts == Some(0));
    PartManifest::new(
        model.name.clone(),
        of,
        [narrow(part), narrow(parts)],
        weights_of(model.weights),
        fit,
        slices.iter().map(segment).collect(),
    )
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Which model it is.
impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("name", &self.text.model.name)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}
