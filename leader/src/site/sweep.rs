//! The two-sided comparison of inventory and cluster.

mod compare;

use super::{Site, contact};
use crate::limits::{
    OBSERVE_ITEMS_MAX, READS_AT_ONCE_MAX, REST_MS, STATE_PAGE_MAX, SWEEP_ENDED_MAX, SWEEP_LISTED_MAX,
    SWEEP_SUSPECTS_MAX, SWEEP_TOLD_MS,
};
use compare::{Finding, Suspect};
use futures::{StreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tallyman_cluster::{ClusterApi, Guarded, Pages};
use tallyman_model::command::{Adopt, Observation, Observe, Sweep};
use tallyman_model::limits::{STRAYS_MAX, SWEPT_NAMESPACES_MAX};
use tallyman_model::manifest::marks;
use tallyman_model::query::Extents;
use tallyman_model::record::{Cluster, Extent, Kind, Stray, WatchScope};
use tallyman_model::{Command, GroupId, Ordinal, Tag, query};

/// What a sweep of one kind found.
#[derive(Default)]
struct Findings {
    /// What was listed to its end.
    swept: Vec<Extent>,
    items: Vec<Observation>,
    strays: Vec<Stray>,
    strays_count: u64,
}

pub(super) async fn run(site: &Site, reader: &Guarded) {
    // Where the next sweep goes on among ended runs.
    let mut ended_after = Ordinal(0);
    let every = site.term.options.sweep_every;
    // Clusters that were met together are not swept together.
    let share = u32::try_from(1 + site.term.options.env.number() % 256).unwrap_or(1);
    let mut wait = every * share / 256;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = site.sweep_now.notified() => {}
        }
        if !site.breaker.is_open() {
            sweep(site, reader, &mut ended_after).await;
        }
        // However often one is asked for.
        tokio::time::sleep(Duration::from_millis(REST_MS)).await;
        wait = every.saturating_sub(Duration::from_millis(REST_MS));
    }
}

async fn sweep(site: &Site, reader: &Guarded, ended_after: &mut Ordinal) {
    let Some(record) = contact::current(site) else { return };
    // What is missing on another cluster is not gone on this one.
    let identity = reader.identity().await.ok().map(|identity| identity.kube_system_uid);
    if identity.is_none() || identity != record.kube_system_uid {
        return site.contact_now.notify_one();
    }
    let Some(group) = site.term.look(|view| Ok(query::meta(view)?.group)) else { return };
    let started_ms = site.term.now_ms();
    let runs = runs(site, ended_after);
    let tracked = site.term.look(|view| query::extents(view, &record, SWEPT_NAMESPACES_MAX));
    let Some(Extents { all: tracked, .. }) = tracked else { return };
    let mut all = Vec::new();
    for (kind, extents) in to_sweep(&record, &tracked) {
        let findings = one(site, reader, &extents, group, started_ms, &runs).await;
        all.push((kind, findings.keeping(&record)));
    }
    // What nothing needs nobody is to be told of that it may not be read.
    site.denials.keep(tracked.iter().chain(&others(&record)));
    let strays_count = all.iter().map(|(_, findings)| findings.strays_count).sum();
    for (kind, findings) in all.into_iter().filter(|(_, findings)| !findings.swept.is_empty()) {
        tell(site, &record, &kind, findings, strays_count).await;
    }
}

/// What is read of it beside what is tracked.
fn others(record: &Cluster) -> Vec<Extent> {
    let observed = record.observe.iter().flat_map(|selector| selector.extents(record.watch_scope));
    let told = [Kind::cluster_profile(), Kind::placement_decision()].map(Extent::everywhere);
    observed.chain(told.into_iter().filter(|_| record.hub.is_some())).collect()
}

