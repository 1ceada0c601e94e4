//! The unit and the Dockerfile say nothing that is not so here.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use cargo_metadata::{Metadata, MetadataCommand, TargetKind};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde_json::Value;

use crate::scene::{INFER, Scene};
use crate::support::{Https, binary, process_owner};

const UNIT: &str = include_str!("../../packaging/sealgate-gateway.service");
const DOCKERFILE: &str = include_str!("../../packaging/Dockerfile");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn workspace() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .unwrap()
}

fn binaries() -> BTreeSet<String> {
    let packages = workspace().packages;
    let targets = packages.iter().flat_map(|package| &package.targets);
    let bins = targets.filter(|target| target.kind.contains(&TargetKind::Bin));
    bins.map(|target| target.name.clone()).collect()
}

/// Instruction and arguments, continued lines joined.
fn instructions() -> Vec<(String, String)> {
    let text = DOCKERFILE.replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let parts = lines.map(|line| line.split_once(' ').unwrap());
    parts.map(|(name, rest)| (name.to_owned(), rest.trim().to_owned())).collect()
}

fn of(name: &str) -> Vec<String> {
    let all = instructions().into_iter();
    all.filter(|(own, _)| own == name).map(|(_, rest)| rest).collect()
}

/// All values that the unit gives a name.
fn settings(name: &str) -> Vec<&'static str> {
    let lines = UNIT.lines().filter_map(|line| line.split_once('='));
    lines.filter(|(own, _)| *own == name).map(|(_, value)| value).collect()
}

/// Flags that a program says it knows.
fn flags(program: &str) -> BTreeSet<String> {
    let output = Command::new(binary(program)).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let words = help.split([' ', '\n', ',']);
    words.filter(|word| word.starts_with("--")).map(str::to_owned).collect()
}

/// A command of ours: its program is one of the workspace, its flags are known to it.
fn is_as_here(command: &[&str]) {
    let program = command[0].rsplit('/').next().unwrap();
    assert!(binaries().contains(program), "{program}");
    let known = flags(program);
    for flag in command.iter().filter(|word| word.starts_with("--")) {
        assert!(known.contains(*flag), "{program} knows no {flag}: {known:?}");
    }
}

#[test]
fn what_the_image_is_made_of_is_here_and_is_all_of_the_workspace() {
    let sources: BTreeSet<String> = of("COPY")
        .iter()
        .filter(|copy| !copy.starts_with("--from"))
        .flat_map(|copy| {
            let words: Vec<_> = copy.split(' ').map(str::to_owned).collect();
            words[..words.len() - 1].to_vec()
        })
        .collect();
    for source in &sources {
        assert!(root().join(source).exists(), "COPY {source}");
    }
    for package in workspace().packages {
        let folder = package.manifest_path.parent().unwrap().as_std_path().to_owned();
        let folder = folder.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        assert!(sources.contains(&folder), "no COPY of {folder}");
    }
}

