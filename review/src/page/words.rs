//! Small pieces of HTML that every page is made of. What came from a token goes through [`text`].

use maud::{Markup, html};
use sealgate_audit::Verdict;

use crate::inert::inert;
use crate::moment::instant;
use crate::query::Request;

/// A text that anybody may have written: escaped, without control characters, and kept from
/// reordering what stands around it.
pub(super) fn text(text: &str) -> Markup {
    html! { bdi { (inert(text)) } }
}

/// As [`text`], with a dash where there is none.
pub(super) fn text_or_dash(given: &str) -> Markup {
    if given.is_empty() { dash() } else { text(given) }
}

/// Nothing is known.
pub(super) fn dash() -> Markup {
    html! { span.faint { "–" } }
}

/// A time, to the second for people and whole for programs.
pub(super) fn time(time_us: u64) -> Markup {
    let whole = instant(time_us);
    let (date, clock) = whole.split_once('T').unwrap_or((&whole, ""));
    let seconds = clock.get(..8).unwrap_or(clock);
    html! { time datetime=(whole) title=(whole) { span.faint { (date) " " } (seconds) } }
}

/// A digest or id, of which people look at the beginning.
pub(super) fn short(digest: &str) -> Markup {
    match digest.get(..12) {
        Some(begin) if digest.len() > 16 => {
            html! { code title=(inert(digest)) { (inert(begin)) "…" } }
        }
        _ => html! { code { (text(digest)) } },
    }
}

/// A number as people read it: `1 234 567`, with spaces that do not break.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// Microseconds as milliseconds with one decimal.
pub(super) fn milliseconds(us: u64) -> String {
    format!("{}.{}", number(us / 1_000), us % 1_000 / 100)
}

/// A part of a whole, as percent.
pub(super) fn percent(part: u64, whole: u64) -> String {
    match (part.saturating_mul(1_000)).checked_div(whole) {
        None => "–".to_owned(),
        Some(0) if part > 0 => "< 0.1 %".to_owned(),
        Some(permille) => format!("{}.{} %", permille / 10, permille % 10),
    }
}

/// How a request ended, by a word and not by colour alone.
pub(super) fn result(request: &Request) -> Markup {
    let class = match (request.verdict, request.status) {
        (Verdict::Deny, _) => "denied",
        (Verdict::Allow, Some(400..)) => "failed",
        (Verdict::Allow, Some(_)) => "well",
        (Verdict::Allow, None) => "open",
    };
    let word = match class {
        "denied" => "denied",
        "failed" => "failed",
        "well" => "answered",
        _ => "no outcome",
    };
    let says_more = !matches!(request.code.as_str(), "ok" | "allowed");
    html! {
        span class={ "result " (class) } { (word) }
        @if says_more { " " code { (text(&request.code)) } }
    }
}

#[cfg(test)]
mod tests {
    use super::{milliseconds, number, percent, text};

    #[test]
    fn numbers_are_grouped_by_three() {
        let spaced = [0, 12, 123, 1_234, 1_234_567].map(|n| number(n).replace('\u{202f}', " "));
        assert_eq!(spaced, ["0", "12", "123", "1 234", "1 234 567"]);
    }

    #[test]
    fn small_parts_are_not_nothing() {
        assert_eq!(percent(0, 10), "0.0 %");
        assert_eq!(percent(1, 100_000), "< 0.1 %");
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(percent(0, 0), "–");
        assert_eq!(milliseconds(1_249), "1.2");
    }

    #[test]
    fn what_a_token_says_is_text() {
        let shown = text("<script>alert(1)</script>\u{202e}").into_string();
        assert_eq!(shown, "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;\\u{202e}</bdi>");
    }
}
