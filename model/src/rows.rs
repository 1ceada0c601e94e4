//! What goes into a model and what comes out: both are about a person.
//!
//! Neither type can be printed, compared, copied or serialised, and both wipe their values when
//! they are dropped.

use zeroize::Zeroizing;

use crate::ModelError;

/// Rows to score: at least one, each of the same width, every value a finite number.
///
/// ```compile_fail
/// let rows = sealgate_model::Rows::new(1, 1, vec![0.5]).unwrap();
/// println!("{rows:?}");
/// ```
///
/// ```compile_fail
/// let rows = sealgate_model::Rows::new(1, 1, vec![0.5]).unwrap();
/// let copy = rows.clone();
/// ```
pub struct Rows {
    count: usize,
    features: usize,
    values: Zeroizing<Vec<f32>>,
}

impl Rows {
    /// `count` rows of `features` values each, row by row.
    ///
    /// # Errors
    ///
    /// When there is no row, when `values` has another length than `count` x `features`, or when
    /// a value is NaN or infinite. The values are wiped then, too.
    pub fn new(count: usize, features: usize, values: Vec<f32>) -> Result<Self, ModelError> {
        let values = Zeroizing::new(values);
        if count == 0 || features == 0 {
            return Err(ModelError::NoRows);
        }
        if count.checked_mul(features) != Some(values.len()) {
            return Err(ModelError::RowsLength { count, features, found: values.len() });
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(ModelError::ValueNotFinite { row: at / features, feature: at % features });
        }
        Ok(Self { count, features, values })
    }

    /// How many rows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many values a row has.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// The values, row by row.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

/// The answers to [`Rows`], in their order, every value a finite number.
///
/// ```compile_fail
/// fn print(outputs: sealgate_model::Outputs) {
///     println!("{outputs:?}");
/// }
/// ```
pub struct Outputs {
    count: usize,
    width: usize,
    values: Zeroizing<Vec<f32>>,
}

impl Outputs {
    pub(crate) fn new(
        count: usize,
        width: usize,
        values: Zeroizing<Vec<f32>>,
    ) -> Result<Self, ModelError> {
        if width == 0 || count.checked_mul(width) != Some(values.len()) {
            return Err(ModelError::Engine(None));
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(ModelError::OutputNotFinite { row: at / width });
        }
        Ok(Self { count, width, values })
    }

    /// The values, row by row, for the next layer.
    pub(crate) fn into_values(self) -> Zeroizing<Vec<f32>> {
        self.values
    }

    /// How many rows were answered.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many values an answer has.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The values, row by row.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

/// What one part answers is what the next is asked.
impl TryFrom<Outputs> for Rows {
    type Error = ModelError;

    fn try_from(outputs: Outputs) -> Result<Self, ModelError> {
        let Outputs { count, width, values } = outputs;
        if count == 0 {
            return Err(ModelError::NoRows);
        }
        Ok(Self { count, features: width, values })
    }
}

#[cfg(test)]
mod tests {
    use super::{Outputs, Rows};
    use crate::ModelError;
    use zeroize::Zeroizing;

    #[test]
    fn rows_know_their_shape() {
        let rows = Rows::new(2, 3, vec![0.0; 6]);
        assert!(rows.is_ok_and(|rows| (rows.count(), rows.features()) == (2, 3)));
    }

    #[test]
    fn a_missing_value_is_refused() {
        let refused = Rows::new(2, 3, vec![0.0; 5]).err();
        assert!(matches!(refused, Some(ModelError::RowsLength { found: 5, .. })));
    }

    #[test]
    fn a_shape_that_overflows_is_refused() {
        assert!(Rows::new(usize::MAX, 2, vec![0.0; 2]).is_err());
    }

    #[test]
    fn no_rows_are_refused() {
        assert!(matches!(Rows::new(0, 3, Vec::new()).err(), Some(ModelError::NoRows)));
    }

    #[test]
    fn a_value_that_is_no_number_is_named_by_its_place() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let refused = Rows::new(2, 2, vec![0.0, 0.0, 0.0, bad]).err();
            assert!(matches!(refused, Some(ModelError::ValueNotFinite { row: 1, feature: 1 })));
        }
    }

    #[test]
    fn an_answer_that_is_no_number_is_refused() {
        let refused = Outputs::new(2, 1, Zeroizing::new(vec![0.5, f32::NAN])).err();
        assert!(matches!(refused, Some(ModelError::OutputNotFinite { row: 1 })));
    }
}
