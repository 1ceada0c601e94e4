//! The head of a split model while it loads: everything that must hold before a row goes anywhere.

use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError, mpsc};

use burn::tensor::Device;
use sealgate_keys::link::{LinkReader, Opening};
use sealgate_model::split::{Elsewhere, Plan};
use sealgate_model::{Digest, Model, ModelError};

use super::Inherited;
use super::far::Far;
use crate::clients::Clients;
use crate::loaded::LoadError;

/// The other parts, and who reads what they answer.
pub(crate) struct Head {
    parts: Mutex<Vec<(Inherited, Reader)>>,
}

/// Where the thread waits that will read what a part answers.
pub(crate) type Reader = mpsc::SyncSender<LinkReader<UnixStream>>;

impl Head {
    /// With these parts; a worker of a whole model has none.
    pub(crate) fn new(parts: Vec<(Inherited, Reader)>) -> Self {
        Self { parts: Mutex::new(parts) }
    }

    /// Puts a split model together: `pieces` are its plan and the file of each part.
    ///
    /// Digests are checked before a byte is parsed, each part is judged before it gets its file, and
    /// no part gets more than its own.
    pub(crate) fn assemble(
        &self,
        digest: &[u8; 32],
        pieces: &[&[u8]],
        clients: &Clients,
        device: &Device,
    ) -> Result<(Plan, Model), LoadError> {
        let (plan, files) = pieces.split_first().ok_or(LoadError::Digest)?;
        if Digest::of(plan).as_bytes() != digest {
            return Err(LoadError::Digest);
        }
        let plan = Plan::parse(plan)?;
        // They are used up: a session that was opened is not opened again.
        let parts = std::mem::take(&mut *self.parts.lock().unwrap_or_else(PoisonError::into_inner));
        let (expected, found) = (plan.parts().len(), parts.len() + 1);
        if expected != found || files.len() != expected {
            return Err(ModelError::PartCount { expected, found }.into());
        }
        let (own, theirs) = files.split_first().ok_or(LoadError::Digest)?;
        let own = plan.part(0, own)?;
        let mut others: Vec<Box<dyn Elsewhere>> = Vec::with_capacity(parts.len());
        for (index, ((part, reader), file)) in parts.into_iter().zip(theirs).enumerate() {
            plan.is_part(index + 1, file)?;
            others.push(Box::new(open(part, &reader, file, clients)?));
        }
        let model = Model::assemble(&plan, &own, others, device)?;
        Ok((plan, model))
    }
}

fn open(
    part: Inherited,
    reader: &Reader,
    file: &[u8],
    clients: &Clients,
) -> Result<Far, LoadError> {
    let Inherited { reader: read, socket, psk, nonce } = part;
    let judge = |hello: &_| clients.judge_part(hello, &nonce);
    let mut opening = Opening::open(read, socket, &psk, judge).map_err(LoadError::Part)?;
    let digest = *Digest::of(file).as_bytes();
    opening.load_part(digest, file).map_err(LoadError::Part)?;
    let (link, read) = opening.start();
    reader.send(read).map_err(|_| LoadError::Unannounced)?;
    Ok(Far(link))
}
