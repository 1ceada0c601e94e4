//! A demo's state without a demo.

use std::path::PathBuf;

use super::sealgate::{run, text};

pub struct State {
    _dir: tempfile::TempDir,
    pub dir: PathBuf,
}

impl State {
    pub fn prepared() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = Self { dir: dir.path().join("state"), _dir: dir };
        state.prepare();
        state
    }

    pub fn prepare(&self) {
        run(["demo", "--prepare-only", "--listen", "127.0.0.1:0", "--state", text(&self.dir)])
            .well();
    }

    /// Writes the `demo.json` of a demo that was killed: nobody listens where it points.
    pub fn pretend_to_run(&self, evidence_pin: Option<&str>) {
        let file = |name: &str| self.dir.join(name);
        let listing = serde_json::json!({
            "version": 1, "url": "https://127.0.0.1:1", "ca": file("tls/ca.pem"),
            "token": file("token"), "model": "breast-cancer", "models": ["breast-cancer"],
            "example": file("example.json"), "audit": file("audit"), "policies": file("policies"),
            "gateway_config": file("gateway.toml"), "gateway_pid": 1, "worker_pids": [],
            "evidence_pin": evidence_pin,
            "allowed": {"subject": "demo", "groups": [], "tenant": "t", "scopes": []},
        });
        std::fs::write(file("demo.json"), listing.to_string()).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.join(name)).unwrap()
    }
}

mod tests {
    use super::State;
    use crate::sealgate::{run, text};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    #[test]
    fn a_state_that_is_there_is_used_again() {
        let state = State::prepared();
        let kept = ["tls/ca.pem", "keys/dev-issuer.pem", "policies/jwks/dev.json", "gateway.toml"];
        let before = kept.map(|name| state.read(name));
        let artifact =
            fs::read(state.dir.join("models/breast-cancer/1/model.safetensors")).unwrap();
        let (certificate, token) = (state.read("tls/cert.pem"), state.read("token"));
        state.prepare();
        assert_eq!(kept.map(|name| state.read(name)), before);
        assert_eq!(
            fs::read(state.dir.join("models/breast-cancer/1/model.safetensors")).unwrap(),
            artifact
        );
        assert_ne!(state.read("tls/cert.pem"), certificate, "the certificate is always new");
        assert_ne!(state.read("token"), token, "the token is always new");
    }

    #[test]
    fn nothing_in_a_state_can_be_read_by_others() {
        let state = State::prepared();
        let mut seen = 0;
        everything(&state.dir, &mut |path| {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            // The lock holds nothing, and the folder around it is closed.
            assert!(mode & 0o077 == 0 || path.ends_with("demo.lock"), "{path:?} {mode:o}");
            seen += 1;
        });
        assert!(seen > 20, "{seen}");
    }

    #[test]
    fn an_edited_policy_stays() {
        let state = State::prepared();
        let file = state.dir.join("policies/rules/tenants.cedar");
        fs::write(&file, "// mine\n").unwrap();
        state.prepare();
        assert_eq!(fs::read_to_string(file).unwrap(), "// mine\n");
    }

    #[test]
    fn a_folder_with_something_else_in_it_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(dir.path().join("thesis.txt"), "").unwrap();
        let said = run(["demo", "--prepare-only", "--state", text(dir.path())]).failed(78);
        assert!(said.contains("is neither empty nor the state of a demo\nhint: "), "{said}");
        assert_eq!(fs::metadata(dir.path()).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn the_example_is_a_request_for_the_model() {
        let state = State::prepared();
        let example: serde_json::Value = serde_json::from_str(&state.read("example.json")).unwrap();
        assert_eq!(example["inputs"][0]["name"], "x");
        assert_eq!(example["inputs"][0]["datatype"], "FP32");
        assert_eq!(example["inputs"][0]["shape"], serde_json::json!([1, 30]));
        let (models, example) = (state.dir.join("models"), state.dir.join("example.json"));
        let ran = run(["model", "run", text(&models), "--input", text(&example), "--json"]).json();
        let score = ran["outputs"][0][0].as_f64().unwrap();
        assert!((0.01..0.99).contains(&score), "{score}");
    }

    #[test]
    fn the_audit_folder_holds_nothing_but_the_log() {
        let state = State::prepared();
        assert_eq!(fs::read_dir(state.dir.join("audit")).unwrap().count(), 0);
    }

    fn everything(path: &Path, look: &mut dyn FnMut(&Path)) {
        look(path);
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                everything(&entry.unwrap().path(), look);
            }
        }
    }
}
