//! What a gateway says of its workers.

use serde::Deserialize;

use crate::error::CliError;

/// The workers of one version, for everybody or for one tenant.
#[derive(Deserialize)]
pub(crate) struct Pool {
    pub(crate) model: String,
    pub(crate) version: String,
    pub(crate) tenant: Option<String>,
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) in_flight: usize,
    pub(crate) waiting: usize,
    pub(crate) ready: usize,
    pub(crate) starting: usize,
    pub(crate) draining: usize,
    pub(crate) failing_for_s: Option<u64>,
    pub(crate) history: Vec<Moment>,
}

/// One decision of the scaler.
#[derive(Deserialize)]
pub(crate) struct Moment {
    pub(crate) wanted: usize,
    pub(crate) needed: f64,
    pub(crate) ratio: Option<f64>,
}

/// Reads a gateway's answer.
pub(crate) fn pools(body: &[u8]) -> Result<Vec<Pool>, CliError> {
    #[derive(Deserialize)]
    struct Pools {
        pools: Vec<Pool>,
    }
    let told: Pools = serde_json::from_slice(body).map_err(CliError::Json)?;
    Ok(told.pools)
}

impl Pool {
    /// R over the last decisions, from 0 to 2 and more; a dot where nothing was needed.
    pub(crate) fn plot(&self) -> String {
        let from = self.history.len().saturating_sub(PLOTTED);
        let recent = self.history.get(from..).unwrap_or_default();
        recent.iter().map(|moment| moment.ratio.map_or('\u{b7}', bar)).collect()
    }
}

/// A bar for a ratio.
fn bar(ratio: f64) -> char {
    #[expect(clippy::cast_precision_loss, reason = "there are eight")]
    let top = (BARS.len() - 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    let at = (ratio / RATIO_MAX * top).round().clamp(0.0, top) as usize;
    BARS.get(at).copied().unwrap_or(' ')
}

const PLOTTED: usize = 40;
const RATIO_MAX: f64 = 2.0;
const BARS: [char; 8] = [
    '\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}', '\u{2588}',
];

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn a_higher_ratio_is_a_higher_bar() {
        assert_eq!(
            [0.0, 1.0, 2.0, 99.0].map(bar),
            ['\u{2581}', '\u{2585}', '\u{2588}', '\u{2588}']
        );
    }
}
