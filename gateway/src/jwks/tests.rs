//! Against a real TLS server that rotates, breaks and disappears.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod issuer;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use issuer::{Answer, IssuerServer, Key, NOW_S, policy};
use sealgate_policies::{JWKS_BYTES_MAX, PolicySet, Profile};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::config::Pace;
use super::fetch::Fetcher;
use super::last_good::LastGood;
use super::*;

/// Nothing happens by itself; everything that is asked for happens.
const AT_ONCE: Pace = Pace {
    refresh: Duration::from_secs(3600),
    retry: Duration::from_secs(3600),
    demand_gap: Duration::ZERO,
    wait_max: Duration::from_secs(10),
    ..Pace::USUAL
};

fn jwks_of(server: &IssuerServer, pace: Pace) -> Arc<Jwks> {
    let fetcher = Fetcher::new(Some(&server.ca_file())).unwrap();
    Arc::new(Jwks::at_pace(fetcher, LastGood(server.cache_dir()), pace))
}

/// A gateway that has begun: its sources have been tried.
async fn started(server: &IssuerServer, pace: Pace) -> (Arc<Jwks>, Arc<PolicySet>) {
    started_on(&server.journal(), server, pace).await
}

async fn started_on(
    journal: &Arc<Journal>,
    server: &IssuerServer,
    pace: Pace,
) -> (Arc<Jwks>, Arc<PolicySet>) {
    let (jwks, set) = (jwks_of(server, pace), Arc::new(server.policy()));
    jwks.adopt(&set, journal);
    jwks.tried().await;
    (jwks, set)
}

async fn outcome(jwks: &Jwks, set: &PolicySet, token: &str) -> &'static str {
    let bearer = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    let headers: HeaderMap = [(header::AUTHORIZATION, bearer)].into_iter().collect();
    let check = || set.authenticate(token, NOW_S);
    let checked = jwks.with_fresh_keys(set, &headers, check).await;
    checked.map_or_else(|refusal| refusal.code(), |_| "accepted")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_loses_no_request() {
    let mut keys = vec![Arc::new(Key::new("k0"))];
    let server = IssuerServer::start(Answer::keys(&[&keys[0]])).await;
    let (jwks, set) = started(&server, AT_ONCE).await;
    for round in 1..=5 {
        let (old, new) = (keys[round - 1].clone(), Arc::new(Key::new(&format!("k{round}"))));
        server.now_answers(Answer::keys(&[&new, &old]));
        let mut requests = JoinSet::new();
        for caller in 0..8 {
            let (jwks, set, key) = (jwks.clone(), set.clone(), [&old, &new][caller % 2].clone());
            requests.spawn(async move {
                for _ in 0..5 {
                    assert_eq!(outcome(&jwks, &set, &key.token()).await, "accepted");
                }
            });
        }
        while let Some(request) = requests.join_next().await {
            request.unwrap();
        }
        keys.push(new);
    }
    assert_eq!(outcome(&jwks, &set, &keys[0].token()).await, "token_key_unknown");
}

