//! What is learned from the training rows before any weight: means, deviations and ranges.

use sealgate_model::Standardisation;

use crate::Dataset;

/// Fitted on the training rows only: a row that is held back must not leave a trace in it.
pub(crate) struct Fit {
    pub(crate) standardisation: Standardisation,
    /// The smallest and the largest value of each feature.
    pub(crate) ranges: Vec<[f32; 2]>,
}

impl Fit {
    pub(crate) fn of(data: &Dataset) -> Self {
        let (mut mean, mut std, mut ranges) = (Vec::new(), Vec::new(), Vec::new());
        for feature in 0..data.columns.len() {
            let column = || column(data, feature);
            let average = column().map(f64::from).sum::<f64>() / data.rows() as f64;
            let square = |value| (f64::from(value) - average).powi(2);
            let variance = column().map(square).sum::<f64>() / data.rows() as f64;
            mean.push(average as f32);
            std.push(usable(variance.sqrt() as f32));
            ranges.push([
                column().fold(f32::INFINITY, f32::min),
                column().fold(f32::NEG_INFINITY, f32::max),
            ]);
        }
        Self { standardisation: Standardisation { mean, std }, ranges }
    }

    /// All rows, standardised.
    pub(crate) fn apply(&self, data: &Dataset) -> Vec<f32> {
        let Standardisation { mean, std } = &self.standardisation;
        let parameters = mean.iter().zip(std).cycle();
        data.values
            .iter()
            .zip(parameters)
            .map(|(value, (mean, std))| (value - mean) / std)
            .collect()
    }
}

fn column(data: &Dataset, feature: usize) -> impl Iterator<Item = f32> {
    data.values.iter().skip(feature).step_by(data.columns.len()).copied()
}

/// A feature that never changes has nothing to be divided by.
fn usable(std: f32) -> f32 {
    if std > f32::MIN_POSITIVE { std } else { 1.0 }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::Fit;
    use crate::{Dataset, Target};

    #[test]
    fn mean_deviation_and_range_are_those_of_the_rows() {
        let fit = Fit::of(&data("1\n3\n5\n7\n"));
        assert_eq!(fit.standardisation.mean, [4.0]);
        assert_eq!(fit.standardisation.std, [5.0_f32.sqrt()]);
        assert_eq!(fit.ranges, [[1.0, 7.0]]);
    }

    #[test]
    fn a_row_that_is_held_back_leaves_no_trace() {
        let all = data("1\n3\n5\n7\n");
        let fit = Fit::of(&all.subset(&[0, 1]));
        assert_eq!(fit.standardisation.mean, [2.0]);
        assert_eq!(fit.ranges, [[1.0, 3.0]]);
    }

    #[test]
    fn a_feature_that_never_changes_is_left_alone() {
        assert_eq!(Fit::of(&data("2\n2\n2\n2\n")).standardisation.std, [1.0]);
    }

    /// One feature; the classes take turns.
    fn data(column: &str) -> Dataset {
        let mut text = "class,a\n".to_owned();
        for (line, class) in column.lines().zip(["yes", "no"].into_iter().cycle()) {
            text.push_str(&format!("{class},{line}\n"));
        }
        Dataset::from_csv("test", text.as_bytes(), &Target::new("class", "yes")).unwrap()
    }
}
