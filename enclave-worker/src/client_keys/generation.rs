use std::sync::{Mutex, PoisonError};

use sealgate_keys::KeyError;
use sealgate_keys::ohttp::{Aead, HEADER_BYTES, Header, Kem, KeyConfig, KeyList};

use super::kem::SecretKey;
use super::key_schedule;
use super::replays::Replays;
use super::{NotOpened, OpenedByClientKey};

/// Key pairs that live and end together, and what they have opened.
pub(super) struct Generation {
    keys: Vec<(u8, SecretKey)>,
    opened: Mutex<Replays>,
}

impl Generation {
    pub(super) fn new(ids: [(u8, Kem); 2]) -> Result<Self, KeyError> {
        let keys = ids
            .into_iter()
            .map(|(id, kem)| Ok((id, SecretKey::generate(kem)?)))
            .collect::<Result<_, KeyError>>()?;
        Ok(Self { keys, opened: Mutex::new(Replays::new()?) })
    }

    pub(super) fn key_list(&self) -> KeyList {
        let config = |(id, key): &(u8, SecretKey)| KeyConfig {
            key_id: *id,
            kem: key.kem(),
            public_key: key.public().to_vec(),
            aeads: Aead::ALL.to_vec(),
        };
        KeyList(self.keys.iter().map(config).collect())
    }

    pub(super) fn has(&self, id: u8) -> bool {
        self.keys.iter().any(|(own, _)| *own == id)
    }

    pub(super) fn open(
        &self,
        header: Header,
        caller: &str,
        request: &[u8],
    ) -> Result<OpenedByClientKey, NotOpened> {
        let (_, key) = self
            .keys
            .iter()
            .find(|(id, key)| *id == header.key_id && key.kem() == header.kem)
            .ok_or(NotOpened::KeyUnknown)?;
        let rest = request.get(HEADER_BYTES..).ok_or(NotOpened::Sealed)?;
        let (encapsulated, sealed) =
            rest.split_at_checked(header.kem.encapsulated_bytes()).ok_or(NotOpened::Sealed)?;
        let shared = key.decapsulate(encapsulated).map_err(|_| NotOpened::Sealed)?;
        let opened = key_schedule::open(header, shared, encapsulated, sealed)
            .map_err(|_| NotOpened::Sealed)?;
        // After authentication, so that nobody can fill this memory with noise; before anything
        // is done with what was opened.
        let half_spent = self
            .opened
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .claim(encapsulated, caller)?;
        Ok(OpenedByClientKey { half_spent, ..opened })
    }
}
