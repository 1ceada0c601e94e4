#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Mutex;
use std::thread;

use proptest::prelude::*;
use sealgate_audit::Text;
use sealgate_policies::{Budget, BudgetOf, Costs as Table};

use super::ledger::NotTaken;
use super::ledger::Reached;
use super::spent::NotReserved;
use super::*;
use crate::limits::Period;

/// 2024-02-28T12:00:00Z, a day before the last of its month.
const NOON_S: u64 = 1_709_121_600;
const DAY_S: u64 = 86_400;

fn table(budgets: &str) -> Table {
    let prices = "[limits.a]\nrows_max = 1\n[prices]\ncurrency = \"U\"\nper_request = \"1\"\n";
    Table::of_limits(&format!("{prices}{budgets}")).unwrap()
}

fn both(day: u32, month: u32) -> Table {
    table(&format!(
        "[budgets.a-day]\nof = \"caller\"\nper = \"day\"\namount = \"{day}\"\n\
         [budgets.a-month]\nof = \"tenant\"\nper = \"month\"\namount = \"{month}\"\n"
    ))
}

fn who(tenant: &str, subject: &str) -> Payer {
    let text = |text: &str| Text::from(text);
    payer(&Namer::new(&[0; 16]), &text("i"), &text(subject), &text(tenant))
}

fn entry(payer: Payer, day: Day, units: u64) -> Entry {
    Entry { payer, day, amount: units_of(units) }
}

fn units_of(units: u64) -> Money {
    units.to_string().parse().unwrap()
}

fn budgets<'a>(table: &'a Table, tenant: &'a str) -> impl Iterator<Item = &'a Budget> {
    table.budgets_for(tenant)
}

