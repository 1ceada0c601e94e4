//! Times as people write and read them, in UTC: the clock of the records.

use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Unit};

use crate::error::ReviewError;

/// A time as it was typed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Moment {
    /// A point in time, in microseconds of Unix time.
    At(u64),
    /// Midnight, so many days ago.
    DaysAgo(i64),
    /// So many seconds ago.
    SecondsAgo(u64),
}

impl Moment {
    /// Microseconds of Unix time, when it is `now_us`.
    #[must_use]
    pub fn us(self, now_us: u64) -> u64 {
        match self {
            Self::At(us) => us,
            Self::DaysAgo(days) => {
                let midnight = timestamp(now_us).to_zoned(TimeZone::UTC).start_of_day();
                let then = midnight.and_then(|midnight| midnight.checked_sub(days.days()));
                then.map_or(0, |then| unix_us(then.timestamp()))
            }
            Self::SecondsAgo(seconds) => now_us.saturating_sub(seconds.saturating_mul(1_000_000)),
        }
    }
}

impl FromStr for Moment {
    type Err = ReviewError;

    fn from_str(text: &str) -> Result<Self, ReviewError> {
        let typed = || match text {
            "today" => Some(Self::DaysAgo(0)),
            "yesterday" => Some(Self::DaysAgo(1)),
            _ => ago(text).or_else(|| point(text)),
        };
        typed().ok_or_else(|| ReviewError::Moment(text.to_owned()))
    }
}

fn ago(text: &str) -> Option<Moment> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit_s = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let count: u64 = digits.parse().ok()?;
    Some(Moment::SecondsAgo(count.checked_mul(unit_s)?))
}

fn point(text: &str) -> Option<Moment> {
    let day = || Some(text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    // A date is looked for first: with a time behind it, it would be taken for one and cut.
    let whole = text.len() == "2026-11-18".len();
    let then = if whole { day()? } else { text.parse::<Timestamp>().ok()? };
    Some(Moment::At(unix_us(then)))
}

/// A time of a record as RFC 3339, with milliseconds: `2026-11-18T12:00:00.123Z`.
#[must_use]
pub fn instant(time_us: u64) -> String {
    format!("{:.3}", timestamp(time_us))
}

/// The date of a record's time: `2026-11-18`.
#[must_use]
pub fn day(time_us: u64) -> String {
    timestamp(time_us).to_zoned(TimeZone::UTC).date().to_string()
}

/// What time it is, in microseconds of Unix time.
pub(crate) fn now_us() -> u64 {
    unix_us(Timestamp::now())
}

fn timestamp(us: u64) -> Timestamp {
    let us = i64::try_from(us).unwrap_or(i64::MAX);
    // What no calendar holds is shown as its last day.
    Timestamp::from_microsecond(us)
        .and_then(|time| time.round(Unit::Microsecond))
        .unwrap_or(Timestamp::MAX)
}

fn unix_us(time: Timestamp) -> u64 {
    u64::try_from(time.as_microsecond()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    /// 2026-11-18T12:00:00Z.
    const NOON_US: u64 = 1_795_003_200_000_000;

    fn us(text: &str) -> u64 {
        text.parse::<Moment>().unwrap().us(NOON_US)
    }

    #[test]
    fn a_point_in_time_is_taken_as_written() {
        assert_eq!(us("2026-11-18T12:00:00Z"), NOON_US);
        assert_eq!(us("2026-11-18T13:00:00+01:00"), NOON_US);
    }

    #[test]
    fn a_date_is_its_midnight() {
        assert_eq!(instant(us("2026-11-18")), "2026-11-18T00:00:00.000Z");
    }

    #[test]
    fn days_begin_at_midnight_and_spans_count_back_from_now() {
        assert_eq!(instant(us("today")), "2026-11-18T00:00:00.000Z");
        assert_eq!(instant(us("yesterday")), "2026-11-17T00:00:00.000Z");
        assert_eq!(instant(us("24h")), "2026-11-17T12:00:00.000Z");
        assert_eq!(instant(us("90m")), "2026-11-18T10:30:00.000Z");
    }

    #[test]
    fn what_is_no_time_is_refused_with_examples() {
        for text in ["", "h", "noon", "-1h", "2026-13-01", "18446744073709551615d", "é"] {
            let error = text.parse::<Moment>().unwrap_err().to_string();
            assert!(error.contains("yesterday"), "{text}: {error}");
        }
    }

    #[test]
    fn a_time_beyond_the_calendar_is_its_last_day() {
        assert_eq!(day(u64::MAX), "9999-12-30");
    }
}
