//! The keys that clients seal to: made here, in memory, and destroyed here.
//!
//! Each generation is one X-Wing and one X25519 key pair and the memory of what they have opened.
//! It is active for a while, opens what is still on its way for an overlap, and is gone. Every
//! worker has its own; a restart makes new ones, so nothing that was opened before opens again.

mod generation;
mod kem;
mod key_schedule;
mod replays;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use sealgate_keys::ohttp::{Header, Kem, KeyList, ResponseSealer};
use sealgate_keys::{Cleartext, KeyError, Secret};

use self::generation::Generation;

/// All generations that live.
///
/// ```compile_fail
/// println!("{:?}", sealgate_worker::ClientKeys::default());
/// ```
#[derive(Default)]
pub struct ClientKeys(RwLock<Vec<Living>>);

/// A generation and when it ends.
struct Living {
    generation: Arc<Generation>,
    end: Instant,
}

/// A request that opened under one of a worker's own keys.
pub struct OpenedByClientKey {
    /// The sealed message.
    pub message: Cleartext,
    /// Seals its one answer.
    pub reply: ResponseSealer,
    /// The key of its receipt's commitments.
    pub commitment_key: Secret,
    /// Whether the keys have opened half of what they may: new ones are wanted.
    pub half_spent: bool,
    /// Of keys that outlive this process: what must be claimed outside before anything is done with
    /// the message.
    pub claim: Option<[u8; 32]>,
}

/// Why a sealed request was not opened. The client learns none of this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOpened {
    /// It names no key that lives.
    KeyUnknown,
    /// It does not verify.
    Sealed,
    /// It was opened before.
    Replayed,
    /// The key has opened as many as it may.
    KeySpent,
    /// The caller has used its share of the key.
    CallerShare,
}

/// How long a generation lives.
#[derive(Debug, Clone, Copy)]
pub struct Life {
    /// How long clients get its keys.
    pub active: Duration,
    /// How long it opens requests after that.
    pub overlap: Duration,
}

impl Life {
    /// The longest a key lives, whatever it is told.
    pub const MAX: Duration = Duration::from_secs(48 * 60 * 60);

    /// From making to destroying.
    #[must_use]
    pub fn total(self) -> Duration {
        (self.active + self.overlap).min(Self::MAX)
    }
}

impl ClientKeys {
    /// Makes a generation under these key ids, and tells its list. Those before it go into their
    /// overlap.
    ///
    /// # Errors
    /// [`KeyError::Refused`] when an id is one of a generation that still lives, or both are the
    /// same; [`KeyError::Randomness`] when there is none.
    pub fn renew(
        &self,
        x_wing_id: u8,
        x25519_id: u8,
        life: Life,
        now: Instant,
    ) -> Result<KeyList, KeyError> {
        let end = now.checked_add(life.total()).ok_or(KeyError::Refused)?;
        let overlap_end = now.checked_add(life.overlap).ok_or(KeyError::Refused)?;
        let generation = Generation::new([(x_wing_id, Kem::XWing), (x25519_id, Kem::X25519)])?;
        let list = generation.key_list();
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.retain(|living| now < living.end);
        let taken = |id| all.iter().any(|living| living.generation.has(id));
        if x_wing_id == x25519_id || taken(x_wing_id) || taken(x25519_id) {
            return Err(KeyError::Refused);
        }
        for living in all.iter_mut() {
            living.end = living.end.min(overlap_end);
        }
        all.push(Living { generation: Arc::new(generation), end });
        Ok(list)
    }

    /// The keys that these seeds always give, until `end`, and their list. What they open is
    /// remembered outside, by [`OpenedByClientKey::claim`] under a hash keyed with `memory`.
    pub(crate) fn of_seeds(
        x_wing: (u8, Secret),
        x25519: (u8, Secret),
        memory: &Secret,
        end: Instant,
    ) -> Result<(Self, KeyList), KeyError> {
        if x_wing.0 == x25519.0 {
            return Err(KeyError::Refused);
        }
        let seeds = [(x_wing.0, Kem::XWing, x_wing.1), (x25519.0, Kem::X25519, x25519.1)];
        let generation = Generation::of_seeds(seeds, memory)?;
        let list = generation.key_list();
        let living = Living { generation: Arc::new(generation), end };
        Ok((Self(RwLock::new(vec![living])), list))
    }

    /// Opens a sealed request (RFC 9458, section 4.3) for `caller`; once, if these are a worker's
    /// keys.
    ///
    /// There is no trial: the key id names the key or nothing does.
    ///
    /// # Errors
    /// [`NotOpened`].
    pub fn open(
        &self,
        caller: &str,
        request: &[u8],
        now: Instant,
    ) -> Result<OpenedByClientKey, NotOpened> {
        let header = Header::read(request).ok_or(NotOpened::KeyUnknown)?;
        let generation = self.generation(header, now).ok_or(NotOpened::KeyUnknown)?;
        generation.open(header, caller, request)
    }

    /// Destroys what has come to its end, and says when to come again.
    pub fn expire(&self, now: Instant) -> Option<Instant> {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.retain(|living| now < living.end);
        all.iter().map(|living| living.end).min()
    }

    fn generation(&self, header: Header, now: Instant) -> Option<Arc<Generation>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter().find(|living| living.generation.has(header.key_id))?;
        (now < found.end).then(|| found.generation.clone())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use sealgate_keys::ohttp::{Aead, HEADER_BYTES, seal};

    use super::*;

    const LIFE: Life = Life { active: Duration::from_secs(900), overlap: Duration::from_secs(300) };

