//! The policy folder: read once, whole, so that what is checked is what takes effect.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::mistake::{Mistakes, Place};
use crate::set::PolicyDigest;

/// The bytes of every file, by path relative to the folder.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    /// Those that have a say in what is enforced.
    files: BTreeMap<String, String>,
    /// `tests/` and `candidate/`: they never decide.
    beside: BTreeMap<String, String>,
}

impl Folder {
    /// Reads a folder from disk.
    ///
    /// Hidden entries are skipped (Kubernetes keeps its symlinks there). `tests/` and
    /// `candidate/` are read like the rest and have no say in what is enforced.
    ///
    /// # Errors
    ///
    /// Files or folders that somebody beside their owner may write, that are too large, not
    /// UTF-8 or not named as expected: a rule in a file with a misspelt name would silently not
    /// apply.
    pub fn read(dir: &Path) -> Result<Self, Mistakes> {
        let mut reading = Reading::default();
        reading.directory(dir, "");
        if reading.mistakes.stop_the_folder() {
            return Err(reading.mistakes.sorted());
        }
        Ok(Self::of(reading.files))
    }

    /// A folder from memory, as `(path, text)`.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self::of(pairs.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())))
    }

    /// The folder that comes with Sealgate.
    pub fn shipped() -> Self {
        Self::from_pairs(crate::default_folder().iter().copied())
    }

    /// The same folder with one file added or replaced.
    #[must_use]
    pub fn with(mut self, path: &str, text: &str) -> Self {
        match stands_beside(path) {
            true => self.beside.insert(path.to_owned(), text.to_owned()),
            false => self.files.insert(path.to_owned(), text.to_owned()),
        };
        self
    }

    /// The text of one file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).or_else(|| self.beside.get(path)).map(String::as_str)
    }

    /// The policy tests: each file of `tests/`, with its text.
    pub fn tests(&self) -> impl Iterator<Item = (&str, &str)> {
        under(&self.beside, TESTS)
    }

    /// What `candidate/` proposes, or `None` without one: a file in it stands for the file of the
    /// same path, every other file is the active one. An empty `.cedar` file so takes a rule file
    /// away.
    pub fn candidate(&self) -> Option<Self> {
        let mut proposed = under(&self.beside, CANDIDATE).peekable();
        proposed.peek()?;
        let active = self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        let proposed = proposed
            .filter_map(|(path, text)| path.strip_prefix(CANDIDATE).map(|path| (path, text)));
        // The later of two wins.
        Some(Self::from_pairs(active.chain(self.tests()).chain(proposed)))
    }

    /// SHA-256 over each enforced file's path length, path, size and bytes, in the order of the
    /// paths. Tests and candidate are not in it.
    pub fn digest(&self) -> PolicyDigest {
        let mut hash = Sha256::new();
        hash.update(b"sealgate policy folder v1\0");
        for (path, text) in &self.files {
            hash.update((path.len() as u64).to_le_bytes());
            hash.update(path.as_bytes());
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        PolicyDigest(hash.finalize().into())
    }

    pub(crate) fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        under(&self.files, prefix)
    }

    fn of(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let (beside, files) = files.into_iter().partition(|(path, _)| stands_beside(path));
        Self { files, beside }
    }
}

fn under<'a>(
    files: &'a BTreeMap<String, String>,
    prefix: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    files
        .iter()
        .filter(move |(path, _)| path.starts_with(prefix))
        .map(|(path, text)| (path.as_str(), text.as_str()))
}

fn stands_beside(path: &str) -> bool {
    path.starts_with(TESTS) || path.starts_with(CANDIDATE)
}

#[derive(Default)]
struct Reading {
    files: BTreeMap<String, String>,
    mistakes: Mistakes,
    bytes: u64,
}

impl Reading {
    fn directory(&mut self, dir: &Path, prefix: &str) {
        let shown = if prefix.is_empty() { "." } else { prefix };
        let names = match sorted_names(dir) {
            Ok(names) => names,
            Err(error) => {
                self.mistakes.error(Place::file(shown), format!("cannot be read: {error}"));
                return;
            }
        };
        match fs::metadata(dir) {
            Ok(metadata) => self.refuse_writable_by_others(shown, metadata.permissions().mode()),
            Err(error) => {
                self.mistakes.error(Place::file(shown), format!("cannot be read: {error}"));
            }
        }
        for name in names {
            self.entry(&dir.join(&name), prefix, &name);
        }
    }

    fn entry(&mut self, path: &Path, prefix: &str, name: &str) {
        let relative = format!("{prefix}{name}");
        if name.starts_with('.') || UNREAD.contains(&relative.as_str()) {
            return;
        }
        if folders(prefix).contains(&name) && path.is_dir() {
            return self.directory(path, &format!("{relative}/"));
        }
        if !expected(prefix, name) {
            return self.unexpected(prefix, name, &relative);
        }
        match self.file(path, &relative) {
            Ok(Some(text)) => {
                self.files.insert(relative, text);
            }
            Ok(None) => {}
            Err(error) => {
                self.mistakes.error(Place::file(&relative), format!("cannot be read: {error}"));
            }
        }
    }

