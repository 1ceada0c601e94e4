//! One `[[workers]]` table: its head here, the rest in the module of its kind.

use serde::de::{DeserializeOwned, IntoDeserializer};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::{Mistake, Place};
use crate::{Kind, nitro, snp, software, tdx};

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) id: String,
    /// The last second at which it counts.
    pub(crate) not_after_s: Option<u64>,
    pub(crate) reference: Reference,
}

/// Reference values (RFC 9334, section 8.3), by kind.
#[derive(Debug, Clone)]
pub(crate) enum Reference {
    Software(software::Reference),
    SevSnp(snp::Reference),
    Tdx(tdx::Reference),
    Nitro(nitro::Reference),
}

impl Reference {
    pub(crate) const fn software(&self) -> Option<&software::Reference> {
        if let Self::Software(reference) = self { Some(reference) } else { None }
    }

    pub(crate) const fn sev_snp(&self) -> Option<&snp::Reference> {
        if let Self::SevSnp(reference) = self { Some(reference) } else { None }
    }

    pub(crate) const fn tdx(&self) -> Option<&tdx::Reference> {
        if let Self::Tdx(reference) = self { Some(reference) } else { None }
    }

    pub(crate) const fn nitro(&self) -> Option<&nitro::Reference> {
        if let Self::Nitro(reference) = self { Some(reference) } else { None }
    }
}

pub(super) fn parse(worker: Spanned<DeValue<'_>>, place: Place<'_>) -> Result<Entry, Mistake> {
    let span = worker.span();
    let DeValue::Table(mut table) = worker.into_inner() else {
        return Err(place
            .at(span.start, "`workers` is not a list of tables")
            .with_hint("begin each entry with `[[workers]]`"));
    };
    let head = |name: &str| place.at(span.start, format!("an entry has no `{name}`"));
    let id: String = take(&mut table, "id", place)?.ok_or_else(|| head("id"))?;
    let kind: Kind = take(&mut table, "kind", place)?.ok_or_else(|| head("kind"))?;
    let not_after_s = take(&mut table, "not_after_s", place)?;

    let rest = Spanned::new(span.clone(), DeValue::Table(table));
    let reference = match kind {
        Kind::Software => Reference::Software(read(rest, place)?),
        Kind::SevSnp => Reference::SevSnp(read(rest, place)?),
        Kind::Tdx => Reference::Tdx(read(rest, place)?),
        Kind::Nitro => Reference::Nitro(read(rest, place)?),
    };
    if reference.software().is_some_and(software::Reference::is_empty) {
        return Err(place
            .at(span.start, format!("`{id}` would be like every worker"))
            .with_hint("give `build` or `build_digest`"));
    }
    Ok(Entry { id, not_after_s, reference })
}

fn take<T: DeserializeOwned>(
    table: &mut DeTable<'_>,
    name: &str,
    place: Place<'_>,
) -> Result<Option<T>, Mistake> {
    table.remove(name).map(|value| read(value, place)).transpose()
}

fn read<T: DeserializeOwned>(value: Spanned<DeValue<'_>>, place: Place<'_>) -> Result<T, Mistake> {
    T::deserialize(value.into_deserializer()).map_err(|error| place.of(&error))
}
