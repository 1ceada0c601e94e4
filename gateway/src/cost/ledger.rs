//! Who has spent how much of which day and month: sums alone, with everything else passed in.
//!
//! What a request may cost at most is taken before the work, from all of its accounts or from none,
//! and what it did cost is settled afterwards. So the sum of what is charged never exceeds a
//! budget, in whatever order requests begin and end.

use std::collections::HashMap;

use sealgate_policies::{Budget, BudgetName, BudgetOf, BudgetPer, Money};
use serde::{Deserialize, Serialize};

use crate::limits::{Day, Key, Period};

/// All accounts of the periods that count.
#[derive(Clone)]
pub struct Ledger {
    accounts: HashMap<Account, Sum>,
    newest: Day,
    accounts_max: usize,
}

/// Who pays: each under a keyed hash of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payer {
    pub tenant: Key,
    pub caller: Key,
}

/// What a request takes from its payer's accounts.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub payer: Payer,
    pub day: Day,
    pub amount: Money,
}

/// One payer's sum of one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Account {
    of: BudgetOf,
    key: Key,
    period: Period,
}

/// In 10^-12 of the currency. Wide, for budgets may be raised and prices changed in between.
#[derive(Clone, Default)]
struct Sum {
    /// Taken, and not given back.
    used: u128,
    /// Of it, what requests in flight hold and may give back.
    held: u128,
    /// The highest threshold that has been told, by budget.
    told: Vec<(BudgetName, u8)>,
}

/// An account as it is kept on disk.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    caller: bool,
    key: String,
    month: bool,
    number: u32,
    /// Digits, for a number of JSON may be read with fewer.
    used: String,
    told: Vec<(String, u8)>,
}

/// Why nothing was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// This budget has not as much left.
    Over {
        budget: BudgetName,
        of: BudgetOf,
        per: BudgetPer,
        /// Whether there is enough if the requests in flight use none of theirs.
        soon: bool,
    },
    /// There are more accounts than fit.
    Full,
}

/// A threshold that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    pub budget: BudgetName,
    pub percent: u8,
    /// What is spent, without what requests in flight hold.
    pub spent: Money,
}

impl Ledger {
    /// With room for so many accounts.
    pub fn new(accounts_max: usize) -> Self {
        Self { accounts: HashMap::new(), newest: Day(0), accounts_max }
    }

    /// The day that counts: never one before a day that has counted already. With a new one, what
    /// is older than the day and the month before is forgotten; requests that began before midnight
    /// are still settled.
    pub fn today(&mut self, today: Day) -> Day {
        if today > self.newest {
            self.newest = today;
            let kept = [Period::day(today), Period::month(today)].map(Period::before);
            self.accounts
                .retain(|account, _| kept.iter().all(|kept| !account.period.is_older_than(*kept)));
        }
        self.newest
    }

