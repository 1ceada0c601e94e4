#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{self, Write};
use std::sync::{Condvar, MutexGuard};

use sealgate_audit::{CheckpointKey, Options, Origin, Stopped};
use tempfile::TempDir;

use super::*;

/// A disk whose writer waits at a gate while it is shut.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn shut(&self, shut: bool) {
        *self.state() = shut;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        drop(self.0.1.wait_while(self.state(), |shut| *shut).unwrap());
    }

    fn state(&self) -> MutexGuard<'_, bool> {
        self.0.0.lock().unwrap()
    }
}

fn journal(place: &TempDir, gate: &Gate, copy: Option<PathBuf>) -> Journal {
    let (dir, gate) = (place.path().join("audit"), gate.clone());
    let options = Options {
        low_water_bytes: 0,
        checkpoint_copy: copy,
        free_bytes: Arc::new(move |_| {
            gate.pass();
            Ok(u64::MAX)
        }),
        ..Options::new(&dir, Origin::new("test.example/audit").unwrap())
    };
    let key = CheckpointKey::load_or_create(&place.path().join("key")).unwrap();
    let (log, _) = Log::open(options, key, Arc::new(now_us)).unwrap();
    Journal::new(log, Names::clear(), dir, 0)
}

fn event(why: &str) -> Event {
    Event::Stopped(Stopped { why: why.into() })
}

#[tokio::test]
async fn a_record_that_is_held_up_is_not_waited_for_for_ever_and_is_written_nevertheless() {
    let (place, gate) = (tempfile::tempdir().unwrap(), Gate::default());
    let journal = journal(&place, &gate, None);
    gate.shut(true);
    let waits = journal.append(&event("held up")).wait_at_most(Duration::from_millis(50));
    assert_eq!(waits.await, Err(AppendError::Failed));
    gate.shut(false);
    journal.append(&event("later")).wait().await.unwrap();
    journal.close("over").unwrap();
    let records = sealgate_audit::records(&place.path().join("audit")).unwrap();
    let said = records.map(|entry| match entry.unwrap().record().unwrap().event {
        Event::Stopped(stopped) => stopped.why.to_string(),
        other => other.kind().to_owned(),
    });
    assert_eq!(said.collect::<Vec<_>>(), ["log_started", "held up", "later", "over"]);
}

/// What operators are told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<u8>>>);

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn that_the_copy_of_a_checkpoint_fails_is_told_once_and_that_it_works_again_too() {
    let (place, told) = (tempfile::tempdir().unwrap(), Told::default());
    let folder = place.path().join("elsewhere");
    let journal = journal(&place, &Gate::default(), Some(folder.join("checkpoint")));
    let writer = told.clone();
    let lines = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(lines, || {
        let until = |failed: bool| {
            let deadline = Instant::now() + Duration::from_secs(20);
            while journal.health().checkpoint_copy_failed != failed {
                assert!(Instant::now() < deadline, "not in time: {failed}");
                std::thread::sleep(Duration::from_millis(10));
                journal.note(&event("one more"));
            }
            (0..3).for_each(|_| journal.tick(now_s()));
        };
        until(true);
        std::fs::create_dir(&folder).unwrap();
        until(false);
    });
    let told = String::from_utf8(told.0.lock().unwrap().clone()).unwrap();
    assert_eq!(told.matches("cannot be written").count(), 1, "{told}");
    assert_eq!(told.matches("is written again").count(), 1, "{told}");
}