    fn keys() -> (ClientKeys, KeyList, Instant) {
        let (keys, now) = (ClientKeys::default(), Instant::now());
        let list = keys.renew(7, 8, LIFE, now).unwrap();
        (keys, list, now)
    }

    fn why(keys: &ClientKeys, request: &[u8], now: Instant) -> Option<NotOpened> {
        keys.open("c", request, now).err()
    }

    #[test]
    fn what_another_implementation_seals_opens_under_every_suite() {
        let (keys, list, now) = keys();
        for config in &list.0 {
            for aead in Aead::ALL {
                let (request, opener) = seal(config, aead, b"a row").unwrap();
                let Ok(opened) = keys.open("c", &request, now) else {
                    panic!("{:?} {aead:?}", config.kem)
                };
                assert_eq!(opened.message.expose(), b"a row");
                let answer = opener.open(&opened.reply.seal(b"a score").unwrap()).unwrap();
                assert_eq!(answer.message.expose(), b"a score");
                assert!(answer.commitment_key.same_as(&opened.commitment_key));
            }
        }
    }

    #[test]
    fn x_wing_comes_first_and_every_entry_offers_all_three_ciphers() {
        let (_, list, _) = keys();
        let kems: Vec<Kem> = list.0.iter().map(|config| config.kem).collect();
        assert_eq!(kems, Kem::ALL);
        assert!(list.0.iter().all(|config| config.aeads == Aead::ALL));
        assert_eq!(KeyList::decode(&list.encode()).unwrap(), list);
    }

    #[test]
    fn a_request_opens_once() {
        let (keys, list, now) = keys();
        let (request, _) = seal(&list.0[1], Aead::Aes128Gcm, b"a row").unwrap();
        assert_eq!(why(&keys, &request, now), None);
        assert_eq!(why(&keys, &request, now), Some(NotOpened::Replayed));
    }

    #[test]
    fn of_a_request_submitted_many_times_at_once_one_opens() {
        let (keys, list, now) = keys();
        let (request, _) = seal(&list.0[1], Aead::Aes128Gcm, b"a row").unwrap();
        let opened: usize = std::thread::scope(|scope| {
            let tries: Vec<_> =
                (0..8).map(|_| scope.spawn(|| why(&keys, &request, now).is_none())).collect();
            tries.into_iter().map(|each| usize::from(each.join().unwrap())).sum()
        });
        assert_eq!(opened, 1);
    }

    #[test]
    fn an_overlapping_key_opens_and_still_knows_what_it_opened() {
        let (keys, list, now) = keys();
        let (seen, _) = seal(&list.0[1], Aead::Aes128Gcm, b"a row").unwrap();
        let (late, _) = seal(&list.0[0], Aead::Aes256Gcm, b"a row").unwrap();
        assert_eq!(why(&keys, &seen, now), None);
        let later = now + LIFE.active;
        keys.renew(9, 10, LIFE, later).unwrap();
        assert_eq!(why(&keys, &seen, later), Some(NotOpened::Replayed));
        assert_eq!(why(&keys, &late, later), None);
    }

    #[test]
    fn a_destroyed_key_opens_nothing() {
        let (keys, list, now) = keys();
        let (request, _) = seal(&list.0[0], Aead::Aes256Gcm, b"a row").unwrap();
        let end = now + LIFE.total();
        assert_eq!(keys.expire(now), Some(end));
        assert_eq!(why(&keys, &request, end), Some(NotOpened::KeyUnknown));
        assert_eq!(keys.expire(end), None);
    }

    #[test]
    fn no_key_outlives_the_hard_cap() {
        let (keys, now) = (ClientKeys::default(), Instant::now());
        let long = Life { active: Life::MAX * 2, overlap: Duration::ZERO };
        keys.renew(1, 2, long, now).unwrap();
        assert_eq!(keys.expire(now), Some(now + Life::MAX));
    }

    #[test]
    fn another_worker_and_a_restarted_one_open_nothing_of_this_ones() {
        let (_, list, now) = keys();
        let (request, _) = seal(&list.0[0], Aead::Aes256Gcm, b"a row").unwrap();
        let (other, ..) = keys();
        assert_eq!(why(&other, &request, now), Some(NotOpened::Sealed));
    }

    #[test]
    fn an_id_that_lives_is_not_given_twice() {
        let (keys, _, now) = keys();
        assert!(keys.renew(8, 9, LIFE, now).is_err());
        assert!(keys.renew(9, 9, LIFE, now).is_err());
        assert!(keys.renew(9, 10, LIFE, now).is_ok());
    }

    #[test]
    fn no_changed_bit_and_no_cut_opens() {
        let (keys, list, now) = keys();
        let (request, _) = seal(&list.0[1], Aead::Aes256Gcm, b"a row").unwrap();
        for at in 0..request.len() * 8 {
            let mut changed = request.clone();
            changed[at / 8] ^= 1 << (at % 8);
            // The top bit of an X25519 point is not part of it (RFC 7748, section 5), but of the
            // key schedule's context it is.
            assert!(why(&keys, &changed, now).is_some(), "bit {at}");
        }
        for end in 0..request.len() {
            assert!(why(&keys, &request[..end], now).is_some(), "cut at {end}");
        }
        assert_eq!(why(&keys, &request, now), None, "none of it spent the request");
    }

    #[test]
    fn a_key_id_with_the_other_mechanism_is_no_key() {
        let (keys, list, now) = keys();
        let (mut request, _) = seal(&list.0[1], Aead::Aes256Gcm, b"a row").unwrap();
        request[0] = 7;
        assert_eq!(why(&keys, &request, now), Some(NotOpened::KeyUnknown));
        assert_eq!(why(&keys, &request[..HEADER_BYTES], now), Some(NotOpened::KeyUnknown));
    }
}