    /// Takes what a request may cost at most, if every budget has as much left.
    ///
    /// # Errors
    /// [`NotTaken`]; then nothing is taken.
    pub fn reserve<'b>(
        &mut self,
        entry: &Entry,
        budgets: impl Iterator<Item = &'b Budget>,
    ) -> Result<(), NotTaken> {
        let accounts = entry.accounts();
        let amount = wide(entry.amount);
        let mut over = None;
        for budget in budgets {
            let sum = self.accounts.get(&entry.account(budget));
            let (used, held) = sum.map_or((0, 0), |sum| (sum.used, sum.held));
            if used + amount > wide(budget.amount()) {
                let soon = used + amount - held <= wide(budget.amount());
                let (budget, of, per) = (budget.name(), budget.of(), budget.per());
                let why = NotTaken::Over { budget, of, per, soon };
                // Of several, the one that is over for longest.
                let longest = !soon && per == BudgetPer::Month;
                over = Some(over.filter(|_| !longest).unwrap_or(why));
            }
        }
        if let Some(over) = over {
            return Err(over);
        }
        let new = accounts.iter().filter(|account| !self.accounts.contains_key(account)).count();
        if self.accounts.len() + new > self.accounts_max {
            return Err(NotTaken::Full);
        }
        for account in accounts {
            let sum = self.accounts.entry(account).or_default();
            sum.used += amount;
            sum.held += amount;
        }
        Ok(())
    }

    /// Ends what a request held, of which it used `used`, and says which thresholds that reaches.
    pub fn settle<'b>(
        &mut self,
        entry: &Entry,
        used: Money,
        budgets: impl Iterator<Item = &'b Budget>,
    ) -> Vec<Reached> {
        let (held, used) = (wide(entry.amount), wide(used.min(entry.amount)));
        for account in entry.accounts() {
            if let Some(sum) = self.accounts.get_mut(&account) {
                sum.held = sum.held.saturating_sub(held);
                sum.used = sum.used.saturating_sub(held - used);
                if sum.used == 0 && sum.told.is_empty() {
                    self.accounts.remove(&account);
                }
            }
        }
        budgets.filter_map(|budget| self.reached(entry, budget)).collect()
    }

    /// The highest threshold that is reached and was not told, which is told now.
    fn reached(&mut self, entry: &Entry, budget: &Budget) -> Option<Reached> {
        let sum = self.accounts.get_mut(&entry.account(budget))?;
        let spent = sum.used.saturating_sub(sum.held);
        let is_reached =
            |percent: &&u8| spent * 100 >= wide(budget.amount()) * u128::from(**percent);
        let percent = *budget.warn_percent().iter().rev().find(is_reached)?;
        if sum.told(budget.name()) >= percent {
            return None;
        }
        sum.tell(budget.name(), percent);
        let spent = Money::from_picos(u64::try_from(spent).unwrap_or(u64::MAX));
        Some(Reached { budget: budget.name(), percent, spent })
    }

    /// Adds what the record says was taken: nobody can be refused any more.
    pub fn replay(&mut self, entry: &Entry) {
        self.today(entry.day);
        for account in entry.accounts() {
            self.accounts.entry(account).or_default().used += wide(entry.amount);
        }
    }

    /// Takes back what the record says was not used of it.
    pub fn replay_unused(&mut self, entry: &Entry) {
        for account in entry.accounts() {
            if let Some(sum) = self.accounts.get_mut(&account) {
                sum.used = sum.used.saturating_sub(wide(entry.amount));
            }
        }
    }

    /// Notes that the record has told of a threshold.
    pub fn replay_told(
        &mut self,
        (of, key, period): (BudgetOf, Key, Period),
        budget: BudgetName,
        percent: u8,
    ) {
        self.accounts.entry(Account { of, key, period }).or_default().tell(budget, percent);
    }

    /// The latest day that has counted.
    pub const fn newest(&self) -> Day {
        self.newest
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::new(self.accounts_max);
    }

    /// Every account, to be kept.
    pub fn kept(&self) -> Vec<Kept> {
        let kept = |(account, sum): (&Account, &Sum)| {
            let (month, number) = match account.period {
                Period::Day(day) => (false, day),
                Period::Month(month) => (true, month),
            };
            Kept {
                caller: account.of == BudgetOf::Caller,
                key: hex::encode(account.key.as_bytes()),
                month,
                number,
                used: sum.used.to_string(),
                told: sum.told.iter().map(|(name, at)| (name.as_str().to_owned(), *at)).collect(),
            }
        };
        self.accounts.iter().map(kept).collect()
    }

    /// Adds one that was kept; `None` if it is none.
    pub fn restore(&mut self, kept: &Kept) -> Option<()> {
        let mut key = [0; 16];
        hex::decode_to_slice(&kept.key, &mut key).ok()?;
        let told = kept.told.iter().map(|(name, at)| Some((BudgetName::new(name)?, *at)));
        let sum =
            Sum { used: kept.used.parse().ok()?, held: 0, told: told.collect::<Option<_>>()? };
        let account = Account {
            of: if kept.caller { BudgetOf::Caller } else { BudgetOf::Tenant },
            key: Key::from_bytes(key),
            period: if kept.month { Period::Month(kept.number) } else { Period::Day(kept.number) },
        };
        self.accounts.insert(account, sum);
        Some(())
    }

    #[cfg(test)]
    pub fn used(&self, of: BudgetOf, key: Key, period: Period) -> u128 {
        self.accounts.get(&Account { of, key, period }).map_or(0, |sum| sum.used)
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.accounts.len()
    }
}

impl Entry {
    fn accounts(&self) -> [Account; 4] {
        let periods = [Period::day(self.day), Period::month(self.day)];
        let payers = [(BudgetOf::Tenant, self.payer.tenant), (BudgetOf::Caller, self.payer.caller)];
        let [day, month] = periods;
        let [(tenant, its), (caller, his)] = payers;
        [(tenant, its, day), (tenant, its, month), (caller, his, day), (caller, his, month)]
            .map(|(of, key, period)| Account { of, key, period })
    }

    fn account(&self, budget: &Budget) -> Account {
        let key = match budget.of() {
            BudgetOf::Tenant => self.payer.tenant,
            BudgetOf::Caller => self.payer.caller,
        };
        Account { of: budget.of(), key, period: period(budget.per(), self.day) }
    }
}

impl Sum {
    fn told(&self, budget: BudgetName) -> u8 {
        let told = self.told.iter().find(|(name, _)| *name == budget);
        told.map_or(0, |(_, percent)| *percent)
    }

    fn tell(&mut self, budget: BudgetName, percent: u8) {
        match self.told.iter_mut().find(|(name, _)| *name == budget) {
            Some((_, told)) => *told = percent.max(*told),
            None => self.told.push((budget, percent)),
        }
    }
}

/// The period of a budget that a day lies in.
pub fn period(per: BudgetPer, day: Day) -> Period {
    match per {
        BudgetPer::Day => Period::day(day),
        BudgetPer::Month => Period::month(day),
    }
}

fn wide(money: Money) -> u128 {
    money.picos().into()
}
