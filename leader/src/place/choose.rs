//! The choice of a cluster, as a pure function.

mod words;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use tallyman_model::Ordinal;
use tallyman_model::command::Choice;
use tallyman_model::record::{Cluster, Placement, Runnable};
use words::{nowhere, others, sentence};

/// A cluster with how much is under way on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The cluster.
    pub cluster: Cluster,
    /// Runs that are under way on it, those included that have just been given to it.
    pub active: usize,
}

/// A choice and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The choice.
    pub choice: Choice,
    /// Why, in words; empty if none was found: then the choice says it.
    pub why: String,
}

/// What is to be placed.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// Where it may go.
    pub placement: &'a Placement,
    /// Clusters that it does not go to: an earlier attempt may run there, or was just taken off.
    pub left: BTreeSet<Ordinal>,
    /// Clusters that said that they would refuse it, and why, to be put behind the name.
    pub refused: BTreeMap<Ordinal, String>,
    /// Clusters that lack what it requires, and what, to be put behind the name.
    pub lacking: BTreeMap<Ordinal, String>,
}

impl<'a> Wish<'a> {
    /// What a run wants now, on clusters of which some are `lacking`.
    #[must_use]
    pub fn of(run: &'a Runnable, lacking: BTreeMap<Ordinal, String>, now_ms: u64) -> Self {
        let (left, refused) = (run.left(), run.refusals(now_ms));
        Self { placement: &run.spec.placement, left, refused, lacking }
    }

    /// Why a cluster does not get it.
    fn why_not(&self, cluster: &Cluster) -> Option<Cow<'_, str>> {
        let ordinal = cluster.head.ordinal;
        let hindered = self.hindrance(cluster).map(Cow::Borrowed);
        let said = self.lacking.get(&ordinal).or_else(|| self.refused.get(&ordinal));
        hindered.or_else(|| said.map(|why| Cow::Borrowed(why.as_str())))
    }

    fn hindrance(&self, cluster: &Cluster) -> Option<&'static str> {
        let has_left = self.left.contains(&cluster.head.ordinal).then_some("is where it was given up");
        hindrance(cluster).or(has_left)
    }

    /// True if a cluster would be considered if it had what the run requires.
    #[must_use]
    pub fn awaits(&self, cluster: &Cluster) -> bool {
        let is_one = self.placement.allows(cluster) && self.hindrance(cluster).is_none();
        is_one && self.lacking.contains_key(&cluster.head.ordinal)
    }
}

/// Chooses the cluster for a run: of those that the placement allows, that take work, that are not known to be out
/// of reach, that it has not left, that have what it requires and that do not refuse it, the one with the fewest active runs for its weight; of equals the first by name.
/// Where the placement spreads by a label, the value of that comes first which has the fewest for the mean weight of
/// its clusters.
#[must_use]
pub fn choose(wish: &Wish<'_>, candidates: &[Candidate]) -> Chosen {
    let placement = wish.placement;
    let mut allowed: Vec<&Candidate> =
        candidates.iter().filter(|candidate| placement.allows(&candidate.cluster)).collect();
    allowed.sort_by(|one, other| one.cluster.head.name.cmp(&other.cluster.head.name));
    let usable: Vec<&Candidate> =
        allowed.iter().copied().filter(|candidate| wish.why_not(&candidate.cluster).is_none()).collect();
    let domain = placement.spread_by_label.as_ref().and_then(|key| least(key, placement, &allowed, &usable));
    let (usable, first) = domain.unwrap_or((usable, String::new()));
    // Of equals the first stays.
    let Some(best) = usable.iter().min_by(|one, other| share(placement, one).cmp(share(placement, other)))
    else {
        let why = nowhere(wish, candidates, &allowed);
        return Chosen { choice: Choice::Nowhere(why), why: String::new() };
    };
    let why = format!("{first}{}{}", within(placement, &usable), others(wish, candidates));
    Chosen { choice: Choice::On(best.cluster.head.ordinal), why }
}

