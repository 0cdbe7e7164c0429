//! The choice of a cluster, as a pure function.

use crate::limits::NAMES_SHOWN_MAX;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use tallyman_model::Ordinal;
use tallyman_model::command::Choice;
use tallyman_model::record::{Cluster, Placement};

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
#[must_use]
pub fn choose(placement: &Placement, left: &BTreeSet<Ordinal>, candidates: &[Candidate]) -> Chosen {
    let mut allowed: Vec<&Candidate> =
        candidates.iter().filter(|candidate| placement.allows(&candidate.cluster)).collect();
    allowed.sort_by(|one, other| one.cluster.head.name.cmp(&other.cluster.head.name));
    let usable: Vec<&&Candidate> =
        allowed.iter().filter(|candidate| why_not(&candidate.cluster, left).is_none()).collect();
    // Of equals the first stays.
    let Some(best) = usable.iter().min_by(|one, other| share(placement, one).cmp(share(placement, other)))
    else {
        return Chosen { choice: Choice::Nowhere(nowhere(candidates, &allowed, left)), why: String::new() };
    };
    let names = usable.iter().map(|candidate| candidate.cluster.head.name.clone());
    let why = match usable.len() {
        1 => "the only cluster that can take it".to_owned(),
        _ if placement.weights.is_empty() => format!("fewest running of {}", sentence(names.collect())),
        _ => {
            let share = |candidate: &&&Candidate| {
                let name = &candidate.cluster.head.name;
                format!("{name} {} of weight {}", candidate.active, placement.weight(name))
            };
            format!("fewest running for its weight: {}", sentence(usable.iter().map(share).collect()))
        }
    };
    Chosen { choice: Choice::On(best.cluster.head.ordinal), why }
}

/// What is compared: how full a cluster would be with one run more, for its weight.
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

fn nowhere(all: &[Candidate], allowed: &[&Candidate], left: &BTreeSet<Ordinal>) -> String {
    if all.is_empty() {
        return "no cluster is registered".to_owned();
    }
    if allowed.is_empty() {
        return "no cluster is in spec.placement".to_owned();
    }
    let whys = allowed.iter().filter_map(|candidate| {
        let why = why_not(&candidate.cluster, left)?;
        Some(format!("{} {why}", candidate.cluster.head.name))
    });
    format!("no cluster takes it now: {}", sentence(whys.collect()))
}

fn sentence(mut parts: Vec<String>) -> String {
    let more = parts.len().saturating_sub(NAMES_SHOWN_MAX);
    if more > 0 {
        parts.truncate(NAMES_SHOWN_MAX);
        parts.push(format!("and {more} more"));
    }
    parts.join(", ")
}

#[cfg(test)]
#[path = "choose_tests.rs"]
mod tests;
