/// What can go wrong with something sealed, framed or encoded.
///
/// Cryptography fails with one word, [`KeyError::Refused`]: which byte was wrong is nobody's
/// business. The other variants are about things that are not secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// Something authenticated did not verify, was replayed or was out of order.
    #[error("refused")]
    Refused,
    /// The peer's frame breaks the hop's framing.
    #[error("malformed frame")]
    Frame,
    /// A structure does not decode.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// A size limit was passed.
    #[error("{what} of {bytes} bytes is over the limit of {max}")]
    TooLarge {
        /// What was too large.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The operating system gave no random bytes.
    #[error("no randomness from the operating system")]
    Randomness,
    /// The peer speaks another version of the hop protocol.
    #[error("hop protocol version {theirs}, expected {ours}")]
    Version {
        /// Ours.
        ours: u16,
        /// The peer's.
        theirs: u16,
    },
    /// An epoch has sealed as many requests as it may and must be replaced.
    #[error("the epoch is exhausted")]
    Exhausted,
}
