//! `[prices]` of `limits.toml`: what a request costs.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::limits::File;
use super::{Models, Parsed};
use crate::mistake::{Mistake, Mistakes};
use crate::money::Money;

/// What a request costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prices {
    currency: Arc<str>,
    per_request: Money,
    per_row: Money,
    per_gb_second: Money,
    busy_ms_max: Option<u32>,
    memory: Memory,
}

/// The memory that is accounted for one worker, in MiB: what a provider reserves for it, whether it
/// is used or not. So a charge is known before the work, and depends on nobody else's requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    usual_mb: u32,
    of: BTreeMap<Arc<str>, u32>,
}

/// What a request took, or at most takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Rows.
    pub rows: u32,
    /// Microseconds that a worker was busy.
    pub busy_us: u32,
    /// The memory accounted for that worker, in MiB.
    pub memory_mb: u32,
}

impl Prices {
    /// What all amounts are in.
    pub fn currency(&self) -> &Arc<str> {
        &self.currency
    }

    /// Of a request.
    pub fn per_request(&self) -> Money {
        self.per_request
    }

    /// Of a row.
    pub fn per_row(&self) -> Money {
        self.per_row
    }

    /// Of a GB (1,024 MiB) of memory for a second of work.
    pub fn per_gb_second(&self) -> Money {
        self.per_gb_second
    }

    /// The longest that one request is charged for, if it is declared; else a gateway's time for an
    /// answer.
    pub fn busy_ms_max(&self) -> Option<u32> {
        self.busy_ms_max
    }

    /// The memory accounted for workers.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// What so much work costs, rounded up to 10^-12 of the currency. More work never costs less.
    pub fn charge(&self, work: &Work) -> Money {
        let wide = |money: Money| u128::from(money.picos());
        let mb_us = u128::from(work.busy_us) * u128::from(work.memory_mb);
        let time = (mb_us * wide(self.per_gb_second)).div_ceil(MB_US_PER_GB_SECOND);
        let rows = u128::from(work.rows) * wide(self.per_row);
        let picos = wide(self.per_request) + rows + time;
        let most = Money::CHARGE_MAX;
        u64::try_from(picos).map_or(most, |picos| most.min(Money::from_picos(picos)))
    }
}

impl Memory {
    /// Of a worker of this model, in MiB.
    pub fn of(&self, model: &str) -> u32 {
        self.of.get(model).copied().unwrap_or(self.usual_mb)
    }

    /// Of all others, in MiB.
    pub fn usual_mb(&self) -> u32 {
        self.usual_mb
    }

    /// The models that have another, in MiB.
    pub fn exceptions(&self) -> impl Iterator<Item = (&Arc<str>, u32)> {
        self.of.iter().map(|(model, mb)| (model, *mb))
    }
}

