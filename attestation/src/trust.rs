use crate::{Kind, Measurements};

/// What a judge accepts, from its own configuration. The default accepts nothing.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The kinds of evidence that are accepted at all.
    pub accept: Vec<Kind>,
    /// The operators' Ed25519 keys that may sign software evidence.
    pub software_keys: Vec<[u8; 32]>,
    /// What workers must look like. Without it only software evidence can be accepted.
    pub measurements: Option<Measurements>,
    /// How old evidence may be, in seconds, where it says when it was made (software, Nitro).
    pub evidence_age_max_s: u64,
}

/// What the keyset says of the worker that shows the evidence. Nobody but the worker vouches for
/// it: it counts as much as the key that signed the evidence, and hardware is not asked for it.
#[derive(Debug, Clone, Copy)]
pub struct Claims<'a> {
    /// Name and version of the worker's build, as in `sealgate-worker 0.1.0`.
    pub build: &'a str,
    /// SHA-256 of the worker's binary.
    pub build_digest: Option<&'a [u8; 32]>,
}
