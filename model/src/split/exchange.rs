//! What head and parts tell each other: questions and answers, in bytes.
//!
//! A question is `u32 segment || u32 rows || values`, an answer `values`; numbers are little-endian,
//! values are FP32, row by row. Both are as secret as rows are.

use zeroize::Zeroizing;

use crate::{ModelError, Outputs, Rows};

/// Asks for what a segment makes of `rows`.
pub(super) fn question(segment: usize, rows: &Rows) -> Result<Zeroizing<Vec<u8>>, ModelError> {
    let number = |n: usize| u32::try_from(n).map(u32::to_le_bytes);
    let (Ok(segment), Ok(count)) = (number(segment), number(rows.count())) else {
        return Err(ModelError::Exchange);
    };
    let mut bytes = Zeroizing::new(vec![0; HEAD_BYTES + 4 * rows.values().len()]);
    let (head, values) = bytes.split_at_mut(HEAD_BYTES);
    head.copy_from_slice(&[segment, count].concat());
    write(values, rows.values());
    Ok(bytes)
}

/// Reads a question; `inputs` says how many values a row of which segment has.
pub(super) fn asked(
    bytes: &[u8],
    inputs: impl Fn(usize) -> Option<usize>,
) -> Result<(usize, Rows), ModelError> {
    let (segment, rest) = bytes.split_first_chunk::<4>().ok_or(ModelError::Exchange)?;
    let (count, values) = rest.split_first_chunk::<4>().ok_or(ModelError::Exchange)?;
    let [segment, count] = [segment, count].map(|number| u32::from_le_bytes(*number) as usize);
    let width = inputs(segment).ok_or(ModelError::Exchange)?;
    if count.checked_mul(width).and_then(|values| values.checked_mul(4)) != Some(values.len()) {
        return Err(ModelError::Exchange);
    }
    Ok((segment, Rows::new(count, width, floats(values))?))
}

/// What is answered.
pub(super) fn answer(outputs: &Outputs) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![0; 4 * outputs.values().len()]);
    write(&mut bytes, outputs.values());
    bytes
}

/// Reads an answer of `count` rows with `width` values each.
pub(super) fn answered(bytes: &[u8], count: usize, width: usize) -> Result<Outputs, ModelError> {
    let expected = count.checked_mul(width).and_then(|values| values.checked_mul(4));
    if expected != Some(bytes.len()) {
        return Err(ModelError::Exchange);
    }
    Outputs::new(count, width, Zeroizing::new(floats(bytes)))
}

/// Little-endian, each in its place.
fn write(bytes: &mut [u8], values: &[f32]) {
    for (word, value) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(values) {
        *word = value.to_le_bytes();
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

const HEAD_BYTES: usize = 8;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use proptest::prelude::*;

    use super::{answered, asked, question};
    use crate::Rows;

    fn width(segment: usize) -> Option<usize> {
        [2, 3].get(segment).copied()
    }

    #[test]
    fn a_question_reads_back_and_no_cut_of_it_does() {
        let rows = Rows::new(2, 3, vec![1.0, -2.0, 0.5, 0.0, 1e30, 4.0]).unwrap();
        let bytes = question(1, &rows).unwrap();
        let (segment, back) = asked(&bytes, width).unwrap();
        assert_eq!((segment, back.count(), back.values()), (1, 2, rows.values()));
        for end in 0..bytes.len() {
            assert!(asked(&bytes[..end], width).is_err(), "cut at {end}");
        }
        assert!(asked(&[&bytes[..], &[0]].concat(), width).is_err());
    }

    #[test]
    fn a_segment_that_is_not_there_and_a_number_that_is_none_are_refused() {
        let rows = Rows::new(1, 2, vec![1.0, 2.0]).unwrap();
        assert!(asked(&question(2, &rows).unwrap(), width).is_err());
        let mut bytes = question(0, &rows).unwrap();
        bytes[8..12].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(asked(&bytes, width).is_err());
        assert!(answered(&f32::NAN.to_le_bytes(), 1, 1).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok((segment, rows)) = asked(&bytes, width) {
                prop_assert_eq!(&*question(segment, &rows).unwrap(), &bytes);
            }
            let _ = answered(&bytes, 2, 3);
            let _ = answered(&bytes, usize::MAX, 2);
        }
    }
}
