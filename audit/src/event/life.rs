//! Events in the life of the log, the gateway, its policies and its workers.

use crate::text::{Text, Texts};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The log begins: what a verifier needs to know to read on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogStarted {
    /// Version of the format of the files.
    pub format: u32,
    /// The key that signs the checkpoints, as a C2SP verifier key (`name+hash+base64`).
    pub key: Text,
    /// The log's name, which is the first line of every checkpoint.
    pub origin: Text,
    /// The log that this one goes on from, if that one could not be written any more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous: Option<PreviousLog>,
}

/// Where a damaged log ended, as far as its signatures hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreviousLog {
    /// The key that signed it last, as a C2SP verifier key.
    pub key: Text,
    /// The root of its last checkpoint that held, in hex.
    pub root: Text,
    /// How many records that checkpoint covers.
    pub size: u64,
}

/// From the next checkpoint on another key signs; that checkpoint is signed by both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyRotated {
    /// The new key, as a C2SP verifier key.
    pub key: Text,
    /// The key before it.
    pub previous_key: Text,
}

/// The oldest segments are dropped. Their hashes stay in the tiles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmentsDropped {
    /// The number of the first record that stays.
    pub first_record: u64,
    /// The first segment that stays.
    pub first_segment: u32,
    /// Which bound they were over: `age` or `bytes`.
    pub why: Text,
}

/// A gateway began to serve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// Settings worth reviewing, such as the listening address; never a secret.
    pub config: BTreeMap<Text, Text>,
    /// SHA-256 of the policies in force, in hex.
    pub policy_digest: Text,
    /// The gateway's version.
    pub version: Text,
}

/// A gateway stopped in good order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stopped {
    /// What asked it to, such as a signal.
    pub why: Text,
}

/// After a crash, bytes that were never confirmed to anyone were cut from the end of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recovered {
    /// How many bytes were cut.
    pub cut_bytes: u64,
    /// The segment they stood in.
    pub file: Text,
    /// Where they began, in bytes from the start of the file.
    pub offset: u64,
}

/// At a start, records stood behind the last checkpoint. Nobody has signed them; they are part of
/// the log from here on, as they were found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adopted {
    /// The number of the first of them.
    pub first_record: u64,
    /// How many there are.
    pub records: u64,
    /// The root of the tree with them, in hex.
    pub root: Text,
}

/// A set of policies came into force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyLoaded {
    /// SHA-256 of the candidate beside them, in hex, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub candidate_digest: Option<Text>,
    /// SHA-256 of the policies, in hex.
    pub policy_digest: Text,
    /// SHA-256 of those that were in force before, in hex.
    pub previous_digest: Text,
    /// What had them read: `changed`, `sighup` or `admin`.
    pub why: Text,
}

/// A folder of policies was read and found wrong; the last good one stays in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyRefused {
    /// The first mistake, in words.
    pub first: Text,
    /// How many there are.
    pub mistakes: u32,
    /// SHA-256 of the policies that stay in force, in hex.
    pub policy_digest: Text,
    /// What had them read: `changed`, `sighup` or `admin`.
    pub why: Text,
}

/// Other keys of an issuer count than before, or the same again after they could not be fetched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IssuerKeysChanged {
    /// The exact `iss` of its tokens.
    pub issuer: Text,
    /// SHA-256 of the keys that count now, in hex; none when no key does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub jwks_digest: Option<Text>,
    /// Their names (`kid`), sorted.
    pub kids: Texts,
    /// SHA-256 of the keys that counted before, in hex, if there were any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous_digest: Option<Text>,
    /// `fetched` from the issuer, `kept` on disk since the last run, or `too_old` to count.
    pub why: Text,
}

/// An issuer's keys could not be fetched; said once, until they can be again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IssuerKeysNotRenewed {
    /// The exact `iss` of its tokens.
    pub issuer: Text,
    /// What the first failed fetch came to, such as `unreachable`.
    pub why: Text,
}

