//! `gateway.toml` and `worker.toml`: written once with comments, then the user's.
//!
//! At later starts only what this start decides is put back: the address, and every path, for the
//! folder may have moved. All else stays as it was edited.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::tls::Identity;
use super::{State, files, model};
use crate::error::CliError;

/// Where this start listens, and as whom.
pub(crate) struct EdgeAt<'a> {
    /// Address and port.
    pub(crate) listen: SocketAddr,
    /// Whether others may reach it.
    pub(crate) unsafe_remote: bool,
    /// Certificate and key.
    pub(crate) identity: &'a Identity,
}

/// Sees to it that both files are there and right; `operator` is the public half of the key that
/// vouches for the worker. With `scaling` the load decides how many workers there are.
pub(crate) fn prepare(
    state: &State,
    edge: &EdgeAt<'_>,
    operator: &str,
    scaling: bool,
) -> Result<PathBuf, CliError> {
    let worker_file = state.path("worker.toml");
    put_right(&worker_file, &worker(state), &WORKERS)?;
    let path = state.path("gateway.toml");
    put_right(&path, &gateway(state, edge, &worker_file, operator, scaling), &GATEWAYS)?;
    Ok(path)
}

/// The operator's key, in the state folder and apart from the gateway's keys, for it is not one.
pub(crate) const OPERATOR_KEY: &str = "operator.key";
/// The key of the gateway's own receipts, in the state folder.
pub(crate) const GATEWAY_RECEIPT_KEY: &str = "keys/receipts.pk8";

fn put_right(path: &Path, fresh: &str, ours: &Ours) -> Result<(), CliError> {
    let text = match files::read_if_there(path)? {
        Some(text) => kept_current(path, &text, fresh, ours)?,
        None => fresh.to_owned(),
    };
    files::replace(path, text.as_bytes())
}

fn worker(state: &State) -> String {
    format!(
        r#"# The demo's worker. docs/operating.md names all that can be set.
sandbox = "require"      # refuse to run with less than the whole sandbox; "report" only says so

[evidence]
kind = "software"        # signed by an operator's key, which the gateway and its clients pin
key = {operator}
"#,
        operator = quoted(&state.path(OPERATOR_KEY)),
    )
}

fn gateway(
    state: &State,
    edge: &EdgeAt<'_>,
    worker: &Path,
    operator: &str,
    scaling: bool,
) -> String {
    let EdgeAt { listen, unsafe_remote, identity } = edge;
    let file = |name: &str| quoted(&state.path(name));
    format!(
        r#"# The demo's gateway. Edit what you like: address and paths are put back at each start.
profile = "dev"          # accepts the demo's own issuer; "production" refuses it
policies = {policies}
default_model = "{name}"
unsafe_remote = {unsafe_remote}    # whether the dev profile may listen where others can reach it

[edge]
listen = "{listen}"
cert = {cert}
key = {key}

[admin]
listen = "127.0.0.1:0"   # for `sealgate admin`; 0 takes a free port

[audit]
dir = {audit}
key = {audit_key}
checkpoint_copy = {checkpoint}

[receipts]
key = {receipt_key}

[worker]
config = {worker}
engine = "flex"          # "ndarray" starts sealgate-worker-ndarray
sandbox = "require"      # "report" takes a worker whose sandbox is not whole

[attestation]
accept = ["software"]    # what a worker must show before it gets a session
software_keys = ["{operator}"]

[[models]]
name = "{name}"
version = "{version}"
artifact = {artifact}
{scaling}"#,
        scaling = if scaling { SCALING } else { "" },
        policies = file("policies"),
        name = model::NAME,
        version = model::VERSION,
        cert = quoted(&identity.cert),
        key = quoted(&identity.key),
        audit = file("audit"),
        audit_key = file("keys/audit.pk8"),
        checkpoint = file("checkpoint"),
        worker = quoted(worker),
        receipt_key = file(GATEWAY_RECEIPT_KEY),
        artifact = quoted(&model::path(state)),
    )
}