#[tokio::test]
async fn a_key_that_is_replaced_under_its_name_is_noticed() {
    let (old, new) = (Key::new("k"), Key::new("k"));
    let server = IssuerServer::start(Answer::keys(&[&old])).await;
    let (jwks, set) = started(&server, AT_ONCE).await;
    server.now_answers(Answer::keys(&[&new]));
    assert_eq!(outcome(&jwks, &set, &new.token()).await, "accepted");
    assert_eq!(outcome(&jwks, &set, &old.token()).await, "token_signature");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_invented_keys_costs_one_fetch() {
    let key = Key::new("k");
    let server = IssuerServer::start(Answer::keys(&[&key])).await;
    let pace = Pace { demand_gap: Duration::from_secs(30), ..AT_ONCE };
    let (jwks, set) = started(&server, pace).await;
    let mut flood = JoinSet::new();
    for n in 0..300 {
        let (jwks, set) = (jwks.clone(), set.clone());
        let token = key.token_called(&format!("invented-{n}"));
        flood.spawn(async move { outcome(&jwks, &set, &token).await });
    }
    while let Some(end) = flood.join_next().await {
        assert_eq!(end.unwrap(), "token_key_unknown");
    }
    assert_eq!(server.fetches(), 2, "the first, and one for the flood");
    assert_eq!(outcome(&jwks, &set, &key.token()).await, "accepted");
}

#[tokio::test]
async fn those_who_wait_share_one_fetch() {
    let (key, new) = (Key::new("k"), Key::new("new"));
    let server = IssuerServer::start(Answer::keys(&[&key])).await;
    let (jwks, set) = started(&server, AT_ONCE).await;
    server.now_answers(Answer::keys(&[&new]).after(Duration::from_millis(200)));
    let mut waiting = JoinSet::new();
    for _ in 0..20 {
        let (jwks, set, token) = (jwks.clone(), set.clone(), new.token());
        waiting.spawn(async move { outcome(&jwks, &set, &token).await });
    }
    while let Some(end) = waiting.join_next().await {
        assert_eq!(end.unwrap(), "accepted");
    }
    sleep(Duration::from_millis(400)).await;
    assert_eq!(server.fetches(), 2, "the first, and one for all of them");
}

#[tokio::test]
async fn a_flood_holds_a_bounded_number_of_places_for_a_bounded_time() {
    let key = Key::new("k");
    let server = IssuerServer::start(Answer::keys(&[&key])).await;
    let pace = Pace { waiting_max: 4, wait_max: Duration::from_millis(300), ..AT_ONCE };
    let (jwks, set) = started(&server, pace).await;
    server.now_answers(Answer::Hold);
    let began = Instant::now();
    let mut flood = JoinSet::new();
    for n in 0..50 {
        let (jwks, set) = (jwks.clone(), set.clone());
        let token = key.token_called(&format!("invented-{n}"));
        flood.spawn(async move { outcome(&jwks, &set, &token).await });
    }
    let mut at_once = 0;
    while let Some(end) = flood.join_next().await {
        assert_eq!(end.unwrap(), "token_key_unknown");
        at_once += usize::from(jwks.waiting.available_permits() == 0);
    }
    assert_eq!(at_once, 46, "four waited, the rest did not");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test]
async fn whatever_is_wrong_with_an_answer_the_last_good_keys_stay() {
    let (key, stranger) = (Key::new("k"), Key::new("stranger"));
    let server = IssuerServer::start(Answer::keys(&[&key])).await;
    let fetcher = Fetcher::new(Some(&server.ca_file())).unwrap();
    let fetcher = fetcher.with_time_max(Duration::from_millis(500));
    let set = Arc::new(server.policy());
    let jwks = Jwks::at_pace(fetcher, LastGood(server.cache_dir()), AT_ONCE);
    jwks.adopt(&set, &server.journal());
    jwks.tried().await;
    let elsewhere = IssuerServer::start(Answer::keys(&[&stranger])).await;
    let location = format!("location: {}\r\n", elsewhere.url);
    let huge = format!("{}{}", issuer::jwks(&[&stranger]), " ".repeat(JWKS_BYTES_MAX));
    let endless = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"key\r\n";
    let private = issuer::jwks(&[&stranger]).replace("\"crv\"", "\"d\":\"AA\",\"crv\"");
    let answers = [
        ("redirect", Answer::of("302 Found", &location, "")),
        ("permanent redirect", Answer::of("308 Permanent Redirect", &location, "")),
        ("error", Answer::of("500 Internal Server Error", "", &issuer::jwks(&[&stranger]))),
        ("no content", Answer::of("204 No Content", "", "")),
        ("too large", Answer::of("200 OK", "", &huge)),
        ("garbage", Answer::of("200 OK", "", "<html>sign in</html>")),
        ("no keys", Answer::keys(&[])),
        ("private key", Answer::of("200 OK", "", &private)),
        ("broken off", Answer::Send(endless.into())),
        ("no http", Answer::Send("hello".into())),
        ("slow", Answer::Hold),
    ];
    for (name, answer) in answers {
        server.now_answers(answer);
        let before = server.fetches();
        assert_eq!(outcome(&jwks, &set, &stranger.token()).await, "token_key_unknown", "{name}");
        assert_eq!(server.fetches(), before + 1, "{name}");
        assert_eq!(outcome(&jwks, &set, &key.token()).await, "accepted", "{name}");
    }
    assert_eq!(elsewhere.fetches(), 0);
}

#[tokio::test]
async fn each_fault_is_told_apart() {
    let server = IssuerServer::start(Answer::keys(&[])).await;
    let fetcher = Fetcher::new(Some(&server.ca_file())).unwrap();
    let fetcher = fetcher.with_time_max(Duration::from_millis(500));
    let of = |status| Answer::of(status, "location: /a\r\n", "");
    let began = Instant::now();
    for (answer, expected) in [
        (of("301 Moved Permanently"), "the issuer answers with a redirect"),
        (of("404 Not Found"), "the issuer answers with status 404"),
        (Answer::of("200 OK", "", &" ".repeat(JWKS_BYTES_MAX + 1)), "is larger than 262144 bytes"),
        (Answer::Hold, "did not answer in time"),
    ] {
        server.now_answers(answer);
        let error = fetcher.fetch(&server.url).await.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_issuer_with_a_strangers_certificate_is_not_believed() {
    let key = Key::new("k");
    let server = IssuerServer::start(Answer::keys(&[&key])).await;
    let stranger = IssuerServer::start(Answer::keys(&[&key])).await;
    for ca_file in [Some(stranger.ca_file()), None] {
        let fetcher = Fetcher::new(ca_file.as_deref()).unwrap();
        let error = fetcher.fetch(&server.url).await.err().unwrap().to_string();
        assert!(error.contains("invalid peer certificate"), "{error}");
    }
    let by_name = server.url.replace("127.0.0.1", "localhost");
    let fetcher = Fetcher::new(Some(&server.ca_file())).unwrap();
    let error = fetcher.fetch(&by_name).await.err().unwrap().to_string();
    assert!(error.contains("not valid for name"), "{error}");
    assert_eq!(server.fetches(), 0);
}

#[tokio::test]
async fn keys_never_come_without_tls() {
    let server = IssuerServer::start(Answer::keys(&[])).await;
    let fetcher = Fetcher::new(Some(&server.ca_file())).unwrap();
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", plain.local_addr().unwrap());
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    let serving = tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.unwrap();
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).await;
        stream.write_all(answer).await.unwrap();
        stream.shutdown().await.unwrap();
    });
    assert!(fetcher.fetch(&url).await.is_err());
    serving.abort();
}

