//! A pseudonymous log names nobody, and neither does anything that is made of it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use support::{Demo, Gateway, claims, sealgate, stdout, wait_until};

const INFER: &str = "/v2/models/breast-cancer/infer";
/// Who asks, and from where, as nothing else is spelled.
const SUBJECT: &str = "dr-quinn-7f3a";
const ADDRESS: &str = "203.0.113.77";
const NETWORK: &str = "203.0.113.0/24";
/// Spent by four requests to the first threshold.
const COSTS: &str = "[prices]\ncurrency = \"unit\"\nper_request = \"1\"\n\
    [budgets.a-day]\nof = \"caller\"\nper = \"day\"\namount = \"5\"\n";

/// What lies in a file, or in all files below a folder.
fn bytes_of(path: &Path) -> Vec<u8> {
    if !path.is_dir() {
        return fs::read(path).unwrap_or_default();
    }
    fs::read_dir(path).unwrap().flat_map(|entry| bytes_of(&entry.unwrap().path())).collect()
}

fn has(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

#[test]
fn no_name_and_no_full_address_is_in_the_log_its_index_its_exports_or_the_metrics() {
    let demo = Demo::start();
    let own = demo.allowed_claims(&["subject"]);
    let mut arguments: Vec<&str> = own.iter().map(String::as_str).collect();
    arguments.extend(["--subject", SUBJECT]);
    let token = demo.token_for(&arguments);
    let operator = demo.token_for(&["--subject", "ops", "--group", "operators"]);
    let example = demo.example();
    let claims = claims(&token);
    let [client_id, token_id] = ["client_id", "jti"].map(|name| claims[name].as_str().unwrap());
    let stopped = demo.stop();
    stopped.without_policy_tests();
    stopped.change("policies/limits.toml", |text| format!("{text}\n{COSTS}"));
    stopped.change("gateway.toml", |config| {
        config.replacen("[edge]\n", "[edge]\ntrusted_proxies = [\"127.0.0.0/8\"]\n", 1)
    });
    let audit = Path::new(stopped.fact("audit")).to_owned();
    let log = audit.to_str().unwrap();
    for names in ["clear", "pseudonymous"] {
        fs::remove_dir_all(&audit).unwrap();
        let index = sealgate_index(&audit);
        let _ = fs::remove_file(&index);
        stopped.change("gateway.toml", |config| {
            // The copy is of the log before, and would not let another one begin.
            let leave_out = ["checkpoint_copy", "names ="];
            let kept =
                config.lines().filter(|line| !leave_out.iter().any(|out| line.starts_with(out)));
            let kept: String = kept.map(|line| format!("{line}\n")).collect();
            kept.replacen("[audit]\n", &format!("[audit]\nnames = \"{names}\"\n"), 1)
        });
        let gateway = Gateway::start(&stopped);
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str()), ("X-Forwarded-For", ADDRESS)];
        for _ in 0..4 {
            let reply = gateway.https().request("POST", INFER, &headers, &example);
            assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        }
        // Of a client's address, too, whoever is refused is on record.
        assert_eq!(gateway.https().request("GET", "/v2/models/none", &headers, b"").status, 403);
        wait_until("the threshold is on record", Duration::from_secs(10), || {
            stopped.records().iter().any(|record| record["type"] == "budget_warned")
        });
        let metrics = gateway.admin().get("/metrics", &operator).body;
        let told = gateway.stop();
        let made = |arguments: &[&str]| stdout(&sealgate(&[&["audit"], arguments].concat()));
        made(&["index", log]);
        let of_the_log = [
            ("log", bytes_of(&audit)),
            ("index", bytes_of(&index)),
            ("CSV", made(&["export", log, "--format", "csv"]).into_bytes()),
            ("OCSF", made(&["export", log, "--format", "ocsf"]).into_bytes()),
            ("totals", made(&["query", log, "--by", "caller,client"]).into_bytes()),
        ];
        let beside = ["-cost.json", "-limits"]
            .map(|end| bytes_of(&audit.with_file_name(format!("audit{end}"))));
        let warned = stopped.records().into_iter().find(|record| record["type"] == "budget_warned");
        let warned = warned.unwrap()["event"]["subject"].as_str().unwrap().to_owned();
        if names == "clear" {
            // What would be found.
            for (what, bytes) in &of_the_log {
                assert!(has(bytes, SUBJECT), "{what}");
            }
            assert_eq!(warned, SUBJECT);
        } else {
            for word in [SUBJECT, client_id, token_id] {
                for (what, bytes) in &of_the_log {
                    assert!(!has(bytes, word), "{word} in the {what}");
                }
                assert!(!beside.iter().any(|bytes| has(bytes, word)), "{word} beside the log");
                assert!(!has(&metrics, word) && !told.contains(word), "{word}");
            }
            assert!(warned.starts_with("p-"), "{warned}");
        }
        // Addresses are cut in either way.
        for (what, bytes) in &of_the_log {
            assert!(!has(bytes, ADDRESS), "{what}");
        }
        assert!(has(&of_the_log[0].1, NETWORK) && has(&of_the_log[2].1, NETWORK));
        assert!(!has(&metrics, ADDRESS) && !told.contains(ADDRESS));
    }
}

fn sealgate_index(audit: &Path) -> std::path::PathBuf {
    audit.with_file_name("audit-index.sqlite")
}
