//! How much of a score leaves: the grant's release profile, applied before anything is encoded.

use sealgate_keys::ReleaseProfile;

/// Cuts the score of a binary head, a probability, to what the profile allows.
pub(crate) fn cut(profile: ReleaseProfile, score: f32) -> f32 {
    match profile {
        ReleaseProfile::LabelOnly => f32::from(u8::from(score >= 0.5)),
        ReleaseProfile::Rounded(digits) => {
            let scale = 10f64.powi(i32::from(digits.min(DIGITS_MAX)));
            narrow((f64::from(score) * scale).round() / scale)
        }
        ReleaseProfile::Buckets(count) => {
            let count = f64::from(count.max(1));
            let bucket = (f64::from(score) * count).floor().clamp(0.0, count - 1.0);
            narrow((bucket + 0.5) / count)
        }
        ReleaseProfile::Full => score,
    }
}

const fn narrow(score: f64) -> f32 {
    score as f32
}

/// More digits than a 32-bit float has are no rounding at all.
const DIGITS_MAX: u8 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_profile_lets_out_what_it_says() {
        for (profile, score, expected) in [
            (ReleaseProfile::LabelOnly, 0.49, 0.0),
            (ReleaseProfile::LabelOnly, 0.5, 1.0),
            (ReleaseProfile::Rounded(2), 0.876_543, 0.88),
            (ReleaseProfile::Rounded(1), 0.04, 0.0),
            (ReleaseProfile::Buckets(10), 0.87, 0.85),
            (ReleaseProfile::Buckets(10), 1.0, 0.95),
            (ReleaseProfile::Buckets(10), 0.0, 0.05),
            (ReleaseProfile::Full, 0.876_543, 0.876_543),
        ] {
            let found = cut(profile, score);
            assert!((found - expected).abs() < 1e-6, "{profile:?} of {score} gave {found}");
        }
    }

    #[test]
    fn a_bucketed_score_has_as_many_values_as_buckets() {
        let mut values: Vec<u32> = (0..=10_000u16)
            .map(|i| cut(ReleaseProfile::Buckets(7), f32::from(i) / 1e4).to_bits())
            .collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), 7);
    }
}
