//! Control messages: what gateway and worker tell each other besides requests and answers.
//!
//! Each direction has its own key and its own counter. The frame's `id` is that counter, and it
//! must rise by exactly one: a lost, repeated or reordered control message ends the session.

use minicbor::{Decode, Encode};

use crate::frame::{HEADER_BYTES, Header, Kind, payload_len};
use crate::request::aad;
use crate::schedule::expand;
use crate::{KeyError, SealingKey, SessionSecret, TAG_BYTES, labels};

/// Gateway to worker.
#[derive(Encode, Decode)]
pub enum ToWorker {
    /// A model follows in parts.
    #[n(0)]
    Load {
        /// Its name.
        #[n(0)]
        model: String,
        /// Its version.
        #[n(1)]
        version: String,
        /// SHA-256 of the whole artifact.
        #[cbor(n(2), with = "minicbor::bytes")]
        digest: [u8; 32],
        /// Bytes of the whole artifact.
        #[n(3)]
        bytes: u64,
    },
    /// The next part of the artifact.
    #[n(1)]
    Part(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
}

/// Worker to gateway.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ToGateway {
    /// The session stands and the sandbox is closed.
    #[n(0)]
    Ready {
        /// Each guard and how it stands, in words.
        #[n(0)]
        sandbox: Vec<String>,
        /// Whether every essential guard holds, tried by every thread.
        #[n(1)]
        enforced: bool,
    },
    /// The model answers from now on.
    #[n(1)]
    Loaded {
        /// SHA-256 of the artifact as it arrived.
        #[cbor(n(0), with = "minicbor::bytes")]
        digest: [u8; 32],
    },
    /// The model was not taken.
    #[n(2)]
    LoadRefused {
        /// Why, for the operator.
        #[n(0)]
        reason: String,
    },
    /// A request was refused before it was opened, or could not be.
    #[n(3)]
    RequestRefused {
        /// The request's epoch.
        #[n(0)]
        epoch: u32,
        /// The request's id.
        #[n(1)]
        id: u64,
        /// `busy` or `refused`.
        #[n(2)]
        code: String,
    },
}

/// The most bytes of an artifact in one [`ToWorker::Part`].
pub const PART_BYTES_MAX: usize = 1 << 20;

/// Seals one direction's control messages.
pub struct ControlSealer {
    key: SealingKey,
    next: u64,
}

/// Opens one direction's control messages, in their order.
pub struct ControlOpener {
    key: SealingKey,
    next: u64,
}

/// The gateway's two ends of the control channel.
#[must_use]
pub fn gateway_ends(secret: &SessionSecret) -> (ControlSealer, ControlOpener) {
    let (to_worker, to_gateway) = keys(secret);
    (ControlSealer { key: to_worker, next: 0 }, ControlOpener { key: to_gateway, next: 0 })
}

/// The worker's two ends of the control channel.
#[must_use]
pub fn worker_ends(secret: &SessionSecret) -> (ControlSealer, ControlOpener) {
    let (to_worker, to_gateway) = keys(secret);
    (ControlSealer { key: to_gateway, next: 0 }, ControlOpener { key: to_worker, next: 0 })
}

fn keys(secret: &SessionSecret) -> (SealingKey, SealingKey) {
    (
        SealingKey::new(&expand(secret.secret(), labels::CONTROL_TO_WORKER, 0)),
        SealingKey::new(&expand(secret.secret(), labels::CONTROL_TO_GATEWAY, 0)),
    )
}

impl ControlSealer {
    /// The next control frame.
    ///
    /// # Errors
    /// [`KeyError::TooLarge`], or [`KeyError::Exhausted`] after 2^32 messages.
    pub fn seal<T: Encode<()>>(&mut self, message: &T) -> Result<Vec<u8>, KeyError> {
        let id = self.next;
        self.next = id.checked_add(1).filter(|&n| n <= 1 << 32).ok_or(KeyError::Exhausted)?;
        #[expect(clippy::expect_used, reason = "a Vec takes every write")]
        let body = minicbor::to_vec(message).expect("encoding into memory does not fail");
        let payload_bytes = payload_len(body.len() + TAG_BYTES)?;
        let header = Header { kind: Kind::Control, epoch: 0, id, payload_bytes }.encode();
        let mut frame = [&header[..], &body].concat();
        let (_, body) = frame.split_at_mut(HEADER_BYTES);
        let tag = self.key.seal_in_place(id, &aad(&[], &header, &[]), body)?;
        frame.extend_from_slice(&tag);
        Ok(frame)
    }
}

impl ControlOpener {
    /// Opens the next control frame's payload.
    ///
    /// # Errors
    /// [`KeyError::Refused`] when it is not the next one or does not verify.
    pub fn open<T: for<'b> Decode<'b, ()>>(
        &mut self,
        header: &Header,
        payload: &mut [u8],
    ) -> Result<T, KeyError> {
        let expected = Header { kind: Kind::Control, epoch: 0, id: self.next, ..*header };
        if *header != expected || header.payload_bytes as usize != payload.len() {
            return Err(KeyError::Refused);
        }
        let body = self.key.open_in_place(header.id, &aad(&[], &header.encode(), &[]), payload)?;
        let mut decoder = minicbor::Decoder::new(body);
        let message = decoder.decode().map_err(|_| KeyError::Refused)?;
        if decoder.position() != body.len() {
            return Err(KeyError::Refused);
        }
        self.next += 1;
        Ok(message)
    }
}
