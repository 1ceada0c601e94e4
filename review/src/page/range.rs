//! How far back an overview looks, and into how many spans that is cut.

use serde::Deserialize;

use crate::error::ReviewError;
use crate::index::{HOUR_US, Index};
use crate::moment::{day, instant, now_us};
use crate::query::Filter;

/// How far back.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub(super) enum Range {
    #[serde(rename = "24h")]
    Day,
    #[serde(rename = "7d")]
    Week,
    #[serde(rename = "30d")]
    Month,
    #[serde(rename = "all")]
    All,
}

impl Range {
    pub(super) const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::All];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::All => "all",
        }
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Day => "24 hours",
            Self::Week => "7 days",
            Self::Month => "30 days",
            Self::All => "All",
        }
    }

    /// What was asked for; otherwise a week, or all of a log that had no request lately.
    pub(super) fn choose(asked: Option<Self>, index: &Index) -> Result<Self, ReviewError> {
        if let Some(asked) = asked {
            return Ok(asked);
        }
        let lately = Filter { since_us: Self::Week.since_us(), ..Filter::default() };
        let requests = index.totals(&lately, &[], 1)?.first().map_or(0, |total| total.requests);
        Ok(if requests > 0 { Self::Week } else { Self::All })
    }

    /// When it begins: on the hour, and for days on the day, where counts are kept.
    pub(super) fn since_us(self) -> Option<u64> {
        let back = |units: u64, unit_us: u64| {
            let begun = now_us() / unit_us;
            Some(begun.saturating_sub(units - 1) * unit_us)
        };
        match self {
            Self::Day => back(24, HOUR_US),
            Self::Week => back(7, DAY_US),
            Self::Month => back(30, DAY_US),
            Self::All => None,
        }
    }
}

/// The spans that a range is cut into, all of one length.
pub(super) struct Spans {
    /// When the first begins, in hours of Unix time.
    first: u64,
    /// When the last begins.
    last: u64,
    /// How long one is.
    pub(super) step_hours: u64,
}

impl Spans {
    /// At most [`SPANS_MAX`] of them.
    pub(super) fn of(range: Range, index: &Index) -> Result<Self, ReviewError> {
        let now = now_us();
        let (first, last) = match range.since_us() {
            Some(since) => (since, now),
            None => index.span_us()?.unwrap_or((now, now)),
        };
        let (first, last) = (first / HOUR_US, last / HOUR_US);
        let hours = last.saturating_sub(first) + 1;
        let fits = |step: &u64| hours.div_ceil(*step) <= SPANS_MAX;
        let step_hours = STEPS_HOURS.into_iter().find(fits).unwrap_or(24 * 365);
        let align = |hour: u64| hour / step_hours * step_hours;
        Ok(Self { first: align(first), last: align(last), step_hours })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.place(self.last) + 1
    }

    /// Which of them begins at this hour.
    pub(super) fn place(&self, hour: u64) -> usize {
        let place = hour.saturating_sub(self.first) / self.step_hours;
        usize::try_from(place).unwrap_or(usize::MAX)
    }

    /// When the one at this place begins.
    pub(super) fn begin(&self, place: usize) -> String {
        self.name(self.first + place as u64 * self.step_hours)
    }

    /// When the first begins.
    pub(super) fn first(&self) -> String {
        self.name(self.first)
    }

    /// When the last begins.
    pub(super) fn last(&self) -> String {
        self.name(self.last)
    }

    /// How long one is.
    pub(super) fn words(&self) -> String {
        match self.step_hours {
            1 => "an hour".to_owned(),
            24 => "a day".to_owned(),
            hours if hours.is_multiple_of(24) => format!("{} days", hours / 24),
            hours => format!("{hours} hours"),
        }
    }

    fn name(&self, hour: u64) -> String {
        let us = hour.saturating_mul(HOUR_US);
        match self.step_hours.is_multiple_of(24) {
            true => day(us),
            false => instant(us).get(..16).unwrap_or_default().replace('T', " "),
        }
    }
}

const DAY_US: u64 = 24 * HOUR_US;
const SPANS_MAX: u64 = 170;
const STEPS_HOURS: [u64; 7] = [1, 3, 6, 24, 24 * 7, 24 * 30, 24 * 90];