    /// The metadata come from the open handle: a file swapped in between is judged, not trusted.
    fn file(&mut self, path: &Path, relative: &str) -> io::Result<Option<String>> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            self.mistakes.error(Place::file(relative), "is not a plain file");
            return Ok(None);
        }
        self.refuse_writable_by_others(relative, metadata.permissions().mode());
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        self.bytes += bytes.len() as u64;
        if bytes.len() as u64 > FILE_BYTES_MAX || self.bytes > FOLDER_BYTES_MAX {
            self.mistakes.error(Place::file(relative), "is too large").hint(format!(
                "a file may have {FILE_BYTES_MAX} bytes, all together {FOLDER_BYTES_MAX}"
            ));
            return Ok(None);
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes());
                self.mistakes
                    .error(Place::at(relative, &text, valid), "is not UTF-8 text")
                    .hint("save it as UTF-8 in your editor");
                Ok(None)
            }
        }
    }

    /// Whoever can write a policy can grant himself anything it can grant.
    fn refuse_writable_by_others(&mut self, shown: &str, mode: u32) {
        if mode & 0o022 != 0 {
            self.mistakes
                .error(Place::file(shown), "may be written by others than its owner")
                .hint(format!("chmod go-w {shown}"));
        }
    }

    fn unexpected(&mut self, prefix: &str, name: &str, relative: &str) {
        let mistake =
            self.mistakes.error(Place::file(relative), "is not a file that a policy folder has");
        match place(prefix) {
            "" => mistake.did_you_mean(name, FILES.iter().chain(folders(prefix)).copied()),
            "rules/" => mistake.hint("a rule's file ends in `.cedar`"),
            TESTS => mistake.hint("a test's file ends in `.toml`"),
            _ => mistake.hint("a key set's file ends in `.json`"),
        }
    }
}

/// In `candidate/` the same names are expected as beside it.
fn place(prefix: &str) -> &str {
    prefix.strip_prefix(CANDIDATE).unwrap_or(prefix)
}

fn folders(prefix: &str) -> &'static [&'static str] {
    match prefix {
        "" => FOLDERS,
        CANDIDATE => &["jwks", "rules", "tests"],
        _ => &[],
    }
}

fn expected(prefix: &str, name: &str) -> bool {
    match place(prefix) {
        "" => FILES.contains(&name),
        "rules/" => name.ends_with(".cedar"),
        TESTS => name.ends_with(".toml"),
        _ => name.ends_with(".json"),
    }
}

fn sorted_names(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
        if names.len() > ENTRIES_MAX {
            return Err(io::Error::other(format!("more than {ENTRIES_MAX} entries")));
        }
    }
    names.sort_unstable();
    Ok(names)
}