#[tokio::test]
async fn a_restart_without_the_issuer_goes_by_the_keys_on_disk() {
    let key = Key::new("k");
    let server = IssuerServer::start(Answer::keys(&[&key])).await;
    let (first, _set) = started(&server, AT_ONCE).await;
    server.stop();
    drop(first);
    let (jwks, set) = started(&server, AT_ONCE).await;
    assert_eq!(outcome(&jwks, &set, &key.token()).await, "accepted");
}

#[tokio::test]
async fn keys_on_disk_that_are_too_old_or_that_others_may_write_do_not_count() {
    let key = Key::new("k");
    let server = IssuerServer::start(Answer::keys(&[&key])).await;
    drop(started(&server, AT_ONCE).await);
    server.stop();
    let old = Pace { stale_max: Duration::ZERO, ..AT_ONCE };
    let (jwks, set) = started(&server, old).await;
    assert_eq!(outcome(&jwks, &set, &key.token()).await, "token_key_unknown");

    let file = fs::read_dir(server.cache_dir()).unwrap().next().unwrap().unwrap().path();
    fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
    let (jwks, set) = started(&server, AT_ONCE).await;
    assert_eq!(outcome(&jwks, &set, &key.token()).await, "token_key_unknown");

    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let (jwks, set) = started(&server, AT_ONCE).await;
    assert_eq!(outcome(&jwks, &set, &key.token()).await, "accepted");
}

