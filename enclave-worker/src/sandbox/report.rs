//! What was asked of the system, and what it answered.

use std::fmt;

/// One entry for each guard, in the order they were applied.
#[derive(Clone, Debug, Default)]
pub struct Report {
    entries: Vec<(Guard, Outcome)>,
}

impl Report {
    pub(super) fn add(&mut self, guard: Guard, outcome: Outcome) {
        self.entries.push((guard, outcome));
    }

    /// True only if every essential guard stands and every thread proved it.
    #[must_use]
    pub fn is_enforced(&self) -> bool {
        let probed = self.entries.contains(&(Guard::Probes, Outcome::Enforced));
        probed && self.missing().next().is_none()
    }

    /// The essential guards that do not stand, each with the reason.
    pub fn missing(&self) -> impl Iterator<Item = (Guard, &str)> {
        self.absent().filter(|(guard, _)| guard.is_essential())
    }

    /// All guards that do not stand, essential or not, each with the reason: for the operator's log.
    pub fn absent(&self) -> impl Iterator<Item = (Guard, &str)> {
        self.entries.iter().filter_map(|(guard, outcome)| match outcome {
            Outcome::Enforced => None,
            Outcome::Failed(reason) => Some((*guard, reason.as_str())),
            Outcome::Unavailable => Some((*guard, "the system does not offer it")),
        })
    }

    /// Short words for the hello message and the audit record: first `enforced` or `partial`, then
    /// each guard as its name, or as `name:failed` or `name:unavailable`.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let verdict = if self.is_enforced() { "enforced" } else { "partial" };
        let guards =
            self.entries.iter().map(|(guard, outcome)| format!("{guard}{}", outcome.suffix()));
        std::iter::once(verdict.to_owned()).chain(guards).collect()
    }
}

/// Something the process gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Guard {
    /// The sandbox was entered before any other thread existed.
    SingleThread,
    /// No core file.
    NoCore,
    /// At most a few dozen open descriptors.
    FewDescriptors,
    /// Own namespaces for network, System V objects and host name; the network one is empty.
    Namespaces,
    /// Nothing can be regained by starting a program.
    NoBounding,
    /// Not root.
    Account,
    /// No capability is left in any set that grants one.
    NoCapabilities,
    /// No other process of the same account may read the memory or attach a debugger.
    NotDumpable,
    /// Set-user-id programs give nothing.
    NoNewPrivileges,
    /// Landlock refuses every path.
    LandlockFiles,
    /// Landlock refuses TCP (not UDP: the system call list does).
    LandlockNetwork,
    /// Landlock refuses signals and abstract sockets to the outside.
    LandlockScope,
    /// Only the listed system calls.
    SystemCalls,
    /// Every thread tried the forbidden and failed.
    Probes,
}

impl Guard {
    /// Whether [`super::Level::Require`] insists on it.
    ///
    /// The others are doors behind a door: without them sockets, signals and programs are still
    /// refused by the system call list, and an ordinary account cannot always have them.
    #[must_use]
    pub const fn is_essential(self) -> bool {
        match self {
            Self::SingleThread
            | Self::NoCore
            | Self::Account
            | Self::NoCapabilities
            | Self::NotDumpable
            | Self::NoNewPrivileges
            | Self::LandlockFiles
            | Self::SystemCalls
            | Self::Probes => true,
            Self::FewDescriptors
            | Self::Namespaces
            | Self::NoBounding
            | Self::LandlockNetwork
            | Self::LandlockScope => false,
        }
    }

    /// The stable word for records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SingleThread => "single_thread",
            Self::NoCore => "no_core",
            Self::FewDescriptors => "few_descriptors",
            Self::Namespaces => "namespaces",
            Self::NoBounding => "no_bounding",
            Self::Account => "account",
            Self::NoCapabilities => "no_capabilities",
            Self::NotDumpable => "not_dumpable",
            Self::NoNewPrivileges => "no_new_privileges",
            Self::LandlockFiles => "landlock_files",
            Self::LandlockNetwork => "landlock_network",
            Self::LandlockScope => "landlock_scope",
            Self::SystemCalls => "system_calls",
            Self::Probes => "probes",
        }
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// What became of one guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It stands.
    Enforced,
    /// It was asked for and refused; the reason is the system's.
    Failed(String),
    /// This system does not know it.
    Unavailable,
}

impl Outcome {
    pub(super) fn failed(reason: impl Into<String>) -> Self {
        Self::Failed(reason.into())
    }

    const fn suffix(&self) -> &'static str {
        match self {
            Self::Enforced => "",
            Self::Failed(_) => ":failed",
            Self::Unavailable => ":unavailable",
        }
    }
}

impl<E: fmt::Display> From<Result<(), E>> for Outcome {
    fn from(result: Result<(), E>) -> Self {
        result.map_or_else(|error| Self::Failed(error.to_string()), |()| Self::Enforced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(entries: &[(Guard, Outcome)]) -> Report {
        Report { entries: entries.to_vec() }
    }

    #[test]
    fn nothing_is_enforced_before_the_probes() {
        assert!(!report(&[(Guard::SystemCalls, Outcome::Enforced)]).is_enforced());
    }

    #[test]
    fn a_missing_extra_guard_does_not_end_enforcement() {
        let entries =
            [(Guard::Namespaces, Outcome::Unavailable), (Guard::Probes, Outcome::Enforced)];
        assert!(report(&entries).is_enforced());
    }

    #[test]
    fn an_unavailable_essential_guard_ends_enforcement() {
        let entries =
            [(Guard::LandlockFiles, Outcome::Unavailable), (Guard::Probes, Outcome::Enforced)];
        assert!(!report(&entries).is_enforced());
    }

    #[test]
    fn the_words_carry_the_state_and_not_the_reason() {
        let entries = [
            (Guard::Namespaces, Outcome::failed("EPERM: some text of the system")),
            (Guard::NoCore, Outcome::Enforced),
        ];
        assert_eq!(report(&entries).words(), ["partial", "namespaces:failed", "no_core"]);
    }
}
