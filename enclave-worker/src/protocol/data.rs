//! Numbers in JSON, read straight from the text into [`super::numbers::Numbers`]: flat or as rows.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::Refusal;
use super::reader::Reader;

/// Reads the list of numbers or rows.
pub(super) struct Data<'r, 'a>(pub(super) &'r mut Reader<'a>);

impl<'de> DeserializeSeed<'de> for Data<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Data<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of numbers or of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.numbers.enter();
        while seq.next_element_seed(Item(&mut *self.0))?.is_some() {}
        self.0.numbers.leave();
        Ok(())
    }
}

/// Reads one number, or one row of them.
pub(super) struct Item<'r, 'a>(pub(super) &'r mut Reader<'a>);

impl Item<'_, '_> {
    fn no_number<E: de::Error>(self) -> E {
        let place = self.0.numbers.place();
        self.0.refuse(Refusal::NotANumber { place })
    }
}

impl<'de> DeserializeSeed<'de> for Item<'_, '_> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a number or a row")
    }

    #[inline]
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        let step = self.0.numbers.push_f64(value);
        self.0.note(step)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        let step = self.0.numbers.push_integer(value.into());
        self.0.note(step)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        let step = self.0.numbers.push_integer(value.into());
        self.0.note(step)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        let step = self.0.numbers.push_bool(value);
        self.0.note(step)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let step = self.0.numbers.begin_row();
        self.0.note(step)?;
        while seq.next_element_seed(Item(&mut *self.0))?.is_some() {}
        let step = self.0.numbers.end_row();
        self.0.note(step)
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(self.no_number())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Err(self.no_number())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Err(self.no_number())
    }
}
