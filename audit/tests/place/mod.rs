//! A place for a log that vanishes with the test.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part; a test may panic")]

use sealgate_audit::{
    AuditError, Caller, CheckpointKey, Clock, Decision, Entry, Event, Inputs, Log, Mode, Opened,
    Options, Origin, Report, RequestId, Stopped, Texts, Verdict, VerifyOptions, records, verify,
};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub struct Place {
    root: PathBuf,
    /// Removed at the end, unless the place was given.
    _temporary: Option<TempDir>,
}

impl Place {
    pub fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        Self { root: temporary.path().to_owned(), _temporary: Some(temporary) }
    }

    /// A place below a folder that somebody else looks after.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), _temporary: None }
    }

    /// A log of `count` records in small segments, ended in good order.
    pub fn finished(count: usize) -> Self {
        let place = Self::new();
        let log = place.open().unwrap().0;
        append(&log, count);
        log.close().unwrap();
        place
    }

    /// A log whose end was never sealed, as after `kill -9`: preallocated, with zeros behind.
    pub fn killed(count: usize) -> Self {
        let (place, copied) = (Self::new(), Self::new());
        // Only the first record is signed then.
        let checkpoint_every = Duration::from_secs(3600);
        let options = Options { checkpoint_every, ..place.options() };
        let log = place.open_with(options).unwrap().0;
        append(&log, count);
        copied.take_over(&place);
        log.close().unwrap();
        copied
    }

    pub fn take_over(&self, other: &Self) {
        fs::DirBuilder::new().mode(0o700).create(self.audit()).unwrap();
        if other.key_file().exists() {
            fs::copy(other.key_file(), self.key_file()).unwrap();
        }
        for name in other.files() {
            fs::create_dir_all(self.file(&name).parent().unwrap()).unwrap();
            match fs::copy(other.file(&name), self.file(&name)) {
                // A file on its way to its place, in a log that is being written.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                copied => {
                    copied.unwrap();
                }
            }
        }
    }

    pub fn copy(&self) -> Self {
        let copy = Self::new();
        copy.take_over(self);
        copy
    }

    pub fn audit(&self) -> PathBuf {
        self.root.join("audit")
    }

    pub fn key_file(&self) -> PathBuf {
        self.root.join("audit.key")
    }

    pub fn outside(&self) -> PathBuf {
        self.root.join("checkpoint")
    }

    pub fn options(&self) -> Options {
        Options {
            // Three kilobytes of records, and the room that is kept for the checkpoint behind them.
            segment_bytes: 3072 + 8192,
            low_water_bytes: 0,
            checkpoint_copy: Some(self.outside()),
            ..Options::new(self.audit(), Origin::new("example.org/audit").unwrap())
        }
    }

    pub fn open(&self) -> Result<(Log, Opened), AuditError> {
        self.open_with(self.options())
    }

    pub fn open_at(&self, clock: Clock) -> Log {
        let key = CheckpointKey::load_or_create(&self.key_file()).unwrap();
        Log::open(self.options(), key, clock).unwrap().0
    }

    pub fn open_with(&self, options: Options) -> Result<(Log, Opened), AuditError> {
        let key = CheckpointKey::load_or_create(&self.key_file())?;
        Log::open(options, key, clock())
    }

    pub fn verify(&self) -> Report {
        self.verify_with(&VerifyOptions::default())
    }

    pub fn verify_with(&self, options: &VerifyOptions) -> Report {
        verify(&self.audit(), options, &mut |_, _| {}).unwrap()
    }

    pub fn entries(&self) -> Vec<Entry> {
        records(&self.audit()).unwrap().map(Result::unwrap).collect()
    }

    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.entries().into_iter().map(|entry| entry.body).collect()
    }

    /// Every file below the log's folder, by its path from there.
    pub fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(self.file(&folder)).unwrap() {
                let entry = entry.unwrap();
                let path = format!("{folder}{}", entry.file_name().into_string().unwrap());
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push(format!("{path}/")),
                    false => found.push(path),
                }
            }
        }
        found.sort();
        found
    }

    pub fn segments(&self) -> Vec<String> {
        self.files().into_iter().filter(|name| name.starts_with("segment-")).collect()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.audit().join(name)
    }

    pub fn last_file(&self) -> PathBuf {
        self.file(self.segments().last().unwrap())
    }

    /// Flips one bit of one byte.
    pub fn flip(&self, name: &str, offset: u64) {
        let file = fs::OpenOptions::new().read(true).write(true).open(self.file(name)).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, offset).unwrap();
        file.write_all_at(&[byte[0] ^ (1 << (offset % 8))], offset).unwrap();
    }

    /// Where each frame of a file begins and ends.
    pub fn frames(&self, name: &str) -> Vec<(usize, usize)> {
        let bytes = fs::read(self.file(name)).unwrap();
        let mut frames = Vec::new();
        let mut at = 512;
        while at + 8 <= bytes.len() {
            let length = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
            if length == 0 {
                break;
            }
            frames.push((at, at + 8 + length));
            at += 8 + length;
        }
        frames
    }

    /// Rewrites a file by its frames.
    pub fn rearrange(&self, name: &str, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
        let bytes = fs::read(self.file(name)).unwrap();
        let frames = self.frames(name).into_iter();
        let mut frames: Vec<_> = frames.map(|(from, to)| bytes[from..to].to_vec()).collect();
        change(&mut frames);
        fs::write(self.file(name), [bytes[..512].to_vec(), frames.concat()].concat()).unwrap();
    }
}

pub fn clock() -> Clock {
    Arc::new(|| 1_795_000_000_000_000)
}

pub fn event(why: &str) -> Event {
    Event::Stopped(Stopped { why: why.into() })
}

/// The id of the `n`th request.
pub fn request(n: u64) -> RequestId {
    let id = u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64 | u128::from(n);
    RequestId::parse(&format!("{id:032x}")).unwrap()
}

/// The decision that lets `subject` make it.
pub fn decision(n: u64, subject: &str) -> Event {
    Event::Decision(Box::new(Decision {
        action: "infer".into(),
        address: "127.0.0.0/24".into(),
        caller: Caller {
            client_id: None,
            issuer: "https://issuer.example".into(),
            subject: subject.into(),
            tenant: "north".into(),
            token_id: None,
        },
        budget: None,
        candidate_digest: None,
        charge: None,
        code: "allowed".into(),
        inputs: Inputs {
            clearance: None,
            groups: Texts::default(),
            scopes: Texts::default(),
            token_age_s: 1,
        },
        limit_profile: "standard".into(),
        mode: Mode::GatewaySealed,
        model: "breast-cancer".into(),
        model_digest: None,
        model_version: None,
        policy_digest: "00".into(),
        protocol: "v2".into(),
        release_profile: "full".into(),
        request_id: request(n).to_string().into(),
        rows_reserved: 1,
        rules: Texts::default(),
        verdict: Verdict::Allow,
    }))
}

pub fn append(log: &Log, count: usize) {
    for i in 0..count {
        log.append_and_wait(&event(&i.to_string())).unwrap();
    }
}

/// Polls until `done`, for a bounded time.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn set_length(path: &Path, length: u64) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}