/// What is listed of each kind: what is tracked, where strays were, and where nothing of ours is known to be any more all
/// that we make.
fn to_sweep(record: &Cluster, tracked: &[Extent]) -> BTreeMap<Kind, BTreeSet<Extent>> {
    let by_namespaces = record.watch_scope == WatchScope::Namespaces;
    let strays = record.strays.iter().map(|stray| match by_namespaces {
        true => Extent { kind: stray.kind.clone(), namespace: stray.namespace.clone() },
        false => Extent::everywhere(stray.kind.clone()),
    });
    let namespaces: BTreeSet<&str> = match by_namespaces {
        true => tracked.iter().map(|extent| extent.namespace.as_str()).collect(),
        false => BTreeSet::from([""]),
    };
    let known = Kind::KNOWN.into_iter().filter(|_| record.written_off.is_some()).flat_map(|kind| {
        let extent =
            move |namespace: &&str| Extent { kind: kind.clone(), namespace: (*namespace).to_owned() };
        namespaces.iter().map(extent).collect::<Vec<_>>()
    });
    let mut kinds: BTreeMap<Kind, BTreeSet<Extent>> = BTreeMap::new();
    for extent in tracked.iter().cloned().chain(strays).chain(known) {
        kinds.entry(extent.kind.clone()).or_default().insert(extent);
    }
    kinds
}

impl Findings {
    /// The same with the strays that were known where nothing was listed this time.
    fn keeping(mut self, record: &Cluster) -> Self {
        let Some(kind) = self.swept.first().map(|extent| extent.kind.clone()) else { return self };
        let is_kept = |stray: &&Stray| {
            stray.kind == kind && !self.swept.iter().any(|extent| extent.covers(&stray.namespace))
        };
        let kept: Vec<Stray> = record.strays.iter().filter(is_kept).cloned().collect();
        self.strays_count += kept.len() as u64;
        self.strays.extend(kept);
        self.strays.sort_unstable();
        self.strays.truncate(STRAYS_MAX);
        self
    }

    fn add(&mut self, other: Findings) {
        self.items.extend(other.items);
        self.strays_count += other.strays_count;
        self.strays.extend(other.strays);
        self.strays.sort_unstable();
        self.strays.truncate(STRAYS_MAX);
        self.swept.extend(other.swept);
    }
}

/// Which runs this sweep looks for on the cluster: all that are under way, and a stretch of those that have ended.
fn runs(site: &Site, ended_after: &mut Ordinal) -> Vec<Ordinal> {
    let found = site.term.look(|view| {
        let active = compare::page_all(view, Tag::Active, site.cluster)?;
        let ended = query::on_cluster(view, site.cluster, *ended_after, SWEEP_ENDED_MAX)?;
        Ok((active, ended))
    });
    let Some((mut runs, ended)) = found else { return Vec::new() };
    *ended_after = ended.last().copied().filter(|_| ended.len() == SWEEP_ENDED_MAX).unwrap_or_default();
    runs.extend(ended);
    runs.sort_unstable();
    runs.dedup();
    runs
}

async fn one(
    site: &Site,
    reader: &Guarded,
    extents: &BTreeSet<Extent>,
    group: GroupId,
    started_ms: u64,
    runs: &[Ordinal],
) -> Findings {
    let (mut findings, mut listed) = (Findings::default(), BTreeSet::new());
    for extent in extents {
        if let Some(found) = list(site, reader, extent, group, &mut listed).await {
            findings.add(found);
        }
    }
    if findings.swept.is_empty() {
        return findings;
    }
    let mut suspects = Vec::new();
    for runs in runs.chunks(STATE_PAGE_MAX) {
        let found = site
            .term
            .look(|view| compare::missing(view, site.cluster, &findings.swept, started_ms, &listed, runs));
        suspects.extend(found.unwrap_or_default());
        if suspects.len() >= SWEEP_SUSPECTS_MAX {
            break;
        }
    }
    let reads = suspects.into_iter().map(|suspect| read(site, reader, suspect));
    let read: Vec<_> = stream::iter(reads).buffer_unordered(READS_AT_ONCE_MAX).collect().await;
    findings.items.extend(read.into_iter().flatten());
    findings
}

