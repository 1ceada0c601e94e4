//! Times as people write them.

use jiff::Timestamp;

/// Seconds since 1970 of a time as RFC 3339 writes it, such as `2026-11-23T10:00:00Z`.
/// `None` when it is none, has no offset or lies before 1970.
pub fn parse_time_s(text: &str) -> Option<u64> {
    u64::try_from(text.parse::<Timestamp>().ok()?.as_second()).ok()
}

/// A Monday, noon, UTC: what a case plays at when it does not say.
pub(super) const MONDAY_NOON_S: u64 = 1_767_614_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_with_its_offset_and_not_without() {
        assert_eq!(parse_time_s("2026-01-05T12:00:00Z"), Some(MONDAY_NOON_S));
        assert_eq!(parse_time_s("2026-01-05T14:00:00+02:00"), Some(MONDAY_NOON_S));
        for text in ["2026-01-05T12:00:00", "1969-12-31T23:59:59Z", "noon", ""] {
            assert_eq!(parse_time_s(text), None, "{text}");
        }
    }
}
