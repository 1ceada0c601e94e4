//! Slices: of all rules, those that can have a say about one caller, action and resource.
//!
//! A rule whose scope does not match is left out, which is exact (see [`Scope`]). So a decision
//! costs what the rules cost that are about it, however many others there are.

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::{EntityUid, PolicyId, PolicySet, PolicySetError};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use super::ContextUse;
use super::scope::{Member, Scope};

/// Every rule, to be found by what its scope names. A rule's number is its place in the order of
/// ids.
pub(super) struct Index {
    rules: Vec<Indexed>,
    by_principal: HashMap<Name, HashMap<Name, Vec<u32>>>,
}

struct Indexed {
    id: PolicyId,
    scope: Scope,
    looks_at: ContextUse,
}

/// What one side of a scope names, if it names anything.
type Name = Option<EntityUid>;

/// The numbers of some rules, ascending.
pub(super) type Numbers = Arc<[u32]>;

impl Index {
    pub(super) fn new(all: &PolicySet) -> Self {
        let mut rules: Vec<_> = all
            .policies()
            .map(|policy| Indexed {
                id: policy.id().clone(),
                scope: Scope::of(policy),
                looks_at: ContextUse::of(policy),
            })
            .collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        let mut by_principal: HashMap<_, HashMap<_, Vec<_>>> = HashMap::new();
        for (number, Indexed { scope, .. }) in (0..).zip(&rules) {
            let by_resource = by_principal.entry(scope.principal.name().cloned()).or_default();
            by_resource.entry(scope.resource.name().cloned()).or_default().push(number);
        }
        Self { rules, by_principal }
    }

    /// The rules whose scope matches.
    pub(super) fn find(&self, principal: &Member, action: &Member, resource: &Member) -> Numbers {
        let resource_names: Vec<Name> = resource.names().map(|name| name.cloned()).collect();
        let matches = |number: &u32| {
            self.rule(*number).is_some_and(|rule| rule.scope.matches(principal, action, resource))
        };
        let mut numbers: Vec<u32> = principal
            .names()
            .filter_map(|name| self.by_principal.get(&name.cloned()))
            .flat_map(|by_resource| resource_names.iter().filter_map(|name| by_resource.get(name)))
            .flatten()
            .copied()
            .filter(matches)
            .collect();
        numbers.sort_unstable();
        numbers.into()
    }

    /// Which circumstances these rules look at.
    pub(super) fn looks_at(&self, numbers: &[u32]) -> ContextUse {
        let rules = numbers.iter().filter_map(|number| self.rule(*number));
        rules.fold(ContextUse::default(), |uses, rule| uses.and(rule.looks_at))
    }

    pub(super) fn looks_at_by_any(&self) -> ContextUse {
        self.rules.iter().fold(ContextUse::default(), |uses, rule| uses.and(rule.looks_at))
    }

    fn rule(&self, number: u32) -> Option<&Indexed> {
        self.rules.get(usize::try_from(number).ok()?)
    }
}

/// Some of the rules, ready to be asked.
pub(super) struct Slice {
    pub(super) numbers: Numbers,
    pub(super) set: PolicySet,
}

impl Slice {
    /// `None` if a rule is missing: without it the others must not decide.
    fn new(numbers: &Numbers, index: &Index, all: &PolicySet) -> Option<Self> {
        let mut set = PolicySet::new();
        for number in numbers.iter() {
            add(&mut set, &index.rule(*number)?.id, all)?.ok()?;
        }
        Some(Self { numbers: Arc::clone(numbers), set })
    }
}

/// Copies one rule; a template's link together with its template.
fn add(set: &mut PolicySet, id: &PolicyId, all: &PolicySet) -> Option<Result<(), PolicySetError>> {
    let rule = all.policy(id)?;
    let Some(template_id) = rule.template_id() else { return Some(set.add(rule.clone())) };
    if set.template(template_id).is_none() {
        set.add_template(all.template(template_id)?.clone()).ok()?;
    }
    Some(set.link(template_id.clone(), id.clone(), rule.template_links()?))
}

/// The slices that were needed lately. Callers in the same groups share theirs, and together they
/// hold at most [`RULES_KEPT_MAX`] rules, whoever asks for what.
pub(super) struct Slices {
    kept: Cache<Numbers, Arc<Slice>, RulesHeld>,
}

impl Slices {
    #[expect(clippy::expect_used, reason = "both capacities are given")]
    pub(super) fn new() -> Self {
        let options = OptionsBuilder::new()
            // Each shard has its part of the room, and one slice must be able to have it all.
            .shards(1)
            .estimated_items_capacity(SLICES_EXPECTED)
            .weight_capacity(RULES_KEPT_MAX)
            .build()
            .expect("both capacities are given");
        let hash = DefaultHashBuilder::default();
        Self { kept: Cache::with_options(options, RulesHeld, hash, DefaultLifecycle::default()) }
    }

    /// The slice of these rules.
    pub(super) fn of(
        &self,
        numbers: &Numbers,
        index: &Index,
        all: &PolicySet,
    ) -> Option<Arc<Slice>> {
        if let Some(slice) = self.kept.get(numbers) {
            return Some(slice);
        }
        let slice = Arc::new(Slice::new(numbers, index, all)?);
        self.kept.insert(Arc::clone(numbers), Arc::clone(&slice));
        Some(slice)
    }

    #[cfg(test)]
    pub(super) fn rules_held(&self) -> usize {
        self.kept.iter().map(|(numbers, _)| numbers.len()).sum()
    }
}

/// A slice weighs as many rules as it holds. An empty one weighs too, or it could never leave.
#[derive(Clone)]
struct RulesHeld;

impl Weighter<Numbers, Arc<Slice>> for RulesHeld {
    fn weight(&self, numbers: &Numbers, _: &Arc<Slice>) -> u64 {
        1 + numbers.len() as u64
    }
}

/// About 1 kB each. A slice that is larger than this is made anew for each decision, which it
/// makes slow anyway.
const RULES_KEPT_MAX: u64 = 1 << 16;
const SLICES_EXPECTED: usize = 1 << 12;
