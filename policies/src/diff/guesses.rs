//! Everything that a recorded request may have been.

use std::net::IpAddr;

use super::addresses::telling;
use super::recorded::Recorded;
use crate::ask::{Action, Ask, Mode, Protocol};
use crate::rules::{ContextUse, Written};

/// What the record says for certain.
pub(super) struct Guess<'a> {
    recorded: &'a Recorded,
    action: Action,
    protocol: Protocol,
    mode: Mode,
    address: IpAddr,
}

/// What may have been, as far as the rules look at it.
pub(super) struct Situations {
    addresses: Vec<IpAddr>,
    rows: Vec<Option<u32>>,
    rows_matter: bool,
    times_s: Vec<u64>,
}

impl<'a> Guess<'a> {
    /// `recorded` lacks neither protocol nor network.
    pub(super) fn of(recorded: &'a Recorded, action: Action) -> Self {
        let unspecified = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
        Self {
            recorded,
            action,
            protocol: recorded.protocol().unwrap_or(Protocol::V2),
            mode: recorded.mode,
            address: recorded.network().map_or(unspecified, |network| network.network()),
        }
    }

    /// One of all that it may have been.
    pub(super) fn ask(&self) -> Ask<'a> {
        Ask {
            model: &self.recorded.model,
            version: self.recorded.version.as_deref(),
            action: self.action,
            mode: self.mode,
            protocol: self.protocol,
            address: self.address,
            rows: None,
            now_s: self.recorded.time_s,
        }
    }

    /// All that it may have been, or what is lacking to know. `about_it` are the rules that can
    /// matter: what none of them looks at cannot.
    pub(super) fn situations(
        &self,
        recorded: &Recorded,
        about_it: &[&Written],
    ) -> Result<Situations, Vec<String>> {
        let uses = about_it.iter().fold(ContextUse::default(), |all, rule| all.and(rule.uses));
        let reserved = Some(recorded.rows_reserved).filter(|rows| *rows > 0);
        let mut lacks = Vec::new();
        let mut situations = Situations {
            addresses: vec![self.address],
            // Those reserved are known, and may have been announced.
            rows: [None].into_iter().chain(reserved.map(Some)).collect(),
            rows_matter: uses.rows,
            times_s: vec![recorded.time_s],
        };
        if uses.address {
            match recorded.network().and_then(|network| telling(network, about_it)) {
                Some(addresses) => situations.addresses = addresses,
                None => lacks.push(ADDRESS.to_owned()),
            }
        }
        if uses.rows && reserved.is_none() {
            lacks.push(ROWS.to_owned());
        }
        if uses.time {
            let earliest_s = recorded.time_s.saturating_sub(RECORDED_WITHIN_S);
            situations.times_s = (earliest_s..=recorded.time_s).collect();
        }
        // A token without `iat` is recorded as if it had just been issued.
        if uses.token_age && recorded.token_age_s == 0 {
            lacks.push(TOKEN_AGE.to_owned());
        }
        if situations.count() > SITUATIONS_MAX {
            lacks.extend(situations.lacks());
        }
        if lacks.is_empty() { Ok(situations) } else { Err(lacks) }
    }
}

impl Situations {
    pub(super) fn asks<'a>(&'a self, guess: &'a Guess<'_>) -> impl Iterator<Item = Ask<'a>> {
        self.addresses.iter().flat_map(move |address| {
            self.rows.iter().flat_map(move |rows| {
                self.times_s.iter().map(move |now_s| Ask {
                    address: *address,
                    rows: *rows,
                    now_s: *now_s,
                    ..guess.ask()
                })
            })
        })
    }

    /// What more than one guess was needed for.
    pub(super) fn lacks(&self) -> Vec<String> {
        let guessed = [
            (self.addresses.len(), ADDRESS),
            (if self.rows_matter { self.rows.len() } else { 1 }, ROWS),
            (self.times_s.len(), TIME),
        ];
        guessed
            .into_iter()
            .filter(|(count, _)| *count > 1)
            .map(|(_, what)| what.to_owned())
            .collect()
    }

    fn count(&self) -> usize {
        self.addresses.len().saturating_mul(self.rows.len()).saturating_mul(self.times_s.len())
    }
}

const ADDRESS: &str = "the exact address";
const ROWS: &str = "the announced rows";
const TIME: &str = "the exact time of the decision";
const TOKEN_AGE: &str = "whether the token told its age";
/// A decision is recorded as soon as it is made; the time of its request may be a little earlier.
const RECORDED_WITHIN_S: u64 = 60;
const SITUATIONS_MAX: usize = 10_000;
