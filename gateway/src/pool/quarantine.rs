//! Callers whose requests were with a worker when it crashed, twice. Pure: time is passed in.
//!
//! What a request can do to a worker shows in how the worker ends: a fault, an abort, a forbidden
//! system call. `SIGKILL` comes from outside and counts against nobody.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Who was there at which crash.
#[derive(Default)]
pub struct Quarantine(Mutex<HashMap<String, Suspect>>);

struct Suspect {
    crashes: u32,
    last: Instant,
}

impl Quarantine {
    /// These callers had a request with a worker that crashed. Gives those who are let in no more.
    pub fn crashed(&self, now: Instant, callers: Vec<String>) -> Vec<String> {
        let mut suspects = self.lock();
        suspects.retain(|_, suspect| now.saturating_duration_since(suspect.last) < MEMORY);
        let mut shut_out = Vec::new();
        for caller in callers {
            if suspects.len() >= SUSPECTS_MAX && !suspects.contains_key(&caller) {
                continue;
            }
            let suspect =
                suspects.entry(caller.clone()).or_insert(Suspect { crashes: 0, last: now });
            (suspect.crashes, suspect.last) = (suspect.crashes + 1, now);
            if suspect.crashes == CRASHES {
                shut_out.push(caller);
            }
        }
        shut_out
    }

    /// For how long this caller is let in no more.
    #[must_use]
    pub fn holds(&self, caller: &str, now: Instant) -> Option<Duration> {
        let suspects = self.lock();
        let suspect = suspects.get(caller).filter(|suspect| suspect.crashes >= CRASHES)?;
        (suspect.last + MEMORY).checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// How many callers are let in no more.
    #[must_use]
    pub fn count(&self, now: Instant) -> usize {
        let held = |suspect: &&Suspect| {
            let since = now.saturating_duration_since(suspect.last);
            suspect.crashes >= CRASHES && since < MEMORY
        };
        self.lock().values().filter(held).count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Suspect>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many crashes are not an accident.
const CRASHES: u32 = 2;
/// How long a crash is held against a caller, and how long he is not let in.
const MEMORY: Duration = Duration::from_secs(600);
const SUSPECTS_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn who_is_there_twice_is_shut_out_for_a_while_and_nobody_else() {
        let (quarantine, now) = (Quarantine::default(), Instant::now());
        assert_eq!(quarantine.crashed(now, names(&["poison", "bystander"])), names(&[]));
        assert_eq!(quarantine.holds("poison", now), None);
        assert_eq!(quarantine.crashed(now, names(&["poison"])), names(&["poison"]));
        assert_eq!(quarantine.holds("poison", now), Some(MEMORY));
        assert_eq!(quarantine.holds("bystander", now), None);
        assert_eq!((quarantine.count(now), quarantine.count(now + MEMORY)), (1, 0));
        assert_eq!(quarantine.holds("stranger", now), None);
        assert_eq!(quarantine.holds("poison", now + MEMORY), None);
    }

    #[test]
    fn an_old_crash_is_forgotten() {
        let (quarantine, now) = (Quarantine::default(), Instant::now());
        quarantine.crashed(now, names(&["a"]));
        assert_eq!(quarantine.crashed(now + MEMORY, names(&["a"])), names(&[]));
    }

    #[test]
    fn there_are_only_so_many_suspects() {
        let (quarantine, now) = (Quarantine::default(), Instant::now());
        let many = (0..=SUSPECTS_MAX).map(|n| n.to_string()).collect();
        quarantine.crashed(now, many);
        assert_eq!(quarantine.lock().len(), SUSPECTS_MAX);
    }
}
