//! The review page in a real browser.
//!
//! Needs Chromium and its driver (Debian: `chromium`, `chromium-driver`); `SCREENSHOTS=DIR` keeps
//! pictures of the pages.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[allow(dead_code, reason = "the reviewers' way is tried with it, too")]
mod driver;
#[path = "../http/mod.rs"]
mod http;
#[path = "../scene/mod.rs"]
mod scene;

use std::fs;

use driver::Browser;
use http::Served;
use scene::{HOUR_US, MIDNIGHT_US, Scene, allowed, denied, outcome, refused, started};
use sealgate_audit::{
    AdminOrder, Event, PolicyLoaded, PolicyRefused, Stopped, WorkerEnded, WorkerStarted,
};

/// Closes an element, opens another, clears a terminal, turns a line round, and is very long.
const HOSTILE: &str = "\"><img src=x onerror=document.title='owned'>\u{1b}[2J\u{202e}\
    and-then-it-goes-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on";

/// Some days in a hospital.
fn sample() -> Scene {
    let mut scene = Scene::new();
    scene.append(&started(&"11".repeat(32)));
    scene.append(&worker());
    let models = ["tumour", "readmission", "churn"];
    let people = ["dr-house", "dr-wilson", "dr-cuddy", "nurse-ratched", "batch-job"];
    for i in 0..900_u64 {
        let hour = i * 96 / 900;
        // Busy by day, quiet by night.
        if hour % 24 < 7 && !i.is_multiple_of(9) {
            continue;
        }
        scene.at(MIDNIGHT_US + hour * HOUR_US + i * 997_331);
        let (person, model) = (people[(i * 7 % 11 % 5) as usize], models[(i * 5 % 7 % 3) as usize]);
        match i % 13 {
            3 => scene.append(&denied(i, person, "churn", "other_tenant")),
            7 if i.is_multiple_of(2) => scene.append(&denied(i, person, model, "rate_limited")),
            11 if i.is_multiple_of(5) => scene.append(&allowed(i, person, model)),
            n => {
                scene.append(&allowed(i, person, model));
                let (code, status) = if n == 9 { ("worker_busy", 503) } else { ("ok", 200) };
                scene.append(&outcome(i, code, status, (i % 40) as u32));
            }
        }
        if i.is_multiple_of(60) {
            let reason = if i.is_multiple_of(120) { "token_missing" } else { "token_expired" };
            scene.append(&refused(
                reason,
                (MIDNIGHT_US + hour * HOUR_US) / 1_000_000,
                1 + i as u32 / 9,
            ));
        }
        if i == 540 {
            lively(&scene);
        }
    }
    scene.append(&allowed(4_000, HOSTILE, "tumour"));
    scene.append(&outcome(4_000, "ok", 200, 7));
    scene.close();
    scene
}

fn worker() -> Event {
    Event::WorkerStarted(WorkerStarted {
        address: None,
        engine: "flex".into(),
        evidence: "software".into(),
        keyset_digest: "22".repeat(32).into(),
        model: "tumour".into(),
        model_digest: "33".repeat(32).into(),
        pid: 4_711,
        sandbox: ["landlock", "seccomp", "no_new_privs"].into_iter().collect(),
    })
}

fn lively(scene: &Scene) {
    scene.append(&Event::PolicyRefused(PolicyRefused {
        first: "policy `rules/clinicians.cedar` line 6: unknown group `clinicans`".into(),
        mistakes: 2,
        policy_digest: "11".repeat(32).into(),
        why: "changed".into(),
    }));
    scene.append(&Event::PolicyLoaded(PolicyLoaded {
        candidate_digest: None,
        policy_digest: "ab".repeat(32).into(),
        previous_digest: "11".repeat(32).into(),
        why: "changed".into(),
    }));
    scene.append(&Event::AdminOrder(AdminOrder {
        about: "sub dr-house".into(),
        order: "revoke".into(),
        request_id: scene::id(540).into(),
    }));
    scene.append(&Event::WorkerEnded(WorkerEnded {
        address: None,
        keyset_digest: "22".repeat(32).into(),
        model: "tumour".into(),
        pid: 4_711,
        why: "killed by signal 9".into(),
    }));
    scene.append(&Event::Stopped(Stopped { why: "sigterm".into() }));
    scene.append(&started(&"ab".repeat(32)));
}

/// A browser that has entered, and what it looks at.
struct Visit {
    browser: Browser,
    served: Served,
    _scene: Scene,
}

