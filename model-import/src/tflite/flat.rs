//! Flatbuffers: tables and vectors by offset, each offset checked where it is followed.

use crate::{Format, ImportError};

/// A table: fields by number, found by way of its vtable.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    file: &'a [u8],
    at: usize,
    vtable: &'a [u8],
}

impl<'a> Table<'a> {
    /// The table that a file begins with; `identifier` must stand behind its offset.
    pub(super) fn root(file: &'a [u8], identifier: [u8; 4]) -> Result<Self, ImportError> {
        if file.get(4..8) != Some(&identifier) {
            return Err(damaged("it does not begin as one"));
        }
        Self::at(file, follow(file, 0)?)
    }

    fn at(file: &'a [u8], at: usize) -> Result<Self, ImportError> {
        let back = i64::from(i32::from_le_bytes(array(file, at)?));
        let vtable = i64::try_from(at).ok().and_then(|at| at.checked_sub(back));
        let start = vtable.and_then(|at| usize::try_from(at).ok()).ok_or(damaged(OUTSIDE))?;
        let bytes = usize::from(u16::from_le_bytes(array(file, start)?));
        let vtable = file.get(start..).and_then(|rest| rest.get(..bytes));
        Ok(Self { file, at, vtable: vtable.ok_or(damaged(OUTSIDE))? })
    }

    /// Where a field is; nothing when the table leaves it at its default.
    fn field(&self, number: usize) -> Option<usize> {
        let offset = self.vtable.get(4 + 2 * number..)?.first_chunk()?;
        match u16::from_le_bytes(*offset) {
            0 => None,
            offset => self.at.checked_add(offset.into()),
        }
    }

    /// A field of `N` bytes.
    pub(super) fn bytes<const N: usize>(
        &self,
        number: usize,
    ) -> Result<Option<[u8; N]>, ImportError> {
        self.field(number).map(|at| array(self.file, at)).transpose()
    }

    pub(super) fn byte(&self, number: usize) -> Result<u8, ImportError> {
        Ok(self.bytes::<1>(number)?.map_or(0, |[byte]| byte))
    }

    pub(super) fn u32(&self, number: usize) -> Result<u32, ImportError> {
        Ok(self.bytes(number)?.map_or(0, u32::from_le_bytes))
    }

    pub(super) fn i32(&self, number: usize) -> Result<i32, ImportError> {
        Ok(self.bytes(number)?.map_or(0, i32::from_le_bytes))
    }

    pub(super) fn f32(&self, number: usize) -> Result<f32, ImportError> {
        Ok(self.bytes(number)?.map_or(0.0, f32::from_le_bytes))
    }

    pub(super) fn table(&self, number: usize) -> Result<Option<Self>, ImportError> {
        let Some(at) = self.field(number) else { return Ok(None) };
        Self::at(self.file, follow(self.file, at)?).map(Some)
    }

    /// The bytes of a vector whose elements have `width` bytes each; empty when it is left out.
    pub(super) fn vector(&self, number: usize, width: usize) -> Result<&'a [u8], ImportError> {
        self.vector_at(number, width).map(|(_, bytes)| bytes)
    }

    fn vector_at(&self, number: usize, width: usize) -> Result<(usize, &'a [u8]), ImportError> {
        let Some(at) = self.field(number) else { return Ok((0, &[])) };
        let start = follow(self.file, at)?;
        let count = u32::from_le_bytes(array(self.file, start)?) as usize;
        let bytes = count.checked_mul(width).ok_or(damaged(OUTSIDE))?;
        let elements = start + 4;
        let found = self.file.get(elements..).and_then(|rest| rest.get(..bytes));
        Ok((elements, found.ok_or(damaged(OUTSIDE))?))
    }

    /// A vector of tables, at most `max`.
    pub(super) fn tables(&self, number: usize, max: usize) -> Result<Vec<Self>, ImportError> {
        let (start, bytes) = self.vector_at(number, 4)?;
        let count = bytes.len() / 4;
        if count > max {
            return Err(ImportError::Limit { what: "tables in a vector", max });
        }
        (0..count).map(|i| Self::at(self.file, follow(self.file, start + 4 * i)?)).collect()
    }

    pub(super) fn integers(&self, number: usize) -> Result<Vec<i32>, ImportError> {
        let words = self.vector(number, 4)?.as_chunks::<4>().0;
        if words.len() > LIST_MAX {
            return Err(ImportError::Limit { what: "values in a list", max: LIST_MAX });
        }
        Ok(words.iter().map(|word| i32::from_le_bytes(*word)).collect())
    }

    pub(super) fn text(&self, number: usize) -> Result<&'a str, ImportError> {
        let bytes = self.vector(number, 1)?;
        // Many tables may share one name.
        if bytes.len() > NAME_BYTES_MAX {
            return Err(ImportError::Limit { what: "bytes in a name", max: NAME_BYTES_MAX });
        }
        std::str::from_utf8(bytes).map_err(|_| damaged("a name is not UTF-8"))
    }
}

/// Where the unsigned offset at `at` leads; it counts from its own place.
fn follow(file: &[u8], at: usize) -> Result<usize, ImportError> {
    let offset = u32::from_le_bytes(array(file, at)?) as usize;
    at.checked_add(offset).filter(|to| *to < file.len()).ok_or(damaged(OUTSIDE))
}

fn array<const N: usize>(file: &[u8], at: usize) -> Result<[u8; N], ImportError> {
    let bytes = file.get(at..).and_then(|rest| rest.first_chunk());
    bytes.copied().ok_or(damaged(OUTSIDE))
}

pub(super) const fn damaged(what: &'static str) -> ImportError {
    ImportError::Damaged { format: Format::Tflite, what }
}

const OUTSIDE: &str = "an offset leads out of it";
/// TensorFlow joins the names of all it has fused.
const NAME_BYTES_MAX: usize = 65_536;
/// More than any operator is told, and than any node has inputs.
const LIST_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::Table;

    /// A table of two fields: 7, and the vector [1, 2].
    const FILE: [u8; 40] = [
        16, 0, 0, 0, b'T', b'E', b'S', b'T', // root, identifier
        8, 0, 12, 0, 4, 0, 8, 0, // vtable: its size, the table's, two offsets
        8, 0, 0, 0, 7, 0, 0, 0, 4, 0, 0, 0, // table: vtable, 7, offset of the vector
        2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, // vector
    ];

    #[test]
    fn fields_are_found_by_their_number() {
        let table = Table::root(&FILE, *b"TEST").unwrap();
        assert_eq!(table.u32(0).unwrap(), 7);
        assert_eq!(table.integers(1).unwrap(), [1, 2]);
        assert_eq!(table.i32(2).unwrap(), 0, "a field that is left out has its default");
    }

    #[test]
    fn offsets_out_of_the_file_are_refused() {
        for (at, byte) in [(3, 0x80), (8, 200), (17, 0x80), (26, 1), (31, 0x80), (28, 3)] {
            let mut file = FILE;
            file[at] = byte;
            let read = Table::root(&file, *b"TEST").and_then(|table| table.integers(1));
            assert!(read.is_err(), "byte {at}");
        }
    }

    #[test]
    fn another_identifier_is_refused() {
        assert!(Table::root(&FILE, *b"TFL3").is_err());
    }
}
