//! Bars in plain text.

/// One line for each bar: its name, so many `#` as fit its value, and the value in words. What is
/// not nothing has at least one.
pub(super) fn bars(values: &[(String, u128, String)]) -> Vec<String> {
    let most = values.iter().map(|(_, value, _)| *value).max().unwrap_or_default().max(1);
    let widest = values.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or_default();
    values
        .iter()
        .map(|(name, value, words)| {
            // Values of money stay far below where this overflows.
            let length = value.saturating_mul(WIDTH).div_ceil(most);
            let bar = "#".repeat(usize::try_from(length).unwrap_or_default());
            format!("{name:<widest$}  {bar:<width$}  {words}", width = WIDTH as usize)
        })
        .collect()
}

const WIDTH: u128 = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_is_as_wide_as_can_be_and_a_little_is_not_nothing() {
        let bar = |value: u128| ("day".to_owned(), value, value.to_string());
        let lines = bars(&[bar(0), bar(1), bar(5_000), bar(10_000)]);
        let width = |line: &String| line.matches('#').count();
        assert_eq!(lines.iter().map(width).collect::<Vec<_>>(), [0, 1, 20, 40]);
        assert!(lines.iter().all(|line| line.find("  ").is_some()));
    }
}
