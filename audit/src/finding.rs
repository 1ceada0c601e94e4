//! What a verifier found, and where.

use std::fmt;

/// One thing that is wrong with a log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The file's name within the log's folder.
    pub file: String,
    /// Bytes from the start of the file.
    pub offset: u64,
    /// The running number of the record that stands, or should stand, there.
    pub record: u64,
    /// What is wrong.
    pub what: What,
}

impl Finding {
    /// Whether a crash explains it: nothing that was confirmed to anyone is touched.
    pub fn is_torn_tail(&self) -> bool {
        matches!(self.what, What::TornTail { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, record, what } = self;
        write!(f, "`{file}` at byte {offset}, record {record}: {what}")
    }
}

/// What can be wrong with a log.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum What {
    /// The file is not one of the log's own.
    #[error("a file that is not part of the log")]
    ForeignFile,
    /// A segment is missing.
    #[error("segment {0} is missing")]
    MissingSegment(u32),
    /// A segment's header is damaged.
    #[error("the header of the segment is damaged")]
    Header,
    /// A segment's header does not continue the log before it.
    #[error("the segment does not continue the log: its {0} differs")]
    Discontinued(&'static str),
    /// A full segment does not end with a checkpoint.
    #[error("the segment does not end with a checkpoint")]
    OpenEnd,
    /// A frame's checksum does not match.
    #[error("the checksum does not match")]
    Checksum,
    /// A frame's length cannot be.
    #[error("a length that cannot be")]
    Length,
    /// A frame ends beyond the file.
    #[error("the frame is cut off")]
    CutOff,
    /// A frame's type is unknown.
    #[error("a frame of an unknown type")]
    FrameType,
    /// Bytes that should be zero are not, or zeros stand where a frame belongs.
    #[error("zeros where records belong, or other bytes behind the end")]
    Zeros,
    /// A record's running number is not the next one.
    #[error("record {0} stands here: records are missing, repeated or out of order")]
    Number(u64),
    /// A record is not what it should be.
    #[error("the record is malformed")]
    Record,
    /// The first record does not begin a log of this origin.
    #[error("the log does not begin as it should")]
    Beginning,
    /// A checkpoint's text or signature is bad.
    #[error("the checkpoint is malformed or not signed by the log's key")]
    Signature,
    /// A checkpoint speaks of another number of records.
    #[error("the checkpoint is for {0} records")]
    CheckpointSize(u64),
    /// A checkpoint's root is not that of the records before it.
    #[error("the checkpoint does not match the records before it, from record {since} on")]
    Root {
        /// The records before this one are covered by a checkpoint that did match.
        since: u64,
    },
    /// A record changes the log's key, but not from the one it has.
    #[error("the change of key does not follow on the log's key")]
    KeyRotation,
    /// A record that stays when its segment is dropped is not what the tiles say.
    #[error("the kept record does not match the tiles")]
    KeptRecord,
    /// The file that says where requests are found says something else than its segment.
    #[error("the file does not match its segment")]
    Ids,
    /// A tile is not what the records before it make it.
    #[error("the tile does not match the records")]
    Tile,
    /// A file that follows from the records is not there.
    #[error("the file is missing")]
    Missing,
    /// The published checkpoint is not one of this log.
    #[error(
        "the published checkpoint is malformed, not signed by the log's key or for other records"
    )]
    Published,
    /// A log that ended in good order has its last checkpoint published.
    #[error("the log ended, but its last checkpoint is not published")]
    NotPublished,
    /// More records stand behind the last checkpoint than ever wait for one.
    #[error("{0} records stand behind the last checkpoint, more than ever wait for one")]
    Unsigned(u64),
    /// No checkpoint was found.
    #[error("no checkpoint covers any record")]
    NoCheckpoint,
    /// The log is signed by a key that is not the pinned one.
    #[error("the log is signed by `{0}` and not by the pinned key")]
    OtherKey(String),
    /// A checkpoint kept elsewhere is for more records than the log has.
    #[error("the log was cut: a checkpoint kept elsewhere is for {0} records")]
    RolledBack(u64),
    /// A checkpoint kept elsewhere is for other records.
    #[error("the log was rewritten: a checkpoint kept elsewhere has another root")]
    Forked,
    /// The last write was interrupted.
    #[error("a torn tail of {bytes} bytes")]
    TornTail {
        /// How many bytes no longer count.
        bytes: u64,
    },
}
