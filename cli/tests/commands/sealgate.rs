//! Runs the binary.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// The output of a command that must have gone well.
    pub fn well(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    /// What was said by a command that must have ended with `code`.
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self.err
    }

    pub fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

pub fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ran {
    Command::new(binary()).args(arguments).output().unwrap().into()
}

pub fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_sealgate"))
}

/// Paths as arguments.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
