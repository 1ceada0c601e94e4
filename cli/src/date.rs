//! Times that people read.

use std::time::{Duration, UNIX_EPOCH};

/// As RFC 9110 writes a time.
pub(crate) fn date(time_s: u64) -> String {
    // What a formatter of dates does not bear is said in digits.
    match UNIX_EPOCH.checked_add(Duration::from_secs(time_s)) {
        Some(time) if time_s < YEAR_9999_S => httpdate::fmt_http_date(time),
        _ => time_s.to_string(),
    }
}

/// 9999-01-01.
const YEAR_9999_S: u64 = 253_370_764_800;

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn a_time_is_a_date_and_one_beyond_all_dates_is_a_number() {
        assert_eq!(date(1_795_442_893), "Mon, 23 Nov 2026 14:08:13 GMT");
        assert_eq!(date(u64::MAX), u64::MAX.to_string());
    }
}