impl Default for Memory {
    /// The smallest that AWS Lambda has.
    fn default() -> Self {
        Self { usual_mb: MEMORY_MB, of: BTreeMap::new() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PricesRow {
    currency: Spanned<String>,
    per_request: Option<Spanned<String>>,
    per_row: Option<Spanned<String>>,
    per_gb_second: Option<Spanned<String>>,
    busy_ms_max: Option<Spanned<u32>>,
    memory_mb: Option<Spanned<u32>>,
    #[serde(default)]
    memory_of: BTreeMap<Spanned<String>, Spanned<u32>>,
}

impl PricesRow {
    /// What it says, as far as it can be understood; what cannot is noted.
    pub(super) fn read(
        &self,
        parsed: &Parsed<'_, File>,
        models: Option<&Models>,
        mistakes: &mut Mistakes,
    ) -> Prices {
        self.judge_currency(parsed, mistakes);
        self.judge_memory(parsed, models, mistakes);
        if let Some(most) = self.busy_ms_max.as_ref().filter(|most| *most.get_ref() == 0) {
            mistakes
                .error(parsed.place(most), "`busy_ms_max` is 0, so no time would cost anything")
                .hint("write a number from 1 up, or leave the line out for the time of an answer");
        }
        let mut price = |name, field: &Option<Spanned<String>>, max| {
            let field = field.as_ref();
            field.map_or(Money::ZERO, |field| price(name, field, max, parsed, mistakes))
        };
        Prices {
            currency: self.currency.get_ref().as_str().into(),
            per_request: price("per_request", &self.per_request, PER_REQUEST_MAX),
            per_row: price("per_row", &self.per_row, PER_REQUEST_MAX),
            per_gb_second: price("per_gb_second", &self.per_gb_second, PER_GB_SECOND_MAX),
            busy_ms_max: self.busy_ms_max.as_ref().map(|most| *most.get_ref()),
            memory: Memory {
                usual_mb: self.memory_mb.as_ref().map_or(MEMORY_MB, |mb| *mb.get_ref()),
                of: self
                    .memory_of
                    .iter()
                    .map(|(model, mb)| (model.get_ref().as_str().into(), *mb.get_ref()))
                    .collect(),
            },
        }
    }

    fn judge_currency(&self, parsed: &Parsed<'_, File>, mistakes: &mut Mistakes) {
        let name = self.currency.get_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if name.is_empty() || name.len() > CURRENCY_BYTES_MAX || !name.chars().all(plain) {
            mistakes
                .error(parsed.place(&self.currency), format!("`{name}` is no name of a currency"))
                .hint("use up to 16 letters, digits and `-`, such as `USD`");
        }
    }

    fn judge_memory(
        &self,
        parsed: &Parsed<'_, File>,
        models: Option<&Models>,
        mistakes: &mut Mistakes,
    ) {
        for mb in self.memory_mb.iter().chain(self.memory_of.values()) {
            if !(1..=MEMORY_MB_MAX).contains(mb.get_ref()) {
                let message = format!("{} MiB is not what a worker has", mb.get_ref());
                mistakes
                    .error(parsed.place(mb), message)
                    .hint(format!("write a number from 1 to {MEMORY_MB_MAX}"));
            }
        }
        if let Some((model, _)) = self.memory_of.iter().nth(EXCEPTIONS_MAX) {
            mistakes
                .error(parsed.place(model), format!("more than {EXCEPTIONS_MAX} models"))
                .hint("choose a `memory_mb` that fits most, and list the others");
        }
        let Some(models) = models else { return };
        for model in
            self.memory_of.keys().filter(|model| !models.contains_key(model.get_ref().as_str()))
        {
            let message = format!("no model `{}` is declared", model.get_ref());
            let known = models.keys().map(|name| &**name);
            mistakes.error(parsed.place(model), message).did_you_mean(model.get_ref(), known);
        }
    }
}

/// An amount; nothing where it is none, which is noted.
pub(super) fn amount<'m>(
    name: &str,
    text: &Spanned<String>,
    parsed: &Parsed<'_, File>,
    mistakes: &'m mut Mistakes,
) -> Result<Money, &'m mut Mistake> {
    text.get_ref().parse::<Money>().map_err(|why| {
        mistakes.error(parsed.place(text), format!("`{}` of `{name}` {why}", text.get_ref()))
    })
}

fn price(
    name: &str,
    text: &Spanned<String>,
    max: Money,
    parsed: &Parsed<'_, File>,
    mistakes: &mut Mistakes,
) -> Money {
    match amount(name, text, parsed, mistakes) {
        Ok(price) if price > max => {
            mistakes
                .error(parsed.place(text), format!("`{name}` is more than {max}"))
                .hint("name a larger currency, such as `kVND` for a thousand VND");
            Money::ZERO
        }
        Ok(price) => price,
        Err(mistake) => {
            mistake.hint("write it as `\"0.0000166667\"`: digits with a point, and no more than 12 behind it");
            Money::ZERO
        }
    }
}

const MB_US_PER_GB_SECOND: u128 = 1_024 * 1_000_000;
const MEMORY_MB: u32 = 128;
const MEMORY_MB_MAX: u32 = 65_536;
const CURRENCY_BYTES_MAX: usize = 16;
/// All of them stand in one record.
const EXCEPTIONS_MAX: usize = 256;
/// With both at their most, the longest answer of the largest worker stays below
/// [`Money::CHARGE_MAX`].
const PER_REQUEST_MAX: Money = Money::from_picos(1_000_000_000_000_000);
const PER_GB_SECOND_MAX: Money = Money::from_picos(4_000_000_000_000);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// AWS Lambda on x86 in us-east-1.
    fn lambda() -> Prices {
        Prices {
            currency: "USD".into(),
            per_request: Money::from_picos(200_000),
            per_row: Money::ZERO,
            per_gb_second: Money::from_picos(16_666_700),
            busy_ms_max: None,
            memory: Memory::default(),
        }
    }

    #[test]
    fn a_second_of_a_gigabyte_costs_its_price() {
        let work = Work { rows: 7, busy_us: 1_000_000, memory_mb: 1_024 };
        assert_eq!(lambda().charge(&work).picos(), 200_000 + 16_666_700);
    }

    #[test]
    fn a_hundred_microseconds_are_not_lost_to_rounding() {
        // 0.0001 s of an eighth of a GB: 208.33 picos.
        let work = Work { rows: 1, busy_us: 100, memory_mb: 128 };
        assert_eq!(lambda().charge(&work).picos(), 200_000 + 209);
    }

    proptest! {
        /// So what is reserved for the most work bounds what is charged for less.
        #[test]
        fn more_work_never_costs_less_and_nothing_overflows(
            prices in any::<[u64; 3]>(),
            one in any::<(u32, u32, u32)>(),
            more in any::<(u32, u32, u32)>(),
        ) {
            let prices = Prices {
                per_request: Money::from_picos(prices[0]),
                per_row: Money::from_picos(prices[1]),
                per_gb_second: Money::from_picos(prices[2]),
                ..lambda()
            };
            let less = Work { rows: one.0, busy_us: one.1, memory_mb: one.2 };
            let work = Work {
                rows: one.0.saturating_add(more.0),
                busy_us: one.1.saturating_add(more.1),
                memory_mb: one.2.saturating_add(more.2),
            };
            prop_assert!(prices.charge(&less) <= prices.charge(&work));
            prop_assert!(prices.charge(&work) <= Money::CHARGE_MAX);
        }
    }
}
