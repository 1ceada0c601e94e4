//! Money, exact: whole numbers of 10^-12 of a currency. A float has no place here.

use std::fmt;
use std::str::FromStr;

/// An amount, in 10^-12 of whatever currency the prices are in: a millisecond of the smallest
/// function of a cloud costs about two thousand of them. At most some 18 million of the currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(u64);

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotMoney {
    /// It is something else than digits with at most one point between them.
    #[error("is no amount")]
    Malformed,
    /// It has more digits behind the point than are counted.
    #[error("has more than 12 digits after the point")]
    TooFine,
    /// It is more than can be counted.
    #[error("is more than can be counted")]
    TooLarge,
}

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The most that one request is charged, whatever the prices say: a number that every reader of
    /// a record takes as it stands (2^53 - 1, some 9,000 of the currency).
    pub const CHARGE_MAX: Self = Self((1 << 53) - 1);

    /// An amount in 10^-12 of the currency.
    pub const fn from_picos(picos: u64) -> Self {
        Self(picos)
    }

    /// The same number.
    pub const fn picos(self) -> u64 {
        self.0
    }

    pub(crate) const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl FromStr for Money {
    type Err = NotMoney;

    /// Reads a decimal such as `250` or `0.0000166667`: digits, with at most one point between
    /// them, and at most 12 behind it.
    fn from_str(text: &str) -> Result<Self, NotMoney> {
        let (whole, fraction) = text.split_once('.').map_or((text, None), |(w, f)| (w, Some(f)));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !fraction.is_none_or(digits) {
            return Err(NotMoney::Malformed);
        }
        let fraction = fraction.unwrap_or_default();
        if fraction.len() > DIGITS {
            return Err(NotMoney::TooFine);
        }
        let whole: u64 = whole.parse().map_err(|_| NotMoney::TooLarge)?;
        // Filled up with zeros it is a number of picos.
        let fraction = format!("{fraction:0<DIGITS$}").parse().map_err(|_| NotMoney::Malformed)?;
        let picos = whole.checked_mul(UNIT).and_then(|whole| whole.checked_add(fraction));
        picos.map(Self).ok_or(NotMoney::TooLarge)
    }
}

impl fmt::Display for Money {
    /// A decimal without needless zeros, which reads back as the same amount.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / UNIT, self.0 % UNIT);
        let fraction = format!("{fraction:0>DIGITS$}");
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            fraction => write!(f, "{whole}.{fraction}"),
        }
    }
}

const DIGITS: usize = 12;
const UNIT: u64 = 1_000_000_000_000;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn picos(text: &str) -> Result<u64, NotMoney> {
        text.parse::<Money>().map(Money::picos)
    }

    #[test]
    fn a_decimal_is_read_to_its_last_digit() {
        assert_eq!(picos("0.0000166667"), Ok(16_666_700));
        assert_eq!(picos("250"), Ok(250_000_000_000_000));
        assert_eq!(picos("0.000000000001"), Ok(1));
        assert_eq!(picos("18446744.073709551615"), Ok(u64::MAX));
    }

    #[test]
    fn what_is_no_decimal_or_cannot_be_counted_is_refused() {
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", "1 ", "0x1", "1.2.3", "١"] {
            assert_eq!(picos(text), Err(NotMoney::Malformed), "{text}");
        }
        assert_eq!(picos("0.0000000000001"), Err(NotMoney::TooFine));
        assert_eq!(picos("18446744.073709551616"), Err(NotMoney::TooLarge));
        assert_eq!(picos("99999999999999999999999"), Err(NotMoney::TooLarge));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(picos: u64) {
            let money = Money::from_picos(picos);
            prop_assert_eq!(money.to_string().parse::<Money>().unwrap(), money);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9.]{0,40}|\\PC{0,20}") {
            let _ = text.parse::<Money>();
        }
    }
}
