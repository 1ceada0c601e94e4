//! Receiver operating characteristics: how well scores tell classes apart, at every threshold.

use crate::Truth;

/// A curve for each class that is answered and has rows on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Roc {
    /// The curves, in the order of the classes.
    pub curves: Vec<RocCurve>,
}

/// The curve of one class against all others.
#[derive(Clone, Debug, PartialEq)]
pub struct RocCurve {
    /// The class.
    pub class: String,
    /// From [0, 0] to [1, 1]: the share of the others that are taken for the class, and the share
    /// of the class that is.
    pub points: Vec<[f64; 2]>,
}

impl Roc {
    /// The curves of `answers`, row by row, to rows of which `strata` gives the class; nothing
    /// where the truth is a number.
    pub(crate) fn of(truth: &Truth, answers: &[f32], strata: &[usize]) -> Option<Self> {
        let of_class = |name: &str, at: usize, class: usize, width: usize| {
            let scores = answers.iter().skip(at).step_by(width).copied();
            let points = points(scores.zip(strata.iter().map(|&of| of == class)).collect())?;
            Some(RocCurve { class: name.to_owned(), points })
        };
        let curves = match truth {
            Truth::Binary { classes: [_, positive], .. } => {
                of_class(positive, 0, 1, 1).into_iter().collect()
            }
            Truth::Classes { classes, .. } => {
                let width = classes.len();
                let each = classes.iter().enumerate();
                each.filter_map(|(at, name)| of_class(name, at, at, width)).collect()
            }
            Truth::Numbers { .. } => return None,
        };
        Some(Self { curves })
    }
}

/// Down through the scores; rows of one score go together, for no threshold parts them.
fn points(mut pairs: Vec<(f32, bool)>) -> Option<Vec<[f64; 2]>> {
    let inside = pairs.iter().filter(|(_, label)| *label).count();
    let outside = pairs.len() - inside;
    if inside == 0 || outside == 0 {
        return None;
    }
    pairs.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    let (mut right, mut wrong) = (0, 0);
    let mut points = vec![[0.0, 0.0]];
    for tied in pairs.chunk_by(|(left, _), (right, _)| left == right) {
        let hits = tied.iter().filter(|(_, label)| *label).count();
        right += hits;
        wrong += tied.len() - hits;
        points.push([wrong as f64 / outside as f64, right as f64 / inside as f64]);
    }
    Some(points)
}

#[cfg(test)]
mod tests {
    use super::{Roc, points};
    use crate::Truth;

    #[test]
    fn the_curve_climbs_with_each_row_of_the_class_and_moves_right_with_each_other() {
        let pairs = vec![(0.9, true), (0.8, false), (0.7, true), (0.1, false)];
        let expected = [[0.0, 0.0], [0.0, 0.5], [0.5, 0.5], [0.5, 1.0], [1.0, 1.0]];
        assert_eq!(points(pairs), Some(expected.to_vec()));
    }

    #[test]
    fn equal_scores_are_one_step() {
        assert_eq!(points(vec![(0.5, true), (0.5, false)]), Some(vec![[0.0, 0.0], [1.0, 1.0]]));
    }

    #[test]
    fn rows_of_one_class_have_no_curve() {
        assert_eq!(points(vec![(0.5, true), (0.4, true)]), None);
    }

    #[test]
    fn each_class_has_its_own_curve() {
        let classes = ["a", "b"].map(str::to_owned).to_vec();
        let truth = Truth::Classes { classes, labels: vec![0, 1] };
        let roc = Roc::of(&truth, &[0.9, 0.1, 0.2, 0.8], &[0, 1]);
        let curves = roc.map(|roc| roc.curves).unwrap_or_default();
        assert_eq!(curves.len(), 2);
        assert!(curves.iter().all(|curve| curve.points == [[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]]));
    }
}