#[tokio::test]
async fn keys_that_cannot_be_renewed_for_too_long_are_given_up() {
    let (key, stranger) = (Key::new("k"), Key::new("stranger"));
    let server = IssuerServer::start(Answer::keys(&[&key])).await;
    let pace = Pace { stale_max: Duration::from_millis(1), ..AT_ONCE };
    let (jwks, set) = started(&server, pace).await;
    assert_eq!(outcome(&jwks, &set, &key.token()).await, "accepted");
    sleep(Duration::from_millis(5)).await;
    server.now_answers(Answer::of("500 Internal Server Error", "", ""));
    assert_eq!(outcome(&jwks, &set, &stranger.token()).await, "token_key_unknown");
    assert_eq!(set.authenticate(&key.token(), NOW_S).err().unwrap().code(), "token_key_unknown");
}

#[tokio::test]
async fn another_policy_set_has_the_keys_at_once_and_both_get_new_ones() {
    let (key, new) = (Key::new("k"), Key::new("new"));
    let server = IssuerServer::start(Answer::keys(&[&key])).await;
    let (jwks, set) = started(&server, AT_ONCE).await;
    let next = server.policy();
    jwks.adopt(&next, &server.journal());
    assert!(next.authenticate(&key.token(), NOW_S).is_ok());
    server.now_answers(Answer::keys(&[&new, &key]));
    assert_eq!(outcome(&jwks, &next, &new.token()).await, "accepted");
    assert!(set.authenticate(&new.token(), NOW_S).is_ok());
    assert_eq!(server.fetches(), 2);
}

#[tokio::test]
async fn another_address_gets_none_of_the_keys_from_the_first() {
    let key = Key::new("k");
    let server = IssuerServer::start(Answer::keys(&[&key])).await;
    let elsewhere = IssuerServer::start(Answer::Hold).await;
    let (jwks, set) = started(&server, AT_ONCE).await;
    let next = elsewhere.policy();
    jwks.adopt(&next, &server.journal());
    assert!(next.authenticate(&key.token(), NOW_S).is_err());
    drop(set);
    jwks.adopt(&next, &server.journal());
    assert_eq!(jwks.sources().len(), 1, "the first source is given up with its last set");
}

#[tokio::test]
async fn a_fetched_dev_key_is_refused_in_production() {
    let key = Key::new("dev-k");
    let server = IssuerServer::start(Answer::keys(&[&key])).await;
    let jwks = jwks_of(&server, AT_ONCE);
    let set = policy(&server.url, Profile::Production);
    jwks.adopt(&set, &server.journal());
    jwks.tried().await;
    assert_eq!(outcome(&jwks, &set, &key.token()).await, "token_key_unknown");
}

#[tokio::test]
async fn keys_are_fetched_again_and_again() {
    let (key, new) = (Key::new("k"), Key::new("new"));
    let server = IssuerServer::start(Answer::keys(&[&key])).await;
    let pace = Pace { refresh: Duration::from_millis(20), ..AT_ONCE };
    let (_jwks, set) = started(&server, pace).await;
    server.now_answers(Answer::keys(&[&new]));
    let deadline = Instant::now() + Duration::from_secs(10);
    while set.authenticate(&new.token(), NOW_S).is_err() {
        assert!(Instant::now() < deadline, "never renewed");
        sleep(Duration::from_millis(5)).await;
    }
    assert!(set.authenticate(&key.token(), NOW_S).is_err());
}

#[test]
fn an_issuers_max_age_counts_within_bounds() {
    let within = |age_s: u64, least_s: u64, most_s: u64| {
        let wait = Pace::USUAL.after_success(Some(Duration::from_secs(age_s)));
        assert!(
            wait >= Duration::from_secs(least_s) && wait <= Duration::from_secs(most_s),
            "{wait:?}"
        );
    };
    within(0, 54, 66);
    within(100, 90, 110);
    within(u64::MAX / 2, 810, 990);
    let usual = Pace::USUAL.after_success(None);
    assert!(usual >= Duration::from_secs(270) && usual <= Duration::from_secs(330), "{usual:?}");
}

