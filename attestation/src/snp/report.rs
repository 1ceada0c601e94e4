//! The attestation report: AMD 56860, table "ATTESTATION_REPORT Structure".

/// A report's fields, not yet authenticated.
pub(super) struct Report<'a> {
    /// What the signature is over.
    pub(super) signed: &'a [u8],
    /// r and s, big-endian, 48 bytes each.
    pub(super) signature: [u8; 96],
    pub(super) report_data: &'a [u8; 64],
    pub(super) measurement: &'a [u8; 48],
    pub(super) reported_tcb: &'a [u8; 8],
    pub(super) chip_id: &'a [u8; 64],
    pub(super) vmpl: u32,
    policy: u64,
}

impl<'a> Report<'a> {
    /// Reads a report of a known version that is signed with ECDSA P-384 by a VCEK (and not by a
    /// VLEK, which names no chip).
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() != REPORT_BYTES {
            return None;
        }
        let (signed, signature) = bytes.split_at_checked(SIGNED_BYTES)?;
        let version = u32::from_le_bytes(*at(signed, 0x000)?);
        let algorithm = u32::from_le_bytes(*at(signed, 0x034)?);
        let key_info = u32::from_le_bytes(*at(signed, 0x048)?);
        let by_vcek = key_info & SIGNING_KEY_MASK == 0;
        if !VERSIONS.contains(&version) || algorithm != ECDSA_P384_SHA384 || !by_vcek {
            return None;
        }
        Some(Self {
            signed,
            signature: big_endian(signature)?,
            report_data: at(signed, 0x050)?,
            measurement: at(signed, 0x090)?,
            reported_tcb: at(signed, 0x180)?,
            chip_id: at(signed, 0x1a0)?,
            vmpl: u32::from_le_bytes(*at(signed, 0x030)?),
            policy: u64::from_le_bytes(*at(signed, 0x008)?),
        })
    }

    /// The guest's policy is the host's choice and no part of the measurement, so a host could ask
    /// for either of these with the right image.
    pub(super) const fn host_may_look_inside(&self) -> bool {
        self.policy & (POLICY_DEBUG | POLICY_MIGRATE_MA) != 0
    }
}

fn at<const N: usize>(bytes: &[u8], offset: usize) -> Option<&[u8; N]> {
    bytes.get(offset..)?.first_chunk()
}

/// The report has r and s little-endian in 72 bytes each, and zeros behind them. What is not zero
/// there is refused: no byte of evidence is left for anybody to play with.
fn big_endian(signature: &[u8]) -> Option<[u8; 96]> {
    let (r, rest) = signature.split_at_checked(COMPONENT_BYTES)?;
    let (s, reserved) = rest.split_at_checked(COMPONENT_BYTES)?;
    let mut out = [0; 96];
    let (out_r, out_s) = out.split_at_mut(48);
    for (component, out) in [(r, out_r), (s, out_s)] {
        let (low, high) = component.split_at_checked(48)?;
        if high.iter().any(|byte| *byte != 0) {
            return None;
        }
        for (to, from) in out.iter_mut().zip(low.iter().rev()) {
            *to = *from;
        }
    }
    reserved.iter().all(|byte| *byte == 0).then_some(out)
}

const REPORT_BYTES: usize = 0x4a0;
const SIGNED_BYTES: usize = 0x2a0;
const COMPONENT_BYTES: usize = 72;
const VERSIONS: std::ops::RangeInclusive<u32> = 2..=5;
const ECDSA_P384_SHA384: u32 = 1;
const SIGNING_KEY_MASK: u32 = 0b111 << 2;
const POLICY_MIGRATE_MA: u64 = 1 << 18;
const POLICY_DEBUG: u64 = 1 << 19;
