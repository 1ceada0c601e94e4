#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::*;
use crate::limits::Who;
use crate::limits::key::Namer;

/// A store, and who counts with it.
struct Scene {
    folder: TempDir,
    counters: Option<Counters>,
    runtime: Runtime,
    now_s: u64,
}

impl Scene {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut scene = Self { folder, counters: None, runtime, now_s: NOON_S };
        scene.open();
        scene
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("limits")
    }

    fn open(&mut self) {
        self.counters = Some(Counters::open(&self.path(), self.now_s).unwrap());
    }

    fn counters(&self) -> &Counters {
        self.counters.as_ref().unwrap()
    }

    /// What is in memory is gone, what was committed is there.
    fn crash(&mut self) {
        self.counters.take().unwrap().writer.close();
        self.open();
    }

    fn restart(&mut self) {
        self.counters.take().unwrap().close();
        self.open();
    }

    fn take_as(&self, who: &str, rows: u32, limit: u32) -> Result<Held, NoRows> {
        let counters = self.counters();
        let today = Period::day(counters.today(self.now_s));
        let limit = NonZeroU32::new(limit).unwrap();
        let held = counters.take(today, key(who), rows, limit);
        self.runtime.block_on(held).map(Held::keep)
    }

    fn take(&self, rows: u32, limit: u32) -> Result<Held, NoRows> {
        self.take_as("a", rows, limit)
    }

    /// How many single rows still pass.
    fn left(&self, limit: u32) -> u32 {
        (0..).take_while(|_| self.take(1, limit).is_ok()).count().try_into().unwrap()
    }
}

fn key(subject: &str) -> Key {
    Namer::new(&[0; 32]).caller(&Who { issuer: "i", subject, tenant: None, model: "m" })
}

const NOON_S: u64 = 20_000 * 86_400 + 43_200;
const DAY_S: u64 = 86_400;

#[test]
fn exactly_the_limit_passes_when_sixteen_race_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let counters = Arc::new(Counters::open(&folder.path().join("limits"), NOON_S).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let counters = counters.clone();
            runtime.spawn(async move {
                let today = Period::day(counters.today(NOON_S));
                let mut passed = 0;
                while let Ok(held) =
                    counters.take(today, key("a"), 4, NonZeroU32::new(1000).unwrap()).await
                {
                    held.settle(4);
                    passed += 4;
                }
                passed
            })
        })
        .collect();
    let passed: u32 = tasks.into_iter().map(|task| runtime.block_on(task).unwrap()).sum();
    assert_eq!(passed, 1000);
}

#[test]
fn a_clean_stop_costs_nothing() {
    let mut scene = Scene::new();
    scene.take(3, 1000).unwrap().settle(3);
    scene.restart();
    assert_eq!(scene.left(1000), 997);
}

#[test]
fn a_crash_costs_one_lease_at_most() {
    let mut scene = Scene::new();
    scene.take(100, 1000).unwrap().settle(3);
    scene.crash();
    let left = scene.left(1000);
    assert!((897..997).contains(&left), "{left}");
}

#[test]
fn rows_that_were_reserved_and_not_used_pass_later() {
    let scene = Scene::new();
    let held = scene.take(900, 1000).unwrap();
    assert!(matches!(scene.take(101, 1000), Err(NoRows::Over { soon: true })));
    held.settle(1);
    scene.take(999, 1000).unwrap().settle(999);
    assert!(matches!(scene.take(1, 1000), Err(NoRows::Over { soon: false })));
}

#[test]
fn a_lost_outcome_costs_what_was_reserved() {
    let scene = Scene::new();
    drop(scene.take(900, 1000).unwrap());
    assert_eq!(scene.left(1000), 100);
}

#[test]
fn rows_of_a_request_that_was_never_begun_are_given_back() {
    let scene = Scene::new();
    let today = Period::day(scene.counters().today(NOON_S));
    let limit = NonZeroU32::new(10).unwrap();
    let held = scene.runtime.block_on(scene.counters().take(today, key("a"), 10, limit)).unwrap();
    drop(held);
    assert_eq!(scene.left(10), 10);
}

#[test]
fn a_day_begins_anew_and_only_once() {
    let mut scene = Scene::new();
    assert_eq!(scene.left(10), 10);
    scene.now_s += DAY_S;
    assert_eq!(scene.left(10), 10);
    scene.now_s -= DAY_S;
    assert_eq!(scene.left(10), 0, "the clock stepped back");
    scene.restart();
    assert_eq!(scene.left(10), 0, "and the gateway was started anew");
    scene.now_s += DAY_S;
    assert_eq!(scene.left(10), 0, "the second day has been used up before");
}

#[test]
fn a_clock_that_steps_back_far_does_not_open_days_that_were_removed() {
    let mut scene = Scene::new();
    assert_eq!(scene.left(10), 10);
    scene.now_s += 5 * DAY_S;
    assert_eq!(scene.left(10), 10);
    scene.now_s -= 5 * DAY_S;
    scene.restart();
    assert_eq!(scene.left(10), 0);
}

#[test]
fn what_is_older_than_yesterday_is_removed() {
    let mut scene = Scene::new();
    for _ in 0..4 {
        scene.take(1, 10).unwrap().settle(1);
        scene.now_s += DAY_S;
    }
    scene.now_s -= DAY_S;
    scene.counters.take().unwrap().close();
    let store = Store::open(&scene.path()).unwrap();
    let mark = |days: u32| {
        let day = Period::day(Day(Day::of(scene.now_s).0 - days));
        store.mark(Slot { period: day, key: key("a") }).unwrap()
    };
    assert_eq!([0, 1, 2, 3].map(mark), [1, 1, 0, 0]);
}

