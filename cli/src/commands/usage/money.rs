//! Money and measures, for people and for programs.

/// An exact decimal of the currency.
pub(super) fn exact(picos: u128) -> String {
    let (whole, rest) = (picos / UNIT, picos % UNIT);
    let rest = format!("{rest:012}");
    match rest.trim_end_matches('0') {
        "" => whole.to_string(),
        rest => format!("{whole}.{rest}"),
    }
}

/// As many digits as say something: two behind the point, or as many as show three that are not 0.
pub(super) fn short(picos: u128) -> String {
    let Some(log) = picos.checked_ilog10() else { return "0".to_owned() };
    let digits = log as usize + 1;
    let behind = 15_usize.saturating_sub(digits).clamp(2, 12);
    let step = 10_u128.pow(12 - u32::try_from(behind).unwrap_or(12));
    // Rounded to the nearest.
    let rounded = (picos + step / 2) / step * step;
    let (whole, rest) = (rounded / UNIT, rounded % UNIT);
    let rest = format!("{rest:012}");
    format!("{whole}.{}", rest.get(..behind).unwrap_or_default())
}

/// Seconds, to the microsecond.
pub(super) fn seconds(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

/// GB-seconds, of 1,024 MiB, with six digits behind the point.
pub(super) fn gb_seconds(mb_us: u128) -> String {
    let micros = mb_us / 1_024;
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// Bytes in units that can be read.
pub(super) fn bytes(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let power = bytes.checked_ilog2().map_or(0, |log| log as usize / 10).min(units.len() - 1);
    let unit = units.get(power).unwrap_or(&"B");
    match power {
        0 => format!("{bytes} {unit}"),
        _ => {
            let tenths = u128::from(bytes) * 10 / (1 << (10 * power));
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
    }
}

/// Of a float that was guessed.
pub(super) fn guessed(units: f64) -> String {
    // Saturates, and what is no number is 0.
    short((units * UNIT as f64) as u128)
}

/// 10^-12 of the currency in one.
pub(super) const UNIT: u128 = 1_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_money_keeps_three_digits_and_large_money_two_behind_the_point() {
        for (picos, text) in [
            (0, "0"),
            (208, "0.000000000208"),
            (200_209, "0.000000200"),
            (1_234_567_890, "0.00123"),
            (999_600_000_000, "1.000"),
            (12_345_678_900_000, "12.35"),
            (1_000 * UNIT, "1000.00"),
        ] {
            assert_eq!(short(picos), text);
        }
    }

    #[test]
    fn exact_money_is_exact() {
        assert_eq!(exact(16_666_700), "0.0000166667");
        assert_eq!(exact(250 * UNIT), "250");
        assert_eq!(exact(0), "0");
    }

    #[test]
    fn measures_are_in_their_units() {
        assert_eq!(seconds(1_234_567), "1.234567");
        assert_eq!(gb_seconds(1_024 * 1_000_000), "1.000000");
        assert_eq!(
            [bytes(0), bytes(1_023), bytes(1_536), bytes(3 << 30)],
            ["0 B", "1023 B", "1.5 KiB", "3.0 GiB"]
        );
    }
}
