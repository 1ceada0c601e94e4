//! Client-sealed mode beside a bare gateway of Oblivious HTTP.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sealgate_keys::ohttp::{Aead, Kem, KeyList, REQUEST_TYPE, seal};

use crate::load::{Bodies, Load, Round};
use crate::processes::own_cpu;
use crate::setup::{Path, Setup};
use crate::{ROUNDS, print_rows};

/// The peer (`ohttp` crate, X25519), then ours with X25519 and with X-Wing. Every request is sealed
/// anew, before its round begins.
pub fn compare(setup: &Setup, connections: usize, period: Duration) {
    let gateway = setup.gateway("sealed", |config| {
        format!("{config}\n[client_keys]\nactive_s = 60\noverlap_s = 60\n")
    });
    let (peer, peer_keys) = setup.ohttp_echo(ANSWER_BYTES);
    let targets: [(&str, &Path); 3] = [
        ("OHTTP echo (ohttp crate)", &peer),
        ("client-sealed, X25519", &gateway),
        ("client-sealed, X-Wing", &gateway),
    ];
    let mut rounds: Vec<Vec<Round>> = vec![Vec::new(); targets.len()];
    let mut rates = [2_000.0; 3];
    let (mut generator, message) = (0.0, setup.inner().encode().unwrap());
    for round in 0..=ROUNDS {
        for (index, (_, path)) in targets.iter().enumerate() {
            let (list, kem) = match index {
                0 => (peer_keys.clone(), Kem::X25519),
                1 => (setup.key_list(path), Kem::X25519),
                _ => (setup.key_list(path), Kem::XWing),
            };
            // More than the round before could send in this time.
            let count = (rates[index] * period.as_secs_f64() * 1.5) as usize;
            let bodies = sealed(&list, kem, message.expose(), count);
            let before = own_cpu();
            let load = Load {
                connections,
                content_type: REQUEST_TYPE,
                bodies,
                rows: 1,
                tokens: &setup.callers,
                period,
            };
            let result = load.run(path);
            generator += own_cpu() - before;
            rates[index] = result.rate;
            if round > 0 {
                rounds[index].push(result); // the first round warms up
            }
        }
    }
    println!("\n{connections} connections, 1 row, sealed by the client with AES-256-GCM");
    print_rows(&rounds, &targets);
    println!("load generator: {generator:.1} s of CPU over all rows, sealing not counted");
}

fn sealed(list: &[u8], kem: Kem, message: &[u8], count: usize) -> Arc<Bodies> {
    let list = KeyList::decode(list).unwrap();
    let key = list.key(kem).unwrap();
    let one = |_| seal(key, Aead::Aes256Gcm, message).unwrap().0.into();
    Arc::new(Bodies::Each(Mutex::new((0..count).map(one).collect())))
}

/// As long as our inner answer to one row: its bucket.
const ANSWER_BYTES: usize = 2048;
