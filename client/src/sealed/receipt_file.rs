use sealgate_keys::receipt::claimed_type;
use sealgate_keys::{Base64, Secret};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::ShownKeyset;

/// A receipt as it is kept: the signed line, the key of its commitments, and the keyset with all
/// that was shown for it, so that it can be verified offline.
///
/// Whoever holds the file can guess rows and try them: it cannot be printed.
///
/// ```compile_fail
/// fn print(file: sealgate_client::ReceiptFile) {
///     println!("{file:?}");
/// }
/// ```
pub struct ReceiptFile {
    /// The signed line.
    pub receipt: String,
    /// The key of its commitments, if it has any.
    pub commitment_key: Option<Secret>,
    /// The keyset that the receipt names, if it was kept.
    pub shown: Option<ShownKeyset>,
}

#[derive(Serialize, Deserialize)]
struct Members {
    receipt: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    commitment_key: Option<String>,
    #[serde(flatten)]
    shown: Option<ShownKeyset>,
}

impl ReceiptFile {
    /// The largest file that is read.
    pub const BYTES_MAX: usize = ShownKeyset::BYTES_MAX;

    /// One line of JSON.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<String> {
        let key = self.commitment_key.as_ref();
        let members = Members {
            receipt: self.receipt.clone(),
            commitment_key: key.map(|key| Base64(key.expose().to_vec()).encode()),
            shown: self.shown.clone(),
        };
        // Text, integers and lists always serialise.
        Zeroizing::new(serde_json::to_string(&members).unwrap_or_default())
    }

    /// Reads what [`ReceiptFile::to_json`] wrote, or a signed line alone, as it stands in a
    /// `sealgate-receipt` header field. Nothing of it is verified.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        if text.len() > Self::BYTES_MAX {
            return None;
        }
        if claimed_type(text).is_some() {
            let receipt = text.trim_end().to_owned();
            return Some(Self { receipt, commitment_key: None, shown: None });
        }
        let Members { receipt, commitment_key, shown } = serde_json::from_str(text).ok()?;
        let commitment_key = match commitment_key {
            None => None,
            Some(text) => Some(secret(&text)?),
        };
        Some(Self { receipt, commitment_key, shown })
    }
}

/// 32 secret bytes from base64.
fn secret(text: &str) -> Option<Secret> {
    let bytes = Zeroizing::new(Base64::decode(text)?.0);
    <[u8; 32]>::try_from(bytes.as_slice()).ok().map(Secret::from_bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    const LINE: &str = r#"{"receipt":{"type":"t"},"signature":"AA=="}"#;

    #[test]
    fn a_file_comes_back_as_it_was_written() {
        let commitment_key = Some(Secret::from_bytes([7; 32]));
        let file = ReceiptFile { receipt: LINE.into(), commitment_key, shown: None };
        let read = ReceiptFile::from_text(&file.to_json()).unwrap();
        assert_eq!(read.receipt, LINE);
        assert_eq!(read.commitment_key.unwrap().expose(), &[7; 32]);
    }

    #[test]
    fn a_signed_line_alone_is_a_file_too() {
        let read = ReceiptFile::from_text(&format!("{LINE}\n")).unwrap();
        assert_eq!(read.receipt, LINE);
        assert!(read.commitment_key.is_none() && read.shown.is_none());
    }

    #[test]
    fn what_is_no_receipt_or_has_a_key_of_another_length_is_none() {
        let short = r#"{"receipt":"r","commitment_key":"AAAA"}"#;
        for text in ["", "{}", "[]", "receipt", short] {
            assert!(ReceiptFile::from_text(text).is_none(), "{text}");
        }
    }
}