/// From here on TLS handshakes show another certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CertificateLoaded {
    /// SHA-256 of the certificate, in hex.
    pub certificate_digest: Text,
    /// Its last second, counted from 1970.
    pub not_after_s: u64,
    /// SHA-256 of the one before it, in hex.
    pub previous_digest: Text,
    /// What had it read: `changed` or `sighup`.
    pub why: Text,
}

/// Files of certificate and key were read and found wrong; the last good certificate is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CertificateRefused {
    /// SHA-256 of the certificate that stays, in hex.
    pub certificate_digest: Text,
    /// What is wrong, in words.
    pub mistake: Text,
    /// What had them read: `changed` or `sighup`.
    pub why: Text,
}

/// An admin gave an order that holds at once. Who gave it stands in the decision of the same
/// request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdminOrder {
    /// What it is about, such as `sub dr-house`.
    pub about: Text,
    /// The order, such as `revoke`.
    pub order: Text,
    /// The gateway's 128-bit id of the request, in hex.
    pub request_id: Text,
}

/// A worker was judged and taken into service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerStarted {
    /// Where it was reached, if it runs on another host.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<Text>,
    /// The engine it runs its model on.
    pub engine: Text,
    /// The kind of evidence by which it was judged, or `none`.
    pub evidence: Text,
    /// SHA-256 of the keys it shows, in hex.
    pub keyset_digest: Text,
    /// The model it serves.
    pub model: Text,
    /// SHA-256 of the model's file, in hex.
    pub model_digest: Text,
    /// Its process id; 0 on another host.
    pub pid: u32,
    /// What of the sandbox it says is enforced.
    pub sandbox: Texts,
}

/// A worker, or keys that it showed, were judged and refused: its evidence, its handshake, or what it
/// says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerRefused {
    /// How often since the last such record, with this one. A worker that is refused is started
    /// again and again, and each reason stands here at most every few minutes.
    pub count: u32,
    /// The model it was to serve.
    pub model: Text,
    /// SHA-256 of the model's file, in hex.
    pub model_digest: Text,
    /// What was refused: `start`, or `keys` of a worker that goes on with those it has.
    pub what: Text,
    /// Why.
    pub why: Text,
}

/// A worker's keys were judged, archived and offered to clients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeysOffered {
    /// The kind of evidence by which they were judged, or `none`.
    pub evidence: Text,
    /// Their one-byte ids.
    pub key_ids: Vec<u8>,
    /// SHA-256 of their keyset, in hex; the archive has it under this name.
    pub keyset_digest: Text,
    /// The model whose requests they open.
    pub model: Text,
    /// When they are destroyed, in seconds since 1970 by the worker's clock.
    pub not_after_s: u64,
    /// The `keyset_digest` of the record that says that their worker was started.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub worker: Option<Text>,
}

/// A worker left service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerEnded {
    /// Where it was reached, if it ran on another host.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<Text>,
    /// SHA-256 of the keys it showed, in hex.
    pub keyset_digest: Text,
    /// The model it served.
    pub model: Text,
    /// Its process id; 0 on another host.
    pub pid: u32,
    /// How it ended.
    pub why: Text,
}

/// A version of a model was put in service: a worker has loaded it and answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionServed {
    /// The model.
    pub model: Text,
    /// SHA-256 of the version's file, in hex.
    pub model_digest: Text,
    /// That of the file whose place it takes under the same name, if there was one.
    pub replaces: Option<Text>,
    /// The version.
    pub version: Text,
}

/// A version of a model was taken out of service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionWithdrawn {
    /// The model.
    pub model: Text,
    /// SHA-256 of the version's file, in hex.
    pub model_digest: Text,
    /// The version.
    pub version: Text,
}

/// A file was not put in service; what was served before still is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionRefused {
    /// The model that it was to be of.
    pub model: Text,
    /// The version that it was to be.
    pub version: Text,
    /// What is wrong with it.
    pub why: Text,
}
