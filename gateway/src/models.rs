//! Models as the gateway sees them: names, versions and opaque bytes.

use std::io::{self, ErrorKind};
use std::path::Path;

use sealgate_keys::at_rest::{Dek, KekProvider, SealedFile, is_sealed};
use sha2::{Digest, Sha256};

/// An artifact to hand to a worker. The gateway computes its digest and reads nothing else of it;
/// one that is sealed it does not open, but finds the key for the worker.
pub struct Artifact {
    /// The model's name.
    pub name: String,
    /// The version.
    pub version: String,
    /// SHA-256 of the artifact, which a sealed file names and the worker checks.
    pub digest: [u8; 32],
    /// The file.
    pub bytes: Vec<u8>,
    /// What opens the file, if it is sealed.
    pub dek: Option<Dek>,
    /// Of a split model, whose plan and parts follow each other in `bytes`: how long each is.
    pub pieces: Vec<u64>,
}

/// What unwraps the keys of sealed models.
#[derive(Default)]
pub struct Keks(Vec<Box<dyn KekProvider>>);

impl Keks {
    /// These, tried in their order.
    #[must_use]
    pub fn new(providers: Vec<Box<dyn KekProvider>>) -> Self {
        Self(providers)
    }

    fn dek(&self, file: &SealedFile<'_>) -> io::Result<Dek> {
        let found = self.0.iter().find_map(|kek| file.unwrap(&**kek).ok());
        found.ok_or_else(|| io::Error::other("it is sealed, and none of the `[kek]` opens it"))
    }
}

impl Artifact {
    /// Reads an artifact file, or a sealed one that one of `keks` opens. Where `FILE.sha256` lies
    /// beside it, it must be the file that this names: a changed weight leaves an artifact well
    /// formed, and it would be another model.
    ///
    /// Of a file called `plan.json`, `part-0.safetensors` and those after it are read as well; whether
    /// they are the ones that it names, the worker sees.
    ///
    /// # Errors
    /// What the file system says, [`ErrorKind::FileTooLarge`] over [`Artifact::BYTES_MAX`],
    /// [`ErrorKind::UnexpectedEof`] for an empty file, or that nothing opens it.
    pub fn read(name: &str, version: &str, path: &Path, keks: &Keks) -> io::Result<Self> {
        if std::fs::metadata(path)?.len() > Self::BYTES_MAX {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let bytes = std::fs::read(path)?;
        if bytes.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let file: [u8; 32] = Sha256::digest(&bytes).into();
        if promised(path)?.is_some_and(|promised| promised != file) {
            return Err(io::Error::other("it is not the file that its `.sha256` names"));
        }
        if path.file_name().is_some_and(|name| name == PLAN_FILE) {
            return Self::split(name, version, file, bytes, path);
        }
        let (digest, dek) = if is_sealed(&bytes) {
            let file = SealedFile::parse(&bytes).map_err(io::Error::other)?;
            (*file.digest(), Some(keks.dek(&file)?))
        } else {
            (file, None)
        };
        let (name, version) = (name.into(), version.into());
        Ok(Self { name, version, digest, bytes, dek, pieces: Vec::new() })
    }

    fn split(
        name: &str,
        version: &str,
        digest: [u8; 32],
        mut bytes: Vec<u8>,
        plan: &Path,
    ) -> io::Result<Self> {
        let mut pieces = vec![bytes.len() as u64];
        for part in 0..PARTS_MAX {
            let path = plan.with_file_name(format!("part-{part}.safetensors"));
            let facts = match std::fs::metadata(&path) {
                Ok(facts) => facts,
                Err(error) if error.kind() == ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            };
            if facts.len() > Self::BYTES_MAX {
                return Err(ErrorKind::FileTooLarge.into());
            }
            let file = std::fs::read(&path)?;
            pieces.push(file.len() as u64);
            bytes.extend_from_slice(&file);
        }
        if pieces.len() < 3 {
            return Err(io::Error::other("a plan needs `part-0.safetensors` and more beside it"));
        }
        let (name, version) = (name.into(), version.into());
        Ok(Self { name, version, digest, bytes, dek: None, pieces })
    }

    /// How many processes compute it beside the first.
    #[must_use]
    pub fn other_parts(&self) -> usize {
        // The plan, and what the first has.
        self.pieces.len().saturating_sub(2)
    }

    /// The largest artifact that is read.
    pub const BYTES_MAX: u64 = 256 << 20;
}

/// The file of a split model's plan.
pub const PLAN_FILE: &str = "plan.json";
/// More parts than a model may have.
const PARTS_MAX: usize = 9;

/// What `FILE.sha256` says, in the form of `sha256sum`; nothing where there is none.
fn promised(path: &Path) -> io::Result<Option<[u8; 32]>> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".sha256");
    let text = match std::fs::read_to_string(Path::new(&beside)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut digest = [0; 32];
    let hex = text.split_whitespace().next().unwrap_or_default();
    hex::decode_to_slice(hex, &mut digest)
        .map_err(|_| io::Error::other("its `.sha256` is no SHA-256 in hexadecimal"))?;
    Ok(Some(digest))
}
