//! Client-sealed mode beside a bare gateway of Oblivious HTTP.

use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sealgate_keys::ohttp::{Aead, Kem, KeyList, REQUEST_TYPE, seal};
use sealgate_keys::receipt::{Receipt, ReceiptKey, WorkerReceipt};
use sealgate_worker::{ClientKeys, Life};

use crate::echo::ohttp_server;
use crate::load::{Bodies, Load, Round};
use crate::processes::own_cpu;
use crate::setup::{Path, Setup};
use crate::stages::{median_us, recorded};
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
                json_bytes: None,
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
    println!(
        "\n{connections} connections, 1 row, sealed by the client with AES-128-GCM, which both have"
    );
    print_rows(&rounds, &targets);
    println!("load generator: {generator:.1} s of CPU over all rows, sealing not counted");
    print_stages(setup, message.expose());
}

/// What the stages of this mode cost by themselves, and what the record says of them in the path.
fn print_stages(setup: &Setup, message: &[u8]) {
    println!("\none stage by itself, us (median of {TIMES})");
    let peer = ohttp_server();
    let peer_list = ohttp::KeyConfig::encode_list(&[peer.config()]).unwrap();
    let mut requests = requests(&peer_list, Kem::X25519, message);
    let opened = median_us(TIMES, || {
        black_box(peer.decapsulate(&requests.pop().unwrap()).unwrap());
    });
    println!("{:<46} {opened:>8.2}", "open a request by the ohttp crate, X25519");
    for kem in [Kem::X25519, Kem::XWing] {
        let hour = Duration::from_secs(3600);
        let (keys, now) = (ClientKeys::default(), Instant::now());
        let list = keys.renew(1, 2, Life { active: hour, overlap: hour }, now).unwrap().encode();
        let mut requests = self::requests(&list, kem, message);
        let opened = median_us(TIMES, || {
            let opened = keys.open("c", &requests.pop().unwrap(), now);
            assert!(black_box(opened).is_ok());
        });
        println!("{:<46} {opened:>8.2}", format!("open a request and remember it, {kem:?}"));
    }
    let key = ReceiptKey::generate().unwrap();
    let receipt = receipt();
    let signed = median_us(TIMES, || {
        black_box(key.sign(&receipt).unwrap());
    });
    println!("{:<46} {signed:>8.2}", "write and sign a receipt");
    println!("\nstages in the path, both kinds of key, from the audit log, us (median)");
    for (stage, us) in recorded(setup, "audit-sealed-") {
        println!("{stage:<46} {us:>8}");
    }
}

fn requests(list: &[u8], kem: Kem, message: &[u8]) -> Vec<Vec<u8>> {
    let list = KeyList::decode(list).unwrap();
    let key = list.key(kem).unwrap();
    (0..TIMES).map(|_| seal(key, Aead::Aes128Gcm, message).unwrap().0).collect()
}

fn receipt() -> WorkerReceipt {
    let digest = || "00".repeat(32);
    WorkerReceipt {
        code: "ok".into(),
        input_commitment: Some(digest()),
        keyset_digest: digest(),
        mode: "client-sealed".into(),
        model_digest: digest(),
        output_commitment: Some(digest()),
        policy_digest: digest(),
        release_profile: "full".into(),
        request_id: "11".repeat(16),
        schema_digest: digest(),
        time_s: 1_795_000_000,
        kind: WorkerReceipt::TYPE.into(),
    }
}

fn sealed(list: &[u8], kem: Kem, message: &[u8], count: usize) -> Arc<Bodies> {
    let list = KeyList::decode(list).unwrap();
    let key = list.key(kem).unwrap();
    let one = |_| seal(key, Aead::Aes128Gcm, message).unwrap().0.into();
    Arc::new(Bodies::Each(Mutex::new((0..count).map(one).collect())))
}

const TIMES: usize = 2000;
/// As long as our inner answer to one row: its bucket.
const ANSWER_BYTES: usize = 2048;
