//! What an index costs: writes a log of synthetic records, indexes it and asks it.
//!
//! `cargo bench -p sealgate-review --bench index` with 1 million records, `RECORDS=10000000` with more.
//! A request is a decision and, if allowed, an outcome; 90 of 100 are. `PLACE=DIR` keeps log and index
//! there and reuses the log. The pages are asked for over HTTP, as a browser does, while their
//! process verifies the log and once it has.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may panic and prints")]

#[path = "../tests/http/exchange.rs"]
mod exchange;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use exchange::ask as ask_for;
use sealgate_audit::{
    Caller, CheckpointKey, Decision, Event, Inputs, Log, Mode, Options, Origin, Outcome, Verdict,
    VerifyOptions,
};
use sealgate_review::page::{PageOptions, Pages};
use sealgate_review::{Dimension, Filter, Index, Page};

fn main() {
    let records = env::var("RECORDS").map_or(1_000_000, |records| records.parse().unwrap());
    let vanishing = tempfile::tempdir().unwrap();
    let place = env::var_os("PLACE").map_or(vanishing.path().to_owned(), PathBuf::from);
    let dir = place.join("audit");
    if !dir.exists() {
        timed("write the log", || write(&dir, &place.join("key"), 0, records));
    }
    let path = place.join("index.sqlite");
    let mut index = Index::open(&dir, &path).unwrap();
    let begun = Instant::now();
    let added = index.rebuild(&mut |_, _| {}).unwrap().added;
    let rate = added as f64 / begun.elapsed().as_secs_f64();
    println!("build: {added} records, {:.1} s, {rate:.0} records/s", begun.elapsed().as_secs_f64());
    println!("log {} MB, index {} MB", megabytes(&dir), fs::metadata(&path).unwrap().len() >> 20);
    timed("refresh, nothing new", || index.refresh(&mut |_, _| {}).unwrap());
    write(&dir, &place.join("key"), added, 10_000);
    timed("refresh, 10,000 records", || index.refresh(&mut |_, _| {}).unwrap());
    ask(&index);
    drop(index);
    pages(&dir, &path);
}