/// Why one of `usable` was chosen.
fn within(placement: &Placement, usable: &[&Candidate]) -> String {
    let names = usable.iter().map(|candidate| candidate.cluster.head.name.clone());
    match usable.len() {
        1 => "the only cluster that can take it".to_owned(),
        _ if placement.weights.is_empty() => format!("fewest running of {}", sentence(names.collect())),
        _ => {
            let share = |candidate: &&Candidate| {
                let name = &candidate.cluster.head.name;
                format!("{name} {} of weight {}", candidate.active, placement.weight(name))
            };
            format!("fewest running for its weight: {}", sentence(usable.iter().map(share).collect()))
        }
    }
}

/// Of the clusters that can take it those with the value of the label `key` that has the fewest active runs, and why in
/// words. What is under way on clusters that take no work now counts, too.
fn least<'a>(
    key: &str,
    placement: &Placement,
    allowed: &[&Candidate],
    usable: &[&'a Candidate],
) -> Option<(Vec<&'a Candidate>, String)> {
    let value = |candidate: &Candidate| candidate.cluster.head.labels.get(key).cloned();
    // Of each: how many run there, how many clusters it has, and their weights together.
    let mut sums: BTreeMap<Option<String>, [u128; 3]> = BTreeMap::new();
    for candidate in allowed {
        let [active, clusters, weight] = sums.entry(value(candidate)).or_default();
        *active += candidate.active as u128;
        *clusters += 1;
        *weight += u128::from(placement.weight(&candidate.cluster.head.name));
    }
    sums.retain(|of, _| usable.iter().any(|candidate| value(candidate) == *of));
    // Its weight is the mean of theirs: how many clusters it has does not matter.
    let share = |[active, clusters, weight]: [u128; 3]| Share { active: (active + 1) * clusters, weight };
    let (chosen, _) = sums.iter().min_by(|(_, one), (_, other)| share(**one).cmp(share(**other)))?;
    let named = |of: &Option<String>| of.clone().unwrap_or_else(|| "none".to_owned());
    let counts = sums.iter().map(|(of, [active, ..])| format!("{} {active}", named(of)));
    let for_weight = if placement.weights.is_empty() { "" } else { " for its weight" };
    let words = match sums.len() {
        // The others take no work, which is told.
        1 => String::new(),
        _ => {
            let counts = sentence(counts.collect());
            format!("{key} {} has the fewest running{for_weight} ({counts}); there ", named(chosen))
        }
    };
    let there = usable.iter().copied().filter(|candidate| value(candidate) == *chosen).collect();
    Some((there, words))
}

/// What is compared: how full a cluster, or all with one value of a label, would be with one run more, for its weight.
struct Share {
    active: u128,
    weight: u128,
}

impl Share {
    fn cmp(&self, other: Self) -> Ordering {
        // As fractions, without dividing.
        (self.active * other.weight).cmp(&(other.active * self.weight))
    }
}

fn share(placement: &Placement, candidate: &Candidate) -> Share {
    let weight = u128::from(placement.weight(&candidate.cluster.head.name));
    Share { active: candidate.active as u128 + 1, weight }
}

/// Why a cluster gets no work now.
fn hindrance(cluster: &Cluster) -> Option<&'static str> {
    match cluster {
        _ if cluster.cordoned => Some("is cordoned"),
        _ if cluster.hindrance().is_some() => Some("is held back by what its hub says"),
        _ if cluster.written_off.is_some() => Some("is written off"),
        _ if cluster.quarantined => Some("is quarantined"),
        _ if cluster.paused => Some("is paused"),
        _ if cluster.reachable == Some(false) => Some("is out of reach"),
        _ if !cluster.takes_work() => Some("has not been reached yet"),
        _ => None,
    }
}

/// True if all that a choice depends on is the same of both.
pub(super) fn is_same_offer(one: &[Cluster], other: &[Cluster]) -> bool {
    let of = |cluster: &Cluster| (cluster.head.ordinal, hindrance(cluster));
    let is_same = |(one, other): (&Cluster, &Cluster)| {
        of(one) == of(other)
            && one.head.name == other.head.name
            && one.head.labels == other.head.labels
            && one.decisions() == other.decisions()
    };
    one.len() == other.len() && one.iter().zip(other).all(is_same)
}

#[cfg(test)]
#[path = "choose_tests.rs"]
mod tests;
