//! What `sealgate` shows of workers that come and go.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::scene::{QUICK, Running, Scene};
use crate::support::{Process, binary, sealgate, stdout};

/// A line of the table that the demo prints.
#[derive(Debug)]
struct Moment {
    ready: usize,
    ratio: Option<f64>,
}

#[test]
fn the_demo_shows_workers_from_none_to_many_and_back_and_loses_no_request() {
    let state = tempfile::tempdir().unwrap();
    let mut demo = Process::start(
        Command::new(binary("sealgate"))
            .args(["demo", "--scaling", "--listen", "127.0.0.1:0", "--minutes", "3", "--state"])
            .arg(state.path())
            .stdin(Stdio::null())
            .stderr(Stdio::null()),
    );
    let (mut moments, mut parts) = (Vec::new(), Vec::new());
    let mut last = String::new();
    for line in BufReader::new(demo.stdout()).lines().map(Result::unwrap) {
        if line.starts_with("# ") {
            parts.push(moments.len());
        }
        moments.extend(moment(&line));
        if line.starts_with("# from no worker to ") {
            last = line;
            break;
        }
    }
    drop(demo);
    let counts: Vec<u64> =
        last.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect();
    let [most, answered, lost] = counts[..] else { panic!("{last}\n{moments:?}") };
    assert!(most >= 2, "{last}\n{moments:?}");
    assert!(answered > 0 && lost == 0, "{last}");
    let [.., burst, end, over] = parts[..] else { panic!("{parts:?}") };
    assert_eq!(moments[burst - 1].ready, 0, "nobody asks: {moments:?}");
    let of_burst = moments[burst..end].iter().map(|moment| moment.ready);
    assert_eq!(of_burst.max(), Some(usize::try_from(most).unwrap()));
    assert!(moments[burst..end].iter().any(|moment| moment.ratio.is_some()), "R is shown");
    assert_eq!(moments[over - 1].ready, 0, "nobody asks any more: {moments:?}");
}

/// Of `   1.5 s        2       3    2.40       0.83        12       100     0  ##`.
fn moment(line: &str) -> Option<Moment> {
    let words: Vec<_> = line.split_whitespace().collect();
    let [_, "s", ready, _, _, ratio, _, _, _, ..] = words[..] else { return None };
    Some(Moment { ready: ready.parse().ok()?, ratio: ratio.parse().ok() })
}

/// What `sealgate pool` needs to find the gateway, for one that may see it.
fn pool(running: &Running<'_>, more: &[&str]) -> Command {
    let scene = running.scene;
    let token = scene.stopped.state.path().join("operator.jwt");
    std::fs::write(&token, &scene.operator).unwrap();
    let mut command = Command::new(binary("sealgate"));
    command.args(["pool", "--url", &running.gateway.admin().url()]);
    command.args(["--ca", scene.stopped.fact("ca"), "--token"]).arg(token).args(more);
    command
}

#[test]
fn pool_shows_the_workers_of_a_running_gateway() {
    let scene = Scene::new(&format!("scaling = {{ min = 2, max = 3, {QUICK} }}"));
    let running = scene.start();
    crate::support::wait_until("two workers", crate::scene::SOON, || running.ready() == 2);
    let said = stdout(&pool(&running, &[]).output().unwrap());
    let lines: Vec<_> = said.lines().collect();
    let [head, line] = lines[..] else { panic!("{said}") };
    assert!(head.starts_with("model") && head.contains("R of late"), "{said}");
    let words: Vec<_> = line.split_whitespace().collect();
    assert_eq!(words[..5], ["breast-cancer", "1", "all", "2", "2..3"], "{said}");

    let told = stdout(&pool(&running, &["--json"]).output().unwrap());
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["pools"][0]["ready"], 2, "{told}");
}

#[test]
fn pool_goes_on_once_a_second_where_it_is_told_to_watch() {
    let scene = Scene::new("replicas = 1");
    let running = scene.start();
    let mut watching = Process::start(pool(&running, &["--watch"]).stderr(Stdio::null()));
    let lines = BufReader::new(watching.stdout()).lines().map(Result::unwrap);
    let tables = lines.filter(|line| line.starts_with("breast-cancer")).take(2).count();
    assert_eq!(tables, 2);
}

#[test]
fn pool_is_not_for_everybody() {
    let scene = Scene::new("replicas = 1");
    let running = scene.start();
    let token = scene.stopped.state.path().join("caller.jwt");
    std::fs::write(&token, &scene.token).unwrap();
    let (url, ca) = (running.gateway.admin().url(), scene.stopped.fact("ca"));
    let refused =
        sealgate(&["pool", "--url", &url, "--ca", ca, "--token", token.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
}
