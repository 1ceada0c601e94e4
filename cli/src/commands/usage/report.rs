//! What is told, before it is printed.

use sealgate_audit::{Event, PricesSet};
use sealgate_policies::{Costs, Money, Prices};
use sealgate_review::{Filter, Index, UsageBy, Used, instant};
use serde::Serialize;

use super::Options;
use super::budgets::{self, BudgetLeft};
use super::forecast::{Forecast, Known, forecast};
use super::idle::{self, Idle};
use super::money::{UNIT, exact, gb_seconds};
use super::month::{DAY_US, begins_us, day_begins_us, days_left};
use crate::error::CliError;

/// Everything that is told.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) since: String,
    pub(super) until: String,
    pub(super) by: Vec<&'static str>,
    /// What money is in; none where there are no prices.
    pub(super) currency: Option<String>,
    pub(super) used: Vec<Line>,
    pub(super) total: Line,
    /// By day, or by hour for a short time.
    pub(super) over_time: Vec<Line>,
    pub(super) budgets: Vec<BudgetLeft>,
    pub(super) idle: Vec<Idle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) forecast: Option<Expected>,
}

/// What was used by one of those told apart.
#[derive(Serialize)]
pub(super) struct Line {
    pub(super) key: Vec<String>,
    pub(super) requests: u64,
    pub(super) rows: u64,
    pub(super) busy_us: u64,
    pub(super) gb_seconds: String,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    /// An exact decimal.
    pub(super) cost: String,
    #[serde(skip)]
    pub(super) picos: u128,
}

/// What the month is expected to cost.
#[derive(Serialize)]
pub(super) struct Expected {
    pub(super) month: String,
    pub(super) spent: String,
    pub(super) total: f64,
    /// Between which it lies with 80 %.
    pub(super) range: Option<(f64, f64)>,
    pub(super) days: usize,
    pub(super) weekdays: bool,
}

/// What money is told by.
pub(super) enum Rates {
    /// What was charged.
    Charged,
    /// What it would cost now.
    Supposed(Prices),
}

impl Report {
    pub(super) fn of(
        options: &Options,
        index: &Index,
        filter: Filter,
        now_us: u64,
    ) -> Result<Self, CliError> {
        let recorded = newest_prices(index)?;
        let rates = match &options.prices {
            Some(file) => Rates::Supposed(read(file)?),
            None => Rates::Charged,
        };
        let currency = match &rates {
            Rates::Supposed(prices) => Some(prices.currency().to_string()),
            Rates::Charged => recorded.as_ref().map(|set| set.currency.to_string()),
        };
        let since_us = filter.since_us.unwrap_or(0);
        let until_us = filter.until_us.unwrap_or(now_us);
        let lines = |by: &[UsageBy]| -> Result<Vec<Line>, CliError> {
            Ok(index.used(&filter, by)?.into_iter().map(|used| Line::of(used, &rates)).collect())
        };
        let short = until_us.saturating_sub(since_us) <= SHORT_US;
        let step = if short { UsageBy::Hour } else { UsageBy::Day };
        let total = lines(&[])?.into_iter().next();
        let forecast = options.forecast.then(|| expected(index, &filter, &rates, now_us));
        Ok(Self {
            since: instant(since_us),
            until: instant(until_us),
            by: options.by.iter().map(|by| by.as_str()).collect(),
            used: lines(&options.by)?,
            total: total.unwrap_or_else(|| Line::of(Used::default(), &rates)),
            over_time: lines(&[step])?,
            // Amounts are in the currency on record.
            budgets: match (&recorded, &rates) {
                (Some(set), Rates::Charged) => {
                    budgets::left(index, set, options.tenant.as_deref(), now_us)?
                }
                _ => Vec::new(),
            },
            idle: idle::of(index, &filter, recorded.as_ref(), &rates, until_us)?,
            forecast: forecast.transpose()?.flatten(),
            currency,
        })
    }
}

impl Line {
    fn of(used: Used, rates: &Rates) -> Self {
        let picos = match rates {
            Rates::Charged => used.picos,
            Rates::Supposed(prices) => supposed(prices, &used),
        };
        Self {
            requests: used.requests,
            rows: used.rows,
            busy_us: used.busy_us,
            gb_seconds: gb_seconds(used.mb_us.into()),
            bytes_in: used.bytes_in,
            bytes_out: used.bytes_out,
            cost: exact(picos),
            picos,
            key: used.key,
        }
    }
}

