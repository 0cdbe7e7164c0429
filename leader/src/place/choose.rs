//! The choice of a cluster, as a pure function.

mod words;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use tallyman_model::Ordinal;
use tallyman_model::command::Choice;
use tallyman_model::record::{Cluster, Placement};
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

/// Chooses the cluster for a run: of those that the placement allows, that take work, that are not known to be out
/// of reach and that it has not `left`, the one with the fewest active runs for its weight; of equals the first by name.
/// Where the placement spreads by a label, the value of that comes first which has the fewest for the weight of all its
/// clusters.
#[must_use]
pub fn choose(placement: &Placement, left: &BTreeSet<Ordinal>, candidates: &[Candidate]) -> Chosen {
    let mut allowed: Vec<&Candidate> =
        candidates.iter().filter(|candidate| placement.allows(&candidate.cluster)).collect();
    allowed.sort_by(|one, other| one.cluster.head.name.cmp(&other.cluster.head.name));
    let usable: Vec<&Candidate> =
        allowed.iter().copied().filter(|candidate| why_not(&candidate.cluster, left).is_none()).collect();
    let domain = placement.spread_by_label.as_ref().and_then(|key| least(key, placement, &allowed, &usable));
    let (usable, first) = domain.unwrap_or((usable, String::new()));
    // Of equals the first stays.
    let Some(best) = usable.iter().min_by(|one, other| share(placement, one).cmp(share(placement, other)))
    else {
        let why = nowhere(placement, candidates, &allowed, left);
        return Chosen { choice: Choice::Nowhere(why), why: String::new() };
    };
    let why = format!("{first}{}{}", within(placement, &usable), others(placement, candidates, left));
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
    let mut shares: BTreeMap<Option<String>, Share> = BTreeMap::new();
    for candidate in allowed {
        let share = shares.entry(value(candidate)).or_insert(Share { active: 1, weight: 0 });
        share.active += candidate.active as u128;
        share.weight += u128::from(placement.weight(&candidate.cluster.head.name));
    }
    shares.retain(|of, _| usable.iter().any(|candidate| value(candidate) == *of));
    let (chosen, _) = shares.iter().min_by(|(_, one), (_, other)| one.cmp(**other))?;
    let named = |of: &Option<String>| of.clone().unwrap_or_else(|| "none".to_owned());
    let weighs = !placement.weights.is_empty();
    let counts = shares.iter().map(|(of, share)| {
        let weight = if weighs { format!(" of weight {}", share.weight) } else { String::new() };
        format!("{} {}{weight}", named(of), share.active - 1)
    });
    let for_weight = if weighs { " for its weight" } else { "" };
    let words = match shares.len() {
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
#[derive(Clone, Copy)]
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
        of(one) == of(other) && one.head.name == other.head.name && one.head.labels == other.head.labels
    };
    one.len() == other.len() && one.iter().zip(other).all(is_same)
}

/// Why a cluster does not get a run that has `left` some.
fn why_not(cluster: &Cluster, left: &BTreeSet<Ordinal>) -> Option<&'static str> {
    let has_left = left.contains(&cluster.head.ordinal);
    hindrance(cluster).or(has_left.then_some("is where it was given up"))
}

#[cfg(test)]
#[path = "choose_tests.rs"]
mod tests;