#[test]
fn exactly_the_budget_passes_when_sixteen_race_for_it() {
    let table = both(100_000, 1_000);
    let ledger = Mutex::new(Ledger::new(1 << 10));
    let passed = thread::scope(|scope| {
        let racers: Vec<_> = (0..16)
            .map(|n| {
                let (ledger, table) = (&ledger, &table);
                scope.spawn(move || {
                    let payer = who("north", &n.to_string());
                    let mut passed = 0;
                    loop {
                        let mut one = ledger.lock().unwrap();
                        let day = one.today(Day::of(NOON_S));
                        let entry = entry(payer, day, 7);
                        if one.reserve(&entry, budgets(table, "north")).is_err() {
                            return passed;
                        }
                        drop(one);
                        thread::yield_now();
                        // Reserved were seven, used is one.
                        ledger.lock().unwrap().settle(&entry, units_of(1), budgets(table, "north"));
                        passed += 1;
                    }
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).sum::<u32>()
    });
    // Who finds too little left because others hold it, stops: with sixteen of them, early.
    assert!((1_000 - 16 * 7..=1_000 - 6).contains(&passed), "{passed}");
    let mut ledger = ledger.into_inner().unwrap();
    let day = ledger.today(Day::of(NOON_S));
    let one = entry(who("north", "x"), day, 1);
    let rest = (0..).take_while(|_| ledger.reserve(&one, budgets(&table, "north")).is_ok()).count();
    assert_eq!(passed + u32::try_from(rest).unwrap(), 1_000);
}

#[test]
fn what_a_budget_refuses_is_taken_from_none() {
    let table = both(10, 15);
    let mut ledger = Ledger::new(1 << 10);
    let day = ledger.today(Day::of(NOON_S));
    let (ada, bob) = (who("north", "ada"), who("north", "bob"));
    ledger.reserve(&entry(ada, day, 10), budgets(&table, "north")).unwrap();
    let over = ledger.reserve(&entry(bob, day, 6), budgets(&table, "north")).unwrap_err();
    assert!(
        matches!(over, NotTaken::Over { budget, soon: true, .. } if budget.as_str() == "a-month")
    );
    ledger.reserve(&entry(bob, day, 5), budgets(&table, "north")).unwrap();
}

#[test]
fn a_tenants_spending_is_no_other_tenants() {
    let table = both(100, 10);
    let mut ledger = Ledger::new(1 << 10);
    let day = ledger.today(Day::of(NOON_S));
    for tenant in ["north", "south", ""] {
        ledger.reserve(&entry(who(tenant, "ada"), day, 10), budgets(&table, tenant)).unwrap();
    }
}

#[test]
fn a_refusal_says_when_the_budget_is_renewed() {
    let table = both(10, 1_000);
    let mut ledger = Ledger::new(1 << 10);
    let day = ledger.today(Day::of(NOON_S));
    let whole = entry(who("north", "ada"), day, 10);
    ledger.reserve(&whole, budgets(&table, "north")).unwrap();
    ledger.settle(&whole, whole.amount, budgets(&table, "north"));
    let over = ledger.reserve(&whole, budgets(&table, "north")).unwrap_err();
    let NotReserved::Spent(spent) = NotReserved::of(over, day, NOON_S) else { panic!("full") };
    assert_eq!(spent.retry_after_s, 43_200);
    assert_eq!(
        spent.sentence(),
        "your budget `a-day` of this day has not as much left as this request may cost; it is \
         renewed at 2024-02-29T00:00:00Z"
    );
}

#[test]
fn a_day_and_a_month_begin_anew_and_only_once() {
    let table = both(10, 25);
    let mut ledger = Ledger::new(1 << 10);
    let mut spend = |now_s: u64| {
        let day = ledger.today(Day::of(now_s));
        let one = entry(who("north", "ada"), day, 5);
        (0..9).take_while(|_| ledger.reserve(&one, budgets(&table, "north")).is_ok()).count()
    };
    assert_eq!(spend(NOON_S), 2, "a day");
    assert_eq!(spend(NOON_S + DAY_S), 2, "the next");
    assert_eq!(spend(NOON_S), 0, "the clock stepped back");
    assert_eq!(spend(NOON_S + 2 * DAY_S), 2, "the next month");
    assert_eq!(spend(NOON_S + 3 * DAY_S), 2);
    assert_eq!(spend(NOON_S + 4 * DAY_S), 1, "which is spent now");
}

#[test]
fn a_threshold_is_told_once_when_it_is_spent_and_not_when_it_is_held() {
    let table = both(1_000, 100);
    let mut ledger = Ledger::new(1 << 10);
    let day = ledger.today(Day::of(NOON_S));
    let ten = entry(who("north", "ada"), day, 10);
    let mut told = Vec::new();
    for _ in 0..10 {
        ledger.reserve(&ten, budgets(&table, "north")).unwrap();
    }
    for _ in 0..10 {
        told.extend(ledger.settle(&ten, ten.amount, budgets(&table, "north")));
    }
    let told: Vec<_> =
        told.iter().map(|Reached { percent, spent, .. }| (*percent, *spent)).collect();
    assert_eq!(told, [(80, units_of(80)), (95, units_of(100))]);
}

#[test]
fn accounts_that_nobody_spends_from_leave_nothing_behind_and_a_full_table_forgets_nobody() {
    let table = both(10, 1_000);
    let mut ledger = Ledger::new(8);
    let day = ledger.today(Day::of(NOON_S));
    let one = entry(who("north", "ada"), day, 10);
    ledger.reserve(&one, budgets(&table, "north")).unwrap();
    ledger.settle(&one, Money::ZERO, budgets(&table, "north"));
    assert_eq!(ledger.len(), 0);
    let mut names = (0..9).map(|n| n.to_string());
    let passed = names
        .by_ref()
        .take_while(|name| {
            ledger.reserve(&entry(who("north", name), day, 10), budgets(&table, "north")).is_ok()
        })
        .count();
    assert_eq!((passed, ledger.len()), (3, 8));
    let again = ledger.reserve(&entry(who("north", "0"), day, 1), budgets(&table, "north"));
    assert!(matches!(again, Err(NotTaken::Over { .. })), "{again:?}");
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Begin {
        who: usize,
        units: u64,
    },
    Settle {
        which: usize,
        used: u64,
    },
    Lose {
        which: usize,
    },
    /// The gateway is killed and started anew: it knows what is on record.
    Crash,
    NextDay,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..4_usize, 1..40_u64).prop_map(|(who, units)| Step::Begin { who, units }),
        6 => (any::<usize>(), 0..50_u64).prop_map(|(which, used)| Step::Settle { which, used }),
        1 => any::<usize>().prop_map(|which| Step::Lose { which }),
        1 => Just(Step::Crash),
        1 => Just(Step::NextDay),
    ]
}

proptest! {
    #[test]
    fn whatever_the_order_no_budget_is_exceeded_and_a_restart_knows_all_that_was_spent(
        day_units in 20..200_u32,
        month_units in 20..400_u32,
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let table = both(day_units, month_units);
        let all = || budgets(&table, "north");
        let people: Vec<_> = ["a", "b", "c", "d"].map(|subject| who("north", subject)).into();
        let (mut ledger, mut now_s) = (Ledger::new(1 << 10), NOON_S);
        // What stands in the log: what was reserved, and what was used of it once that is known.
        let mut log: Vec<(Entry, Option<u64>)> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for step in steps {
            match step {
                Step::Begin { who, units } => {
                    let day = ledger.today(Day::of(now_s));
                    let entry = entry(people[who], day, units);
                    if ledger.reserve(&entry, all()).is_ok() {
                        open.push(log.len());
                        log.push((entry, None));
                    }
                }
                Step::Settle { which, used } if !open.is_empty() => {
                    let at = open.swap_remove(which % open.len());
                    let (entry, outcome) = &mut log[at];
                    let used = units_of(used).min(entry.amount);
                    ledger.settle(entry, used, all());
                    *outcome = Some(used.picos());
                }
                Step::Lose { which } if !open.is_empty() => {
                    let at = open.swap_remove(which % open.len());
                    ledger.settle(&log[at].0, log[at].0.amount, all());
                }
                Step::Settle { .. } | Step::Lose { .. } => {}
                Step::Crash => {
                    open.clear();
                    ledger = Ledger::new(1 << 10);
                    for (entry, used) in &log {
                        ledger.replay(entry);
                        if let Some(used) = used {
                            let unused = Money::from_picos(entry.amount.picos() - used);
                            ledger.replay_unused(&Entry { amount: unused, ..*entry });
                        }
                    }
                }
                Step::NextDay => now_s += DAY_S,
            }
            let today = ledger.today(Day::of(now_s));
            let cost = |(entry, used): &(Entry, Option<u64>)| {
                u128::from(used.unwrap_or(entry.amount.picos()))
            };
            let month: u128 = log
                .iter()
                .filter(|(entry, _)| Period::month(entry.day) == Period::month(today))
                .map(cost)
                .sum();
            prop_assert!(month <= units_of(month_units.into()).picos().into());
            let tenant = people[0].tenant;
            prop_assert_eq!(ledger.used(BudgetOf::Tenant, tenant, Period::month(today)), month);
            for person in &people {
                let of_day = |(entry, _): &&(Entry, Option<u64>)| {
                    entry.payer.caller == person.caller && entry.day == today
                };
                let day: u128 = log.iter().filter(of_day).map(cost).sum();
                prop_assert!(day <= units_of(day_units.into()).picos().into());
                let used = ledger.used(BudgetOf::Caller, person.caller, Period::day(today));
                prop_assert_eq!(used, day);
            }
        }
    }
}
