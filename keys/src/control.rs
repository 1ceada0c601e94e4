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
        /// Bytes of the whole file that follows.
        #[n(3)]
        bytes: u64,
        /// The DEK of the file, if it is a sealed one: 32 bytes.
        #[cbor(n(4), with = "minicbor::bytes")]
        dek: Option<Vec<u8>>,
    },
    /// The next part of the artifact.
    #[n(1)]
    Part(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// Make new keys for clients; the ones before go into their overlap.
    #[n(2)]
    NewKeys {
        /// The id of the X-Wing key.
        #[n(0)]
        x_wing_id: u8,
        /// The id of the X25519 key.
        #[n(1)]
        x25519_id: u8,
        /// How long clients get them, in milliseconds.
        #[n(2)]
        active_ms: u32,
        /// How long they open requests after that, in milliseconds; then they are destroyed.
        #[n(3)]
        overlap_ms: u32,
    },
    /// Show evidence for a keyset, bound to a root over nonces.
    #[n(3)]
    Attest {
        /// Which question this is.
        #[n(0)]
        ask: u64,
        /// The digest of the keyset.
        #[cbor(n(1), with = "minicbor::bytes")]
        keyset_digest: [u8; 32],
        /// The root over the nonces that wait.
        #[cbor(n(2), with = "minicbor::bytes")]
        nonce_root: [u8; 32],
    },
    /// A keyset is offered to clients from now on; receipts name it.
    #[n(4)]
    Offered {
        /// The digest of the keyset.
        #[cbor(n(0), with = "minicbor::bytes")]
        keyset_digest: [u8; 32],
    },
    /// A split model follows in parts: its plan, then the file of each of its parts.
    #[n(5)]
    LoadSplit {
        /// Its name.
        #[n(0)]
        model: String,
        /// Its version.
        #[n(1)]
        version: String,
        /// SHA-256 of the plan.
        #[cbor(n(2), with = "minicbor::bytes")]
        digest: [u8; 32],
        /// Bytes of the plan and of each file.
        #[n(3)]
        pieces: Vec<u64>,
    },
    /// The file of one part of a split model follows in parts. Only a head says so.
    #[n(6)]
    LoadPart {
        /// SHA-256 of the file.
        #[cbor(n(0), with = "minicbor::bytes")]
        digest: [u8; 32],
        /// Its bytes.
        #[n(1)]
        bytes: u64,
    },
}

/// Worker to gateway.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ToGateway {
    /// The session stands.
    #[n(0)]
    Ready,
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
        /// Why: one of [`refused`]'s words.
        #[n(2)]
        code: String,
    },
    /// New keys for clients stand.
    #[n(4)]
    Keys {
        /// The keyset, canonical JSON.
        #[cbor(n(0), with = "minicbor::bytes")]
        keyset: Vec<u8>,
        /// The key list, `application/ohttp-keys`.
        #[cbor(n(1), with = "minicbor::bytes")]
        key_list: Vec<u8>,
    },
    /// Evidence, or none for a keyset that is no more.
    #[n(5)]
    Evidence {
        /// Which question it answers.
        #[n(0)]
        ask: u64,
        /// JSON of [`Evidence`](crate::evidence::Evidence).
        #[cbor(n(1), with = "minicbor::bytes")]
        evidence: Vec<u8>,
    },
    /// The keys have opened half of what they may: new ones are wanted.
    #[n(6)]
    KeysWanted,
}

/// Why a request was refused unopened. Only the gateway's record tells these apart.
pub mod refused {
    /// The worker's queue is full.
    pub const BUSY: &str = "busy";
    /// The envelope did not verify.
    pub const ENVELOPE: &str = "refused";
    /// A sealed request names no key that lives.
    pub const KEY_UNKNOWN: &str = "key_unknown";
    /// A sealed request does not open under the key it names.
    pub const NOT_OPENED: &str = "not_opened";
    /// A sealed request has been opened before.
    pub const REPLAYED: &str = "replayed";
    /// The key has opened as many requests as it may.
    pub const KEY_SPENT: &str = "key_spent";
    /// The caller has used its share of the key.
    pub const CALLER_SHARE: &str = "caller_share";
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
