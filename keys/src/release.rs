use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};

/// How much of the model's output leaves the worker, from strict to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum ReleaseProfile {
    /// The class alone: 0.0 or 1.0 for a binary head.
    #[n(0)]
    LabelOnly,
    /// Scores rounded to this many digits after the point.
    #[n(1)]
    Rounded(#[n(0)] u8),
    /// The middle of the score's bucket among this many equal ones.
    #[n(2)]
    Buckets(#[n(0)] u16),
    /// Scores as computed.
    #[n(3)]
    Full,
}

impl ReleaseProfile {
    /// Cuts the score of a binary head, a probability, to what the profile allows. The worker does
    /// so before anything is encoded; who replays a receipt does the same.
    #[must_use]
    pub fn cut(self, score: f32) -> f32 {
        match self {
            Self::LabelOnly => f32::from(u8::from(score >= 0.5)),
            Self::Rounded(digits) => {
                let scale = 10f64.powi(i32::from(digits.min(DIGITS_MAX)));
                narrow((f64::from(score) * scale).round() / scale)
            }
            Self::Buckets(count) => {
                let count = f64::from(count.max(1));
                let bucket = (f64::from(score) * count).floor().clamp(0.0, count - 1.0);
                narrow((bucket + 0.5) / count)
            }
            Self::Full => score,
        }
    }
}

/// The words of receipts: `label`, `rounded:N`, `buckets:N` or `full`.
impl fmt::Display for ReleaseProfile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LabelOnly => out.write_str("label"),
            Self::Rounded(digits) => write!(out, "rounded:{digits}"),
            Self::Buckets(count) => write!(out, "buckets:{count}"),
            Self::Full => out.write_str("full"),
        }
    }
}

impl FromStr for ReleaseProfile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        let profile = match text.split_once(':') {
            None if text == "label" => Self::LabelOnly,
            None if text == "full" => Self::Full,
            Some(("rounded", digits)) => Self::Rounded(digits.parse().map_err(|_| UnknownProfile)?),
            Some(("buckets", count)) => Self::Buckets(count.parse().map_err(|_| UnknownProfile)?),
            _ => return Err(UnknownProfile),
        };
        // One spelling each: no sign, no leading zero.
        if profile.to_string() == text { Ok(profile) } else { Err(UnknownProfile) }
    }
}

/// A text that names no [`ReleaseProfile`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of `label`, `rounded:N`, `buckets:N`, `full`")]
pub struct UnknownProfile;

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
            let found = profile.cut(score);
            assert!((found - expected).abs() < 1e-6, "{profile:?} of {score} gave {found}");
        }
    }

    #[test]
    fn a_bucketed_score_has_as_many_values_as_buckets() {
        let mut values: Vec<u32> = (0..=10_000u16)
            .map(|i| ReleaseProfile::Buckets(7).cut(f32::from(i) / 1e4).to_bits())
            .collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), 7);
    }

    #[test]
    fn a_profile_is_one_text() {
        for profile in [
            ReleaseProfile::LabelOnly,
            ReleaseProfile::Rounded(2),
            ReleaseProfile::Buckets(10),
            ReleaseProfile::Full,
        ] {
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
        for text in ["", "Full", "rounded", "rounded:", "rounded:+2", "rounded:02", "buckets:-1"] {
            assert_eq!(text.parse::<ReleaseProfile>(), Err(UnknownProfile), "{text}");
        }
    }
}
