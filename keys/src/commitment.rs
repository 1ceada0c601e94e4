use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{Secret, labels};

/// Which way a committed tensor went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Into the network: as decoded, before standardisation.
    Input,
    /// Out of it: after the release cut.
    Output,
}

/// A tensor as it is committed to.
#[derive(Debug, Clone, Copy)]
pub struct CommittedTensor<'a> {
    /// Its name.
    pub name: &'a str,
    /// Rows and columns.
    pub shape: &'a [u64],
    /// Its values, row by row; hashed as little-endian 32-bit floats.
    pub values: &'a [f32],
}

/// `HMAC-SHA256(key, label || tensor..)`, each tensor as
/// `u32 name length || name || u32 dimensions || u64 each || u64 values || f32 little-endian each`;
/// lengths and shape are big-endian.
///
/// Without the key the commitment opens to no guess; whoever holds it can try rows.
#[must_use]
pub fn commit(key: &Secret, direction: Direction, tensors: &[CommittedTensor<'_>]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key.expose()).expect("any key fits");
    mac.update(match direction {
        Direction::Input => labels::COMMITMENT_INPUT,
        Direction::Output => labels::COMMITMENT_OUTPUT,
    });
    for tensor in tensors {
        mac.update(&length32(tensor.name.len()));
        mac.update(tensor.name.as_bytes());
        mac.update(&length32(tensor.shape.len()));
        for dimension in tensor.shape {
            mac.update(&dimension.to_be_bytes());
        }
        mac.update(&(tensor.values.len() as u64).to_be_bytes());
        for value in tensor.values {
            mac.update(&value.to_le_bytes());
        }
    }
    mac.finalize().into_bytes().into()
}

fn length32(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: CommittedTensor<'_> =
        CommittedTensor { name: "x", shape: &[1, 2], values: &[1.0, 2.0] };

    fn with(key: u8, direction: Direction, tensor: CommittedTensor<'_>) -> [u8; 32] {
        commit(&Secret::from_bytes([key; 32]), direction, &[tensor])
    }

    #[test]
    fn key_direction_name_shape_and_values_all_count() {
        let base = with(1, Direction::Input, ROW);
        for other in [
            with(2, Direction::Input, ROW),
            with(1, Direction::Output, ROW),
            with(1, Direction::Input, CommittedTensor { name: "y", ..ROW }),
            with(1, Direction::Input, CommittedTensor { shape: &[2, 1], ..ROW }),
            with(1, Direction::Input, CommittedTensor { values: &[1.0, 2.5], ..ROW }),
        ] {
            assert_ne!(base, other);
        }
        assert_eq!(base, with(1, Direction::Input, ROW));
    }

    #[test]
    fn a_dictionary_of_rows_opens_no_commitment_without_its_key() {
        let secret = with(9, Direction::Input, ROW);
        for guess in 0..=u8::MAX {
            let values = [f32::from(guess), 2.0];
            let tensor = CommittedTensor { values: &values, ..ROW };
            // The right row is among the guesses; only the key is not.
            assert_ne!(with(0, Direction::Input, tensor), secret);
        }
    }
}
