//! The model a worker holds, and how it got it: in parts, checked against the promised digest.

use burn::tensor::Device;
use sealgate_keys::at_rest::{Dek, SealedFile};
use sealgate_keys::link::LinkError;
use sealgate_keys::{Cleartext, Head as Cut};
use sealgate_model::split::{PLAN_BYTES_MAX, Part, RunningPart};
use sealgate_model::{ARTIFACT_BYTES_MAX, Artifact, Digest, Manifest, Model, ModelError, Task};
use zeroize::Zeroizing;

use crate::clients::Clients;
use crate::parts::Head;
use crate::protocol::Interface;

/// A model that answers.
pub(crate) struct Loaded {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) model: Model,
    input: String,
    output: String,
    features: Vec<String>,
    width: usize,
    /// What its answers are, for the release cut.
    pub(crate) head: Cut,
    classes: Vec<String>,
    /// Units of its widest layer.
    widest: usize,
    /// SHA-256 of the artifact, in hex.
    digest: String,
    /// SHA-256 of the feature schema, in hex.
    pub(crate) schema_digest: String,
}

impl Loaded {
    pub(crate) fn interface(&self) -> Interface<'_> {
        Interface {
            model: &self.name,
            version: &self.version,
            digest: &self.digest,
            input: &self.input,
            output: &self.output,
            features: &self.features,
            width: self.width,
            classes: &self.classes,
        }
    }

    /// How many rows one request may hold that may take `bytes_max`.
    ///
    /// Counted are a row's values as they are read and put side by side, what the engine holds of two
    /// layers at once, the scores with a copy to be cut and one to be written, and the text of the answer
    /// with its two sealed copies; what the body itself takes is bounded by its own limits.
    pub(crate) fn rows_within(&self, bytes_max: usize) -> usize {
        let values = [3 * self.features.len(), 2 * self.widest, 3 * self.width];
        let values: usize = values.iter().sum();
        let text = self.interface().row_bytes_max().saturating_mul(3);
        bytes_max / values.saturating_mul(size_of::<f32>()).saturating_add(text).max(1)
    }

    /// The first feature that the model needs and the grant does not let the caller send.
    pub(crate) fn undeclared(&self, declared: &[String]) -> Option<&str> {
        if declared.is_empty() {
            return None;
        }
        self.features.iter().find(|feature| !declared.contains(feature)).map(String::as_str)
    }
}

/// A model on its way in.
pub(crate) struct Incoming {
    name: String,
    version: String,
    digest: [u8; 32],
    expected_bytes: usize,
    bytes: Vec<u8>,
    what: What,
}

/// What the bytes are.
enum What {
    /// An artifact; sealed, if there is what opens it.
    Whole(Option<Dek>),
    /// A plan and the files of its parts, each so long.
    Split(Vec<usize>),
    /// The file of one part.
    Part,
}

/// What became of it.
pub(crate) enum Ready {
    Model(Box<Loaded>),
    Part(RunningPart),
}

impl Incoming {
    pub(crate) fn new(
        name: String,
        version: String,
        digest: [u8; 32],
        bytes: u64,
        dek: Option<Vec<u8>>,
    ) -> Result<Self, LoadError> {
        let bytes_max = if dek.is_some() { SEALED_BYTES_MAX } else { ARTIFACT_BYTES_MAX };
        let expected_bytes = usize::try_from(bytes)
            .ok()
            .filter(|&n| n <= bytes_max)
            .ok_or(LoadError::TooLarge { bytes })?;
        let dek = dek.map(Zeroizing::new).map(|dek| {
            <[u8; 32]>::try_from(&**dek).map(Dek::from_bytes).map_err(|_| LoadError::Sealed)
        });
        let what = What::Whole(dek.transpose()?);
        let bytes = Vec::with_capacity(expected_bytes);
        Ok(Self { name, version, digest, expected_bytes, bytes, what })
    }

    /// A split model: its plan and the files of its parts have so many bytes.
    pub(crate) fn split(
        name: String,
        version: String,
        digest: [u8; 32],
        pieces: &[u64],
    ) -> Result<Self, LoadError> {
        let bytes = pieces.iter().fold(0, |sum: u64, bytes| sum.saturating_add(*bytes));
        let too_large = || LoadError::TooLarge { bytes };
        let bytes_max = SPLIT_BYTES_MAX as u64;
        let expected_bytes =
            usize::try_from(bytes).ok().filter(|_| bytes <= bytes_max).ok_or_else(too_large)?;
        let pieces: Result<_, _> = pieces.iter().map(|&piece| usize::try_from(piece)).collect();
        let what = What::Split(pieces.map_err(|_| too_large())?);
        let bytes = Vec::with_capacity(expected_bytes);
        Ok(Self { name, version, digest, expected_bytes, bytes, what })
    }

    /// One part of a split model.
    pub(crate) fn part(digest: [u8; 32], bytes: u64) -> Result<Self, LoadError> {
        let new = Self::new(String::new(), String::new(), digest, bytes, None)?;
        Ok(Self { what: What::Part, ..new })
    }

    /// Adds a part; true when it was the last.
    pub(crate) fn push(&mut self, part: &[u8]) -> Result<bool, LoadError> {
        if part.len() > self.expected_bytes - self.bytes.len() {
            return Err(LoadError::Overrun);
        }
        self.bytes.extend_from_slice(part);
        Ok(self.bytes.len() == self.expected_bytes)
    }