const FILES: &[&str] = &[
    "README.md",
    "issuers.toml",
    "limits.toml",
    "measurements.toml",
    "models.toml",
    "release.toml",
    "revoked.toml",
    "roles.toml",
    "schema.cedarschema",
];
const FOLDERS: &[&str] = &["candidate", "jwks", "rules", "tests"];
/// They explain.
const UNREAD: &[&str] = &["README.md", "candidate/README.md"];
const TESTS: &str = "tests/";
const CANDIDATE: &str = "candidate/";
const FILE_BYTES_MAX: u64 = 1 << 20;
const FOLDER_BYTES_MAX: u64 = 16 << 20;
const ENTRIES_MAX: usize = 10_000;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn on_disk() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(dir.path().join("rules")).unwrap();
        write(dir.path(), "models.toml", "", 0o644);
        write(dir.path(), "rules/a.cedar", "", 0o644);
        dir
    }

    fn write(dir: &Path, name: &str, text: &str, mode: u32) {
        fs::write(dir.join(name), text).unwrap();
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_tidy_folder_is_read() {
        let dir = on_disk();
        assert!(Folder::read(dir.path()).unwrap().text("rules/a.cedar").is_some());
    }

    #[test]
    fn a_file_that_others_may_write_is_refused() {
        let dir = on_disk();
        write(dir.path(), "rules/a.cedar", "", 0o664);
        let mistakes = Folder::read(dir.path()).unwrap_err().to_string();
        assert_eq!(
            mistakes,
            "error: policy `rules/a.cedar`: may be written by others than its owner\nhint: chmod go-w rules/a.cedar"
        );
    }

    #[test]
    fn a_folder_that_others_may_write_is_refused() {
        let dir = on_disk();
        fs::set_permissions(dir.path().join("rules"), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(
            Folder::read(dir.path()).unwrap_err().to_string().contains("`rules/`: may be written")
        );
    }

    #[test]
    fn a_rule_in_a_misnamed_file_does_not_silently_not_apply() {
        let dir = on_disk();
        write(dir.path(), "rules/b.ceder", "", 0o644);
        assert!(Folder::read(dir.path()).unwrap_err().to_string().contains("ends in `.cedar`"));
    }

    #[test]
    fn a_misnamed_table_is_refused_with_the_name_it_should_have() {
        let dir = on_disk();
        write(dir.path(), "limit.toml", "", 0o644);
        assert!(
            Folder::read(dir.path())
                .unwrap_err()
                .to_string()
                .contains("did you mean `limits.toml`?")
        );
    }

    #[test]
    fn a_huge_file_is_refused() {
        let dir = on_disk();
        write(dir.path(), "models.toml", &"#".repeat(FILE_BYTES_MAX as usize + 1), 0o644);
        assert!(Folder::read(dir.path()).unwrap_err().to_string().contains("is too large"));
    }

    #[test]
    fn what_stands_in_for_what_is_enforced_does_not_move_its_digest() {
        let active = Folder::from_pairs([("models.toml", "a"), ("rules/a.cedar", "b")]);
        let with_more =
            active.clone().with("tests/a.toml", "c").with("candidate/rules/a.cedar", "d");
        assert_eq!(active.digest(), with_more.digest());
        assert_eq!(with_more.under("rules/").count(), 1);
    }

    #[test]
    fn a_file_of_the_candidate_stands_for_the_active_one_and_the_rest_stays() {
        let folder = Folder::from_pairs([
            ("models.toml", "a"),
            ("rules/a.cedar", "b"),
            ("rules/c.cedar", "c"),
            ("candidate/rules/a.cedar", ""),
            ("candidate/limits.toml", "l"),
            ("tests/t.toml", "t"),
        ]);
        let candidate = folder.candidate().unwrap();
        let texts = ["models.toml", "rules/a.cedar", "rules/c.cedar", "limits.toml"]
            .map(|path| candidate.text(path));
        assert_eq!(texts, [Some("a"), Some(""), Some("c"), Some("l")]);
        assert_eq!(candidate.tests().collect::<Vec<_>>(), [("tests/t.toml", "t")]);
        assert!(candidate.candidate().is_none());
    }

    #[test]
    fn without_a_candidate_none_is_proposed() {
        assert!(Folder::shipped().candidate().is_none());
    }

    #[test]
    fn tests_and_candidate_are_read_from_disk() {
        let dir = on_disk();
        fs::create_dir_all(dir.path().join("candidate/rules")).unwrap();
        fs::create_dir(dir.path().join("tests")).unwrap();
        write(dir.path(), "tests/a.toml", "t", 0o644);
        write(dir.path(), "candidate/rules/a.cedar", "r", 0o644);
        let folder = Folder::read(dir.path()).unwrap();
        assert_eq!(folder.tests().collect::<Vec<_>>(), [("tests/a.toml", "t")]);
        assert_eq!(folder.candidate().unwrap().text("rules/a.cedar"), Some("r"));
    }

    #[test]
    fn tests_and_candidate_are_held_to_the_rules_for_every_other_file() {
        let dir = on_disk();
        fs::create_dir_all(dir.path().join("candidate/rules")).unwrap();
        fs::create_dir_all(dir.path().join("candidate/candidate")).unwrap();
        fs::create_dir(dir.path().join("tests")).unwrap();
        write(dir.path(), "tests/a.yaml", "", 0o644);
        write(dir.path(), "tests/b.toml", "", 0o666);
        write(dir.path(), "candidate/rules/a.ceder", "", 0o644);
        write(dir.path(), "candidate/limit.toml", "", 0o644);
        let mistakes = Folder::read(dir.path()).unwrap_err().to_string();
        for expected in [
            "`tests/a.yaml`: is not a file that a policy folder has\nhint: a test's file ends in `.toml`",
            "`tests/b.toml`: may be written by others",
            "`candidate/rules/a.ceder`: is not a file that a policy folder has",
            "`candidate/limit.toml`: is not a file that a policy folder has\nhint: did you mean `limits.toml`?",
            "`candidate/candidate`: is not a file that a policy folder has",
        ] {
            assert!(mistakes.contains(expected), "{expected}: {mistakes}");
        }
    }

    #[test]
    fn the_digest_moves_with_every_byte_and_every_name() {
        let one = Folder::from_pairs([("a", "bc")]).digest();
        assert_ne!(one, Folder::from_pairs([("a", "bd")]).digest());
        assert_ne!(one, Folder::from_pairs([("ab", "c")]).digest());
        assert_eq!(one, Folder::from_pairs([("a", "bc")]).digest());
    }
}
