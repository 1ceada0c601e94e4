//! The messages that the gateway itself answers with: about the server, and the list of models.

use crate::catalog::Entry;
use crate::forward::{SERVER_EXTENSIONS, SERVER_NAME, SERVER_VERSION};

/// `ServerLiveResponse` or `ServerReadyResponse`: it is.
pub(super) fn yes() -> Vec<u8> {
    vec![FIRST_BOOL, 1]
}

/// It is not; protobuf writes no `false`.
pub(super) const fn no() -> Vec<u8> {
    Vec::new()
}

/// `ServerMetadataResponse`.
pub(super) fn server() -> Vec<u8> {
    let mut bytes = Vec::new();
    text(&mut bytes, 1, SERVER_NAME);
    text(&mut bytes, 2, SERVER_VERSION);
    SERVER_EXTENSIONS.iter().for_each(|extension| text(&mut bytes, 3, extension));
    bytes
}

/// `RepositoryIndexResponse`.
pub(super) fn index(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        let mut model = Vec::new();
        text(&mut model, 1, &entry.name);
        text(&mut model, 2, &entry.version);
        text(&mut model, 3, entry.state.as_str());
        text(&mut model, 4, &entry.reason);
        field(&mut bytes, 1, &model);
    }
    bytes
}

/// `ModelStatisticsResponse`: that there are these models, and nothing else of them.
pub(super) fn statistics(entries: impl Iterator<Item = Entry>) -> Vec<u8> {
    let durations = (1..=6).flat_map(|number| [number << 3 | WITH_LENGTH, 0]).collect::<Vec<_>>();
    let mut bytes = Vec::new();
    for entry in entries {
        let mut model = Vec::new();
        text(&mut model, 1, &entry.name);
        text(&mut model, 2, &entry.version);
        field(&mut model, 6, &durations);
        field(&mut bytes, 1, &model);
    }
    bytes
}

/// Protobuf writes no empty text.
fn text(bytes: &mut Vec<u8>, number: u8, text: &str) {
    if !text.is_empty() {
        field(bytes, number, text.as_bytes());
    }
}

/// A field with a length, which protobuf writes seven bits to a byte, the lowest first.
fn field(bytes: &mut Vec<u8>, number: u8, value: &[u8]) {
    bytes.push(number << 3 | WITH_LENGTH);
    let mut length = value.len();
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(value);
}

const FIRST_BOOL: u8 = 1 << 3;
const WITH_LENGTH: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_names_itself_its_version_and_its_extensions() {
        let mut expected = b"\x0a\x08sealgate\x12".to_vec();
        expected.push(SERVER_VERSION.len() as u8);
        expected.extend_from_slice(SERVER_VERSION.as_bytes());
        expected.extend_from_slice(b"\x1a\x12binary_tensor_data\x1a\x13model_configuration");
        expected.extend_from_slice(b"\x1a\x0astatistics");
        assert_eq!(server(), expected);
    }

    #[test]
    fn a_long_value_has_a_length_of_several_bytes() {
        let mut bytes = Vec::new();
        field(&mut bytes, 1, &[b'a'; 300]);
        assert_eq!(bytes.get(..3), Some(&[0x0a, 0xac, 0x02][..]));
        assert_eq!(bytes.len(), 303);
    }
}
