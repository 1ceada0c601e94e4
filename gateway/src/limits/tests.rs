#![expect(clippy::unwrap_used, reason = "a test may panic")]

use tempfile::TempDir;

use super::*;

struct Scene {
    limits: Limits,
    _folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits::open(&folder.path().join("limits"), NOW_S).unwrap();
        Self { limits, _folder: folder }
    }

    fn take(&self, who: &Who<'_>, quotas: &Quotas, rows: Option<u32>) -> Result<Taken, NotTaken> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.limits.take(who, quotas, rows, NOW_S))
    }
}

fn who(subject: &'static str, tenant: &'static str) -> Who<'static> {
    Who { issuer: "i", subject, tenant: Some(tenant), model: "m" }
}

fn exceeded(taken: Result<Taken, NotTaken>) -> Exceeded {
    match taken {
        Err(NotTaken::Exceeded(exceeded)) => exceeded,
        Err(NotTaken::Unavailable) => panic!("unavailable"),
        Ok(_) => panic!("taken"),
    }
}

const fn number(n: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(n)
}

fn rate(per_minute: u32, burst: u32) -> Option<Rate> {
    let (per_minute, burst) = (number(per_minute)?, number(burst)?);
    Some(Rate { per_minute, burst })
}

/// An hour before a day ends, nine days before its month does.
const NOW_S: u64 = 1_790_031_600;

#[test]
fn each_limit_is_named_and_says_when_to_come_again() {
    let scene = Scene::new();
    let one = |quotas: Quotas, who: Who<'static>| {
        let first = scene.take(&who, &quotas, Some(2)).unwrap();
        let refused = exceeded(scene.take(&who, &quotas, Some(2)));
        drop(first);
        let refused_later = scene.take(&who, &quotas, Some(2)).err();
        (refused.limit, refused.retry_after_s, refused_later.is_some())
    };
    let none = Quotas::default();
    let concurrent = Quotas { concurrent_max: number(1), ..none };
    assert_eq!(one(concurrent, who("a", "t")), (Limit::Concurrent, 1, false));
    let slow = Quotas { rate: rate(2, 1), ..none };
    assert_eq!(one(slow, who("b", "t")), (Limit::Rate, 30, true));
    let day = Quotas { rows_per_day: number(3), ..none };
    let (limit, _, later) = one(day, who("c", "t"));
    assert_eq!((limit, later), (Limit::RowsPerDay, true));
    let budget = Quotas { tenant_rows_per_month: number(3), ..none };
    let (limit, _, later) = one(budget, who("d", "t"));
    assert_eq!((limit, later), (Limit::Budget, true));
}

#[test]
fn a_day_and_a_month_that_are_used_up_name_their_end() {
    let scene = Scene::new();
    let day = Quotas { rows_per_day: number(1), ..Quotas::default() };
    scene.take(&who("a", "t"), &day, Some(1)).unwrap().settle(1);
    let refused = exceeded(scene.take(&who("a", "t"), &day, Some(1)));
    assert_eq!(refused.retry_after_s, 3_600);
    let month = Quotas { tenant_rows_per_month: number(1), ..Quotas::default() };
    scene.take(&who("a", "t"), &month, Some(1)).unwrap().settle(1);
    let refused = exceeded(scene.take(&who("a", "t"), &month, Some(1)));
    assert_eq!(refused.retry_after_s, 3_600 + 9 * 86_400);
}

#[test]
fn a_budget_is_shared_within_a_tenant_and_not_beyond() {
    let scene = Scene::new();
    let quotas = Quotas { tenant_rows_per_month: number(10), ..Quotas::default() };
    scene.take(&who("a", "north"), &quotas, Some(6)).unwrap().settle(6);
    let refused = exceeded(scene.take(&who("b", "north"), &quotas, Some(6)));
    assert_eq!(refused.limit, Limit::Budget);
    scene.take(&who("b", "north"), &quotas, Some(4)).unwrap().settle(4);
    scene.take(&who("a", "south"), &quotas, Some(6)).unwrap().settle(6);
}

#[test]
fn two_profiles_count_what_one_caller_asks_once_and_together() {
    let scene = Scene::new();
    let [wide, narrow] = [20, 10].map(|n| Quotas { rows_per_day: number(n), ..Quotas::default() });
    scene.take(&who("a", "t"), &wide, Some(8)).unwrap().settle(8);
    exceeded(scene.take(&who("a", "t"), &narrow, Some(3)));
    scene.take(&who("a", "t"), &narrow, Some(2)).unwrap().settle(2);
    scene.take(&who("a", "t"), &wide, Some(10)).unwrap().settle(10);
    exceeded(scene.take(&who("a", "t"), &wide, Some(1)));
}

#[test]
fn nothing_is_charged_when_a_later_limit_refuses() {
    let scene = Scene::new();
    let quotas = Quotas {
        rate: rate(1, 2),
        concurrent_max: number(1),
        rows_per_day: number(10),
        tenant_rows_per_month: number(5),
    };
    for _ in 0..3 {
        let refused = exceeded(scene.take(&who("a", "t"), &quotas, Some(6)));
        assert_eq!(refused.limit, Limit::Budget);
    }
    let day = Quotas { rows_per_day: number(10), ..Quotas::default() };
    scene.take(&who("a", "t"), &day, Some(10)).unwrap().settle(0);
    scene.take(&who("a", "t"), &quotas, Some(1)).unwrap().settle(1);
    scene.take(&who("a", "t"), &quotas, Some(1)).unwrap().settle(1);
    assert_eq!(exceeded(scene.take(&who("a", "t"), &quotas, Some(1))).limit, Limit::Rate);
}

#[test]
fn a_description_takes_of_the_rate_and_of_nothing_else() {
    let scene = Scene::new();
    let quotas = Quotas {
        rate: rate(1, 2),
        concurrent_max: number(1),
        rows_per_day: number(1),
        tenant_rows_per_month: number(1),
    };
    let asked = scene.take(&who("a", "t"), &quotas, None).unwrap();
    let scored = scene.take(&who("a", "t"), &quotas, Some(1)).unwrap();
    assert_eq!(exceeded(scene.take(&who("a", "t"), &quotas, None)).limit, Limit::Rate);
    drop((asked, scored));
}
