//! Months of UTC.

use sealgate_review::{Moment, day};

/// When the month of a time begins, in microseconds since 1970.
pub(super) fn begins_us(now_us: u64) -> u64 {
    let today = day(now_us);
    let first = format!("{}-01", today.get(..7).unwrap_or_default());
    first.parse::<Moment>().map_or(0, |first| first.us(now_us))
}

/// Whole days of the month after the day of a time.
pub(super) fn days_left(now_us: u64) -> usize {
    let begun = begins_us(now_us);
    let within = |days: u64| begins_us(now_us + days * DAY_US) == begun;
    (1..31).take_while(|days| within(*days)).count()
}

/// When the day of a time begins, in microseconds since 1970.
pub(super) const fn day_begins_us(now_us: u64) -> u64 {
    now_us - now_us % DAY_US
}

/// Microseconds of a day.
pub(super) const DAY_US: u64 = 86_400_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-02-28T12:00:00Z
    const NOON_US: u64 = 1_709_121_600_000_000;

    #[test]
    fn a_month_begins_on_its_first_and_ends_when_the_next_one_does() {
        assert_eq!(begins_us(NOON_US), NOON_US - 27 * DAY_US - DAY_US / 2);
        assert_eq!(days_left(NOON_US), 1);
        assert_eq!(days_left(NOON_US + DAY_US), 0);
        assert_eq!(days_left(NOON_US + 2 * DAY_US), 30);
    }
}
