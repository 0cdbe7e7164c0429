//! Record what a watch said of work on a cluster that was not submitted here, and how far the watch has come.
//!
//! Reads the cluster, the status rule of the kind, and who claims the names; writes the records of what was seen, the
//! watch's cursor, and on the cluster how much is not shown. What a run or a deployable has made is not shown twice. Of
//! what has ended and is gone the oldest make room for what is new. Refused only as `Outdated`: the cluster is gone,
//! its timeline has moved on, or it does not select that any more.

use super::CursorMove;
use crate::record::{Cluster, Extent, Foreign, ForeignSelector, Kind, Owner, Record, Resource, Unshown};
use crate::rule::Verdict;
use crate::{Damaged, Done, Ordinal, Refusal, Revision, Tag, Txn, limits, query};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is shown of one object that was not submitted here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID on the cluster.
    pub uid: String,
    /// Its resourceVersion there.
    pub resource_version: String,
    /// It is gone, or not selected any more; the rest is what it was last.
    pub gone: bool,
    /// It was asked to go.
    pub deleting: bool,
    /// When it was made, ms since 1970 on the cluster's clock.
    pub created_ms: Option<u64>,
    /// When it says it started.
    pub started_ms: Option<u64>,
    /// When it says it ended.
    pub finished_ms: Option<u64>,
    /// What its status means; `None` for kinds without a rule.
    pub verdict: Option<Verdict>,
    /// What it says of itself.
    pub message: String,
    /// The revision of the status rule by which it was read; `None`: by none.
    pub rule: Option<Revision>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What made it.
    pub owner: Option<Owner>,
}

impl Sighting {
    /// What is shown of what a cluster said.
    #[must_use]
    pub fn of(item: super::Observation, gone: bool) -> Self {
        let described = item.described.map(|described| *described).unwrap_or_default();
        Self {
            namespace: item.namespace,
            name: item.name,
            uid: item.uid,
            resource_version: item.resource_version,
            gone,
            deleting: item.seen.is_deleting(),
            created_ms: item.seen.created_ms,
            started_ms: item.seen.started_ms,
            finished_ms: item.seen.finished_ms,
            verdict: item.verdict,
            message: item.seen.message,
            rule: item.seen.rule,
            labels: described.labels,
            owner: described.owner,
        }
    }

    /// What is known of an object that a listing did not name.
    #[must_use]
    pub fn missing(known: &Foreign) -> Self {
        Self {
            namespace: known.head.namespace.clone(),
            name: known.object.clone(),
            uid: known.object_uid.clone(),
            resource_version: String::new(),
            gone: true,
            deleting: false,
            created_ms: None,
            started_ms: None,
            finished_ms: None,
            verdict: None,
            message: String::new(),
            rule: None,
            labels: BTreeMap::new(),
            owner: None,
        }
    }
}

/// What such a watch said, in one entry with its cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObserveForeign {
    /// The cluster.
    pub cluster: Ordinal,
    /// What is selected there.
    pub selector: ForeignSelector,
    /// The namespace that the watch is of; empty: all.
    pub namespace: String,
    /// What the cluster calls the kind in paths.
    pub plural: String,
    /// The cluster's timeline as the leader knew it.
    pub timeline: u32,
    /// The resourceVersion that the watch has reached with these; `None`: no further.
    pub cursor: Option<String>,
    /// The revision of the status rule that was the kind's when the watch began.
    pub rule: Option<Revision>,
    /// The objects, each once, in its last state.
    pub items: Vec<Sighting>,
    /// How many are selected and not shown; `None`: as many as before.
    pub unshown: Option<u64>,
}

