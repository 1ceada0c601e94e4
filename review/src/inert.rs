//! Strings that came from tokens and requests, made harmless to a terminal.

use std::fmt::Write as _;

/// `text` with everything that a terminal might obey or that could reorder a line written as its
/// code point: control characters, and what Unicode calls format characters, above all the
/// bidirectional overrides.
///
/// ```
/// use sealgate_review::inert;
/// assert_eq!(inert("dr-\u{1b}[31mhouse"), "dr-\\u{1b}[31mhouse");
/// assert_eq!(inert("a\u{202e}b"), "a\\u{202e}b");
/// assert_eq!(inert("Dr. Müller"), "Dr. Müller");
/// ```
#[must_use]
pub fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_active(character) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    out
}

/// Control characters (Cc), line and paragraph separators, and format characters (Cf).
pub(crate) fn is_active(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::inert;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let every: String = (0..=0x10_ffff).filter_map(char::from_u32).collect();
        let left = inert(&every);
        assert!(!left.chars().any(char::is_control));
        assert!(!left.contains(['\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{200f}']));
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in ["dr-house", "北京", "ñandú", "שלום", "a b/c@d"] {
            assert_eq!(inert(text), text);
        }
    }
}