impl Visit {
    fn new(scene: Scene) -> Option<Self> {
        let browser = Browser::open()?;
        let served = Served::new(&scene, None);
        browser.go(&served.url);
        browser.until("return location.pathname === '/'");
        Some(Self { browser, served, _scene: scene })
    }

    fn go(&self, path: &str) {
        self.browser.go(&format!("http://{}{path}", self.served.address));
    }

    /// Waits for the end of the first verification.
    fn verified(&self, path: &str) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        self.go(path);
        while self.browser.evaluate("return !!document.querySelector('.banner.unknown')") == true {
            assert!(std::time::Instant::now() < deadline, "the log was not verified");
            std::thread::sleep(std::time::Duration::from_millis(50));
            self.go(path);
        }
    }
}

#[test]
fn the_pages_show_what_the_log_holds() {
    let Some(visit) = Visit::new(sample()) else { return };
    visit.verified("/");
    let browser = &visit.browser;
    assert!(browser.text(".banner").starts_with("✓ Whole"));
    assert!(browser.text(".figures").contains("Requests"));
    for (path, name) in [
        ("/", "overview"),
        ("/requests", "requests"),
        ("/requests/00000000000000000000000000000fa0", "story-hostile"),
        ("/requests/00000000000000000000000000000118", "story-denied"),
        ("/events", "events"),
        ("/policies", "policies"),
        ("/integrity", "integrity"),
        ("/requests?since=noon", "mistake"),
    ] {
        visit.go(path);
        browser.picture(name);
        // Nothing stands out of the page to the side.
        let wide = "return document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(browser.evaluate(wide), true, "{path}");
    }
}

#[test]
fn filters_choose_and_pages_go_on() {
    let Some(visit) = Visit::new(sample()) else { return };
    let browser = &visit.browser;
    visit.go("/requests");
    let rows = "return document.querySelectorAll('.requests tbody tr').length";
    assert_eq!(browser.evaluate(rows), 50);
    let first = "return document.querySelector('.requests tbody a').href";
    let newest = browser.evaluate(first);
    browser.click("a[rel=next]");
    browser.until("return location.search.startsWith('?behind=')");
    assert_ne!(browser.evaluate(first), newest);
    visit.go("/requests");
    browser.type_into("#subject", "dr-wilson");
    browser.evaluate("document.querySelector('#verdict').value = 'deny'");
    browser.click(".filters button");
    browser.until("return location.search.includes('subject=dr-wilson')");
    let alike = "return [...document.querySelectorAll('.requests tbody tr')].every(row => \
        row.cells[2].innerText === 'dr-wilson' && row.cells[6].innerText.startsWith('denied'))";
    assert_eq!(browser.evaluate(alike), true);
    assert_ne!(browser.evaluate(rows), 0);
    browser.picture("requests-filtered");
    let export = "return document.querySelector('.tools a').search";
    assert_eq!(browser.evaluate(export), "?subject=dr-wilson&verdict=deny");
}

#[test]
fn a_request_leads_to_its_story() {
    let Some(visit) = Visit::new(sample()) else { return };
    let browser = &visit.browser;
    visit.go("/requests?search=dr-cuddy&code=ok");
    browser.click(".requests tbody th a");
    assert_eq!(browser.text("h1"), "One request");
    let story = browser.text(".timeline");
    for expected in [
        "dr-cuddy may infer",
        "clinicians-infer",
        "the worker answered",
        "receipt digest",
        "leaf",
        "✓ proved",
    ] {
        assert!(story.contains(expected), "{expected}: {story}");
    }
    browser.picture("story");
}

#[test]
fn a_log_that_was_changed_is_red_on_every_page() {
    let scene = sample();
    let segment = scene.dir().join("segment-00000002.log");
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes.windows(8).position(|window| window == b"dr-house").unwrap();
    bytes[at] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let Some(visit) = Visit::new(scene) else { return };
    let browser = &visit.browser;
    visit.verified("/");
    for path in ["/", "/requests", "/events", "/policies", "/integrity"] {
        visit.go(path);
        assert!(browser.text("#integrity.broken[role=alert]").starts_with("✗ Not whole"), "{path}");
    }
    assert!(browser.text("[aria-labelledby=wrong]").contains("the checksum does not match"));
    browser.picture("broken-integrity");
    visit.go("/");
    browser.picture("broken");
    // Red, as it is drawn.
    let colour = "return getComputedStyle(document.querySelector('#integrity strong')).color";
    assert_eq!(browser.evaluate(colour), "rgb(168, 30, 43)");
}

