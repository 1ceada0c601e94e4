//! A scrape: as documented, and with nothing of a caller in it.

use std::collections::{BTreeMap, BTreeSet};

use crate::scene::{INFER, Scene};
use crate::support::claims;

/// Name to type and labels.
type Families = BTreeMap<String, (String, BTreeSet<String>)>;

fn documented() -> Families {
    let page = include_str!("../../docs/metrics.md");
    let rows = page.lines().filter(|line| line.starts_with("| `sealgate_"));
    let words = |cell: &str| -> BTreeSet<String> {
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let family = |row: &str| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [_, name, kind, labels, ..] = cells[..] else { panic!("{row}") };
        let name = words(name).pop_first().unwrap();
        (name, (kind.to_owned(), words(labels)))
    };
    // The table of alerts has expressions in its first column.
    let is_family =
        |row: &&str| !row.contains(" < ") && !row.contains(" == ") && !row.contains(" > ");
    rows.filter(is_family).map(family).collect()
}

fn scraped(text: &str) -> Families {
    let mut families = Families::new();
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            families.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
        } else if !line.starts_with('#') {
            let (name, rest) = line.split_once(['{', ' ']).unwrap();
            let suffixes = ["_bucket", "_sum", "_count"];
            let family = suffixes.iter().find_map(|suffix| {
                families.get(name.strip_suffix(suffix)?)?;
                name.strip_suffix(suffix)
            });
            let (_, labels) = families.get_mut(family.unwrap_or(name)).unwrap();
            let names = rest.split("=\"").map(|part| part.rsplit([',', '"']).next().unwrap());
            if line.contains('{') {
                labels.extend(
                    names
                        .filter(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
                        .map(str::to_owned),
                );
            }
            labels.remove("");
            labels.remove("le");
        }
    }
    families
}

fn value(text: &str, line: &str) -> f64 {
    let found = text.lines().find_map(|one| one.strip_prefix(line)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no `{line}` in {text}")).parse().unwrap()
}

#[test]
fn the_page_and_a_scrape_name_the_same() {
    let scene = Scene::new("", "");
    let running = scene.start();
    assert_eq!(running.ask().status, 200);
    assert_eq!(running.gateway.https().get("/v2", "nobody").status, 401);
    let (page, scrape) = (documented(), scraped(&running.scrape()));
    let names = |families: &Families| families.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&page), names(&scrape));
    for (name, (kind, labels)) in &scrape {
        let (documented_kind, documented_labels) = &page[name];
        assert_eq!(kind, documented_kind, "{name}");
        // What has no line now has shown no label.
        assert!(labels.is_empty() || labels == documented_labels, "{name}: {labels:?}");
    }
}

#[test]
fn requests_are_counted_by_how_they_ended() {
    let scene = Scene::new("", "");
    let running = scene.start();
    for _ in 0..3 {
        assert_eq!(running.ask().status, 200);
    }
    let https = running.gateway.https();
    assert_eq!(https.post(INFER, &scene.token, b"{}").status, 400);
    assert_eq!(https.post("/v2/models/8675309/infer", &scene.token, &scene.example).status, 403);
    assert_eq!(https.get("/v2", "nobody").status, 401);
    let text = running.scrape();
    let ended = |model: &str, class: &str, code: &str| {
        let of = format!("model=\"{model}\",mode=\"gateway-sealed\",protocol=\"v2\"");
        let of = format!("sealgate_requests_total{{{of},class=\"{class}\",code=\"{code}\"}}");
        value(&text, &of)
    };
    assert_eq!(ended("breast-cancer", "2xx", "ok"), 3.0);
    assert_eq!(ended("breast-cancer", "4xx", "input_missing"), 1.0);
    assert_eq!(ended("(other)", "4xx", "forbidden"), 1.0);
    assert_eq!(value(&text, "sealgate_rows_total{model=\"breast-cancer\"}"), 3.0);
    for name in ["request", "request_queue", "request_hop", "request_infer", "request_audit_wait"] {
        let count =
            value(&text, &format!("sealgate_{name}_seconds_count{{model=\"breast-cancer\"}}"));
        assert_eq!(count, 4.0, "{name}");
    }
    assert_eq!(value(&text, "sealgate_unauthenticated_total{code=\"token_malformed\"}"), 1.0);
    assert_eq!(value(&text, "sealgate_worker_starts_total{result=\"answers\"}"), 1.0);
    assert_eq!(value(&text, "sealgate_worker_start_seconds_count"), 1.0);
    assert!(value(&text, "sealgate_audit_records_total{result=\"durable\"}") >= 6.0);
    assert_eq!(value(&text, "sealgate_audit_records_total{result=\"lost\"}"), 0.0);
    assert!(
        value(&text, "sealgate_edge_events_total{listener=\"public\",event=\"requests\"}") >= 6.0
    );
}

#[test]
fn a_scrape_holds_no_token_no_caller_and_no_number_of_a_row() {
    let scene = Scene::new("", "");
    let running = scene.start();
    let mark = "8675309421337";
    assert_eq!(running.ask_about(&format!("17.{mark}"), &[("X-Canary", mark)]).status, 200);
    let https = running.gateway.https();
    for path in [format!("/v2/models/{mark}/infer"), format!("{INFER}?{mark}")] {
        https.post(&path, &scene.token, &scene.example);
    }
    https.post(INFER, &scene.token, format!("{{\"{mark}\":1}}").as_bytes());
    https.get("/v2", &format!("e30.{mark}.AA"));
    let text = running.scrape();
    let claims = claims(&scene.token);
    let claim = |name: &str| claims[name].as_str().unwrap().to_owned();
    let parts = scene.token.split('.').map(str::to_owned);
    for secret in [mark.to_owned(), claim("tenant"), "\"demo\"".to_owned()].into_iter().chain(parts)
    {
        assert!(!text.contains(&secret), "a scrape holds `{secret}`");
    }
    assert!(!text.contains(&format!("\"{}\"", claim("sub"))), "a scrape names the caller");
    assert!(!text.contains("127.0.0.1"), "a scrape has an address");
}

#[test]
fn a_scrape_is_on_record() {
    let scene = Scene::new("", "");
    let running = scene.start();
    running.scrape();
    running.gateway.stop();
    let records = scene.stopped.records();
    let scrapes = records.iter().filter(|record| record["event"]["action"] == "read_usage");
    assert_eq!(scrapes.count(), 1);
}