#[test]
fn a_full_table_forgets_nobody() {
    let mut scene = Scene::new();
    scene.counters.as_mut().unwrap().live = Shards::new(64);
    let names: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    for name in &names {
        scene.take_as(name, 7, 10).unwrap().settle(7);
    }
    let live: usize = scene.counters().live.each().map(|counters| counters.len()).sum();
    assert!(live <= 64, "{live}");
    for name in &names {
        assert!(scene.take_as(name, 4, 10).is_err());
        scene.take_as(name, 3, 10).unwrap().settle(3);
    }
}

#[test]
fn who_finds_no_room_because_all_are_at_work_does_not_pass() {
    let mut scene = Scene::new();
    scene.counters.as_mut().unwrap().live = Shards::new(16);
    let names: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let held: Vec<_> = names.iter().map(|name| scene.take_as(name, 1, 10)).collect();
    assert_eq!(held.iter().filter(|held| held.is_ok()).count(), 16);
    let refused = |held: &Result<Held, NoRows>| matches!(held, Err(NoRows::Unavailable));
    assert_eq!(held.iter().filter(|held| refused(held)).count(), 84);
}

#[test]
fn nothing_passes_when_the_store_is_closed() {
    let scene = Scene::new();
    scene.take(1, 1000).unwrap().settle(1);
    scene.counters().close();
    assert!(matches!(scene.take(1000 - 1, 1000), Err(NoRows::Unavailable)));
    assert!(matches!(scene.take_as("b", 1, 1000), Err(NoRows::Unavailable)));
}

#[test]
fn the_store_has_one_owner() {
    let scene = Scene::new();
    let error = Counters::open(&scene.path(), NOON_S).err().unwrap();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
}

#[test]
fn the_file_is_its_owners_alone_and_names_nobody() {
    let mut scene = Scene::new();
    scene.take_as("grace.hopper", 1, 10).unwrap().settle(1);
    scene.counters.take().unwrap().close();
    let file = std::fs::metadata(scene.path()).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let bytes = std::fs::read(scene.path()).unwrap();
    assert!(!bytes.windows(6).any(|part| part == b"hopper"));
}

#[test]
fn a_file_of_another_format_is_refused() {
    let mut scene = Scene::new();
    scene.counters.take().unwrap().close();
    store::write_format(&scene.path(), 2);
    let error = Counters::open(&scene.path(), NOON_S).err().unwrap();
    assert!(matches!(error, StoreError::Format { found: 2, .. }), "{error}");
}

#[test]
fn a_file_that_is_no_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("limits");
    std::fs::write(&path, [7; 10_000]).unwrap();
    let error = Counters::open(&path, NOON_S).err().unwrap();
    assert!(matches!(error, StoreError::Unusable { .. }), "{error}");
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Take(u32),
    Settle { which: usize, used: u32 },
    Lose { which: usize },
    Crash,
    Restart,
    NextDay,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (1_u32..60).prop_map(Event::Take),
        6 => (any::<usize>(), 0_u32..60).prop_map(|(which, used)| Event::Settle { which, used }),
        1 => any::<usize>().prop_map(|which| Event::Lose { which }),
        1 => Just(Event::Crash),
        1 => Just(Event::Restart),
        1 => Just(Event::NextDay),
    ]
}

/// What really passed on the present day, and how much a crash may have cost.
#[derive(Default)]
struct Truth {
    used: u32,
    cost_max: u32,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn never_more_than_the_limit_passes_and_only_crashes_cost(
        limit in 60_u32..400,
        events in proptest::collection::vec(event(), 1..60),
    ) {
        let mut scene = Scene::new();
        let mut truth = Truth::default();
        // Requests in flight of the present day.
        let mut flying: Vec<(Held, u32)> = Vec::new();
        for event in events {
            match event {
                Event::Take(rows) => match scene.take(rows, limit) {
                    Ok(held) => {
                        flying.push((held, rows));
                        truth.used += rows;
                        prop_assert!(truth.used <= limit, "{} of {limit}", truth.used);
                    }
                    Err(why) => {
                        prop_assert!(why != NoRows::Unavailable);
                        prop_assert!(truth.used + rows + truth.cost_max > limit);
                    }
                },
                Event::Settle { which, used } if !flying.is_empty() => {
                    let (held, rows) = flying.swap_remove(which % flying.len());
                    held.settle(used.min(rows));
                    truth.used -= rows - used.min(rows);
                }
                Event::Lose { which } if !flying.is_empty() => {
                    drop(flying.swap_remove(which % flying.len()));
                }
                Event::Settle { .. } | Event::Lose { .. } => {}
                Event::Crash => {
                    // Those in flight are lost with it, and stay spent.
                    flying.clear();
                    scene.crash();
                    truth.cost_max += (limit / 64).max(60);
                }
                Event::Restart => {
                    flying.clear();
                    scene.restart();
                }
                Event::NextDay => {
                    flying.clear();
                    scene.now_s += DAY_S;
                    truth = Truth::default();
                }
            }
        }
        scene.restart();
        let left = scene.left(limit);
        prop_assert!(truth.used + left <= limit);
        prop_assert!(truth.used + left + truth.cost_max >= limit);
    }
}
