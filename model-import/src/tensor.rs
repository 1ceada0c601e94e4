//! Stored numbers with a shape.

use crate::ImportError;
use crate::error::shown;

/// A tensor of a file. Its shape and its values agree, and its numbers are finite.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    shape: Vec<usize>,
    values: Values,
}

#[derive(Clone, Debug)]
pub(crate) enum Values {
    Floats(Vec<f64>),
    Integers(Vec<i64>),
    Texts(Vec<String>),
}

impl Tensor {
    /// # Errors
    ///
    /// When shape and values differ, or a number is not finite.
    pub(crate) fn new(name: &str, shape: Vec<usize>, values: Values) -> Result<Self, ImportError> {
        let refused = |what| Err(ImportError::Tensor { tensor: shown(name), what });
        if element_count(&shape) != Some(values.len()) {
            return refused("has not as many values as its shape says");
        }
        if matches!(&values, Values::Floats(floats) if !floats.iter().all(|value| value.is_finite()))
        {
            return refused("holds a value that is not a finite number");
        }
        Ok(Self { shape, values })
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn floats(&self) -> Option<&[f64]> {
        match &self.values {
            Values::Floats(values) => Some(values),
            _ => None,
        }
    }

    pub(crate) fn integers(&self) -> Option<&[i64]> {
        match &self.values {
            Values::Integers(values) => Some(values),
            _ => None,
        }
    }

    /// What a class may be called: texts, or numbers as texts.
    pub(crate) fn names(&self) -> Option<Vec<String>> {
        match &self.values {
            Values::Texts(values) => Some(values.clone()),
            Values::Integers(values) => Some(values.iter().map(ToString::to_string).collect()),
            Values::Floats(_) => None,
        }
    }

    /// The same numbers as floating-point ones.
    pub(crate) fn to_floats(&self) -> Option<Self> {
        let values = match &self.values {
            Values::Floats(_) => return Some(self.clone()),
            Values::Integers(values) => values.iter().map(|value| *value as f64).collect(),
            Values::Texts(_) => return None,
        };
        Some(Self { shape: self.shape.clone(), values: Values::Floats(values) })
    }

    /// The same values in another shape of as many.
    pub(crate) fn reshaped(&self, shape: &[usize]) -> Option<Self> {
        (element_count(shape) == Some(self.values.len()))
            .then(|| Self { shape: shape.to_vec(), values: self.values.clone() })
    }

    /// The transposed one, of a shape [rows, columns].
    pub(crate) fn turned(&self, rows: usize, columns: usize) -> Option<Self> {
        let values = self.floats()?;
        let column = |at: usize| values.iter().skip(at).step_by(columns.max(1)).copied();
        let values = Values::Floats((0..columns).flat_map(column).take(rows * columns).collect());
        Some(Self { shape: vec![columns, rows], values })
    }

    /// A value for each feature, or one for all of them: every dimension but the last is 1.
    pub(crate) fn row(&self) -> Option<&[f64]> {
        let (_, leading) = self.shape.split_last().unwrap_or((&1, &[]));
        self.floats().filter(|_| leading.iter().all(|&dimension| dimension == 1))
    }

    /// The only value.
    pub(crate) fn scalar(&self) -> Option<f64> {
        match self.floats() {
            Some([value]) => Some(*value),
            _ => None,
        }
    }
}

impl Values {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Integers(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }
}

/// A matrix of shape [inputs, units], row by row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Matrix {
    pub(crate) inputs: usize,
    pub(crate) units: usize,
    pub(crate) values: Vec<f64>,
}

impl Matrix {
    /// A tensor of two dimensions, of shape [units, inputs] when it is `transposed`. Neither may
    /// be zero.
    pub(crate) fn of(tensor: &Tensor, transposed: bool) -> Option<Self> {
        let (&[rows, columns], Some(values)) = (tensor.shape(), tensor.floats()) else {
            return None;
        };
        if rows == 0 || columns == 0 {
            return None;
        }
        if !transposed {
            return Some(Self { inputs: rows, units: columns, values: values.to_vec() });
        }
        let column = |at: usize| values.iter().skip(at).step_by(columns).copied();
        let values = (0..columns).flat_map(column).collect();
        Some(Self { inputs: columns, units: rows, values })
    }

    pub(crate) fn identity(width: usize) -> Self {
        let value = |at: usize| if at.is_multiple_of(width + 1) { 1.0 } else { 0.0 };
        Self { inputs: width, units: width, values: (0..width * width).map(value).collect() }
    }

    /// One row for each input.
    pub(crate) fn rows(&self) -> std::slice::ChunksExact<'_, f64> {
        self.values.chunks_exact(self.units)
    }

    pub(crate) fn rows_mut(&mut self) -> std::slice::ChunksExactMut<'_, f64> {
        self.values.chunks_exact_mut(self.units)
    }
}

/// How many elements a shape has, if that is a number.
pub(crate) fn element_count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |count, dimension| count.checked_mul(*dimension))
}

/// How many more numbers may be taken out of a file: some formats let few bytes stand for many.
pub(crate) struct Budget(usize);

impl Budget {
    pub(crate) const fn new() -> Self {
        Self(ELEMENTS_MAX)
    }

    pub(crate) fn take(&mut self, elements: usize) -> Result<(), ImportError> {
        match self.0.checked_sub(elements) {
            Some(left) => self.0 = left,
            None => return Err(ImportError::Limit { what: "stored numbers", max: ELEMENTS_MAX }),
        }
        Ok(())
    }
}

/// As many parameters as the largest artifact holds.
pub(crate) const ELEMENTS_MAX: usize = 1 << 26;
/// The most dimensions that any tensor of such a network has, and some more.
pub(crate) const RANK_MAX: usize = 8;
