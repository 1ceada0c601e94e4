//! The pages where others can reach them: who gets in, and that nobody is carried in.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod http;
mod scene;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use http::{Answer, ask};
use scene::{Scene, allowed};
use sealgate_audit::VerifyOptions;
use sealgate_review::beside;
use sealgate_review::page::{NotAdmitted, PageOptions, Reviewers, for_reviewers};

const HOST: &str = "audit.hospital.example:8445";
const ORIGIN: &str = "https://audit.hospital.example:8445";
const PAGES: [&str; 7] =
    ["/", "/requests", "/events", "/policies", "/integrity", "/export/csv", "/export/ocsf"];

/// Lets in whoever says `good`.
struct Gateway;

impl Reviewers for Gateway {
    fn ask<'a>(
        &'a self,
        token: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<(), NotAdmitted>> + Send + 'a>> {
        Box::pin(async move {
            match token {
                "good" => Ok(()),
                _ => Err(NotAdmitted::Refused("<forbidden>".to_owned())),
            }
        })
    }
}

struct Served {
    address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl Served {
    fn new(scene: &Scene) -> Self {
        scene.index();
        let options = PageOptions {
            dir: scene.dir(),
            index: beside(&scene.dir()),
            policies: None,
            against: VerifyOptions::default(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let router = for_reviewers(&options, HOST.to_owned(), Arc::new(Gateway)).unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async { axum::serve(listener, router).await });
        Self { address, _runtime: runtime }
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let headers = [&[("host", HOST)], headers].concat();
        ask(self.address, &format!("GET {path}"), &headers, "")
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], form: &str) -> Answer {
        let headers = [&[("host", HOST)], headers].concat();
        ask(self.address, &format!("POST {path}"), &headers, form)
    }

    fn enter(&self) -> String {
        let entered = self.post("/enter", &[("origin", ORIGIN)], "token=good");
        assert_eq!((entered.status, entered.header("location")), (303, Some("/")));
        entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
    }
}

fn scene() -> Scene {
    let mut scene = Scene::new();
    scene.append(&allowed(1, "dr-house", "tumour"));
    scene.close();
    scene
}

#[test]
fn whoever_may_review_signs_in_looks_and_signs_out() {
    let scene = scene();
    let served = Served::new(&scene);
    let cookie = served.enter();
    for page in PAGES {
        assert_eq!(served.get(page, &[("cookie", &cookie)]).status, 200, "{page}");
    }
    assert!(served.get("/", &[("cookie", &cookie)]).body.contains("Sign out"));
    let left = served.post("/leave", &[("origin", ORIGIN), ("cookie", &cookie)], "");
    assert_eq!((left.status, left.header("location")), (303, Some("/enter")));
    assert_eq!(served.get("/", &[("cookie", &cookie)]).status, 401);
}

#[test]
fn a_program_shows_its_token_with_each_request() {
    let scene = scene();
    let served = Served::new(&scene);
    let exported = served.get("/export/csv", &[("authorization", "Bearer good")]);
    assert_eq!(exported.status, 200);
    assert!(exported.body.contains("dr-house"), "{}", exported.body);
    assert_eq!(served.get("/export/csv", &[("authorization", "Bearer bad")]).status, 403);
}

#[test]
fn nobody_else_sees_anything() {
    let scene = scene();
    let served = Served::new(&scene);
    for page in PAGES.iter().chain(&["/requests/00000000000000000000000000000001"]) {
        for cookie in ["", "__Host-sealgate-review=00", "sealgate-review=good"] {
            let answer = served.get(page, &[("cookie", cookie)]);
            assert_eq!(answer.status, 401, "{page}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            assert!(!answer.body.contains("test.example"), "{page}");
        }
    }
    // A token in a URL would end up in histories and logs.
    assert_eq!(served.get("/enter?token=good", &[]).header("set-cookie"), None);
}

#[test]
fn a_refusal_is_told_and_sets_no_cookie() {
    let scene = scene();
    let served = Served::new(&scene);
    let refused = served.post("/enter", &[("origin", ORIGIN)], "token=bad");
    assert_eq!((refused.status, refused.header("set-cookie")), (403, None));
    assert!(refused.body.contains("The gateway refused: &lt;forbidden&gt;."), "{}", refused.body);
    assert!(!refused.body.contains("bad"), "{}", refused.body);
}

#[test]
fn the_session_is_for_no_script_no_other_site_and_no_other_host() {
    let scene = scene();
    let served = Served::new(&scene);
    let entered = served.post("/enter", &[("origin", ORIGIN)], "token=good");
    let cookie = entered.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-"), "{cookie}");
    assert!(cookie.ends_with("; Secure; HttpOnly; SameSite=Strict; Path=/"), "{cookie}");
}

#[test]
fn nobody_is_signed_in_or_out_by_a_page_of_another_site() {
    let scene = scene();
    let served = Served::new(&scene);
    let cookie = served.enter();
    let elsewhere: [&[(&str, &str)]; 4] = [
        &[],
        &[("origin", "null")],
        &[("origin", "https://evil.example")],
        &[("origin", "http://audit.hospital.example:8445")],
    ];
    for headers in elsewhere {
        let headers = [headers, &[("cookie", cookie.as_str())]].concat();
        assert_eq!(served.post("/enter", &headers, "token=good").status, 421, "{headers:?}");
        assert_eq!(served.post("/leave", &headers, "").status, 421, "{headers:?}");
    }
    assert_eq!(served.get("/", &[("cookie", &cookie)]).status, 200);
    let rebound = [("host", "rebound.example"), ("cookie", cookie.as_str())];
    assert_eq!(ask(served.address, "GET /", &rebound, "").status, 421);
}

#[test]
fn a_form_is_small_and_has_one_field() {
    let scene = scene();
    let served = Served::new(&scene);
    let long = format!("token={}", "x".repeat(20_000));
    assert_eq!(served.post("/enter", &[("origin", ORIGIN)], &long).status, 413);
    for form in ["", "tok=good", "token=good&token=good"] {
        assert_eq!(served.post("/enter", &[("origin", ORIGIN)], form).status, 400, "{form}");
    }
}

#[test]
fn nothing_else_can_be_posted() {
    let scene = scene();
    let served = Served::new(&scene);
    let cookie = served.enter();
    for page in PAGES {
        let headers = [("origin", ORIGIN), ("cookie", cookie.as_str())];
        assert_eq!(served.post(page, &headers, "").status, 405, "{page}");
    }
}