/// Much quicker than one would have it, for somebody looks on.
const SCALING: &str = "scaling = { min = 0, max = 4, in_flight_per_worker = 4, tick_ms = 500, \
                       panic_window_ms = 1000, stable_window_ms = 4000, idle_grace_ms = 1000 }\n";

fn quoted(path: &Path) -> String {
    Value::String(path.display().to_string()).to_string()
}

/// What of a file this start decides.
struct Ours {
    /// Members of no table.
    members: &'static [&'static str],
    /// Members of tables.
    tables: &'static [(&'static str, &'static [&'static str])],
    /// Tables that are added whole where there are none of their names.
    added: &'static [&'static str],
}

const WORKERS: Ours =
    Ours { members: &[], tables: &[("evidence", &["key"])], added: &["evidence"] };
const GATEWAYS: Ours = Ours {
    members: &["policies", "unsafe_remote"],
    tables: &[
        ("edge", &["listen", "cert", "key"]),
        ("audit", &["dir", "key", "checkpoint_copy"]),
        ("worker", &["config"]),
        ("receipts", &["key"]),
    ],
    added: &["admin", "attestation"],
};

/// The user's file with this start's address and paths. Unchanged to the letter if they stand
/// there already; else without its comments.
fn kept_current(path: &Path, text: &str, fresh: &str, ours: &Ours) -> Result<String, CliError> {
    let damaged = |error: toml::de::Error| CliError::StateDamaged {
        path: path.to_owned(),
        why: error.message().to_owned(),
    };
    let before: Table = text.parse().map_err(damaged)?;
    let fresh: Table = fresh.parse().map_err(damaged)?;
    let mut after = before.clone();
    for table in ours.added.iter().filter(|table| !before.contains_key(**table)) {
        put(&mut after, &fresh, table);
    }
    ours.members.iter().for_each(|key| put(&mut after, &fresh, key));
    for (table, keys) in ours.tables {
        let Some(Value::Table(from)) = fresh.get(*table) else { continue };
        let into = after.entry(*table).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(into) = into {
            keys.iter().for_each(|key| put(into, from, key));
        }
    }
    put_model(&mut after, &fresh);
    Ok(if after == before { text.to_owned() } else { after.to_string() })
}

fn put(into: &mut Table, from: &Table, key: &str) {
    if let Some(value) = from.get(key) {
        into.insert(key.to_owned(), value.clone());
    }
}

/// Where the demo's own model is. Others stay, and so does another version that was put in its place,
/// and whatever else was said of it.
fn put_model(into: &mut Table, from: &Table) {
    let Some(Value::Array(ours)) = from.get("models") else { return };
    let models = into.entry("models").or_insert_with(|| Value::Array(Vec::new()));
    let Value::Array(models) = models else { return };
    for model in ours {
        let same = |other: &Value, key| other.get(key) == model.get(key);
        match models.iter_mut().find(|other| same(other, "name")) {
            Some(Value::Table(other)) if model.get("version") == other.get("version") => {
                let Some(model) = model.as_table() else { continue };
                put(other, model, "artifact");
                put_scaling(other, model);
            }
            Some(_) => {}
            None => models.push(model.clone()),
        }
    }
}

