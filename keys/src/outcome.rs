use minicbor::{Decode, Encode};

use crate::KeyError;

/// What the worker says about a request in the clear of the hop: authenticated beside the sealed
/// answer, and free of anything that depends on a row's values.
///
/// The gateway settles the reserved rows with it and writes it into the audit log, so it learns
/// row counts in both modes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Outcome {
    /// HTTP status of the sealed answer.
    #[n(0)]
    pub status: u16,
    /// Stable code: `ok`, or the refusal's.
    #[n(1)]
    pub code: String,
    /// Rows that were run through the model.
    #[n(2)]
    pub rows: u32,
    /// SHA-256 of the artifact that answered.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub model_digest: [u8; 32],
    /// Its version.
    #[n(4)]
    pub model_version: String,
    /// Microseconds the request waited in the worker's queue.
    #[n(5)]
    pub queue_us: u32,
    /// Microseconds from ciphertext to rows.
    #[n(6)]
    pub open_us: u32,
    /// Microseconds in the network.
    #[n(7)]
    pub infer_us: u32,
    /// Digest of the receipt that went with the answer (`receipt::digest`), if one did.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub receipt_digest: Option<[u8; 32]>,
    /// Microseconds that an inference thread was at work for the request, from ciphertext to sealed
    /// answer; of work that several requests shared, this one's share by rows. What is waited in
    /// queues is not in it.
    #[n(9)]
    pub busy_us: u32,
}

impl Outcome {
    /// The longest encoding either side accepts.
    pub const BYTES_MAX: usize = 4 << 10;

    /// CBOR (RFC 8949): an array in field order.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        #[expect(clippy::expect_used, reason = "a Vec takes every write")]
        minicbor::to_vec(self).expect("encoding into memory does not fail")
    }

    /// Reads what [`Outcome::encode`] wrote.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for anything else, trailing bytes included.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        let mut decoder = minicbor::Decoder::new(bytes);
        let outcome = decoder.decode().map_err(|_| KeyError::Malformed("outcome"))?;
        if decoder.position() != bytes.len() || bytes.len() > Self::BYTES_MAX {
            return Err(KeyError::Malformed("outcome"));
        }
        Ok(outcome)
    }
}
