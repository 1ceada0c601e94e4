use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::frame::{HEADER_BYTES, Header, Kind, payload_len};
use crate::{
    AnswerOpener, EpochKeys, Grant, KEY_BYTES, KeyError, Mode, SealingKey, Secret, SessionSecret,
    TAG_BYTES, labels,
};

/// Bytes of a DEK under its KEK.
pub const WRAPPED_DEK_BYTES: usize = KEY_BYTES + TAG_BYTES;

/// The gateway's end of a session: seals requests, each under a fresh DEK.
///
/// A request's payload is
/// `u32 length || grant || wrapped DEK (48) || AES-256-GCM(DEK, message) with tag`.
/// The DEK is wrapped under the epoch's KEK with the frame's `id` as counter nonce; the counter
/// starts at 0 only under a new KEK and is never stored. Header and grant are AAD of the payload.
///
/// Keys change after [`RequestSealer::EPOCH_REQUESTS`] requests or [`RequestSealer::EPOCH_AGE`].
pub struct RequestSealer {
    current: RwLock<Arc<Sealing>>,
    advancing: Mutex<()>,
}

struct Sealing {
    keys: Arc<EpochKeys>,
    next_id: AtomicU64,
    started: Instant,
}

impl RequestSealer {
    /// Requests per epoch, far below the 2^32 at which AES-GCM counters must end.
    pub const EPOCH_REQUESTS: u64 = 1 << 20;
    /// The longest an epoch seals.
    pub const EPOCH_AGE: Duration = Duration::from_secs(600);

    /// Starts with epoch 0 of the session.
    #[must_use]
    pub fn new(secret: &SessionSecret, now: Instant) -> Self {
        Self {
            current: RwLock::new(Arc::new(Sealing::new(EpochKeys::first(secret), now))),
            advancing: Mutex::new(()),
        }
    }

    /// Seals `message` for the worker: the frame to send, and what opens its one answer.
    ///
    /// In client-sealed mode `message` is the client's ciphertext; what the frame then adds is
    /// the grant's authentication, not secrecy.
    ///
    /// # Errors
    /// [`KeyError::TooLarge`], [`KeyError::Randomness`], [`KeyError::Exhausted`].
    pub fn seal(
        &self,
        grant: &Grant,
        message: &[u8],
        now: Instant,
    ) -> Result<(Vec<u8>, AnswerOpener), KeyError> {
        let grant_bytes = grant.encode();
        check_sizes(&grant_bytes, message)?;
        let dek = Secret::random()?;
        // Taken last: an id that is taken is also sent, so that the worker sees every epoch begin.
        let (keys, id) = self.take_id(now)?;
        let frame = seal_request(&keys, id, &dek, grant.mode, &grant_bytes, message)?;
        Ok((frame, AnswerOpener::new(keys, id, dek)))
    }

    fn take_id(&self, now: Instant) -> Result<(Arc<EpochKeys>, u64), KeyError> {
        loop {
            let sealing = self.current();
            let id = sealing.next_id.fetch_add(1, Ordering::Relaxed);
            let young = now.saturating_duration_since(sealing.started) < Self::EPOCH_AGE;
            if id < Self::EPOCH_REQUESTS && young {
                return Ok((sealing.keys.clone(), id));
            }
            self.advance(&sealing, now)?;
        }
    }

    /// Replaces `spent`, unless another thread has done so already.
    fn advance(&self, spent: &Arc<Sealing>, now: Instant) -> Result<(), KeyError> {
        let _one_at_a_time = self.advancing.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&self.current(), spent) {
            let next = Arc::new(Sealing::new(spent.keys.next()?, now));
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        }
        Ok(())
    }

    fn current(&self) -> Arc<Sealing> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Sealing {
    fn new(keys: EpochKeys, now: Instant) -> Self {
        Self { keys: Arc::new(keys), next_id: AtomicU64::new(0), started: now }
    }
}

fn check_sizes(grant: &[u8], message: &[u8]) -> Result<(), KeyError> {
    if grant.len() > Grant::BYTES_MAX {
        let (bytes, max) = (grant.len(), Grant::BYTES_MAX);
        return Err(KeyError::TooLarge { what: "grant", bytes, max });
    }
    payload_len(payload_bytes(grant, message)).map(drop)
}

const fn payload_bytes(grant: &[u8], message: &[u8]) -> usize {
    4 + grant.len() + WRAPPED_DEK_BYTES + message.len() + TAG_BYTES
}

/// One request's frame; `id` must be fresh under these keys and `dek` fresh altogether.
pub(crate) fn seal_request(
    keys: &EpochKeys,
    id: u64,
    dek: &Secret,
    mode: Mode,
    grant: &[u8],
    message: &[u8],
) -> Result<Vec<u8>, KeyError> {
    let payload = payload_bytes(grant, message);
    let (kind, label) = match mode {
        Mode::GatewaySealed => (Kind::Request, labels::REQUEST_GATEWAY_SEALED),
        Mode::ClientSealed => (Kind::SealedRequest, labels::REQUEST_CLIENT_SEALED),
    };
    let header = Header { kind, epoch: keys.epoch(), id, payload_bytes: payload_len(payload)? };
    let header = header.encode();

    let mut wrapped = *dek.expose();
    let wrap_tag =
        keys.kek_request().seal_in_place(id, &aad(labels::DEK_WRAP, &header, &[]), &mut wrapped)?;

    let mut frame = Vec::with_capacity(HEADER_BYTES + payload);
    frame.extend_from_slice(&header);
    frame.extend_from_slice(&(payload_len(grant.len())?).to_be_bytes());
    frame.extend_from_slice(grant);
    frame.extend_from_slice(&wrapped);
    frame.extend_from_slice(&wrap_tag);
    let body_at = frame.len();
    frame.extend_from_slice(message);
    let (_, body) = frame.split_at_mut(body_at);
    let tag = SealingKey::new(dek).seal_in_place(0, &aad(label, &header, grant), body)?;
    frame.extend_from_slice(&tag);
    Ok(frame)
}

/// `label || header || part`: what every AAD on the hop is made of.
#[must_use]
pub fn aad(label: &[u8], header: &[u8; HEADER_BYTES], part: &[u8]) -> Vec<u8> {
    [label, header, part].concat()
}