/// By load or not is for each start to say, and what a user has written instead of it stays.
fn put_scaling(into: &mut Table, from: &Table) {
    if from.contains_key("scaling") {
        into.remove("replicas");
        put(into, from, "scaling");
    } else if SCALING.parse::<Table>().is_ok_and(|ours| into.get("scaling") == ours.get("scaling"))
    {
        into.remove("scaling");
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::{EdgeAt, prepare};
    use crate::state::{State, tls::Identity};

    struct Place {
        _dir: tempfile::TempDir,
        state: State,
    }

    impl Place {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let state = State::create(dir.path()).unwrap_or_else(|error| panic!("{error}"));
            Self { _dir: dir, state }
        }

        fn prepared(&self, listen: &str) -> String {
            let identity = Identity { ca: "ca".into(), cert: "c\"d".into(), key: "k".into() };
            let listen = listen.parse().unwrap();
            let edge = EdgeAt { listen, unsafe_remote: false, identity: &identity };
            let path = prepare(&self.state, &edge, "cGlu", false);
            std::fs::read_to_string(path.unwrap_or_else(|error| panic!("{error}"))).unwrap()
        }

        fn edit(&self, from: &str, to: &str) {
            self.edit_in("gateway.toml", from, to);
        }

        fn edit_in(&self, name: &str, from: &str, to: &str) {
            let path = self.state.path(name);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(from));
            std::fs::write(path, text.replace(from, to)).unwrap();
        }
    }

    #[test]
    fn an_edited_file_stays_to_the_letter() {
        let place = Place::new();
        place.prepared("127.0.0.1:1");
        place.edit("\"require\"      #", "\"report\" # mine:");
        assert!(place.prepared("127.0.0.1:1").contains("sandbox = \"report\" # mine:"));
    }

    #[test]
    fn another_address_is_put_in_and_the_rest_stays() {
        let place = Place::new();
        place.prepared("127.0.0.1:1");
        place.edit("engine = \"flex\"", "engine = \"ndarray\"");
        place.edit("[audit]", "[edge.limits]\nconnections_max = 7\n[audit]");
        place.edit("[[models]]", "[[models]]\nname = \"mine\"\nversion = \"2\"\n[[models]]");
        let text = place.prepared("127.0.0.1:2");
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["edge"]["listen"].as_str(), Some("127.0.0.1:2"));
        assert_eq!(table["edge"]["limits"]["connections_max"].as_integer(), Some(7));
        assert_eq!(table["worker"]["engine"].as_str(), Some("ndarray"));
        assert_eq!(table["models"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn a_model_that_was_added_stays_when_stale_paths_are_put_right() {
        let place = Place::new();
        place.prepared("127.0.0.1:1");
        place.edit("artifact = \"", "artifact = \"/moved");
        place.edit("[[models]]", "[[models]]\nname = \"mine\"\nversion = \"1\"\n[[models]]");
        let table: toml::Table = place.prepared("127.0.0.1:1").parse().unwrap();
        let artifact = crate::state::model::path(&place.state);
        assert_eq!(table["models"][0]["name"].as_str(), Some("mine"));
        assert_eq!(table["models"][1]["artifact"].as_str(), artifact.to_str());
    }

    #[test]
    fn a_state_of_before_evidence_gets_the_sections_it_lacks() {
        let place = Place::new();
        let fresh: toml::Table = place.prepared("127.0.0.1:1").parse().unwrap();
        std::fs::write(place.state.path("worker.toml"), "threads = 7\n").unwrap();
        place.edit("[attestation]\n", "");
        place.edit("accept = ", "#");
        place.edit("software_keys = ", "#");
        let table: toml::Table = place.prepared("127.0.0.1:1").parse().unwrap();
        assert_eq!(table, fresh);
        let worker = std::fs::read_to_string(place.state.path("worker.toml")).unwrap();
        let worker: toml::Table = worker.parse().unwrap();
        assert_eq!(worker["threads"].as_integer(), Some(7));
        assert_eq!(worker["evidence"]["kind"].as_str(), Some("software"));
    }

    #[test]
    fn what_is_demanded_of_workers_stays_as_it_was_edited() {
        let place = Place::new();
        place.prepared("127.0.0.1:1");
        place.edit("\"cGlu\"", "\"bWluZQ==\"");
        let table: toml::Table = place.prepared("127.0.0.1:2").parse().unwrap();
        assert_eq!(table["attestation"]["software_keys"][0].as_str(), Some("bWluZQ=="));
    }

    #[test]
    fn the_workers_key_is_found_where_the_folder_is_now() {
        let place = Place::new();
        place.prepared("127.0.0.1:1");
        place.edit_in("worker.toml", "key = \"", "key = \"/moved");
        place.prepared("127.0.0.1:1");
        let worker = std::fs::read_to_string(place.state.path("worker.toml")).unwrap();
        assert!(!worker.contains("/moved"), "{worker}");
    }

    #[test]
    fn a_path_with_a_quote_is_still_one_string() {
        let place = Place::new();
        let table: toml::Table = place.prepared("127.0.0.1:1").parse().unwrap();
        assert_eq!(table["edge"]["cert"].as_str(), Some("c\"d"));
    }
}
