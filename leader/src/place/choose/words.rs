//! Why clusters were not chosen, in words: each by name, those with the same reason together, at most a few names each.

use super::{Candidate, why_not};
use crate::limits::NAMES_SHOWN_MAX;
use std::collections::{BTreeMap, BTreeSet};
use tallyman_model::Ordinal;
use tallyman_model::record::{Cluster, Placement};

/// Why none takes it.
pub(super) fn nowhere(
    placement: &Placement,
    all: &[Candidate],
    allowed: &[&Candidate],
    left: &BTreeSet<Ordinal>,
) -> String {
    if all.is_empty() {
        return "no cluster is registered".to_owned();
    }
    let whys = whys(placement, all, left);
    match (allowed.is_empty(), whys.is_empty()) {
        (true, true) => "no cluster is in spec.placement".to_owned(),
        (true, false) => format!("no cluster is in spec.placement: {whys}"),
        (false, _) => format!("no cluster takes it now: {whys}"),
    }
}

/// Why others were not considered, to be put behind why one was chosen; empty if all were.
pub(super) fn others(placement: &Placement, all: &[Candidate], left: &BTreeSet<Ordinal>) -> String {
    let whys = whys(placement, all, left);
    if whys.is_empty() { whys } else { format!("; {whys}") }
}

/// Those that spec.placement does not name are not told of: whoever wrote it knows.
fn whys(placement: &Placement, all: &[Candidate], left: &BTreeSet<Ordinal>) -> String {
    let mut by_reason: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    let mut named: Vec<&Cluster> = all.iter().map(|candidate| &candidate.cluster).collect();
    named.retain(|cluster| placement.clusters.is_empty() || placement.clusters.contains(&cluster.head.name));
    named.sort_by(|one, other| one.head.name.cmp(&other.head.name));
    let mut order = Vec::new();
    for cluster in named {
        let mismatch = (!placement.allows(cluster)).then_some("does not match clusterSelector");
        let Some(why) = mismatch.or(why_not(cluster, left)) else { continue };
        if !order.contains(&why) {
            order.push(why);
        }
        by_reason.entry(why).or_default().push(cluster.head.name.clone());
    }
    let told = order.into_iter().filter_map(|why| {
        let names = by_reason.remove(why)?;
        let why = if names.len() == 1 { why.to_owned() } else { plural(why) };
        Some(format!("{} {why}", sentence(names)))
    });
    told.collect::<Vec<_>>().join(", ")
}

/// The same of several.
fn plural(why: &str) -> String {
    let verbs = [("is ", "are "), ("has ", "have "), ("does ", "do "), ("refuses ", "refuse ")];
    let found = verbs.iter().find_map(|(one, many)| Some(format!("{many}{}", why.strip_prefix(one)?)));
    found.unwrap_or_else(|| why.to_owned())
}

/// The first few, and how many there are more.
pub(super) fn sentence(mut parts: Vec<String>) -> String {
    let more = parts.len().saturating_sub(NAMES_SHOWN_MAX);
    if more > 0 {
        parts.truncate(NAMES_SHOWN_MAX);
        parts.push(format!("and {more} more"));
    }
    parts.join(", ")
}