#[test]
fn what_a_token_says_does_nothing_in_a_browser() {
    let Some(visit) = Visit::new(sample()) else { return };
    let browser = &visit.browser;
    for path in ["/", "/requests?model=tumour", "/requests/00000000000000000000000000000fa0"] {
        visit.go(path);
        let title = browser.evaluate("return document.title");
        assert!(title.as_str().unwrap().ends_with("Sealgate audit"), "{path}: {title}");
        assert_eq!(
            browser.evaluate("return document.querySelectorAll('main img, main script').length"),
            0
        );
    }
    let said = browser.text(".timeline");
    assert!(
        said.contains("\"><img src=x onerror=document.title='owned'>\\u{1b}[2J\\u{202e}and"),
        "{said}"
    );
}

#[test]
fn everything_can_be_reached_by_keyboard() {
    let Some(visit) = Visit::new(sample()) else { return };
    let browser = &visit.browser;
    visit.go("/requests");
    browser.press(TAB);
    assert_eq!(browser.evaluate("return document.activeElement.className"), "skip");
    let seen = "return document.activeElement.getBoundingClientRect().left >= 0";
    assert_eq!(browser.evaluate(seen), true, "a skip link that has the focus is seen");
    browser.press(ENTER);
    browser.until("return document.activeElement.id === 'main'");
    browser.press(TAB);
    assert_eq!(browser.evaluate("return document.activeElement.id"), "search");
    let outline = "return getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.evaluate(outline), "solid");
    for letter in "nurse".chars() {
        browser.press(letter);
    }
    browser.press(ENTER);
    browser.until("return location.search === '?search=nurse' || location.search.startsWith('?search=nurse&')");
    // On to the first request and into its story.
    for _ in 0..40 {
        if browser.evaluate("return !!document.activeElement.closest('.requests')") == true {
            break;
        }
        browser.press(TAB);
    }
    browser.press(ENTER);
    browser.until("return location.pathname.startsWith('/requests/')");
    assert!(browser.text(".timeline").contains("nurse-ratched"));
}

#[test]
fn the_pages_are_built_so_that_a_screen_reader_finds_its_way() {
    let Some(visit) = Visit::new(sample()) else { return };
    let browser = &visit.browser;
    for path in ["/", "/requests", "/events", "/policies", "/integrity"] {
        visit.go(path);
        for check in [
            "return document.documentElement.lang === 'en' && document.querySelectorAll('h1').length === 1",
            "return ['header', 'nav', 'main', 'footer'].every(name => document.querySelector(name))",
            "return [...document.querySelectorAll('th')].every(cell => cell.scope)",
            "return [...document.querySelectorAll('input, select')].every(field => field.labels.length)",
            "return [...document.querySelectorAll('svg')].every(plot => plot.ariaHidden || plot.ariaLabel)",
            "return [...document.querySelectorAll('nav, section')].every(part => part.ariaLabel || part.hasAttribute('aria-labelledby') || part.getAttribute('aria-label'))",
            "const ids = [...document.querySelectorAll('[id]')].map(e => e.id); return new Set(ids).size === ids.length",
        ] {
            assert_eq!(browser.evaluate(check), true, "{path}: {check}");
        }
    }
}

#[test]
fn what_is_written_can_be_told_from_its_ground_in_light_and_dark() {
    let Some(visit) = Visit::new(sample()) else { return };
    let browser = &visit.browser;
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        for path in ["/", "/requests", "/events", "/policies", "/integrity"] {
            visit.go(path);
            let faint = browser.evaluate(CONTRAST);
            assert_eq!(faint.as_array().unwrap().len(), 0, "{scheme} {path}: {faint}");
        }
    }
}

/// Texts with less contrast than WCAG 2.2 asks for at level AA (4.5 to 1).
const CONTRAST: &str = "
const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const parse = colour => colour.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const ground = element => {
    for (let e = element; e; e = e.parentElement) {
        const colour = parse(getComputedStyle(e).backgroundColor);
        if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
};
const written = [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() &&
    [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
return written.map(e => {
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    return [e.tagName + '.' + e.className + ' ' + e.innerText.slice(0, 20), (a + 0.05) / (b + 0.05)];
}).filter(([, ratio]) => ratio < 4.5)";

/// The WebDriver protocol's names of keys.
const TAB: char = '\u{e004}';
const ENTER: char = '\u{e007}';
