//! Why clusters were not chosen, in words: each by name, those with the same reason together, at most a few names each.

use super::{Candidate, Wish};
use crate::limits::{NAMES_SHOWN_MAX, REASONS_SHOWN_MAX};
use std::borrow::Cow;
use std::collections::BTreeMap;
use tallyman_model::record::Cluster;

/// Why none takes it.
pub(super) fn nowhere(wish: &Wish<'_>, all: &[Candidate], allowed: &[&Candidate]) -> String {
    if all.is_empty() {
        return "no cluster is registered".to_owned();
    }
    let whys = whys(wish, all);
    match (allowed.is_empty(), whys.is_empty()) {
        (true, true) => "no cluster is in spec.placement".to_owned(),
        (true, false) => format!("no cluster is in spec.placement: {whys}"),
        (false, _) => format!("no cluster takes it now: {whys}"),
    }
}

/// Why others were not considered, to be put behind why one was chosen; empty if all were.
pub(super) fn others(wish: &Wish<'_>, all: &[Candidate]) -> String {
    let whys = whys(wish, all);
    if whys.is_empty() { whys } else { format!("; {whys}") }
}

/// Those that spec.placement does not name are not told of: whoever wrote it knows.
fn whys(wish: &Wish<'_>, all: &[Candidate]) -> String {
    let placement = wish.placement;
    let mut by_reason: BTreeMap<Cow<'_, str>, Vec<String>> = BTreeMap::new();
    let mut named: Vec<&Cluster> = all.iter().map(|candidate| &candidate.cluster).collect();
    named.retain(|cluster| placement.clusters.is_empty() || placement.clusters.contains(&cluster.head.name));
    named.sort_by(|one, other| one.head.name.cmp(&other.head.name));
    let mut order = Vec::new();
    for cluster in named {
        let is_named = placement.decision.as_ref().is_none_or(|decision| cluster.is_decided(decision));
        let mismatch = match is_named {
            false => Some(Cow::Borrowed("is not in the placement decision")),
            true => (!placement.allows(cluster)).then_some(Cow::Borrowed("does not match clusterSelector")),
        };
        let Some(why) = mismatch.or_else(|| wish.why_not(cluster)) else { continue };
        if !order.contains(&why) {
            order.push(why.clone());
        }
        by_reason.entry(why).or_default().push(cluster.head.name.clone());
    }
    let told = order.into_iter().filter_map(|why| {
        let names = by_reason.remove(&why)?;
        let why = if names.len() == 1 { why } else { Cow::Owned(plural(&why)) };
        Some(format!("{} {why}", sentence(names)))
    });
    let mut told: Vec<String> = told.collect();
    let more = told.len().saturating_sub(REASONS_SHOWN_MAX);
    if more > 0 {
        told.truncate(REASONS_SHOWN_MAX);
        told.push(format!("and others for {more} more reasons"));
    }
    told.join(", ")
}

/// The same of several.
fn plural(why: &str) -> String {
    let verbs = [
        ("is ", "are "),
        ("has ", "have "),
        ("does ", "do "),
        ("refuses ", "refuse "),
        ("lacks ", "lack "),
        ("did ", "did "),
    ];
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
