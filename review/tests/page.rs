//! Who gets to see the pages, and what stands in them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod http;
mod scene;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use http::{Served, ask};
use scene::{Scene, allowed, denied, outcome, started};
use sealgate_audit::{Decision, Event, VerifyOptions};
use sealgate_policies::Folder;
use sealgate_review::page::{PageOptions, Pages};
use sealgate_review::{ReviewError, beside};

const PAGES: [&str; 7] =
    ["/", "/requests", "/events", "/policies", "/integrity", "/export/csv", "/export/ocsf"];

fn sample() -> Scene {
    let mut scene = Scene::new();
    scene.append(&started(&"11".repeat(32)));
    scene.append(&allowed(1, "<script>alert(1)</script>", "tumour"));
    scene.append(&outcome(1, "ok", 200, 3));
    scene.append(&denied(2, "dr-wilson", "churn", "other_tenant"));
    scene.close();
    scene
}

#[test]
fn the_printed_url_opens_the_pages_once() {
    let scene = sample();
    let served = Served::new(&scene, None);
    let cookie = served.enter();
    assert_eq!(served.get(served.entrance(), &[]).status, 403);
    for page in PAGES {
        assert_eq!(served.get(page, &[("cookie", &cookie)]).status, 200, "{page}");
    }
}

#[test]
fn the_session_is_for_no_script_and_no_other_site() {
    let scene = sample();
    let served = Served::new(&scene, None);
    let entered = served.get(served.entrance(), &[]);
    let cookie = entered.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/"), "{cookie}");
}

#[test]
fn nobody_sees_anything_without_the_session() {
    let scene = sample();
    let served = Served::new(&scene, None);
    for page in PAGES.iter().chain(&["/requests/00000000000000000000000000000001"]) {
        let answer = served.get(page, &[]);
        assert_eq!(answer.status, 403, "{page}");
        assert!(!answer.body.contains("test.example"), "{page}");
    }
    assert_eq!(served.get("/enter?token=00", &[]).status, 403);
}

#[test]
fn a_page_that_was_made_to_lead_here_is_refused() {
    let scene = sample();
    let served = Served::new(&scene, None);
    let cookie = served.enter();
    let port = served.address.port();
    for host in ["rebound.example", "localhost", &format!("localhost:{port}"), "127.0.0.1"] {
        let headers = [("host", host), ("cookie", cookie.as_str())];
        let answer = ask(served.address, "GET /requests", &headers, "");
        assert_eq!(answer.status, 421, "{host}");
    }
    for origin in ["http://rebound.example", "null", &format!("https://{}", served.address)] {
        let answer = served.get("/requests", &[("origin", origin), ("cookie", &cookie)]);
        assert_eq!(answer.status, 421, "{origin}");
    }
}

#[test]
fn every_answer_forbids_the_browser_all_that_the_pages_do_without() {
    let scene = sample();
    let served = Served::new(&scene, None);
    let cookie = served.enter();
    for page in PAGES.iter().chain(&["/style.css", "/nothing", "/enter?token=00"]) {
        let answer = served.get(page, &[("cookie", &cookie)]);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; "), "{page}");
        assert!(!policy.contains("script-src"), "{page}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{page}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{page}");
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"), "{page}");
    }
}

#[test]
fn nothing_can_be_changed() {
    let scene = sample();
    let served = Served::new(&scene, None);
    let cookie = served.enter();
    let host = served.address.to_string();
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let origin = format!("http://{host}");
        let headers =
            [("host", host.as_str()), ("origin", origin.as_str()), ("cookie", cookie.as_str())];
        assert_eq!(ask(served.address, &format!("{method} /requests"), &headers, "").status, 405);
    }
}

#[tokio::test]
async fn an_address_that_others_reach_is_refused() {
    let scene = sample();
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let options = PageOptions {
            dir: scene.dir(),
            index: beside(&scene.dir()),
            policies: None,
            against: VerifyOptions::default(),
        };
        let refused = Pages::bind(listen.parse().unwrap(), &options).await.err();
        assert!(matches!(refused, Some(ReviewError::NotLoopback(_))), "{listen}");
    }
}

