//! A worker of one part, from its head's side: a real process over a real socket.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use sealgate_keys::link::{Link, LinkError, Opening};
use sealgate_keys::{Action, Grant, HopPsk, KeyError, Mode, OpenedAnswer, Secret};
use sealgate_model::{Artifact, Digest};
use sealgate_model_builder::{SplitBy, SplitModel, Training, split, train, wdbc};
use support::{binary, is_alive, wait_until};

const SOON: Duration = Duration::from_secs(10);

struct Worker {
    child: Child,
    socket: UnixStream,
    psk: HopPsk,
}

impl Worker {
    fn start() -> Self {
        let (psk, nonce) = (HopPsk::random().unwrap(), Secret::random().unwrap());
        let (socket, its) = UnixStream::pair().unwrap();
        let (secret, mut write) = std::io::pipe().unwrap();
        write.write_all(psk.expose()).unwrap();
        write.write_all(nonce.expose()).unwrap();
        drop(write);
        let config = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(config.path(), "threads = 1\nlog = \"error\"\n").unwrap();
        let child = Command::new(binary("sealgate-worker"))
            .arg("--config")
            .arg(config.path())
            .stdin(Stdio::from(OwnedFd::from(its)))
            .stdout(Stdio::null())
            .fd_mappings(vec![FdMapping { parent_fd: secret.into(), child_fd: 3 }])
            .unwrap()
            .spawn()
            .unwrap();
        // Its hello says that it has read its configuration.
        wait_until("a hello", SOON, || {
            socket.set_nonblocking(true).unwrap();
            let there = nix::sys::socket::recv(
                std::os::fd::AsRawFd::as_raw_fd(&socket),
                &mut [0],
                nix::sys::socket::MsgFlags::MSG_PEEK,
            );
            socket.set_nonblocking(false).unwrap();
            there == Ok(1)
        });
        Self { child, socket, psk }
    }

    fn open(&self) -> Opening<UnixStream, UnixStream> {
        let [read, write] = [0, 1].map(|_| self.socket.try_clone().unwrap());
        Opening::open(read, write, &self.psk, |_| Ok(())).unwrap()
    }

    fn loaded(&self, file: &[u8]) -> Link<UnixStream> {
        let mut opening = self.open();
        opening.load_part(*Digest::of(file).as_bytes(), file).unwrap();
        let (link, reader) = opening.start();
        thread::spawn(move || reader.run());
        link
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parts() -> (Vec<u8>, SplitModel) {
    let training = Training { epochs: 1, ..Training::default() };
    let file = train(&wdbc().unwrap(), &training, &mut |_| ()).unwrap().file;
    let artifact = Artifact::parse(&file).unwrap();
    (file, split(&artifact, 2, SplitBy::Columns).unwrap())
}

fn ask(link: &Link<UnixStream>, grant: &Grant, message: &[u8]) -> Result<OpenedAnswer, LinkError> {
    link.ask(grant, message)?.answer(SOON)
}

/// One row for the first segment.
fn question() -> Vec<u8> {
    let mut bytes = [0_u32.to_le_bytes(), 1_u32.to_le_bytes()].concat();
    bytes.extend((0..30).flat_map(|value| (value as f32).to_le_bytes()));
    bytes
}

#[test]
fn a_part_answers_its_head_and_takes_no_question_that_is_none() {
    let (_, found) = parts();
    let worker = Worker::start();
    let link = worker.loaded(&found.parts[1]);
    let answer = ask(&link, &Grant::for_part(), &question()).unwrap();
    assert_eq!((answer.outcome.status, answer.outcome.code.as_str()), (200, "ok"));
    assert_eq!(answer.message.expose().len(), 64 * 4, "its share of the second layer's sums");
    for broken in [&question()[..100], &[], &[&[9, 0, 0, 0], &question()[4..]].concat()] {
        let answer = ask(&link, &Grant::for_part(), broken).unwrap();
        assert_eq!((answer.outcome.code.as_str(), answer.message.expose().len()), ("failed", 0));
    }
    let mut infinite = question();
    infinite[8..12].copy_from_slice(&f32::INFINITY.to_le_bytes());
    let answer = ask(&link, &Grant::for_part(), &infinite).unwrap();
    assert_eq!(answer.outcome.code, "value_too_large");
    assert_eq!(
        ask(&link, &Grant::for_part(), &question()).unwrap().outcome.code,
        "ok",
        "it goes on"
    );
}

#[test]
fn a_question_under_another_kind_of_grant_is_not_answered() {
    let (_, found) = parts();
    let worker = Worker::start();
    let link = worker.loaded(&found.parts[1]);
    let describe = Grant { action: Action::DescribeModel, ..Grant::for_part() };
    let sealed = Grant {
        mode: Mode::ClientSealed,
        ciphertext_sha256: Some(*Digest::of(&question()).as_bytes()),
        ..Grant::for_part()
    };
    for other in [describe, sealed] {
        let refused = ask(&link, &other, &question());
        assert!(matches!(refused, Err(LinkError::Key(KeyError::Refused))));
    }
}

#[test]
fn a_worker_takes_no_model_for_a_part_and_no_other_bytes_than_announced() {
    let (whole, found) = parts();
    let mut damaged = found.parts[1].clone();
    *damaged.last_mut().unwrap() ^= 1;
    let digest = *Digest::of(&found.parts[1]).as_bytes();
    for (digest, file, why) in [
        (*Digest::of(&whole).as_bytes(), &whole, "not a part of a split model"),
        (digest, &damaged, "not the promised artifact"),
        (*Digest::of(&found.file).as_bytes(), &found.file, "header"),
    ] {
        match Worker::start().open().load_part(digest, file) {
            Err(LinkError::Load(said)) => assert!(said.contains(why), "{said}"),
            Err(other) => panic!("{other}"),
            Ok(()) => panic!("{why}: taken"),
        }
    }
}

#[test]
fn a_head_without_the_secret_gets_no_session() {
    let worker = Worker::start();
    let [read, write] = [0, 1].map(|_| worker.socket.try_clone().unwrap());
    let other = HopPsk::random().unwrap();
    assert!(Opening::open(read, write, &other, |_| Ok(())).is_err());
    let mut rest = Vec::new();
    assert_eq!((&worker.socket).read_to_end(&mut rest).unwrap_or(0), 0, "it is gone");
}

#[test]
fn a_part_that_is_refused_gets_nothing_but_a_closed_socket() {
    let worker = Worker::start();
    let [read, write] = [0, 1].map(|_| worker.socket.try_clone().unwrap());
    let refused = Opening::open(read, write, &worker.psk, |_| Err(KeyError::Refused));
    assert!(matches!(refused.err(), Some(LinkError::Key(KeyError::Refused))));
    let pid = i32::try_from(worker.child.id()).unwrap();
    worker.socket.shutdown(std::net::Shutdown::Both).unwrap();
    wait_until("it ends", SOON, || !is_alive(pid));
}

#[test]
fn who_waits_for_a_part_that_dies_learns_it_at_once() {
    let (_, found) = parts();
    let worker = Worker::start();
    let link = worker.loaded(&found.parts[1]);
    drop(worker);
    wait_until("it is known", SOON, || {
        matches!(ask(&link, &Grant::for_part(), &question()), Err(LinkError::Lost))
    });
}
