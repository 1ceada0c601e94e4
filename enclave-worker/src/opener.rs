//! The opener of requests: the one type in this workspace that turns a sealed request into bytes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sealgate_keys::frame::{Header, Kind, split_part};
use sealgate_keys::{
    Cleartext, EpochKeys, Grant, KEY_BYTES, KeyError, Mode, SealingKey, Secret, SessionSecret,
    WRAPPED_DEK_BYTES, aad, labels,
};
use sealgate_model::Digest;

use crate::opened::{Opened, ReplyKey};
use crate::window::ReplayWindow;

/// Opens requests of one session, each once.
pub struct RequestOpener {
    epochs: Mutex<Epochs>,
}

struct Epochs {
    current: Live,
    /// The epoch before: requests sealed under it may still be on their way.
    previous: Option<(Live, Instant)>,
}

struct Live {
    keys: Arc<EpochKeys>,
    window: ReplayWindow,
}

impl RequestOpener {
    /// How long the keys of a replaced epoch still open requests.
    pub const PREVIOUS_EPOCH: Duration = Duration::from_secs(30);

    /// How far ahead of the current epoch a request may be.
    pub const EPOCHS_AHEAD: u32 = 8;

    /// Starts with epoch 0 of the session.
    #[must_use]
    pub fn new(secret: &SessionSecret) -> Self {
        let current = Live::new(Arc::new(EpochKeys::first(secret)));
        Self { epochs: Mutex::new(Epochs { current, previous: None }) }
    }

    /// Opens a request's payload and its grant, which must agree with the frame's kind.
    ///
    /// # Errors
    /// [`KeyError::Refused`], whatever was wrong: changed, cut, replayed, of another session, of
    /// an epoch that is over, sealed in another mode.
    pub fn open(
        &self,
        header: &Header,
        mut payload: Vec<u8>,
        now: Instant,
    ) -> Result<Opened<Cleartext>, KeyError> {
        let keys = self.keys(header.epoch, now)?;
        let (grant, dek, message) =
            unseal(&keys, header, &mut payload).map_err(|_| KeyError::Refused)?;
        self.claim(&keys, header.id, now)?;
        Ok(Opened::new(grant, ReplyKey::new(keys, header.id, dek), message))
    }

    /// The keys of `epoch`: the current one's, the previous one's for a while, or those of one soon
    /// to come, which become current only when a request under them has verified.
    fn keys(&self, epoch: u32, now: Instant) -> Result<Arc<EpochKeys>, KeyError> {
        let mut epochs = self.lock();
        epochs.forget_previous(now);
        if epoch == epochs.current.keys.epoch() {
            return Ok(epochs.current.keys.clone());
        }
        if let Some((live, _)) = &epochs.previous
            && live.keys.epoch() == epoch
        {
            return Ok(live.keys.clone());
        }
        // A request of the next epoch may never have been sent, or was refused unopened.
        let mut keys = epochs.current.keys.next()?;
        for _ in 1..Self::EPOCHS_AHEAD {
            if keys.epoch() < epoch {
                keys = keys.next()?;
            }
        }
        if keys.epoch() == epoch { Ok(Arc::new(keys)) } else { Err(KeyError::Refused) }
    }

    /// Takes the id for good. Runs after authentication, so that nobody without the keys can move
    /// a window.
    fn claim(&self, keys: &Arc<EpochKeys>, id: u64, now: Instant) -> Result<(), KeyError> {
        let mut epochs = self.lock();
        if keys.epoch() > epochs.current.keys.epoch() {
            let old = std::mem::replace(&mut epochs.current, Live::new(keys.clone()));
            epochs.previous = Some((old, now));
        }
        let window = if keys.epoch() == epochs.current.keys.epoch() {
            &mut epochs.current.window
        } else {
            match &mut epochs.previous {
                Some((live, _)) if live.keys.epoch() == keys.epoch() => &mut live.window,
                _ => return Err(KeyError::Refused),
            }
        };
        if window.claim(id) { Ok(()) } else { Err(KeyError::Refused) }
    }

    fn lock(&self) -> MutexGuard<'_, Epochs> {
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    fn new(keys: Arc<EpochKeys>) -> Self {
        Self { keys, window: ReplayWindow::new() }
    }
}

impl Epochs {
    fn forget_previous(&mut self, now: Instant) {
        let over = |(_, since): &(Live, Instant)| {
            now.saturating_duration_since(*since) > RequestOpener::PREVIOUS_EPOCH
        };
        if self.previous.as_ref().is_some_and(over) {
            self.previous = None;
        }
    }
}

fn unseal(
    keys: &EpochKeys,
    header: &Header,
    payload: &mut [u8],
) -> Result<(Grant, Secret, Cleartext), KeyError> {
    let (label, mode) = match header.kind {
        Kind::Request => (labels::REQUEST_GATEWAY_SEALED, Mode::GatewaySealed),
        Kind::SealedRequest => (labels::REQUEST_CLIENT_SEALED, Mode::ClientSealed),
        _ => return Err(KeyError::Refused),
    };
    if header.payload_bytes as usize != payload.len() {
        return Err(KeyError::Refused);
    }
    let header_bytes = header.encode();
    let (grant_bytes, rest) = split_part(payload)?;
    let (wrapped, body) = rest.split_at_mut_checked(WRAPPED_DEK_BYTES).ok_or(KeyError::Refused)?;
    let dek = unwrap_dek(keys, header.id, &aad(labels::DEK_WRAP, &header_bytes, &[]), wrapped)?;
    let message =
        SealingKey::new(&dek).open_in_place(0, &aad(label, &header_bytes, grant_bytes), body)?;
    let grant = Grant::decode(grant_bytes)?;
    if grant.ciphertext_sha256.is_some_and(|hash| hash != *Digest::of(message).as_bytes()) {
        return Err(KeyError::Refused);
    }
    if grant.mode != mode || grant.valid_ms > Grant::VALID_MS_MAX {
        return Err(KeyError::Refused);
    }
    Ok((grant, dek, Cleartext::new(message.to_vec())))
}

fn unwrap_dek(
    keys: &EpochKeys,
    id: u64,
    aad: &[u8],
    wrapped: &mut [u8],
) -> Result<Secret, KeyError> {
    let mut dek = Secret::from_bytes([0; KEY_BYTES]);
    let bytes = keys.kek_request().open_in_place(id, aad, wrapped)?;
    if bytes.len() != KEY_BYTES {
        return Err(KeyError::Refused);
    }
    dek.expose_mut().copy_from_slice(bytes);
    zeroize::Zeroize::zeroize(bytes);
    Ok(dek)
}
