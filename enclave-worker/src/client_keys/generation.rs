use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use sealgate_keys::ohttp::{Aead, HEADER_BYTES, Header, Kem, KeyConfig, KeyList};
use sealgate_keys::{KeyError, Secret};

use super::kem::SecretKey;
use super::key_schedule;
use super::replays::Replays;
use super::{NotOpened, OpenedByClientKey};

/// Key pairs that live and end together, and what they have opened.
pub(super) struct Generation {
    keys: Vec<(u8, SecretKey)>,
    opened: Memory,
}

/// Who remembers what was opened.
enum Memory {
    /// The process that the keys die with.
    Here(Mutex<Replays>),
    /// Somebody outside, by a hash under this key: these keys outlive the process, and other
    /// processes have them.
    Outside(Key),
}

impl Generation {
    pub(super) fn new(ids: [(u8, Kem); 2]) -> Result<Self, KeyError> {
        let keys = ids
            .into_iter()
            .map(|(id, kem)| Ok((id, SecretKey::generate(kem)?)))
            .collect::<Result<_, KeyError>>()?;
        Ok(Self { keys, opened: Memory::Here(Mutex::new(Replays::new()?)) })
    }

    /// Keys that their seeds always give, and the key under which somebody else remembers.
    pub(super) fn of_seeds(
        seeds: [(u8, Kem, Secret); 2],
        memory: &Secret,
    ) -> Result<Self, KeyError> {
        let keys = seeds
            .into_iter()
            .map(|(id, kem, seed)| Ok((id, SecretKey::of_seed(kem, &seed)?)))
            .collect::<Result<_, KeyError>>()?;
        Ok(Self { keys, opened: Memory::Outside(Key::new(HMAC_SHA256, memory.expose())) })
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
        match &self.opened {
            Memory::Here(replays) => {
                let mut replays = replays.lock().unwrap_or_else(PoisonError::into_inner);
                let half_spent = replays.claim(encapsulated, caller)?;
                Ok(OpenedByClientKey { half_spent, ..opened })
            }
            Memory::Outside(key) => {
                let mut claim = [0; 32];
                claim.copy_from_slice(sign(key, encapsulated).as_ref());
                Ok(OpenedByClientKey { claim: Some(claim), ..opened })
            }
        }
    }
}