#[test]
fn the_image_builds_and_runs_programs_of_this_workspace() {
    let build = of("RUN").into_iter().find(|run| run.contains("cargo build")).unwrap();
    let words: Vec<_> = build.split_whitespace().collect();
    let built: BTreeSet<_> =
        words.windows(2).filter(|pair| pair[0] == "--bin").map(|pair| pair[1]).collect();
    let copied = of("COPY").into_iter().find(|copy| copy.starts_with("--from")).unwrap();
    let paths = copied.split(' ').filter(|word| word.starts_with("/source/"));
    let copied: BTreeSet<_> = paths.map(|path| path.rsplit('/').next().unwrap()).collect();
    assert_eq!(built, copied);
    assert!(built.iter().all(|name| binaries().contains(*name)), "{built:?}");
    assert!(["sealgate-gateway", "sealgate-worker"].iter().all(|name| built.contains(name)));
    let entry: Vec<String> = serde_json::from_str(&of("ENTRYPOINT")[0]).unwrap();
    is_as_here(&entry.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn the_image_is_slim_and_its_user_is_not_root() {
    let instructions = instructions();
    let last = instructions.iter().rposition(|(name, _)| name == "FROM").unwrap();
    assert!(instructions[last].1.contains("slim"), "{:?}", instructions[last]);
    let mut users = instructions[last..].iter().filter(|(name, _)| name == "USER");
    let user = users.next_back().expect("a USER in the last stage").1.clone();
    let ids = user.split(':').map(|id| id.parse::<u32>().expect("by number, as Kubernetes asks"));
    assert!(ids.into_iter().all(|id| id > 0), "{user}");
    let at = instructions.iter().position(|(name, _)| name == "USER").unwrap();
    assert!(at > last && instructions[at..].iter().all(|(name, _)| name != "RUN"));
}

#[test]
fn the_unit_starts_programs_of_this_workspace_with_flags_that_they_know() {
    for name in ["ExecStartPre", "ExecStart"] {
        let [command] = settings(name)[..] else { panic!("one {name}") };
        is_as_here(&command.split(' ').collect::<Vec<_>>());
    }
    assert_eq!(settings("ExecReload"), ["/bin/kill -HUP $MAINPID"]);
}

#[test]
fn the_unit_takes_away_what_it_can_and_leaves_workers_to_the_gateway() {
    for (name, value) in [
        ("User", "sealgate"),
        ("KillMode", "mixed"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("AmbientCapabilities", ""),
        ("ProtectSystem", "strict"),
        ("PrivateDevices", "yes"),
        ("LimitCORE", "0"),
        ("UMask", "0077"),
        // What a worker's sandbox unshares.
        ("RestrictNamespaces", "user net ipc uts"),
        ("RestartPreventExitStatus", "64 78"),
    ] {
        assert_eq!(settings(name), [value], "{name}");
    }
    // The drain and the workers' end must fit in: 10 s by default, and two.
    let stop = settings("TimeoutStopSec")[0].trim_end_matches('s').parse::<u64>().unwrap();
    assert!(stop >= 20, "{stop}");
}

#[test]
fn systemd_takes_the_unit() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else {
        // Not every machine has it; where CI runs it is installed.
        assert!(std::env::var_os("CI").is_none(), "no systemd-analyze");
        return;
    };
    assert!(version.status.success());
    let folder = tempfile::tempdir().unwrap();
    // Programs that are here, so that it looks at all the rest.
    let unit = UNIT
        .replace("/usr/bin/sealgate-gateway", "/bin/true")
        .replace("User=sealgate\nGroup=sealgate", "User=daemon");
    let file = folder.path().join("sealgate-gateway.service");
    fs::write(&file, unit).unwrap();
    let verified = Command::new("systemd-analyze").arg("verify").arg(&file).output().unwrap();
    let told = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success(), "{told}");
    assert!(!told.contains("sealgate-gateway.service"), "{told}");
    let judged = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=25", "--no-pager"])
        .arg(&file)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&judged.stdout).into_owned();
    assert!(judged.status.success(), "exposure above 2.5\n{told}");
}

/// An account of nobody's.
const STRANGER: u32 = 65532;

#[test]
fn a_gateway_that_is_not_root_runs_where_nothing_but_its_state_can_be_written() {
    if !geteuid().is_root() {
        return assert!(std::env::var_os("CI").is_none(), "only root can make a root read-only");
    }
    let scene = Scene::new("", "");
    let state = scene.stopped.state.path();
    for program in ["sealgate-gateway", "sealgate-worker"] {
        fs::copy(binary(program), state.join(program)).unwrap();
    }
    give_away(state);
    let script = "set -e
        mount --make-rprivate /
        mount --bind \"$1\" \"$1\"
        mount -o remount,ro,bind /
        if touch /probe 2>/dev/null; then exit 99; fi
        cd /
        exec setpriv --reuid \"$2\" --regid \"$2\" --clear-groups \
            \"$1/sealgate-gateway\" --config \"$1/gateway.toml\"";
    let mut child = Command::new("unshare")
        .args(["-m", "sh", "-c", script, "sh"])
        .arg(state)
        .arg(STRANGER.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let https = listening(&mut child, Path::new(scene.stopped.fact("ca")));
    assert_eq!(process_owner(child.id()), STRANGER);
    let reply = https.post(INFER, &scene.token, &scene.example);
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    assert!(status.success(), "{status}");
}

/// The public listener, once a worker answers.
fn listening(child: &mut Child, ca: &Path) -> Https {
    let mut https = None;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        match event["event"].as_str() {
            Some("listening") => {
                let url = format!("https://{}", event["address"].as_str().unwrap());
                https = Some(Https::new(&url, ca));
            }
            Some("worker_started") => return https.unwrap(),
            Some("admin_listening") => {}
            _ => panic!("{event}"),
        }
    }
    panic!("it ended: {:?}", child.wait());
}

fn give_away(path: &Path) {
    chown(path, Some(STRANGER), Some(STRANGER)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path());
        }
    } else {
        // Others than the owner must not be able to write what is trusted.
        let mode = fs::metadata(path).unwrap().permissions().mode() & 0o755;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
}
