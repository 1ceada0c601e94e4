//! Which version answers a request. Pure: what is drawn is passed in.

/// Of the versions that are there, oldest first, the one for a request. A request that names one
/// gets it; others go by the weights, and without any to the newest. What is not `allowed`, or is
/// not there, gets none of them; where that leaves nothing, the newest that may be asked answers.
pub fn choose<'a>(
    there: &'a [&'a str],
    asked: Option<&str>,
    traffic: &[(String, u32)],
    allowed: Option<&[String]>,
    draw: u64,
) -> Option<&'a str> {
    let may = |version: &&&str| allowed.is_none_or(|all| all.iter().any(|one| one == **version));
    if let Some(asked) = asked {
        return there.iter().find(|version| **version == asked).copied();
    }
    let weight = |version: &&&str| {
        let named = traffic.iter().find(|(name, _)| name == **version);
        named.map_or(0, |(_, weight)| u64::from(*weight))
    };
    let total: u64 = there.iter().filter(may).map(|version| weight(&version)).sum();
    let newest = || there.iter().rev().find(may).copied();
    let Some(mut at) = draw.checked_rem(total) else { return newest() };
    for version in there.iter().filter(may) {
        let weight = weight(&version);
        if at < weight {
            return Some(version);
        }
        at -= weight;
    }
    newest()
}

#[cfg(test)]
mod tests {
    use super::*;

    const THERE: [&str; 3] = ["1", "2", "3"];

    fn traffic(weights: &[(&str, u32)]) -> Vec<(String, u32)> {
        weights.iter().map(|(version, weight)| ((*version).to_owned(), *weight)).collect()
    }

    /// How many of a hundred draws each version gets.
    fn shares(weights: &[(&str, u32)], allowed: Option<&[String]>) -> [usize; 3] {
        let traffic = traffic(weights);
        let drawn: Vec<_> =
            (0..100).filter_map(|draw| choose(&THERE, None, &traffic, allowed, draw)).collect();
        THERE.map(|version| drawn.iter().filter(|drawn| **drawn == version).count())
    }

    #[test]
    fn without_weights_the_newest_answers() {
        assert_eq!(shares(&[], None), [0, 0, 100]);
    }

    #[test]
    fn weights_are_shares() {
        assert_eq!(shares(&[("1", 95), ("2", 5)], None), [95, 5, 0]);
        assert_eq!(shares(&[("1", 19), ("2", 1)], None), [95, 5, 0]);
        assert_eq!(shares(&[("2", 1)], None), [0, 100, 0]);
    }

    #[test]
    fn what_is_not_there_gets_nothing_and_the_others_all() {
        assert_eq!(shares(&[("1", 95), ("4", 5)], None), [100, 0, 0]);
        assert_eq!(shares(&[("4", 5)], None), [0, 0, 100]);
    }

    #[test]
    fn what_may_not_be_asked_gets_nothing() {
        let allowed = ["1".to_owned(), "2".to_owned()];
        assert_eq!(shares(&[], Some(&allowed)), [0, 100, 0]);
        assert_eq!(shares(&[("2", 1), ("3", 9)], Some(&allowed)), [0, 100, 0]);
        assert_eq!(choose(&THERE, None, &[], Some(&[]), 7), None);
    }

    #[test]
    fn a_version_that_is_named_answers_or_nobody() {
        assert_eq!(choose(&THERE, Some("1"), &traffic(&[("2", 1)]), None, 3), Some("1"));
        assert_eq!(choose(&THERE, Some("4"), &[], None, 3), None);
        assert_eq!(choose(&[], None, &[], None, 3), None);
    }
}