/// The records about the issuer's keys, of a journal that is closed for it.
fn recorded(server: &IssuerServer, journal: &Journal) -> Vec<Value> {
    journal.close("read").unwrap();
    let entries = sealgate_audit::records(&server.audit_dir()).unwrap();
    let records = entries.map(|entry| serde_json::from_slice::<Value>(&entry.unwrap().body));
    let records = records.map(Result::unwrap);
    records.filter(|record| record["type"].as_str().unwrap().starts_with("issuer_")).collect()
}

#[tokio::test]
async fn each_change_of_the_keys_is_on_record_once() {
    let (old, new, stranger) = (Key::new("k0"), Key::new("k1"), Key::new("stranger"));
    let server = IssuerServer::start(Answer::keys(&[&old])).await;
    let journal = server.journal();
    let (jwks, set) = started_on(&journal, &server, AT_ONCE).await;
    server.now_answers(Answer::keys(&[&new, &old]));
    assert_eq!(outcome(&jwks, &set, &new.token()).await, "accepted");
    server.now_answers(Answer::keys(&[&old, &new]));
    assert_eq!(outcome(&jwks, &set, &stranger.token()).await, "token_key_unknown");
    assert_eq!(server.fetches(), 3);

    let records = recorded(&server, &journal);
    let [first, rotated] = &records[..] else { panic!("{records:?}") };
    assert_eq!(first["type"], "issuer_keys_changed");
    let (first, rotated) = (&first["event"], &rotated["event"]);
    let digest = first["jwks_digest"].clone();
    assert_eq!(
        first,
        &json!({"issuer": "https://login.example.org", "jwks_digest": digest, "kids": ["k0"],
            "why": "fetched"})
    );
    assert_eq!((&rotated["kids"], &rotated["previous_digest"]), (&json!(["k0", "k1"]), &digest));
    assert_ne!(rotated["jwks_digest"], digest);
    let key = new.jwk()["x"].to_string();
    assert!(!format!("{records:?}").contains(key.trim_matches('"')), "key material on record");
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_are_on_record_once_until_they_can_be_again() {
    let (key, stranger) = (Key::new("k"), Key::new("stranger"));
    let server = IssuerServer::start(Answer::keys(&[&key])).await;
    let journal = server.journal();
    let (jwks, set) = started_on(&journal, &server, AT_ONCE).await;
    let broken = Answer::of("500 Internal Server Error", "", "");
    let answers = [broken.clone(), broken.clone(), Answer::keys(&[&key]), broken];
    for answer in answers {
        server.now_answers(answer);
        assert_eq!(outcome(&jwks, &set, &stranger.token()).await, "token_key_unknown");
    }
    let records = recorded(&server, &journal);
    let kinds: Vec<_> = records.iter().map(|record| record["type"].as_str().unwrap()).collect();
    let (changed, failed) = ("issuer_keys_changed", "issuer_keys_not_renewed");
    assert_eq!(kinds, [changed, failed, changed, failed]);
    let again = &records[2]["event"];
    assert_eq!(again["jwks_digest"], again["previous_digest"]);
    assert_eq!(
        records[1]["event"],
        json!({"issuer": "https://login.example.org", "why": "status"})
    );
}

#[tokio::test]
async fn keys_that_are_given_up_are_on_record() {
    let (key, stranger) = (Key::new("k"), Key::new("stranger"));
    let server = IssuerServer::start(Answer::keys(&[&key])).await;
    let journal = server.journal();
    let pace = Pace { stale_max: Duration::from_millis(1), ..AT_ONCE };
    let (jwks, set) = started_on(&journal, &server, pace).await;
    sleep(Duration::from_millis(5)).await;
    server.now_answers(Answer::of("500 Internal Server Error", "", ""));
    assert_eq!(outcome(&jwks, &set, &stranger.token()).await, "token_key_unknown");
    let records = recorded(&server, &journal);
    let (first, given_up) = (&records[0]["event"], &records[2]["event"]);
    assert_eq!(
        given_up,
        &json!({"issuer": "https://login.example.org", "kids": [],
            "previous_digest": first["jwks_digest"], "why": "too_old"})
    );
}
