//! What all readers of a body share: where they are, what they found wrong, how a fault is told.
//!
//! serde's errors are texts that may repeat the value they complain about. So a reader leaves its
//! [`Refusal`] in [`Reader::refuse`], and the text of a serde error is never shown to anyone.

use super::numbers::Numbers;
use super::{Interface, Refusal};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use std::fmt;

/// The state of reading one body.
pub(super) struct Reader<'a> {
    pub(super) interface: &'a Interface<'a>,
    pub(super) numbers: Numbers<'a>,
    member: Option<&'a str>,
    fault: Option<Refusal>,
}

impl<'a> Reader<'a> {
    /// `body` is the JSON; `binary` bytes of tensors stand behind it.
    pub(super) fn new(
        body: &[u8],
        binary: usize,
        interface: &'a Interface<'a>,
        rows_max: usize,
    ) -> Self {
        // In text a number and its comma take two bytes at least; in binary it may take one.
        let numbers_max = (body.len() / 2 + 1).saturating_add(binary);
        let numbers = Numbers::new(interface.features, rows_max, numbers_max);
        Self { interface, numbers, member: None, fault: None }
    }

    /// Notes the refusal and gives serde an error to carry outward.
    pub(super) fn refuse<E: de::Error>(&mut self, refusal: Refusal) -> E {
        self.fault = Some(refusal);
        E::custom("refused")
    }

    /// Like [`Reader::refuse`], for a step that may have gone well.
    pub(super) fn note<T, E: de::Error>(&mut self, step: Result<T, Refusal>) -> Result<T, E> {
        step.map_err(|refusal| self.refuse(refusal))
    }

    /// Enters a member that may stand once: of two with one name, two readers may believe different
    /// ones.
    pub(super) fn enter<E: de::Error>(
        &mut self,
        seen: &mut bool,
        member: &'a str,
    ) -> Result<(), E> {
        self.member = Some(member);
        if std::mem::replace(seen, true) {
            return Err(self.refuse(Refusal::MemberRepeated { member: member.to_owned() }));
        }
        Ok(())
    }

    /// Skips a value whose meaning does not matter here.
    pub(super) fn skip(&mut self) -> Skip<'_, 'a> {
        Skip { reader: self, depth_left: SKIPPED_DEPTH_MAX }
    }

    /// Turns serde's outcome into ours.
    pub(super) fn conclude<T>(
        &mut self,
        body: &[u8],
        outcome: serde_json::Result<T>,
    ) -> Result<T, Refusal> {
        outcome.map_err(|error| match self.fault.take() {
            Some(refusal) => refusal,
            None => self.explain(body, &error),
        })
    }

    fn explain(&self, body: &[u8], error: &serde_json::Error) -> Refusal {
        let (line, column) = (error.line(), error.column());
        match (error.classify(), self.member) {
            (Category::Data, Some(member)) => {
                Refusal::MemberInvalid { member: member.to_owned(), line, column }
            }
            (Category::Data, None) => Refusal::BodyNotObject,
            _ if !is_not_finite(body, error) => Refusal::BodyNotJson { line, column },
            _ => match self.numbers.place_if_open() {
                Some(place) => Refusal::NotFinite { place },
                None => Refusal::LiteralNotFinite { line, column },
            },
        }
    }
}

/// Whether a reader of JSON stopped at what other languages write for NaN and the infinities, or at
/// a number no 64-bit float can hold.
fn is_not_finite(body: &[u8], error: &serde_json::Error) -> bool {
    // The variant is private to serde_json; a test holds this text.
    if error.to_string().starts_with("number out of range") {
        return true;
    }
    let line = body.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1));
    // The column is that of the offending letter, or of the sign before it.
    let from = error.column().saturating_sub(1);
    let rest = line.and_then(|line| line.get(from..)).unwrap_or_default();
    let rest = rest.strip_prefix(b"-").unwrap_or(rest);
    let begins = |word: &&str| {
        rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
    };
    ["nan", "inf"].iter().any(begins)
}

/// Reads over one value, but not arbitrarily deep.
pub(super) struct Skip<'r, 'a> {
    reader: &'r mut Reader<'a>,
    depth_left: usize,
}

impl<'a> Skip<'_, 'a> {
    fn inner<E: de::Error>(&mut self) -> Result<Skip<'_, 'a>, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Skip { reader: self.reader, depth_left }),
            None => Err(self.reader.refuse(Refusal::BodyTooDeep { max: SKIPPED_DEPTH_MAX })),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Skip<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skip<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any value")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self.inner()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while map.next_key::<de::IgnoredAny>()?.is_some() {
            map.next_value_seed(self.inner()?)?;
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

const SKIPPED_DEPTH_MAX: usize = 16;
