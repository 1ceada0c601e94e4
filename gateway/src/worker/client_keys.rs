//! A worker's keys for clients, as the gateway hands them on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sealgate_keys::evidence::NoncePath;
use sealgate_keys::ohttp::{Kem, KeyList};
use sealgate_keys::{KeyError, Keyset};
use tokio::sync::{Notify, oneshot};

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
        let [x_wing_id, x25519_id] = ids;
        let asked = [(x_wing_id, Kem::XWing), (x25519_id, Kem::X25519)];
        let found: Vec<_> = listed.0.iter().map(|config| (config.key_id, config.kem)).collect();
        let named = keyset.key_list_digest == hex::encode(KeyList::digest(&key_list));
        if found != asked || !named {
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

/// A keyset as canonical JSON, and `application/ohttp-keys`.
pub(super) type KeysetAndList = (Vec<u8>, Vec<u8>);

/// Questions about keys that are on their way to a worker, and who waits for which answer.
#[derive(Default)]
pub(super) struct Questions {
    waiting: Mutex<Waiting>,
    /// Rung when the worker says that it wants new keys.
    pub(super) wanted: Notify,
}

#[derive(Default)]
struct Waiting {
    /// By the ids that the keys were asked for under.
    keys: HashMap<[u8; 2], oneshot::Sender<KeysetAndList>>,
    evidence: HashMap<u64, oneshot::Sender<Vec<u8>>>,
    last_ask: u64,
    nonces: Vec<Asked>,
}

/// A nonce that waits for evidence.
pub(super) struct Asked {
    pub(super) keyset_digest: [u8; 32],
    pub(super) nonce: [u8; 32],
    /// Nothing if the worker had none.
    pub(super) reply: oneshot::Sender<Option<Attested>>,
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
    pub(super) fn ask_keys(&self, ids: [u8; 2]) -> oneshot::Receiver<KeysetAndList> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.keys.retain(|_, asked| !asked.is_closed());
        waiting.keys.insert(ids, sender);
        receiver
    }

    /// An answer that comes too late, or to no question, goes nowhere.
    pub(super) fn keys(&self, keyset: Vec<u8>, key_list: Vec<u8>) {
        let listed = KeyList::decode(&key_list).map(|list| list.0).unwrap_or_default();
        let [x_wing, x25519] = listed.as_slice() else { return };
        let asked = self.lock().keys.remove(&[x_wing.key_id, x25519.key_id]);
        if let Some(asked) = asked {
            let _ = asked.send((keyset, key_list));
        }
    }

    pub(super) fn ask_evidence(&self) -> (u64, oneshot::Receiver<Vec<u8>>) {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.evidence.retain(|_, asked| !asked.is_closed());
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

    /// The session is over: whoever waits learns it by the sender being dropped.
    pub(super) fn clear(&self) {
        let mut waiting = self.lock();
        waiting.keys.clear();
        waiting.evidence.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
