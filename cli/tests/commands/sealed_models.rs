//! Model files that are sealed, opened and sealed for other keys.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::model::trained;
use super::sealgate::{run, text};

/// A trained model, keys, and room for files.
struct Desk {
    dir: TempDir,
    clear: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let (dir, out) = trained();
        Self { dir, clear: out.join("model.safetensors") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A key file and its id.
    fn kek(&self, name: &str) -> (PathBuf, String) {
        let path = self.path(name);
        let id = run(["keys", "generate", "--kek", "--out", text(&path)]).well();
        (path, id.trim().to_owned())
    }

    fn passphrase(&self, name: &str, line: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, format!("{line}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn sealed(&self, kek: &Path) -> PathBuf {
        let sealed = self.path("model.sealed");
        let arguments =
            ["model", "seal", text(&self.clear), "--kek-file", text(kek), "--out", text(&sealed)];
        run(arguments).well();
        sealed
    }

    /// How `unseal` ends, and what it wrote.
    fn unsealed(&self, sealed: &Path, by: &str, kek: &Path) -> Result<Vec<u8>, String> {
        let out = self.path("unsealed");
        let _ = fs::remove_file(&out);
        let ran = run(["model", "unseal", text(sealed), by, text(kek), "--out", text(&out)]);
        match ran.code {
            Some(0) => Ok(fs::read(&out).unwrap()),
            _ => {
                assert!(!out.exists());
                Err(ran.err)
            }
        }
    }
}

#[test]
fn a_sealed_model_comes_back_bit_for_bit_and_by_its_key_alone() {
    let desk = Desk::new();
    let ((kek, _), (other, _)) = (desk.kek("kek"), desk.kek("other"));
    let sealed = desk.sealed(&kek);
    let clear = fs::read(&desk.clear).unwrap();
    assert_eq!(desk.unsealed(&sealed, "--kek-file", &kek).unwrap(), clear);
    let said = desk.unsealed(&sealed, "--kek-file", &other).unwrap_err();
    assert_eq!(
        said,
        format!(
            "error: `{path}`: sealed for other keys\nhint: `sealgate model inspect {path}` names the keys that open it\n",
            path = sealed.display()
        )
    );
    let bytes = fs::read(&sealed).unwrap();
    assert!(!bytes.windows(8).any(|window| window == b"manifest"));
}

#[test]
fn sealing_says_for_whom_and_that_the_artifact_is_still_there() {
    let desk = Desk::new();
    let (kek, id) = desk.kek("kek");
    let sealed = desk.path("model.sealed");
    let ran =
        run(["model", "seal", text(&desk.clear), "--kek-file", text(&kek), "--out", text(&sealed)]);
    let digest = run(["model", "inspect", text(&desk.clear), "--json"]).json()["digest"].clone();
    assert_eq!(
        ran.out,
        format!(
            "digest      {}\nsealed for  key-file {id}\nwrote       {}\n",
            digest.as_str().unwrap(),
            sealed.display()
        )
    );
    assert_eq!(
        ran.err,
        format!(
            "`{}` is still there in clear: remove it, and its copies, when the sealed file is in its place\n",
            desk.clear.display()
        )
    );
    assert!(desk.clear.exists());
    assert_eq!(fs::metadata(&sealed).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn inspect_shows_what_needs_no_key() {
    let desk = Desk::new();
    let (kek, id) = desk.kek("kek");
    let sealed = desk.sealed(&kek);
    let clear = run(["model", "inspect", text(&desk.clear), "--json"]).json();
    let report = run(["model", "inspect", text(&sealed), "--json"]).json();
    assert_eq!(report["sealed"], true);
    assert_eq!(report["digest"], clear["digest"]);
    assert_eq!(report["bytes"], fs::metadata(&desk.clear).unwrap().len());
    assert_eq!(report["sealed_for"], serde_json::json!([{"id": id, "kind": "key-file"}]));
    let said = run(["model", "inspect", text(&sealed)]).well();
    assert!(said.ends_with(&format!("sealed for  key-file {id}\n")), "{said}");
}

#[test]
fn a_passphrase_and_a_key_file_open_the_same_file() {
    let desk = Desk::new();
    let (kek, _) = desk.kek("kek");
    let words = desk.passphrase("words", "correct horse battery staple");
    let wrong = desk.passphrase("wrong", "correct horse battery stable");
    let sealed = desk.path("both.sealed");
    let arguments = ["model", "seal", text(&desk.clear), "--kek-file", text(&kek)];
    let more = ["--kek-passphrase-file", text(&words), "--out", text(&sealed), "--json"];
    let report = run(arguments.iter().chain(&more)).json();
    assert_eq!(report["sealed_for"].as_array().unwrap().len(), 2);
    let clear = fs::read(&desk.clear).unwrap();
    assert_eq!(desk.unsealed(&sealed, "--kek-file", &kek).unwrap(), clear);
    assert_eq!(desk.unsealed(&sealed, "--kek-passphrase-file", &words).unwrap(), clear);
    let said = desk.unsealed(&sealed, "--kek-passphrase-file", &wrong).unwrap_err();
    assert!(said.ends_with("refused\nhint: the key is another one, or the file is damaged\n"));
}

#[test]
fn rewrapping_replaces_the_key_and_leaves_the_chunks_and_the_mode() {
    let desk = Desk::new();
    let ((old, _), (new, id)) = (desk.kek("old"), desk.kek("new"));
    let sealed = desk.sealed(&old);
    fs::set_permissions(&sealed, fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::read(&sealed).unwrap();
    let rewrap = ["model", "rewrap", text(&sealed), "--kek-file", text(&old)];
    let new_key = ["--new-kek-file", text(&new)];
    let said = run(rewrap.iter().chain(&new_key).chain(&["--keep-old"])).well();
    assert_eq!(said.matches("sealed for  key-file").count(), 2, "{said}");
    assert!(desk.unsealed(&sealed, "--kek-file", &old).is_ok());
    assert!(desk.unsealed(&sealed, "--kek-file", &new).is_ok());

    let said = run(rewrap.iter().chain(&new_key)).well();
    assert_eq!(said.matches("sealed for  key-file").count(), 1, "{said}");
    assert!(said.contains(&id), "{said}");
    assert!(desk.unsealed(&sealed, "--kek-file", &old).is_err());
    assert!(desk.unsealed(&sealed, "--kek-file", &new).is_ok());
    let after = fs::read(&sealed).unwrap();
    assert_eq!(after[after.len() - 4096..], before[before.len() - 4096..]);
    assert_eq!(fs::metadata(&sealed).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn a_rewrap_by_a_key_that_does_not_open_the_file_leaves_it_as_it_was() {
    let desk = Desk::new();
    let ((kek, _), (other, _)) = (desk.kek("kek"), desk.kek("other"));
    let sealed = desk.sealed(&kek);
    let before = fs::read(&sealed).unwrap();
    let (from, to) = (["--kek-file", text(&other)], ["--new-kek-file", text(&other)]);
    let rewrap = ["model", "rewrap", text(&sealed)];
    run(rewrap.iter().chain(&from).chain(&to)).failed(1);
    assert_eq!(fs::read(&sealed).unwrap(), before);
}

#[test]
fn no_file_is_overwritten_by_sealing_or_unsealing() {
    let desk = Desk::new();
    let (kek, _) = desk.kek("kek");
    let sealed = desk.sealed(&kek);
    let before = fs::read(&sealed).unwrap();
    let key = ["--kek-file", text(&kek)];
    let seal = ["model", "seal", text(&desk.clear), "--out", text(&sealed)];
    let said = run(seal.iter().chain(&key)).failed(1);
    assert!(said.ends_with("is there already\nhint: name another file with `--out`\n"), "{said}");
    let unseal = ["model", "unseal", text(&sealed), "--out", text(&desk.clear)];
    run(unseal.iter().chain(&key)).failed(1);
    assert_eq!(fs::read(&sealed).unwrap(), before);
}

#[test]
fn a_damaged_file_is_not_unsealed_and_leaves_nothing() {
    let desk = Desk::new();
    let (kek, _) = desk.kek("kek");
    let sealed = desk.sealed(&kek);
    let mut bytes = fs::read(&sealed).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&sealed, bytes).unwrap();
    let said = desk.unsealed(&sealed, "--kek-file", &kek).unwrap_err();
    assert!(said.ends_with("refused\nhint: the key is another one, or the file is damaged\n"));
}

#[test]
fn what_is_sealed_is_not_run_or_sealed_again_and_what_is_not_is_not_unsealed() {
    let desk = Desk::new();
    let (kek, _) = desk.kek("kek");
    let sealed = desk.sealed(&kek);
    let key = ["--kek-file", text(&kek)];
    let out = desk.path("again");
    let again = ["model", "seal", text(&sealed), "--out", text(&out)];
    for command in [&again[..], &["model", "run", text(&sealed), "--input", text(&sealed)]] {
        let more: &[&str] = if command[1] == "seal" { &key } else { &[] };
        let said = run(command.iter().chain(more)).failed(1);
        assert!(said.contains("is a sealed model file\nhint: sealgate model unseal "), "{said}");
    }
    let said = desk.unsealed(&desk.clear.clone(), "--kek-file", &kek).unwrap_err();
    assert!(said.contains("is no sealed model file"), "{said}");
}

#[test]
fn only_an_artifact_is_sealed() {
    let desk = Desk::new();
    let (kek, _) = desk.kek("kek");
    let out = desk.path("out.sealed");
    let said =
        run(["model", "seal", text(&kek), "--kek-file", text(&kek), "--out", text(&out)]).failed(1);
    assert!(said.contains("is no artifact"), "{said}");
    assert!(!out.exists());
}

#[test]
fn keys_that_others_can_read_and_short_passphrases_are_bad_configuration() {
    let desk = Desk::new();
    let (kek, _) = desk.kek("kek");
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o644)).unwrap();
    let out = desk.path("out.sealed");
    let seal = ["model", "seal", text(&desk.clear), "--out", text(&out)];
    let said = run(seal.iter().chain(&["--kek-file", text(&kek)])).failed(78);
    assert!(said.contains("is open to other users (mode 644)\nhint: chmod go= "), "{said}");
    let short = desk.passphrase("short", "password");
    let said = run(seal.iter().chain(&["--kek-passphrase-file", text(&short)])).failed(78);
    assert!(said.contains("holds no passphrase: one line of 15 characters at least"), "{said}");
    let said = run(seal.iter().chain(&["--kek-file", text(&desk.clear)])).failed(78);
    assert!(said.contains("holds no key-encryption key"), "{said}");
}

#[test]
fn a_file_without_a_key_to_open_it_or_with_two_is_bad_usage() {
    run(["model", "seal", "a", "--out", "b"]).failed(64);
    run(["model", "unseal", "a", "--out", "b"]).failed(64);
    run(["model", "unseal", "a", "--out", "b", "--kek-file", "k", "--kek-passphrase-file", "p"])
        .failed(64);
    run(["model", "rewrap", "a", "--kek-file", "k"]).failed(64);
}
