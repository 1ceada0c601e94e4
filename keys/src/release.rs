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

/// What a model's answers are, as far as a cut must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// One probability in a row.
    Probability,
    /// The probabilities of classes, of which a row has one.
    Classes,
    /// The probabilities of labels, of which a row may have several.
    Labels,
    /// Numbers of any size.
    Numbers,
}

impl ReleaseProfile {
    /// Cuts rows of `width` outputs to what the profile allows. The worker does so before anything
    /// is encoded; who replays a receipt does the same. A label is 1.0 for the largest of a row's
    /// classes, the first of equal ones, and 0.0 for the others; elsewhere it is 1.0 from 0.5 up.
    ///
    /// # Errors
    /// [`Uncut`] for a label or a bucket of [`Head::Numbers`], which have no middle and no ends. The
    /// outputs must not leave then.
    pub fn cut(self, head: Head, width: usize, outputs: &mut [f32]) -> Result<(), Uncut> {
        match (self, head) {
            (Self::Full, _) => {}
            (Self::LabelOnly | Self::Buckets(_), Head::Numbers) => return Err(Uncut),
            (Self::LabelOnly, Head::Classes) => {
                outputs.chunks_mut(width.max(1)).for_each(one_hot);
            }
            _ => outputs.iter_mut().for_each(|output| *output = self.cut_one(*output)),
        }
        Ok(())
    }

    fn cut_one(self, score: f32) -> f32 {
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

fn one_hot(row: &mut [f32]) {
    let mut largest = 0;
    for (at, score) in row.iter().enumerate() {
        if row.get(largest).is_some_and(|most| score > most) {
            largest = at;
        }
    }
    for (at, score) in row.iter_mut().enumerate() {
        *score = f32::from(u8::from(at == largest));
    }
}

/// The profile has no meaning for what the model answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the release profile does not fit what the model answers")]
pub struct Uncut;

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
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
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
            let mut outputs = [score, score];
            profile.cut(Head::Probability, 1, &mut outputs).unwrap();
            let [found, other] = outputs;
            assert_eq!(found, other, "row by row");
            assert!((found - expected).abs() < 1e-6, "{profile:?} of {score} gave {found}");
        }
    }

    #[test]
    fn a_bucketed_score_has_as_many_values_as_buckets() {
        let mut values: Vec<u32> = (0..=10_000u16)
            .map(|i| ReleaseProfile::Buckets(7).cut_one(f32::from(i) / 1e4).to_bits())
            .collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), 7);
    }

    fn cut(profile: ReleaseProfile, head: Head, width: usize, outputs: &[f32]) -> Vec<f32> {
        let mut outputs = outputs.to_vec();
        profile.cut(head, width, &mut outputs).unwrap();
        outputs
    }

    #[test]
    fn the_label_of_a_row_is_its_largest_class_and_no_other() {
        let rows = [0.2, 0.3, 0.5, 0.4, 0.4, 0.2, 0.9, 0.05, 0.05];
        let labels = cut(ReleaseProfile::LabelOnly, Head::Classes, 3, &rows);
        assert_eq!(labels, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn labels_that_stand_side_by_side_are_judged_one_by_one() {
        let labels = cut(ReleaseProfile::LabelOnly, Head::Labels, 3, &[0.5, 0.49, 0.51]);
        assert_eq!(labels, [1.0, 0.0, 1.0]);
    }

    #[test]
    fn each_output_is_rounded_for_itself() {
        for head in [Head::Classes, Head::Labels, Head::Numbers] {
            let rounded = cut(ReleaseProfile::Rounded(1), head, 2, &[0.26, 0.74]);
            assert_eq!(rounded, [0.3, 0.7], "{head:?}");
        }
    }

    #[test]
    fn a_number_has_no_label_and_no_bucket() {
        for profile in [ReleaseProfile::LabelOnly, ReleaseProfile::Buckets(4)] {
            assert_eq!(profile.cut(Head::Numbers, 1, &mut [0.5]), Err(Uncut));
        }
        assert_eq!(cut(ReleaseProfile::Full, Head::Numbers, 1, &[12.5]), [12.5]);
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
