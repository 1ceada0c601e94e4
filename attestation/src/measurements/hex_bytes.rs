use serde::{Deserialize, Deserializer};

/// `N` bytes that stand in TOML as hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hex<const N: usize>(pub(crate) [u8; N]);

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; N];
        hex::decode_to_slice(&text, &mut bytes).map_err(|_| {
            let digits = N * 2;
            serde::de::Error::custom(format!(
                "expected {digits} hexadecimal digits, found `{text}`"
            ))
        })?;
        Ok(Self(bytes))
    }
}