    /// Opens what is sealed, checks the digest before a byte is parsed, loads the network and runs
    /// it once.
    pub(crate) fn load(
        self,
        head: &Head,
        clients: &Clients,
        device: &Device,
    ) -> Result<Ready, LoadError> {
        match &self.what {
            What::Whole(dek) => self.whole(dek.as_ref(), device),
            What::Split(pieces) => {
                let files = pieces_of(&self.bytes, pieces).ok_or(LoadError::Digest)?;
                let (plan, model) = head.assemble(&self.digest, &files, clients, device)?;
                let (name, version) = (self.name.clone(), self.version.clone());
                Loaded::ready(name, version, plan.manifest(), model)
            }
            What::Part => {
                if Digest::of(&self.bytes).as_bytes() != &self.digest {
                    return Err(LoadError::Digest);
                }
                Ok(Ready::Part(RunningPart::load(&Part::parse(&self.bytes)?, device)?))
            }
        }
    }

    fn whole(&self, dek: Option<&Dek>, device: &Device) -> Result<Ready, LoadError> {
        let opened = dek.map(|dek| opened(&self.bytes, dek)).transpose()?;
        let bytes = opened.as_ref().map_or(self.bytes.as_slice(), Cleartext::expose);
        if Digest::of(bytes).as_bytes() != &self.digest {
            return Err(LoadError::Digest);
        }
        let artifact = Artifact::parse(bytes)?;
        drop(opened);
        let model = Model::load(&artifact, device)?;
        Loaded::ready(self.name.clone(), self.version.clone(), artifact.manifest(), model)
    }
}

/// Cuts what came into its pieces.
fn pieces_of<'a>(mut bytes: &'a [u8], pieces: &[usize]) -> Option<Vec<&'a [u8]>> {
    let mut found = Vec::with_capacity(pieces.len());
    for &piece in pieces {
        let (now, later) = bytes.split_at_checked(piece)?;
        found.push(now);
        bytes = later;
    }
    bytes.is_empty().then_some(found)
}

impl Loaded {
    /// The model in an artifact whose bytes nobody promised anything of.
    pub(crate) fn of_artifact(
        name: &str,
        version: &str,
        bytes: &[u8],
        device: &Device,
    ) -> Result<Box<Self>, LoadError> {
        let artifact = Artifact::parse(bytes)?;
        let model = Model::load(&artifact, device)?;
        match Self::ready(name.to_owned(), version.to_owned(), artifact.manifest(), model)? {
            Ready::Model(loaded) => Ok(loaded),
            Ready::Part(_) => Err(LoadError::Task),
        }
    }

    /// A model that answers, once it has answered.
    fn ready(
        name: String,
        version: String,
        manifest: &Manifest,
        model: Model,
    ) -> Result<Ready, LoadError> {
        let (head, classes) = meaning(&manifest.task).ok_or(LoadError::Task)?;
        model.warm_up()?;
        Ok(Ready::Model(Box::new(Self {
            name,
            version,
            digest: hex::encode(model.digest().as_bytes()),
            model,
            input: manifest.input.clone(),
            output: manifest.output.clone(),
            width: manifest.outputs(),
            widest: manifest
                .architecture
                .iter()
                .map(|layer| layer.units as usize)
                .max()
                .unwrap_or(0),
            head,
            classes,
            schema_digest: hex::encode(manifest.schema_digest()?.as_bytes()),
            features: manifest.features.iter().map(|feature| feature.name.clone()).collect(),
        })))
    }
}

/// The artifact in a sealed file. It is in memory alone, and wiped when the network has been made.
fn opened(file: &[u8], dek: &Dek) -> Result<Cleartext, LoadError> {
    let file = SealedFile::parse(file).map_err(|_| LoadError::Sealed)?;
    if file.clear_bytes() > ARTIFACT_BYTES_MAX {
        return Err(LoadError::TooLarge { bytes: file.clear_bytes() as u64 });
    }
    file.open(dek).map_err(|_| LoadError::Sealed)
}

/// How answers are cut, and the classes that they tell apart, in the order of
/// [`Interface::classes`].
fn meaning(task: &Task) -> Option<(Cut, Vec<String>)> {
    match task {
        Task::Binary { classes, positive } => {
            let negative = classes.iter().find(|class| *class != positive);
            let classes = negative.into_iter().chain([positive]).cloned().collect();
            Some((Cut::Probability, classes))
        }
        Task::Multiclass { classes } => Some((Cut::Classes, classes.clone())),
        // Of several labels, or of numbers, none is the one.
        Task::Multilabel { .. } => Some((Cut::Labels, Vec::new())),
        Task::Regression { .. } => Some((Cut::Numbers, Vec::new())),
        _ => None,
    }
}

/// Why a model was not taken; said to the gateway's operator.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("an artifact of {bytes} bytes is too large")]
    TooLarge { bytes: u64 },
    #[error("more bytes than announced")]
    Overrun,
    #[error("a part without an announcement")]
    Unannounced,
    #[error("the bytes are not the promised artifact")]
    Digest,
    #[error("the sealed file does not open")]
    Sealed,
    #[error("the model's task is none that this worker knows")]
    Task,
    #[error("a row of the model takes more than `request_bytes_max`, which is {max}")]
    RowTooLarge { max: usize },
    #[error("another part of the model: {0}")]
    Part(LinkError),
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl LoadError {
    pub(crate) const fn unannounced() -> Self {
        Self::Unannounced
    }
}

/// Each part stores some weights in 32 bits, and the plan has the manifest.
const SPLIT_BYTES_MAX: usize = 4 * ARTIFACT_BYTES_MAX + PLAN_BYTES_MAX;
/// A tag and some for every 64 KiB of an artifact, and a head.
const SEALED_BYTES_MAX: usize = ARTIFACT_BYTES_MAX + ARTIFACT_BYTES_MAX / 1024 + (1 << 20);