/// The pages, served as `sealgate audit serve` does and asked for one after another.
fn pages(dir: &Path, index: &Path) {
    let options = PageOptions {
        dir: dir.to_owned(),
        index: index.to_owned(),
        policies: None,
        against: VerifyOptions::default(),
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let pages = runtime.block_on(Pages::bind("127.0.0.1:0".parse().unwrap(), &options)).unwrap();
    let url = pages.url().to_owned();
    runtime.spawn(pages.serve(std::future::pending()));
    let (host, entrance) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let get = |path: &str, cookie: &str| {
        let headers = [("host", host), ("cookie", cookie)];
        let answer = ask_for(host.parse().unwrap(), &format!("GET {path}"), &headers, "");
        assert_eq!(answer.status, 200, "{path}");
        answer
    };
    let entered = get(&format!("/{entrance}"), "");
    let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let each = |what: &str| {
        for path in ["/", "/requests", "/requests?search=subject-7", "/events", "/integrity"] {
            let mut times: Vec<_> = (0..9)
                .map(|_| {
                    let begun = Instant::now();
                    get(path, &cookie);
                    begun.elapsed().as_secs_f64() * 1_000.0
                })
                .collect();
            times.sort_by(f64::total_cmp);
            println!("GET {path} over HTTP, {what}: {:.1} ms, at most {:.1}", times[4], times[8]);
        }
    };
    each("while the log is verified");
    let begun = Instant::now();
    while get("/", &cookie).body.contains("banner unknown") {
        assert!(begun.elapsed() < Duration::from_secs(600), "the log was not verified");
        std::thread::sleep(Duration::from_millis(200));
    }
    each("the log verified");
    runtime.shutdown_background();
}

fn ask(index: &Index) {
    let text = |text: &str| Some(text.to_owned());
    let all = Filter::default();
    let totals = |filter: &Filter, by: &[Dimension]| index.totals(filter, by, 100).unwrap();
    let page = |filter: &Filter| index.requests(filter, &Page::default()).unwrap();
    let caller = Filter { subject: text("subject-77"), ..all.clone() };
    let rare = Filter { code: text("worker_lost"), ..all.clone() };
    let tenant = Filter { tenant: text("tenant-3"), ..all.clone() };
    let search = Filter { search: text("subject-7"), ..all.clone() };
    let status = Filter { status: Some(503), ..all.clone() };
    let odd = Filter { since_us: Some(BEGIN_US + 7), ..all.clone() };
    timed("overview: code, model, hour, caller", || {
        for by in [Dimension::Code, Dimension::Model, Dimension::Hour, Dimension::Caller] {
            totals(&all, &[by]);
        }
    });
    timed("newest 50", || page(&all));
    timed("newest 50 of a caller", || page(&caller));
    timed("newest 50 of a tenant", || page(&tenant));
    timed("newest 50 of a rare code", || page(&rare));
    timed("newest 50 of a search", || page(&search));
    timed("newest 50 of a status", || page(&status));
    timed("totals of a caller by day", || totals(&caller, &[Dimension::Day]));
    timed("totals of each request, off the hour", || totals(&odd, &[Dimension::Model]));
    let id = page(&all)[0].request_id.clone();
    timed("one story, from the log", || index.story(&id).unwrap());
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    println!("{what}: {:.1} ms", begun.elapsed().as_secs_f64() * 1_000.0);
    done
}

/// Appends `records` records, about 100 requests a second of the log's own clock.
fn write(dir: &Path, key: &Path, from: u64, records: u64) {
    let clock = Arc::new(AtomicU64::new(BEGIN_US + from * 5_000));
    let now = Arc::clone(&clock);
    let options = Options {
        low_water_bytes: 0,
        queue_records: 65_536,
        ..Options::new(dir, Origin::new("bench.example/audit").unwrap())
    };
    let key = CheckpointKey::load_or_create(key).unwrap();
    let (log, _) = Log::open(options, key, Arc::new(move || now.load(Ordering::Relaxed))).unwrap();
    let mut written = 0;
    for i in from.. {
        if written >= records {
            break;
        }
        let decision = decision(i);
        let allowed = decision.verdict == Verdict::Allow;
        log.append_quietly(&Event::Decision(Box::new(decision)), |_| {});
        written += 1;
        if allowed {
            log.append_quietly(&Event::Outcome(Box::new(outcome(i))), |_| {});
            written += 1;
        }
        clock.fetch_add(10_000, Ordering::Relaxed);
        if i.is_multiple_of(16_384) {
            // The queue is bounded: let it empty.
            log.append_and_wait(&Event::Outcome(Box::new(outcome(u64::MAX)))).unwrap();
        }
    }
    log.close().unwrap();
}

/// Spread over callers as if drawn, and the same each time.
fn scattered(i: u64) -> u64 {
    i.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

fn id(i: u64) -> String {
    format!("{:016x}{:016x}", scattered(i), scattered(i ^ 0xff))
}

fn decision(i: u64) -> Decision {
    let denied = i % 10 == 9;
    let codes = ["other_tenant", "not_permitted", "rate_limited"];
    Decision {
        action: "infer".into(),
        address: format!("192.0.{}.0/24", scattered(i) % 200).into(),
        caller: Caller {
            client_id: Some(format!("client-{}", scattered(i) % 20).into()),
            issuer: "https://issuer.example".into(),
            subject: format!("subject-{}", scattered(i) % 1_000).into(),
            tenant: format!("tenant-{}", scattered(i) % 10).into(),
            token_id: Some(id(i / 50).into()),
        },
        budget: None,
        candidate_digest: None,
        charge: None,
        code: if denied { codes[(i / 10 % 3) as usize] } else { "allowed" }.into(),
        inputs: Inputs {
            clearance: Some("confidential".into()),
            groups: ["clinicians"].into_iter().collect(),
            scopes: ["infer"].into_iter().collect(),
            token_age_s: 12,
        },
        limit_profile: "standard".into(),
        mode: if i.is_multiple_of(4) { Mode::ClientSealed } else { Mode::GatewaySealed },
        model: format!("model-{}", scattered(i) % 5).into(),
        model_digest: None,
        model_version: None,
        policy_digest: "11".repeat(32).into(),
        protocol: "v2".into(),
        release_profile: "full".into(),
        request_id: id(i).into(),
        rows_reserved: 4,
        rules: [format!("rule-{}", i % 7)].into_iter().collect(),
        verdict: if denied { Verdict::Deny } else { Verdict::Allow },
    }
}

fn outcome(i: u64) -> Outcome {
    let (code, status) = match i % 100_000 {
        77 => ("worker_lost", 503),
        _ => ("ok", 200),
    };
    Outcome {
        code: code.into(),
        keyset_digest: Some("22".repeat(32).into()),
        length_class: "4096".into(),
        model_digest: Some("33".repeat(32).into()),
        receipt_digest: Some(format!("{}{}", id(i), id(i)).into()),
        request_id: id(i).into(),
        rows: 4,
        stages_us: [("hop".into(), 31), ("seal".into(), 2), ("total".into(), 400)].into(),
        status,
        usage: None,
    }
}

fn megabytes(dir: &Path) -> u64 {
    let files = fs::read_dir(dir).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>() >> 20
}

/// 2026-11-01T00:00:00Z.
const BEGIN_US: u64 = 1_793_491_200_000_000;