/// What a listing of an extent shows; `None` if it did not come to its end: then it says nothing of what is not there.
async fn list(
    site: &Site,
    reader: &Guarded,
    extent: &Extent,
    group: GroupId,
    listed: &mut BTreeSet<String>,
) -> Option<Findings> {
    let mut findings = Findings { swept: vec![extent.clone()], ..Findings::default() };
    let (mut pages, selector) = (Pages::default(), marks::selector(group));
    loop {
        let page = match pages.next(reader, extent, &selector).await {
            Ok(Some(page)) => page,
            Ok(None) => return Some(findings),
            Err(error) => {
                tracing::debug!(cluster = site.name, %extent, %error, "a sweep could not list");
                return None;
            }
        };
        for items in page.items.chunks(STATE_PAGE_MAX) {
            listed.extend(items.iter().map(|item| item.uid.clone()));
            let found = site.term.look(|view| compare::listed(view, site.cluster, group, items));
            for finding in found.unwrap_or_default() {
                take(&mut findings, adopted(site, finding).await);
            }
        }
        if page.continue_token.is_some() && listed.len() >= SWEEP_LISTED_MAX {
            tracing::warn!(cluster = site.name, %extent, "too many objects for a sweep");
            return None;
        }
    }
}

/// Has a run take over what was sent after the backup. Where it does not, nobody accounts for it.
async fn adopted(site: &Site, finding: Finding) -> Finding {
    let Finding::Lost(run, item) = finding else { return finding };
    let Some(timeline) = contact::current(site).map(|record| record.timeline) else {
        return Finding::Stray(compare::stray(&item));
    };
    let adopt = Adopt { run, cluster: site.cluster, timeline, item: item.clone() };
    match site.term.propose(Command::Adopt(adopt)).await {
        Ok(_) => Finding::Lost(run, item),
        Err(_) => Finding::Stray(compare::stray(&item)),
    }
}

fn take(findings: &mut Findings, finding: Finding) {
    match finding {
        Finding::Lost(..) => {}
        Finding::News(item) => findings.items.push(*item),
        Finding::Stray(stray) => {
            findings.strays_count += 1;
            findings.strays.push(stray);
            findings.strays.sort_unstable();
            findings.strays.truncate(STRAYS_MAX);
        }
    }
}

/// A listing proves nothing about one object: it is read by name.
async fn read(site: &Site, reader: &Guarded, suspect: Suspect) -> Option<Observation> {
    let Suspect { gone, stripped } = suspect;
    match reader.get(&gone.kind, &gone.namespace, &gone.name).await {
        Ok(Some(alive)) if alive.uid == gone.uid => (alive.group.is_none() && !stripped).then_some(alive),
        Ok(_) => {
            tracing::info!(cluster = site.name, kind = %gone.kind, namespace = gone.namespace, name = gone.name, "ghost");
            Some(gone)
        }
        Err(_) => None,
    }
}

/// Proposes what there is to say; that there is nothing is said now and then.
async fn tell(site: &Site, record: &Cluster, kind: &Kind, findings: Findings, strays_count: u64) {
    let known: Vec<Stray> = record.strays.iter().filter(|stray| stray.kind == *kind).cloned().collect();
    // A record that is full shows only the first ones.
    let full = record.strays.len() == STRAYS_MAX;
    let all_known = known == findings.strays || (full && findings.strays.starts_with(&known));
    let same = all_known && record.strays_count == strays_count;
    let fresh = record.swept_ms + SWEEP_TOLD_MS > site.term.now_ms();
    if findings.items.is_empty() && same && fresh {
        return;
    }
    if !same {
        tracing::warn!(cluster = site.name, %kind, strays = strays_count, "strays are never touched");
    }
    let (cluster, timeline) = (site.cluster, record.timeline);
    let mut items = findings.items;
    let rest = items.split_off(items.len().min(OBSERVE_ITEMS_MAX));
    for items in rest.chunks(OBSERVE_ITEMS_MAX).map(<[Observation]>::to_vec) {
        let (kind, namespace, plural) = (kind.clone(), String::new(), String::new());
        let (is_watch, cursor, rule) = (false, None, None);
        let observe = Observe { cluster, kind, namespace, plural, timeline, is_watch, cursor, rule, items };
        // Not taken: the next sweep finds it again.
        let _ = site.term.propose(Command::Observe(observe)).await;
    }
    let kind = kind.clone();
    let sweep = Sweep { cluster, kind, timeline, items, strays: findings.strays, strays_count };
    let _ = site.term.propose(Command::Sweep(sweep)).await;
}
