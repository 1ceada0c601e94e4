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
    /// A wrapped key asks for more work than is done for one.
    #[error("{what}: {found} is over the limit of {max}")]
    OverCost {
        /// Which of its costs.
        what: &'static str,
        /// What it asks for.
        found: u32,
        /// The limit.
        max: u32,
    },
    /// There is no memory for what was asked.
    #[error("no memory for {0}")]
    Memory(&'static str),
    /// A file is sealed for other keys than the one that was given; their ids are public.
    #[error("sealed for other keys")]
    OtherKek,
    /// A file can be sealed for this many keys at most, and for one at least.
    #[error("a file is sealed for 1 to {max} keys, these would be {found}")]
    Keks {
        /// How many were given.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// An epoch has sealed as many requests as it may and must be replaced.
    #[error("the epoch is exhausted")]
    Exhausted,
}
