//! What has been opened, and the only way back: sealed for the one who sent it.

use std::sync::Arc;

use sealgate_keys::frame::{Header, Kind, PAYLOAD_BYTES_MAX};
use sealgate_keys::ohttp::ResponseSealer;
use sealgate_keys::{
    ANSWER_NONCE_BYTES, Cleartext, EpochKeys, Grant, KeyError, Outcome, Secret, TAG_BYTES, aad,
    answer_key, labels,
};

use crate::client_keys::{NotOpened, OpenedByClientKey};

/// A value that came out of a sealed request, tied to the grant it came under and to the key of
/// its one answer.
///
/// There is no way to the value but [`Opened::map`], and no way out but [`Opened::seal`].
///
/// ```compile_fail
/// fn print<T: std::fmt::Debug>(opened: sealgate_worker::Opened<T>) {
///     println!("{opened:?}");
/// }
/// ```
/// ```compile_fail
/// fn take(opened: sealgate_worker::Opened<Vec<f32>>) -> Vec<f32> {
///     opened.value
/// }
/// ```
/// ```compile_fail
/// fn twice(opened: sealgate_worker::Opened<u8>) {
///     let copy = opened.clone();
/// }
/// ```
pub struct Opened<T> {
    grant: Box<Grant>,
    reply: ReplyKey,
    value: T,
}

/// The key material of one answer. It is used up by sealing.
pub(crate) struct ReplyKey {
    keys: Arc<EpochKeys>,
    id: u64,
    dek: Secret,
    /// In client-sealed mode: seals for the client what the envelope then carries.
    client: Option<Box<ResponseSealer>>,
}

impl<T> Opened<T> {
    pub(crate) fn new(grant: Grant, reply: ReplyKey, value: T) -> Self {
        Self { grant: Box::new(grant), reply, value }
    }

    /// The grant the request came under.
    #[must_use]
    pub const fn grant(&self) -> &Grant {
        &self.grant
    }

    /// Takes the value one step on its way. What fails stays opened: a refusal leaves sealed, too.
    ///
    /// # Errors
    /// The step's error, still tied to the answer's key.
    pub fn map<U, E>(
        self,
        step: impl FnOnce(&Grant, T) -> Result<U, E>,
    ) -> Result<Opened<U>, Opened<E>> {
        let Self { grant, reply, value } = self;
        match step(&grant, value) {
            Ok(value) => Ok(Opened { grant, reply, value }),
            Err(value) => Err(Opened { grant, reply, value }),
        }
    }

    /// The answer's frame: outcome in the clear of the hop, message sealed, both authenticated.
    ///
    /// # Errors
    /// [`KeyError::TooLarge`] or [`KeyError::Randomness`]; the request then has no answer.
    pub fn seal(
        self,
        encode: impl FnOnce(&Grant, T) -> Result<(Outcome, Cleartext), KeyError>,
    ) -> Result<Vec<u8>, KeyError> {
        let (outcome, message) = encode(&self.grant, self.value)?;
        self.reply.seal(&outcome, &message)
    }
}

impl<T, U> Opened<(T, Option<U>)> {
    /// Shows several values to one step at once and puts what it says of each beside that one:
    /// there is no way here to an answer to one request under the key of another.
    pub(crate) fn together(
        all: &mut [&mut Self],
        step: impl FnOnce(&[(&Grant, &T)]) -> Vec<Option<U>>,
    ) {
        let seen: Vec<_> = all.iter().map(|one| (&*one.grant, &one.value.0)).collect();
        let said = step(&seen);
        for (one, said) in all.iter_mut().zip(said) {
            one.value.1 = said;
        }
    }
}

impl Opened<Cleartext> {
    /// Opens what the client sealed inside the envelope; from then on the answer is sealed for the
    /// client.
    ///
    /// # Errors
    /// [`NotOpened`]; there is nobody then to seal an answer to.
    pub(crate) fn unsealed(
        mut self,
        open: impl FnOnce(&Grant, &Cleartext) -> Result<OpenedByClientKey, NotOpened>,
    ) -> Result<(Self, Secret, bool), NotOpened> {
        let opened = open(&self.grant, &self.value)?;
        self.reply.client = Some(Box::new(opened.reply));
        self.value = opened.message;
        Ok((self, opened.commitment_key, opened.half_spent))
    }
}

impl ReplyKey {
    pub(crate) const fn new(keys: Arc<EpochKeys>, id: u64, dek: Secret) -> Self {
        Self { keys, id, dek, client: None }
    }

    fn seal(self, outcome: &Outcome, message: &Cleartext) -> Result<Vec<u8>, KeyError> {
        let outcome = outcome.encode();
        let for_client = self.client.map(|client| client.seal(message.expose())).transpose()?;
        let message = for_client.as_deref().unwrap_or(message.expose());
        let payload = 4 + outcome.len() + ANSWER_NONCE_BYTES + message.len() + TAG_BYTES;
        let payload_bytes = u32::try_from(payload)
            .ok()
            .filter(|_| payload <= PAYLOAD_BYTES_MAX)
            .ok_or(KeyError::TooLarge { what: "answer", bytes: payload, max: PAYLOAD_BYTES_MAX })?;
        let header =
            Header { kind: Kind::Answer, epoch: self.keys.epoch(), id: self.id, payload_bytes }
                .encode();

        let mut nonce = [0; ANSWER_NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| KeyError::Randomness)?;
        let key = answer_key(self.keys.kek_answer(), &self.dek, &nonce, &header);

        let mut frame = Vec::with_capacity(header.len() + payload);
        frame.extend_from_slice(&header);
        frame.extend_from_slice(&u32::try_from(outcome.len()).unwrap_or(u32::MAX).to_be_bytes());
        frame.extend_from_slice(&outcome);
        frame.extend_from_slice(&nonce);
        let body_at = frame.len();
        frame.extend_from_slice(message);
        let (_, body) = frame.split_at_mut(body_at);
        let tag = key.seal_in_place(0, &aad(labels::ANSWER, &header, &outcome), body)?;
        frame.extend_from_slice(&tag);
        Ok(frame)
    }
}
