//! Days and months, as limits count them: in UTC.

use std::fmt;

use time::{Date, Month, OffsetDateTime};

/// A day, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub u32);

impl Day {
    /// The day of a time in seconds since 1970.
    pub fn of(now_s: u64) -> Self {
        Self(u32::try_from(now_s / DAY_S).unwrap_or(u32::MAX))
    }

    /// The month it lies in, counted from year 0.
    pub fn month(self) -> u32 {
        let date = self.date();
        // Beyond the calendar nothing ever begins anew.
        date.map_or(u32::MAX, |date| months(date.year(), date.month()))
    }

    /// Seconds from `now_s` until it is over, at least 1.
    pub fn ends_in_s(self, now_s: u64) -> u32 {
        until((u64::from(self.0) + 1) * DAY_S, now_s)
    }

    /// Seconds from `now_s` until its month is over, at least 1.
    pub fn month_ends_in_s(self, now_s: u64) -> u32 {
        let next = self.date().and_then(|date| {
            let year = date.year() + i32::from(date.month() == Month::December);
            Date::from_calendar_date(year, date.month().next(), 1).ok()
        });
        let ends = next.map(|next| next.midnight().assume_utc().unix_timestamp());
        until(ends.and_then(|ends| u64::try_from(ends).ok()).unwrap_or(u64::MAX), now_s)
    }

    /// The day after.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The first day of the next month.
    pub fn next_month(self) -> Self {
        let now_s = u64::from(self.0) * DAY_S;
        Self::of(now_s + u64::from(self.month_ends_in_s(now_s)))
    }

    /// When its month begins, in seconds since 1970.
    pub fn month_begins_s(self) -> u64 {
        let days = self.date().map_or(0, |date| u32::from(date.day()) - 1);
        u64::from(self.0.saturating_sub(days)) * DAY_S
    }

    /// Seconds from `now_s` until it begins, at least 1.
    pub fn begins_in_s(self, now_s: u64) -> u32 {
        until(u64::from(self.0) * DAY_S, now_s)
    }

    fn date(self) -> Option<Date> {
        let seconds = i64::try_from(u64::from(self.0) * DAY_S).ok()?;
        OffsetDateTime::from_unix_timestamp(seconds).ok().map(OffsetDateTime::date)
    }
}

impl fmt::Display for Day {
    /// When it begins (RFC 3339).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.date() {
            Some(date) => {
                let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
                write!(f, "{year:04}-{month:02}-{day:02}T00:00:00Z")
            }
            None => f.write_str("the end of the calendar"),
        }
    }
}

fn months(year: i32, month: Month) -> u32 {
    u32::try_from(year).unwrap_or(0) * 12 + u32::from(u8::from(month)) - 1
}

fn until(end_s: u64, now_s: u64) -> u32 {
    u32::try_from(end_s.saturating_sub(now_s)).unwrap_or(u32::MAX).max(1)
}

const DAY_S: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-02-29T23:59:50Z
    const LEAP_DAY_S: u64 = 1_709_251_190;

    #[test]
    fn a_day_and_a_month_end_at_midnight_utc() {
        let day = Day::of(LEAP_DAY_S);
        assert_eq!((day.ends_in_s(LEAP_DAY_S), day.month_ends_in_s(LEAP_DAY_S)), (10, 10));
        assert_eq!(day.month(), 2024 * 12 + 1);
        let next = Day::of(LEAP_DAY_S + 10);
        assert_eq!(next.month(), 2024 * 12 + 2);
        assert_eq!(next.ends_in_s(LEAP_DAY_S + 10), 86_400);
        assert_eq!(next.month_ends_in_s(LEAP_DAY_S + 10), 31 * 86_400);
    }

    #[test]
    fn december_ends_with_its_year() {
        // 2026-12-31T00:00:00Z
        let day = Day::of(1_798_675_200);
        assert_eq!(day.month(), 2026 * 12 + 11);
        assert_eq!(day.month_ends_in_s(1_798_675_200), 86_400);
    }

    #[test]
    fn a_renewal_is_told_as_the_midnight_it_is_at() {
        let day = Day::of(LEAP_DAY_S);
        assert_eq!(day.next().to_string(), "2024-03-01T00:00:00Z");
        assert_eq!(Day::of(LEAP_DAY_S + 10).next_month().to_string(), "2024-04-01T00:00:00Z");
        assert_eq!(day.month_begins_s(), LEAP_DAY_S + 10 - 29 * DAY_S);
        assert_eq!(day.next().begins_in_s(LEAP_DAY_S), 10);
    }

    #[test]
    fn a_day_that_is_ahead_of_the_clock_ends_later() {
        assert_eq!(Day(1).ends_in_s(0), 2 * 86_400);
    }
}
