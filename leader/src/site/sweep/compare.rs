//! What differs between a listing and the state, as pure functions of both.

use crate::limits::STATE_PAGE_MAX;
use crate::site::proof;
use std::collections::BTreeSet;
use tallyman_model::command::Observation;
use tallyman_model::record::{Extent, Object, ObjectState, Record, Runnable, Seen, Stray};
use tallyman_model::rule::Verdict;
use tallyman_model::{Damaged, GroupId, Key, Ordinal, Tag, View, query};

/// What the state has to learn of a listed object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// It is ours and not known to be there, or it came back with a restored etcd, or it has ended and that was missed.
    News(Box<Observation>),
    /// It is what a run waits to be, or to become next: it was sent after the backup that the group goes on from.
    Lost(Ordinal, Box<Observation>),
    /// It has our marks and no committed create accounts for it.
    Stray(Stray),
}

/// An object that the state says is there and a listing did not name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suspect {
    /// What is to be said if it is gone.
    pub(super) gone: Observation,
    /// It is known that our labels were taken off.
    pub(super) stripped: bool,
}

/// What the state has to learn of listed objects.
pub(super) fn listed(
    view: &dyn View,
    cluster: Ordinal,
    group: GroupId,
    items: &[Observation],
) -> Result<Vec<Finding>, Damaged> {
    let begun_ms = query::meta(view)?.lineages.last().map(|lineage| lineage.at_ms);
    let timeline = match query::record(view, cluster)? {
        Some(Record::Cluster(cluster)) => cluster.timeline,
        _ => 0,
    };
    let mut findings = Vec::new();
    for item in items.iter().filter(|item| !is_of_template(item)) {
        if query::is_kept_in_sync(view, cluster, item)? {
            continue;
        }
        let owners = owners(view, cluster, item)?;
        findings.extend(judge(&owners, (cluster, timeline), group, begun_ms, item));
    }
    Ok(findings)
}

/// A Pod that a controller made of a template that we labelled: it has our labels, and nothing of it was sent.
fn is_of_template(item: &Observation) -> bool {
    item.kind.as_str() == "Pod" && item.digest.is_none()
}

/// Who may account for an object: by the label, and by the claims on its name.
fn owners(view: &dyn View, cluster: Ordinal, item: &Observation) -> Result<Vec<Runnable>, Damaged> {
    let mut owners = query::claimants(view, cluster, &item.kind, &item.namespace, &item.name)?;
    if let Some(uid) = item.submission
        && let Some(Record::Runnable(run)) = query::by_uid(view, uid)?
    {
        owners.push(run);
    }
    Ok(owners)
}

/// `begun_ms`: when the group went on from a backup, if it ever did.
fn judge(
    owners: &[Runnable],
    (cluster, timeline): (Ordinal, u32),
    group: GroupId,
    begun_ms: Option<u64>,
    item: &Observation,
) -> Option<Finding> {
    let all = || owners.iter().flat_map(|run| run.objects.iter().map(move |object| (run, object)));
    let here = || all().filter(|(_, object)| object.cluster == cluster && !object.given_up);
    if let Some((run, object)) = here().find(|(_, object)| object.uid.as_ref() == Some(&item.uid)) {
        let ended = matches!(item.verdict, Some(Verdict::Succeeded | Verdict::Failed));
        let missed =
            ended && object.state == ObjectState::Live && run.is_main(object) && !run.has_ended(object);
        let returned = object.state == ObjectState::Gone
            && object.seen.as_ref().is_some_and(|seen| seen.timeline < timeline);
        return (missed || returned).then(|| Finding::News(Box::new(item.clone())));
    }
    let accounts = |(run, object): (&Runnable, &Object)| {
        let open = object.uid.is_none() || object.state == ObjectState::Gone;
        open && object.create_intended && proof::is_exactly(item, group, run, object)
    };
    if here().any(accounts) {
        return Some(Finding::News(Box::new(item.clone())));
    }
    let is_lost = |run: &&Runnable| {
        begun_ms.is_some_and(|begun_ms| run.lost_attempt(cluster, item, group, begun_ms).is_some())
    };
    Some(match owners.iter().find(is_lost) {
        Some(run) => Finding::Lost(run.head.ordinal, Box::new(item.clone())),
        None => Finding::Stray(stray(item)),
    })
}

pub(super) fn stray(item: &Observation) -> Stray {
    let (namespace, name, uid) = (item.namespace.clone(), item.name.clone(), item.uid.clone());
    Stray { kind: item.kind.clone(), namespace, name, uid }
}

/// The objects of `runs` in what was `swept` that are alive as far as the state knows since before `started_ms`, and are not among the
/// `listed` UIDs.
pub(super) fn missing(
    view: &dyn View,
    cluster: Ordinal,
    swept: &[Extent],
    started_ms: u64,
    listed: &BTreeSet<String>,
    runs: &[Ordinal],
) -> Result<Vec<Suspect>, Damaged> {
    let mut suspects = Vec::new();
    for ordinal in runs {
        let Some(Record::Runnable(run)) = query::record(view, *ordinal)? else { continue };
        let older = |object: &&Object| object.seen.as_ref().is_none_or(|seen| seen.at_ms < started_ms);
        let alive = run
            .objects
            .iter()
            .filter(|object| object.cluster == cluster && object.state == ObjectState::Live);
        for object in alive.filter(older) {
            suspects
                .extend(suspect(&run, object, swept).filter(|suspect| !listed.contains(&suspect.gone.uid)));
        }
    }
    Ok(suspects)
}

fn suspect(run: &Runnable, object: &Object, swept: &[Extent]) -> Option<Suspect> {
    let plan = run.plan(object)?;
    let is_in = |extent: &Extent| extent.kind == plan.kind && extent.covers(&plan.namespace);
    if !swept.iter().any(is_in) {
        return None;
    }
    let gone = Observation {
        kind: plan.kind.clone(),
        namespace: plan.namespace.clone(),
        name: object.name.clone(),
        uid: object.uid.clone()?,
        resource_version: String::new(),
        gone: true,
        group: None,
        submission: Some(run.head.uid),
        attempt: Some(object.attempt),
        digest: Some(plan.digest.to_string()),
        held: false,
        seen: Seen::default(),
        verdict: None,
        described: None,
    };
    Some(Suspect { gone, stripped: object.stripped })
}

/// All ordinals under a lookup value, read in pages.
pub(super) fn page_all(view: &dyn View, tag: Tag, cluster: Ordinal) -> Result<Vec<Ordinal>, Damaged> {
    let mut ordinals: Vec<Ordinal> = Vec::new();
    let to = Key::lookup(tag, cluster.0 + 1, Ordinal(0));
    loop {
        let after = ordinals.last().copied().unwrap_or_default();
        let page = view.page(Key::lookup(tag, cluster.0, after.next()), to, STATE_PAGE_MAX)?;
        ordinals.extend(page.iter().map(|(key, _)| key.ordinal()));
        if page.len() < STATE_PAGE_MAX {
            return Ok(ordinals);
        }
    }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
