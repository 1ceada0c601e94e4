//! Which of two versions is newer: `10` than `9`, `1.10.0` than `1.9.2`, `v2` than `v1`.

use std::cmp::Ordering;

/// Compares numbers as numbers and everything else letter by letter; what counts the same (`1` and
/// `01`) is told apart as text, so that no two names are equal.
pub fn by_age(one: &str, other: &str) -> Ordering {
    let (mut a, mut b) = (one.as_bytes(), other.as_bytes());
    while let (Some(x), Some(y)) = (a.first(), b.first()) {
        let order = match (number(a), number(b)) {
            (Some(m), Some(n)) => {
                (a, b) = (rest(a, m), rest(b, n));
                significant(m)
                    .len()
                    .cmp(&significant(n).len())
                    .then_with(|| significant(m).cmp(significant(n)))
            }
            _ => {
                (a, b) = (rest(a, &[0]), rest(b, &[0]));
                x.cmp(y)
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    a.len().cmp(&b.len()).then_with(|| one.cmp(other))
}

/// The digits that a text begins with.
fn number(text: &[u8]) -> Option<&[u8]> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.get(..digits).filter(|digits| !digits.is_empty())
}

fn rest<'a>(text: &'a [u8], begin: &[u8]) -> &'a [u8] {
    text.get(begin.len()..).unwrap_or_default()
}

fn significant(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|&&byte| byte == b'0').count();
    digits.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn versions_stand_in_the_order_people_give_them() {
        for pair in [
            ["1", "2"],
            ["9", "10"],
            ["2", "10"],
            ["1.9.2", "1.10.0"],
            ["v1", "v2"],
            ["v9", "v10"],
            ["1", "1.1"],
            ["2026-02-01", "2026-11-23"],
            ["a", "b"],
            ["1-rc", "1-rd"],
            ["01", "1"],
            ["", "0"],
        ] {
            let [older, newer] = pair;
            assert_eq!(by_age(older, newer), Ordering::Less, "{pair:?}");
            assert_eq!(by_age(newer, older), Ordering::Greater, "{pair:?}");
        }
    }

    proptest! {
        #[test]
        fn it_is_an_order(a in "[0-9a-b.]{0,6}", b in "[0-9a-b.]{0,6}", c in "[0-9a-b.]{0,6}") {
            prop_assert_eq!(by_age(&a, &b), by_age(&b, &a).reverse());
            prop_assert_eq!(by_age(&a, &b) == Ordering::Equal, a == b);
            if by_age(&a, &b).is_le() && by_age(&b, &c).is_le() {
                prop_assert!(by_age(&a, &c).is_le());
            }
        }
    }
}