impl ObserveForeign {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let Some(mut cluster) = txn.cluster(self.cluster)? else {
            return Ok(Err(Refusal::outdated("the cluster is gone")));
        };
        if cluster.timeline != self.timeline {
            return Ok(Err(Refusal::outdated("the cluster's timeline has moved on")));
        }
        let moved = self.moved();
        if !cluster.observes(&self.selector, &moved.extent) {
            return Ok(Err(Refusal::outdated("the cluster does not select that any more")));
        }
        let kind = &self.selector.kind;
        let rule = txn.status_rule(kind)?.map(|rule| rule.head.revision);
        let mut room = None;
        // What was read by another rule is read anew.
        let now = txn.now_ms();
        for item in &self.items {
            match query::foreign(txn.view(), self.cluster, kind, &item.uid)? {
                Some(one) if item.gone => self.forget(txn, one, item, item.rule == rule)?,
                _ if item.gone || item.rule != rule => {}
                Some(mut one) => {
                    if one.see(item, self.timeline, now) {
                        txn.put(Record::Foreign(one))?;
                    }
                }
                None => self.add(txn, item, &cluster.head.name, &mut room)?,
            }
        }
        let (count, called) = (self.items.len(), moved.called());
        txn.say(format!("{count} of {called} on {}, not submitted here", cluster.head.name));
        let extent = &moved.extent;
        if let Some(count) = self.unshown.filter(|count| *count != cluster.unshown_of(extent)) {
            cluster.unshown.retain(|unshown| unshown.extent != *extent);
            cluster.unshown.extend((count > 0).then(|| Unshown { extent: extent.clone(), count }));
            txn.put(Record::Cluster(cluster))?;
        }
        moved.take(txn, self.items.iter().map(|item| &item.resource_version))?;
        Ok(Ok(Done::at(txn)))
    }

    /// How far the watch has come with these.
    fn moved(&self) -> CursorMove {
        CursorMove {
            cluster: self.cluster,
            extent: Extent { kind: self.selector.kind.clone(), namespace: self.namespace.clone() },
            foreign: Some(self.selector.clone()),
            plural: self.plural.clone(),
            timeline: self.timeline,
            cursor: self.cursor.clone(),
            rule: self.rule,
        }
    }

    /// Shows one more object, if it is not ours. `room` is how many more there may be, once that was counted.
    fn add(
        &self,
        txn: &mut Txn<'_>,
        item: &Sighting,
        cluster_name: &str,
        room: &mut Option<usize>,
    ) -> Result<(), Damaged> {
        let (cluster, kind) = (self.cluster, &self.selector.kind);
        if txn.is_ours(cluster, kind, item)? {
            return Ok(());
        }
        let left = match room {
            Some(left) => left,
            None => {
                let most = limits::FOREIGN_OF_CLUSTER_MAX;
                room.insert(most.saturating_sub(query::foreign_count(txn.view(), cluster)?))
            }
        };
        if *left > 0 {
            *left -= 1;
        } else if let Some(oldest) = txn.ordinals(Tag::ForeignGone, cluster.0, 1)?.first() {
            txn.remove(*oldest, 0)?;
        } else {
            return Ok(());
        }
        let mut new = Foreign::new((cluster, cluster_name), kind, item, (self.timeline, txn.now_ms()));
        if txn.named(Resource::Runnable, &new.head.namespace, &new.head.name)?.is_some() {
            new.name_in_full();
        }
        new.head.ordinal = txn.new_ordinal();
        txn.put(Record::Foreign(new)).map(drop)
    }

    /// What has ended stays for a while.
    fn forget(
        &self,
        txn: &mut Txn<'_>,
        mut known: Foreign,
        item: &Sighting,
        is_judged_now: bool,
    ) -> Result<(), Damaged> {
        if known.gone_ms.is_some() {
            return Ok(());
        }
        let now = txn.now_ms();
        // A listing does not say what it was last.
        if is_judged_now && !item.resource_version.is_empty() {
            known.see(item, self.timeline, now);
        }
        if !known.phase.is_terminal() {
            return txn.remove(known.head.ordinal, 0);
        }
        known.gone_ms = Some(now);
        txn.put(Record::Foreign(known)).map(drop)
    }
}

impl Txn<'_> {
    /// The records of what was not submitted here and is, or was, on a cluster.
    fn foreign_of(&self, cluster: Ordinal) -> Result<Vec<Ordinal>, Damaged> {
        let (from, to) = query::foreign_range(cluster);
        Ok(self
            .page(from, to, limits::FOREIGN_OF_CLUSTER_MAX)?
            .into_iter()
            .map(|key| key.ordinal())
            .collect())
    }

    /// A run or a deployable has made it, by its UID.
    fn is_ours(&self, cluster: Ordinal, kind: &Kind, item: &Sighting) -> Result<bool, Damaged> {
        let claim = crate::lookup::claim_hash(cluster, kind, &item.namespace, &item.name);
        let found = self.find(Tag::Claim, claim, |record| {
            let is = |uid: &Option<String>| uid.as_ref() == Some(&item.uid);
            let has = match record {
                Record::Runnable(run) => {
                    run.objects.iter().any(|object| object.cluster == cluster && is(&object.uid))
                }
                Record::Installation(one) => {
                    one.cluster == cluster && one.objects.iter().any(|object| is(&object.uid))
                }
                _ => false,
            };
            has.then_some(())
        })?;
        Ok(found.is_some())
    }

    /// Forgets what is shown of a cluster and was not submitted here, but for what `kept` selects by kind and namespace.
    /// By other labels it is listed anew.
    pub(super) fn forget_foreign(&mut self, cluster: Ordinal, kept: Option<&Cluster>) -> Result<(), Damaged> {
        let observe = kept.map(|kept| kept.observe.as_slice()).unwrap_or_default();
        let is_kept = |one: &Foreign| {
            observe.iter().any(|selector| selector.kind == one.kind && selector.is_in(&one.head.namespace))
        };
        let is_watched = |extent: &Extent| {
            kept.is_some_and(|kept| observe.iter().any(|selector| kept.observes(selector, extent)))
        };
        let watches = self.ordinals(Tag::Watches, cluster.0, limits::WATCHES_MAX)?;
        for ordinal in self.foreign_of(cluster)?.into_iter().chain(watches) {
            match self.record(ordinal)? {
                Some(Record::Foreign(one)) if !is_kept(&one) => self.remove(ordinal, 0)?,
                Some(Record::Watch(watch)) if watch.foreign.is_some() && !is_watched(&watch.extent) => {
                    self.remove(ordinal, 0)?;
                }
                Some(Record::Watch(mut watch))
                    if watch.foreign.as_ref().is_some_and(|selector| !observe.contains(selector)) =>
                {
                    watch.cursor.clear();
                    self.put(Record::Watch(watch))?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}
