//! Plots: SVG elements that the style sheet colours. Each is a picture of a table that stands beside
//! it, so none says anything that cannot be read.

use maud::{Markup, html};

/// One bar: how much was allowed and how much was denied.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Bar {
    pub(super) allowed: u64,
    pub(super) denied: u64,
}

/// Bars over time, the denied upon the allowed. `label` says in a sentence what is to be seen.
pub(super) fn bars(bars: &[Bar], label: &str) -> Markup {
    let most = bars.iter().map(|bar| bar.allowed + bar.denied).max().unwrap_or(0).max(1);
    let step = WIDTH / bars.len().max(1) as f64;
    let gap = if step > 6.0 { 1.5 } else { 0.3 };
    let height = |count: u64| count as f64 / most as f64 * HEIGHT;
    html! {
        svg.bars viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img"
            aria-label=(label) {
            @for quarter in 1..4 {
                @let y = round(HEIGHT * f64::from(quarter) / 4.0);
                line.grid x1="0" x2=(WIDTH) y1=(y) y2=(y) {}
            }
            @for (i, bar) in bars.iter().enumerate() {
                @let x = round(i as f64 * step + gap / 2.0);
                @let width = round((step - gap).max(0.5));
                @let (allowed, denied) = (height(bar.allowed), height(bar.denied));
                @if bar.allowed > 0 {
                    rect.allowed x=(x) width=(width) y=(round(HEIGHT - allowed)) height=(round(allowed)) {}
                }
                @if bar.denied > 0 {
                    rect.denied x=(x) width=(width) y=(round(HEIGHT - allowed - denied)) height=(round(denied.max(1.0))) {}
                }
            }
        }
    }
}

/// A small line of how a number went. It stands beside the number, so it is decoration.
pub(super) fn spark(values: &[u64]) -> Markup {
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let step = SPARK_WIDTH / values.len().saturating_sub(1).max(1) as f64;
    let points: Vec<_> = values
        .iter()
        .enumerate()
        .map(|(i, value)| {
            let y = SPARK_HEIGHT - 1.0 - *value as f64 / most as f64 * (SPARK_HEIGHT - 2.0);
            format!("{},{}", round(i as f64 * step), round(y))
        })
        .collect();
    html! {
        svg.spark viewBox={ "0 0 " (SPARK_WIDTH) " " (SPARK_HEIGHT) } preserveAspectRatio="none"
            aria-hidden="true" {
            polyline points=(points.join(" ")) {}
        }
    }
}

/// A bar as long as its part of the greatest. It stands beside the number, so it is decoration.
pub(super) fn share(value: u64, most: u64) -> Markup {
    let width = value as f64 / most.max(1) as f64 * 100.0;
    html! {
        svg.share viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            rect width=(round(width.max(0.5))) height="10" {}
        }
    }
}

/// Two decimals are finer than any screen.
fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 160.0;
const SPARK_WIDTH: f64 = 120.0;
const SPARK_HEIGHT: f64 = 22.0;
