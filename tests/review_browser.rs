//! A reviewer's way through the page that a gateway vouches for, in a real browser over TLS.
//!
//! Needs Chromium and its driver (Debian: `chromium`, `chromium-driver`); `SCREENSHOTS=DIR` keeps
//! pictures of the pages.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "../review/tests/browser/driver.rs"]
#[allow(dead_code, reason = "the page's own tests use the rest")]
mod driver;
#[path = "../review/tests/http/exchange.rs"]
mod http;
#[path = "support/pages.rs"]
mod pages;
mod support;

use driver::Browser;
use pages::{Pages, reviewer};
use serde_json::{Value, json};
use support::Demo;

const SIGNED_IN: &str = "return location.pathname === '/' && !!document.querySelector('.banner')";
const AT_THE_DOOR: &str = "return document.querySelector('h1').innerText === 'Sign in'";

#[test]
fn a_reviewer_signs_in_looks_and_signs_out_in_a_browser() {
    let Some(browser) = Browser::open() else { return };
    let demo = Demo::start();
    for _ in 0..3 {
        demo.https().post("/v2/models/breast-cancer/infer", &demo.token(), &demo.example());
    }
    let pages = Pages::start(&demo);
    let url = pages.https.url();
    let sign_in = |token: &str| {
        browser.type_into("input[name=token]", token);
        browser.click("form.filters button");
    };

    // Whoever has no session is at the door, whatever he asks for.
    browser.go(&format!("{url}/requests"));
    browser.until(AT_THE_DOOR);
    browser.picture("sign-in");
    sign_in(&demo.token());
    browser.until("return !!document.querySelector('.wrong[role=alert]')");
    assert!(browser.text(".wrong").contains("The gateway refused"));
    browser.picture("sign-in-refused");
    let cookies = browser.cookies();
    assert_eq!(cookies, Vec::<Value>::new());

    sign_in(&reviewer(&demo));
    browser.until(SIGNED_IN);
    // The cookie is the browser's to keep: no script, no plain HTTP, no other site gets it.
    let [cookie] = &browser.cookies()[..] else { unreachable!("one cookie") };
    assert!(cookie["name"].as_str().unwrap().starts_with("__Host-"), "{cookie}");
    for (attribute, value) in [("secure", json!(true)), ("httpOnly", json!(true))] {
        assert_eq!(cookie[attribute], value, "{cookie}");
    }
    assert_eq!((&cookie["sameSite"], &cookie["path"]), (&json!("Strict"), &json!("/")));
    assert_eq!(browser.evaluate("return document.cookie"), "");
    assert_eq!(browser.evaluate("return location.protocol"), "https:");

    browser.go(&format!("{url}/requests"));
    assert!(browser.text(".requests tbody").contains("breast-cancer"));
    browser.picture("reviewer");
    browser.click("form.leave button");
    browser.until(AT_THE_DOOR);
    assert_eq!(browser.cookies(), Vec::<Value>::new());
    browser.go(&format!("{url}/requests"));
    browser.until(AT_THE_DOOR);
}
