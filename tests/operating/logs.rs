//! The operators' log as JSON.

use serde_json::Value;

use crate::scene::Scene;

#[test]
fn every_line_of_the_log_is_json_and_holds_nothing_of_a_request() {
    let scene = Scene::new("log = { level = \"trace\", format = \"json\" }", "");
    scene
        .stopped
        .change("worker.toml", |text| format!("log = \"trace\"\nlog_format = \"json\"\n{text}"));
    let running = scene.start();
    let mark = "8675309421337";
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [("X-Canary", mark), ("traceparent", traceparent)];
    assert_eq!(running.ask_about(&format!("17.{mark}"), &headers).status, 200);
    assert_eq!(running.ask_about(&format!("\"{mark}\""), &headers).status, 400);
    let https = running.gateway.https();
    https.get(&format!("/v2/models/{mark}"), &scene.token);
    https.get("/v2", &format!("e30.{mark}.AA"));

    let log = running.gateway.stop();
    let mut targets = Vec::new();
    for line in log.lines() {
        let told: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for member in ["timestamp", "level", "target", "message"] {
            assert!(told[member].is_string(), "no `{member}` in {line}");
        }
        targets.push(told["target"].as_str().unwrap().to_owned());
    }
    for of in ["sealgate_gateway", "sealgate_worker"] {
        assert!(targets.iter().any(|target| target.starts_with(of)), "nothing of {of}");
    }
    for forbidden in [mark, &scene.token, "4bf92f3577b34da6a3ce929d0e0e4736"] {
        assert!(!log.contains(forbidden), "the log holds `{forbidden}`");
    }
}

#[test]
fn a_start_that_fails_says_so_in_the_same_form() {
    let scene = Scene::new("log = { format = \"json\" }", "");
    std::fs::write(scene.stopped.state.path().join("audit-emergency.json"), "{").unwrap();
    let output = std::process::Command::new(crate::support::binary("sealgate-gateway"))
        .arg("--config")
        .arg(scene.stopped.state.path().join("gateway.toml"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
    let lines = String::from_utf8(output.stderr).unwrap();
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((&last["level"], &last["message"]), (&"ERROR".into(), &"ended".into()));
    assert!(last["error"].as_str().unwrap().contains("audit-emergency.json"), "{last}");
}