/// What so much would cost. Each request alone is rounded up to 10^-12 of the currency; a sum is not.
fn supposed(prices: &Prices, used: &Used) -> u128 {
    let of = |price: Money, count: u64| u128::from(price.picos()) * u128::from(count);
    let time = u128::from(prices.per_gb_second().picos()) * u128::from(used.mb_us);
    of(prices.per_request(), used.requests)
        + of(prices.per_row(), used.rows)
        + time.div_ceil(MB_US_PER_GB_SECOND)
}

/// The prices and budgets that were in force last, if there are any.
fn newest_prices(index: &Index) -> Result<Option<PricesSet>, CliError> {
    let newest = index.events(Some("prices_set"), None, 1)?.into_iter().next();
    Ok(newest.and_then(|newest| match newest.record.event {
        Event::PricesSet(set) if !set.currency.as_str().is_empty() => Some(set),
        _ => None,
    }))
}

fn read(file: &std::path::Path) -> Result<Prices, CliError> {
    let text = std::fs::read_to_string(file).map_err(|source| CliError::Io {
        doing: "read",
        path: file.to_owned(),
        source,
    })?;
    let costs = Costs::of_limits(&text)
        .map_err(|mistakes| CliError::Policies { dir: file.to_owned(), mistakes })?;
    let prices = costs.prices().cloned();
    prices.ok_or_else(|| CliError::Config {
        path: file.to_owned(),
        why: "there is no `[prices]`".to_owned(),
    })
}

/// Of the month that it is now.
fn expected(
    index: &Index,
    filter: &Filter,
    rates: &Rates,
    now_us: u64,
) -> Result<Option<Expected>, CliError> {
    let (month_us, today_us) = (begins_us(now_us), day_begins_us(now_us));
    let first_us = today_us.saturating_sub(HISTORY_DAYS * DAY_US);
    let past = Filter { since_us: Some(first_us), until_us: None, ..filter.clone() };
    let by_day = index.used(&past, &[UsageBy::Day])?;
    let cost = |used: &Used| Line::of(used.clone(), rates).picos;
    let units = |picos: u128| picos as f64 / UNIT as f64;
    let of_day = |day_us: u64| {
        let name = sealgate_review::day(day_us);
        by_day.iter().find(|used| used.key == [name.as_str()]).map(cost).unwrap_or_default()
    };
    // Days without requests count, but not those before there were any.
    let mut days: Vec<u128> =
        (0..HISTORY_DAYS).map(|day| of_day(first_us + day * DAY_US)).collect();
    let begin = days.iter().position(|picos| *picos > 0).unwrap_or(days.len());
    days.drain(..begin);
    let days: Vec<f64> = days.into_iter().map(units).collect();
    let this_month = Filter { since_us: Some(month_us), until_us: None, ..filter.clone() };
    let spent = index.used(&this_month, &[])?.first().map(cost).unwrap_or_default();
    let known = Known {
        days: &days,
        spent: units(spent),
        today_over: (now_us - today_us) as f64 / DAY_US as f64,
        days_left: days_left(now_us),
    };
    let month = sealgate_review::day(now_us).get(..7).unwrap_or_default().to_owned();
    Ok(forecast(&known).map(|Forecast { total, range, days, weekdays }| Expected {
        month,
        spent: exact(spent),
        total,
        range,
        days,
        weekdays,
    }))
}

impl Rates {
    /// What memory costs that is kept for so long, at these prices or else those on record.
    pub(super) fn of_memory(&self, mb_us: u128, recorded: Option<&PricesSet>) -> Option<u128> {
        let price = match self {
            Self::Supposed(prices) => prices.per_gb_second(),
            Self::Charged => recorded?.per_gb_second.as_str().parse().ok()?,
        };
        let price = u128::from(price.picos());
        Some(
            (mb_us / MB_US_PER_GB_SECOND) * price
                + (mb_us % MB_US_PER_GB_SECOND) * price / MB_US_PER_GB_SECOND,
        )
    }

    /// The memory of a model's worker, in MiB.
    pub(super) fn memory_mb(&self, model: &str, recorded: Option<&PricesSet>) -> u32 {
        match (self, recorded) {
            (Self::Supposed(prices), _) => prices.memory().of(model),
            (Self::Charged, Some(set)) => {
                set.memory_of.get(&model.into()).copied().unwrap_or(set.memory_mb)
            }
            (Self::Charged, None) => Costs::default().memory().of(model),
        }
    }
}

const MB_US_PER_GB_SECOND: u128 = 1_024 * 1_000_000;
/// A plot of so short a time is by hours.
const SHORT_US: u64 = 2 * DAY_US;
const HISTORY_DAYS: u64 = 56;