#[test]
fn what_a_token_says_is_escaped_on_every_page() {
    let scene = sample();
    let served = Served::new(&scene, None);
    let cookie = served.enter();
    let id = scene::id(1);
    for page in ["/", "/requests", &format!("/requests/{id}"), "/requests?subject=%3Cscript%3E%22"]
    {
        let body = served.get(page, &[("cookie", &cookie)]).body;
        assert!(!body.contains("<script"), "{page}");
        assert!(body.contains("&lt;script&gt;"), "{page}");
    }
}

#[test]
fn what_was_typed_wrongly_is_told_with_a_hint() {
    let scene = sample();
    let served = Served::new(&scene, None);
    let cookie = served.enter();
    let answer = served.get("/requests?since=noon", &[("cookie", &cookie)]);
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("`noon` is no time") && answer.body.contains("yesterday"));
    assert_eq!(served.get("/requests?status=x", &[("cookie", &cookie)]).status, 400);
    assert_eq!(served.get("/requests/00", &[("cookie", &cookie)]).status, 404);
    assert_eq!(served.get("/export/exe", &[("cookie", &cookie)]).status, 404);
}

#[test]
fn an_export_is_of_the_selection() {
    let scene = sample();
    let served = Served::new(&scene, None);
    let cookie = served.enter();
    let answer = served.get("/export/csv?verdict=deny", &[("cookie", &cookie)]);
    assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"requests.csv\""));
    assert!(answer.body.contains("dr-wilson"), "{}", answer.body);
    assert!(!answer.body.contains("tumour"), "{}", answer.body);
}

#[test]
fn rules_are_told_in_words_where_their_folder_is_the_one_that_decided() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("policies");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/default"), &folder);
    let digest = Folder::read(&folder).unwrap().digest().hex();
    let mut scene = Scene::new();
    for (i, digest) in [(1, digest.as_str()), (2, "22")] {
        let decision = scene::decision(i, "dr-house", "breast-cancer");
        let policy_digest = digest.into();
        scene.append(&Event::Decision(Box::new(Decision { policy_digest, ..decision })));
    }
    scene.close();
    let served = Served::new(&scene, Some(folder));
    let cookie = served.enter();
    let story = |i| served.get(&format!("/requests/{}", scene::id(i)), &[("cookie", &cookie)]).body;
    assert!(story(1).contains("rules/clinicians.cedar line 3"), "{}", story(1));
    assert!(story(2).contains("is not the one that decided"), "{}", story(2));
    assert!(!story(2).contains("clinicians.cedar"));
}

#[test]
fn each_record_of_a_story_is_proved_in_the_view_and_a_changed_tile_is_said() {
    let mut scene = Scene::new();
    for i in 1..5 {
        scene.append(&Event::Decision(Box::new(scene::decision(i, "dr-house", "breast-cancer"))));
    }
    scene.close();
    let served = Served::new(&scene, None);
    let cookie = served.enter();
    let story = || {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let page =
                served.get(&format!("/requests/{}", scene::id(2)), &[("cookie", &cookie)]).body;
            if !page.contains("waits for the first verification") || Instant::now() > deadline {
                return page;
            }
            thread::sleep(Duration::from_millis(20));
        }
    };
    let page = story();
    assert!(page.contains("✓ proved") && page.contains("over 5 records"), "{page}");
    let tile = scene.dir().join("tile/0/000.p/5");
    let mut bytes = fs::read(&tile).unwrap();
    bytes[0] ^= 1;
    fs::write(&tile, bytes).unwrap();
    let page = story();
    assert!(
        page.contains("✗ not proved") && page.contains("does not lead from the record"),
        "{page}"
    );
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (entry, to) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).unwrap();
        if entry.is_dir() {
            copy(&entry, &to);
        } else {
            fs::write(to, fs::read(entry).unwrap()).unwrap();
        }
    }
}
