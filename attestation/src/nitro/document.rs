//! The document's bytes: COSE_Sign1 around a map. Definite lengths, each key once, nothing behind.

use minicbor::decode::{Decoder, Error};
use minicbor::{Encoder, data::Tag, data::Type};

/// A COSE_Sign1 (RFC 9052, section 4.2) with ES384 and nothing unprotected.
pub(super) struct Signed<'a> {
    protected: &'a [u8],
    pub(super) payload: &'a [u8],
    pub(super) signature: &'a [u8],
}

impl<'a> Signed<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() > DOCUMENT_BYTES_MAX {
            return None;
        }
        let mut decoder = Decoder::new(bytes);
        if decoder.datatype().ok()? == Type::Tag && decoder.tag().ok()? != COSE_SIGN1 {
            return None;
        }
        if decoder.array().ok()? != Some(4) {
            return None;
        }
        let protected = decoder.bytes().ok()?;
        // Unprotected headers are under no signature, so there must be none.
        if protected != PROTECTED_ES384 || decoder.map().ok()? != Some(0) {
            return None;
        }
        let (payload, signature) = (decoder.bytes().ok()?, decoder.bytes().ok()?);
        (decoder.position() == bytes.len()).then_some(Self { protected, payload, signature })
    }

    /// What the signature is over: RFC 9052, section 4.4, without external data.
    pub(super) fn message(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&mut out);
        // Writing to a vector cannot fail; were it to, the signature would not verify.
        let _ = encoder
            .array(4)
            .and_then(|e| e.str("Signature1"))
            .and_then(|e| e.bytes(self.protected))
            .and_then(|e| e.bytes(&[]))
            .and_then(|e| e.bytes(self.payload))
            .map(|_| ());
        out
    }
}

/// A register's number and value.
type Pcr<'a> = (u8, &'a [u8; 48]);

/// What the hypervisor says of the enclave.
pub(super) struct Document<'a> {
    pub(super) timestamp_ms: u64,
    pcrs: Vec<Pcr<'a>>,
    pub(super) certificate: &'a [u8],
    /// Root first.
    pub(super) bundle: Vec<&'a [u8]>,
    pub(super) user_data: Option<&'a [u8]>,
}

impl<'a> Document<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut decoder = Decoder::new(bytes);
        let mut fields = Fields::default();
        for _ in 0..decoder.map().ok()?? {
            fields.read(&mut decoder).ok()??;
        }
        if decoder.position() != bytes.len() || fields.digest? != "SHA384" {
            return None;
        }
        Some(Self {
            timestamp_ms: fields.timestamp_ms?,
            pcrs: fields.pcrs?,
            certificate: fields.certificate?,
            bundle: fields.bundle?,
            user_data: fields.user_data.flatten(),
        })
    }

    pub(super) fn pcr(&self, index: u8) -> Option<&'a [u8; 48]> {
        self.pcrs.iter().find_map(|(at, value)| (*at == index).then_some(*value))
    }

    /// In debug mode the hypervisor measures nothing: the image's register is zero, or not there.
    pub(super) fn debugged(&self) -> bool {
        self.pcr(0).is_none_or(|value| value.iter().all(|byte| *byte == 0))
    }
}

#[derive(Default)]
struct Fields<'a> {
    digest: Option<&'a str>,
    timestamp_ms: Option<u64>,
    pcrs: Option<Vec<Pcr<'a>>>,
    certificate: Option<&'a [u8]>,
    bundle: Option<Vec<&'a [u8]>>,
    user_data: Option<Option<&'a [u8]>>,
    module_id: Option<&'a str>,
    public_key: Option<Option<&'a [u8]>>,
    nonce: Option<Option<&'a [u8]>>,
}

impl<'a> Fields<'a> {
    /// Reads one field; `None` for one that is not known or has been read before.
    fn read(&mut self, decoder: &mut Decoder<'a>) -> Result<Option<()>, Error> {
        Ok(match decoder.str()? {
            "digest" => once(&mut self.digest, decoder.str()?),
            "timestamp" => once(&mut self.timestamp_ms, decoder.u64()?),
            "pcrs" => read_pcrs(decoder)?.and_then(|pcrs| once(&mut self.pcrs, pcrs)),
            "certificate" => once(&mut self.certificate, decoder.bytes()?),
            "cabundle" => read_bundle(decoder)?.and_then(|all| once(&mut self.bundle, all)),
            "user_data" => once(&mut self.user_data, optional(decoder)?),
            // Known, but nothing is bound to them.
            "module_id" => once(&mut self.module_id, decoder.str()?),
            "public_key" => once(&mut self.public_key, optional(decoder)?),
            "nonce" => once(&mut self.nonce, optional(decoder)?),
            _ => None,
        })
    }
}

fn once<T>(field: &mut Option<T>, value: T) -> Option<()> {
    field.replace(value).is_none().then_some(())
}

fn optional<'a>(decoder: &mut Decoder<'a>) -> Result<Option<&'a [u8]>, Error> {
    if decoder.datatype()? == Type::Null {
        decoder.null()?;
        return Ok(None);
    }
    decoder.bytes().map(Some)
}

fn read_pcrs<'a>(decoder: &mut Decoder<'a>) -> Result<Option<Vec<Pcr<'a>>>, Error> {
    let mut pcrs: Vec<Pcr<'_>> = Vec::new();
    let Some(count) = decoder.map()?.filter(|count| *count <= PCRS_MAX) else {
        return Ok(None);
    };
    for _ in 0..count {
        let index = decoder.u8()?;
        let Ok(value) = decoder.bytes()?.try_into() else {
            return Ok(None);
        };
        if pcrs.iter().any(|(seen, _)| *seen == index) {
            return Ok(None);
        }
        pcrs.push((index, value));
    }
    Ok(Some(pcrs))
}

fn read_bundle<'a>(decoder: &mut Decoder<'a>) -> Result<Option<Vec<&'a [u8]>>, Error> {
    let Some(count) = decoder.array()?.filter(|count| *count <= CERTIFICATES_MAX) else {
        return Ok(None);
    };
    (0..count).map(|_| decoder.bytes()).collect::<Result<_, _>>().map(Some)
}

const COSE_SIGN1: Tag = Tag::new(18);
/// `{1: -35}`.
const PROTECTED_ES384: &[u8] = &[0xa1, 0x01, 0x38, 0x22];
const DOCUMENT_BYTES_MAX: usize = 32 * 1024;
const PCRS_MAX: u64 = 32;
const CERTIFICATES_MAX: u64 = 8;
