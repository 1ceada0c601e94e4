//! A worker's keys for clients, as the gateway hands them on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sealgate_keys::evidence::{NoncePath, NonceTree};
use sealgate_keys::ohttp::KeyList;
use sealgate_keys::{KeyError, Keyset};
use tokio::sync::{Notify, oneshot};

use super::WorkerError;

/// Keys that a worker has shown and that clients may seal to.
pub struct ShownKeys {
    /// Their ids: X-Wing's and X25519's.
    pub ids: [u8; 2],
    /// What the worker says of them.
    pub keyset: Keyset,
    /// The keyset's digest.
    pub digest: [u8; 32],
    /// `application/ohttp-keys`.
    pub key_list: Vec<u8>,
    given: AtomicBool,
}

impl ShownKeys {
    /// Takes what a worker showed for `ids`, if the two parts agree.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] when they do not.
    pub fn new(ids: [u8; 2], keyset: &[u8], key_list: Vec<u8>) -> Result<Self, KeyError> {
        let keyset = Keyset::decode(keyset)?;
        let listed = KeyList::decode(&key_list)?;
        let found: Vec<u8> = listed.0.iter().map(|config| config.key_id).collect();
        let named = keyset.key_list_digest == hex::encode(KeyList::digest(&key_list));
        if found != ids || !named {
            return Err(KeyError::Malformed("key list"));
        }
        let digest = keyset.digest();
        Ok(Self { ids, keyset, digest, key_list, given: AtomicBool::new(false) })
    }

    /// A client gets them now.
    pub fn give(&self) {
        self.given.store(true, Ordering::Relaxed);
    }

    /// Whether any client was given them.
    #[must_use]
    pub fn were_given(&self) -> bool {
        self.given.load(Ordering::Relaxed)
    }
}

/// Questions about keys that are on their way to a worker, and who waits for which answer.
#[derive(Default)]
pub(super) struct Questions {
    waiting: Mutex<Waiting>,
    /// Rung when the worker says that it wants new keys.
    pub(super) wanted: Notify,
}

#[derive(Default)]
struct Waiting {
    keys: Option<oneshot::Sender<(Vec<u8>, Vec<u8>)>>,
    evidence: HashMap<u64, oneshot::Sender<Vec<u8>>>,
    last_ask: u64,
    nonces: Vec<Asked>,
}

/// A nonce that waits for evidence.
pub(super) struct Asked {
    pub(super) keyset_digest: [u8; 32],
    pub(super) nonce: [u8; 32],
    pub(super) reply: oneshot::Sender<Attested>,
}

/// Evidence and the way from a nonce to it.
#[derive(Clone)]
pub struct Attested {
    /// JSON of the evidence.
    pub evidence: Vec<u8>,
    /// The nonce's place under the root that the evidence binds.
    pub path: NoncePath,
}

impl Questions {
    pub(super) fn ask_keys(&self) -> oneshot::Receiver<(Vec<u8>, Vec<u8>)> {
        let (sender, receiver) = oneshot::channel();
        self.lock().keys = Some(sender);
        receiver
    }

    pub(super) fn keys(&self, keyset: Vec<u8>, key_list: Vec<u8>) -> Result<(), WorkerError> {
        let waiting = self.lock().keys.take();
        let waiting = waiting.ok_or(WorkerError::Protocol("keys that nobody asked for"))?;
        let _ = waiting.send((keyset, key_list));
        Ok(())
    }

    pub(super) fn ask_evidence(&self) -> (u64, oneshot::Receiver<Vec<u8>>) {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.last_ask += 1;
        let ask = waiting.last_ask;
        waiting.evidence.insert(ask, sender);
        (ask, receiver)
    }

    pub(super) fn evidence(&self, ask: u64, evidence: Vec<u8>) {
        if let Some(sender) = self.lock().evidence.remove(&ask) {
            let _ = sender.send(evidence);
        }
    }

    /// Puts a nonce where the next quote is asked for.
    pub(super) fn add_nonce(&self, asked: Asked) {
        let mut waiting = self.lock();
        // Those who went away would otherwise stay with the keyset that they asked about.
        waiting.nonces.retain(|asked| !asked.reply.is_closed());
        waiting.nonces.push(asked);
    }

    /// All nonces that wait for evidence on this keyset.
    pub(super) fn take_nonces(&self, keyset_digest: &[u8; 32]) -> Vec<Asked> {
        let mut waiting = self.lock();
        let all = std::mem::take(&mut waiting.nonces);
        let (ours, others) =
            all.into_iter().partition(|asked| asked.keyset_digest == *keyset_digest);
        waiting.nonces = others;
        ours
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives each of the nonces that shared a quote its way to it.
pub(super) fn share(asked: Vec<Asked>, nonces: &[[u8; 32]], evidence: &[u8]) {
    let Some(tree) = NonceTree::new(nonces) else { return };
    for (index, asked) in asked.into_iter().enumerate() {
        if let Some(path) = tree.path(index) {
            let _ = asked.reply.send(Attested { evidence: evidence.to_vec(), path });
        }
    }
}
