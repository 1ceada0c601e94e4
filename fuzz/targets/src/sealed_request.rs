use std::sync::LazyLock;
use std::time::{Duration, Instant};

use sealgate_keys::ohttp::{Aead, KeyList, seal};
use sealgate_worker::{ClientKeys, Life, NotOpened};

use crate::cursor::Cursor;

/// A sealed request (RFC 9458) under a worker's own keys, changed by a script: which of the six
/// suites, then changes of `place (2) || kind (1) || value (1)`. An input that starts with 0xff is
/// itself the request.
///
/// # Panics
/// When a changed request opens, or an unchanged one opens twice.
pub fn sealed_request(input: &[u8]) {
    let mut script = Cursor::new(input);
    let first = script.byte();
    if first == WHOLE {
        assert!(why(script.rest()).is_some(), "nobody sealed this");
        return;
    }
    let suites = &WORKER.requests;
    let Some(original) = suites.get(usize::from(first) % suites.len()) else { return };
    let mut request = original.clone();
    while !script.rest().is_empty() {
        change(&mut request, script.number(), script.byte(), script.byte());
    }
    let why = why(&request);
    if request == *original {
        assert_eq!(why, Some(NotOpened::Replayed), "it has been opened once");
    } else {
        let honest = matches!(why, Some(NotOpened::KeyUnknown | NotOpened::Sealed));
        assert!(honest, "a changed request is no request, and no replay: {why:?}");
    }
}

fn change(request: &mut Vec<u8>, place: usize, kind: u8, value: u8) {
    let place = place % (request.len() + 1);
    match kind % 5 {
        0 | 1 => request.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= value),
        2 => request.iter_mut().skip(place).take(1).for_each(|byte| *byte = value),
        3 => request.truncate(place),
        _ if request.len() < BYTES_MAX => request.insert(place, value),
        _ => {}
    }
}

fn why(request: &[u8]) -> Option<NotOpened> {
    WORKER.keys.open("c-1", request, WORKER.now).err()
}

/// A worker's keys, and what was sealed to them under each suite and has been opened.
struct Worker {
    keys: ClientKeys,
    now: Instant,
    requests: Vec<Vec<u8>>,
}

static WORKER: LazyLock<Worker> = LazyLock::new(|| {
    let (keys, list, now) = worker_keys();
    let suites = list.0.iter().flat_map(|config| Aead::ALL.map(|aead| (config, aead)));
    let requests: Vec<_> = suites
        .map(|(config, aead)| seal(config, aead, b"a row").expect("a key of ours").0)
        .collect();
    for request in &requests {
        assert!(keys.open("c-1", request, now).is_ok(), "what was sealed opens");
    }
    Worker { keys, now, requests }
});

pub(crate) fn worker_keys() -> (ClientKeys, KeyList, Instant) {
    let (keys, now) = (ClientKeys::default(), Instant::now());
    let hour = Duration::from_secs(3600);
    let list = keys.renew(7, 8, Life { active: hour, overlap: hour }, now).expect("new keys");
    (keys, list, now)
}

const WHOLE: u8 = 0xff;
/// More than any of the six.
const BYTES_MAX: usize = 4096;
