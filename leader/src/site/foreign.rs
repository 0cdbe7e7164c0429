//! What a cluster runs that was not submitted here, and that its `observe` selects: watched, shown, never touched.

use super::Site;
use super::ingest::{begin_timeline, entries, put};
use super::watching::options;
use crate::cursors::LastMove;
use crate::limits::{FOREIGN_LIST_MS_MIN, REST_MS, UNSHOWN_COUNTED_MAX};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tallyman_cluster::driver::{self, Batch, Sink, SinkError};
use tallyman_cluster::machine::Stored;
use tallyman_cluster::{ClusterApi, ObjectKey};
use tallyman_model::command::{CursorMove, Observation, ObserveForeign, Sighting};
use tallyman_model::manifest::marks;
use tallyman_model::record::{Cluster, Extent, Foreign, ForeignSelector, Record};
use tallyman_model::{Command, GroupId, Revision, limits, query};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// All is listed anew for this share of what a cluster may have.
const ROOM_SHARE: usize = 10;

/// Watches what the cluster's record selects, as long as it does.
pub(super) async fn run(site: &Arc<Site>, api: Arc<dyn ClusterApi>, known: watch::Receiver<u32>) {
    let mut record = site.record.clone();
    let mut watches = FuturesUnordered::new();
    let mut watched: Vec<Extent> = Vec::new();
    loop {
        let selected = selected(&record.borrow_and_update());
        for (selector, extent) in selected {
            // One ends before another one begins that may see the same.
            if !watched.iter().any(|watched| watched.overlaps(&extent)) {
                watched.push(extent.clone());
                watches.push(watch_while_selected(site, (selector, extent), &api, known.clone()));
            }
        }
        tokio::select! {
            changed = record.changed() => if changed.is_err() {
                return std::future::pending().await;
            },
            Some(ended) = watches.next(), if !watches.is_empty() => {
                watched.retain(|watched| *watched != ended);
            }
        }
    }
}

/// What is watched, each for what it selects.
fn selected(record: &Cluster) -> Vec<(ForeignSelector, Extent)> {
    let of = |selector: &ForeignSelector| {
        let extents = selector.extents(record.watch_scope).into_iter();
        extents.map(|extent| (selector.clone(), extent)).collect::<Vec<_>>()
    };
    record.observe.iter().flat_map(of).collect()
}

/// Gives the extent back when it is not watched for that any more, or all is to be listed anew.
async fn watch_while_selected(
    site: &Arc<Site>,
    selected: (ForeignSelector, Extent),
    api: &Arc<dyn ClusterApi>,
    known: watch::Receiver<u32>,
) -> Extent {
    let mut record = site.record.clone();
    let (selector, extent) = &selected;
    let rule = site.term.rules.borrow().revision(&extent.kind);
    let lookout = Lookout::new(site, api, &selected, rule);
    tokio::select! {
        () = watch_extent(&lookout, known) => {}
        () = unselected(&mut record, selector, extent) => {
            if !site.tracked.borrow().all.contains(extent) {
                site.denials.forget(extent);
            }
        }
        () = super::watching::ruled_anew(site, &extent.kind, rule) => {}
        () = lookout.has_room() => {}
    }
    selected.1
}

async fn unselected(record: &mut watch::Receiver<Cluster>, selector: &ForeignSelector, extent: &Extent) {
    if record.wait_for(|record| !record.observes(selector, extent)).await.is_err() {
        std::future::pending().await
    }
}

async fn watch_extent(lookout: &Arc<Lookout>, known: watch::Receiver<u32>) {
    let Lookout { site, selector, extent, rule, .. } = lookout.as_ref();
    let found = site
        .term
        .look(|view| Ok((query::foreign_watch(view, site.cluster, extent)?, query::meta(view)?.group)));
    let Some((stored, group)) = found else {
        return tokio::time::sleep(Duration::from_millis(REST_MS)).await;
    };
    // What was selected otherwise, or read by another rule, is listed anew; and so is what there was no room for.
    let is_whole = site.record.borrow().unshown_of(extent) == 0;
    let stored =
        stored.filter(|watch| is_whole && watch.rule == *rule && watch.foreign.as_ref() == Some(selector));
    let (api, sink) = (Arc::clone(&lookout.api), Arc::clone(lookout) as Arc<dyn Sink>);
    let options = options(site, extent, labels(selector, group));
    driver::run(api, sink, options, stored.map(Stored::from), known).await;
    // The leadership is over.
    std::future::pending().await
}

/// What the cluster is asked for: nothing that the group has made.
fn labels(selector: &ForeignSelector, group: GroupId) -> String {
    let others = format!("{}!={group}", marks::GROUP);
    if selector.labels.0.is_empty() { others } else { format!("{},{others}", selector.labels) }
}

/// Takes what one watch saw.
struct Lookout {
    site: Arc<Site>,
    api: Arc<dyn ClusterApi>,
    selector: ForeignSelector,
    extent: Extent,
    /// The revision of the status rule that was the kind's when the watch began.
    rule: Option<Revision>,
    began: Instant,
    /// There is room for what was not shown.
    room: Notify,
    moved: LastMove,
    /// UIDs of what is selected and not shown, at most [`UNSHOWN_COUNTED_MAX`].
    unshown: Mutex<BTreeSet<String>>,
}

impl Sink for Lookout {
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(self.take(batch))
    }
}

impl Lookout {
    fn new(
        site: &Arc<Site>,
        api: &Arc<dyn ClusterApi>,
        (selector, extent): &(ForeignSelector, Extent),
        rule: Option<Revision>,
    ) -> Arc<Self> {
        let (site, api) = (Arc::clone(site), Arc::clone(api));
        let (selector, extent) = (selector.clone(), extent.clone());
        let (began, room, moved, unshown) =
            (Instant::now(), Notify::new(), LastMove::default(), Mutex::default());
        Arc::new(Self { site, api, selector, extent, rule, began, room, moved, unshown })
    }

    async fn take(&self, batch: Batch) -> Result<(), SinkError> {
        if !self.site.term.leads() {
            return Err(SinkError::Stopped);
        }
        begin_timeline(&self.site, batch.timeline).await?;
        let quiet = batch.items.is_empty() && batch.deleted.is_empty();
        let mut items = self.missing(batch.listed.as_ref())?;
        items.extend(batch.deleted.into_iter().map(|item| Sighting::of(item, true)));
        items.extend(batch.items.into_iter().filter_map(|item| self.sighting(item)));
        self.sift(&mut items, batch.timeline);
        if let Some(listed) = &batch.listed {
            let listed: BTreeSet<&str> = listed.iter().map(|key| key.uid.as_str()).collect();
            self.unshown().retain(|uid| listed.contains(uid.as_str()));
        }
        if items.is_empty() && batch.listed.is_none() {
            if !quiet && self.moved.is_recent() {
                return Ok(());
            }
            let cursor = batch.cursor.clone().filter(|cursor| !cursor.is_empty() && !self.counts_anew());
            if let Some(cursor) = cursor {
                return self.move_on(batch.timeline, cursor).await;
            }
        }
        self.propose(batch.timeline, items, batch.cursor).await?;
        self.look_for_room();
        Ok(())
    }

    /// What is shown and was not listed: it is gone, or not selected any more.
    fn missing(&self, listed: Option<&BTreeSet<ObjectKey>>) -> Result<Vec<Sighting>, SinkError> {
        let Some(listed) = listed else { return Ok(Vec::new()) };
        let Lookout { site, selector, extent, .. } = self;
        let known = site.term.look(|view| query::foreign_of_kind(view, site.cluster, &selector.kind));
        let Some(known) = known.and_then(|ordinals| site.term.records(&ordinals)) else {
            return Err(SinkError::Refused {
                wait_ms: REST_MS,
                message: "the state cannot be read".to_owned(),
            });
        };
        let is_missing = |one: &Foreign| {
            let (namespace, name, uid) =
                (one.head.namespace.clone(), one.object.clone(), one.object_uid.clone());
            let is_listed =
                selector.is_in(&namespace) && listed.contains(&ObjectKey { namespace, name, uid });
            let is_here = one.kind == extent.kind && extent.covers(&one.head.namespace);
            is_here && one.gone_ms.is_none() && !is_listed
        };
        let missing = known.iter().filter_map(|record| match record {
            Record::Foreign(one) if is_missing(one) => Some(Sighting::missing(one)),
            _ => None,
        });
        Ok(missing.collect())
    }

    fn sighting(&self, item: Observation) -> Option<Sighting> {
        self.selector.is_in(&item.namespace).then(|| Sighting::of(item, false))
    }

    /// Leaves what the state does not say already, and has room for. What it has no room for is counted.
    fn sift(&self, items: &mut Vec<Sighting>, timeline: u32) {
        let (site, kind) = (&self.site, &self.selector.kind);
        let (now_ms, mut unshown, mut room) = (site.term.now_ms(), self.unshown(), None);
        let mut shown = |item: &Sighting| {
            let known = site.term.look(|view| query::foreign(view, site.cluster, kind, &item.uid)).flatten();
            if let Some(mut known) = known {
                return if item.gone { known.gone_ms.is_none() } else { known.see(item, timeline, now_ms) };
            }
            if item.gone {
                unshown.remove(&item.uid);
                return false;
            }
            let left = room.get_or_insert_with(|| {
                site.term.look(|view| query::foreign_room(view, site.cluster)).unwrap_or(0)
            });
            if *left > 0 {
                *left -= 1;
                unshown.remove(&item.uid);
                return true;
            }
            if unshown.len() < UNSHOWN_COUNTED_MAX {
                unshown.insert(item.uid.clone());
            }
            false
        };
        items.retain(|item| shown(item));
    }

    async fn propose(
        &self,
        timeline: u32,
        items: Vec<Sighting>,
        cursor: Option<String>,
    ) -> Result<(), SinkError> {
        let Self { site, selector, extent, .. } = self;
        let count = u64::try_from(self.unshown().len()).unwrap_or(u64::MAX);
        for (items, cursor) in entries(items, cursor) {
            let moves = cursor.is_some();
            let observe = ObserveForeign {
                cluster: site.cluster,
                selector: selector.clone(),
                namespace: extent.namespace.clone(),
                plural: self.api.plural(&extent.kind).await.unwrap_or_default(),
                timeline,
                cursor,
                rule: self.rule,
                items,
                unshown: moves.then_some(count),
            };
            put(site, Command::ObserveForeign(observe)).await?;
            if moves {
                self.moved.note();
            }
        }
        Ok(())
    }

    /// Moves the cursor in one entry with those of others.
    async fn move_on(&self, timeline: u32, cursor: String) -> Result<(), SinkError> {
        let Self { site, selector, extent, rule, .. } = self;
        let plural = self.api.plural(&extent.kind).await.unwrap_or_default();
        let (cluster, rule, cursor) = (site.cluster, *rule, Some(cursor));
        let (extent, foreign) = (extent.clone(), Some(selector.clone()));
        let moved = CursorMove { cluster, extent, foreign, plural, timeline, cursor, rule };
        site.term.cursors.put(moved).await?;
        self.moved.note();
        Ok(())
    }

    /// There is another number of what is not shown than the cluster's record says.
    fn counts_anew(&self) -> bool {
        let known = self.site.record.borrow().unshown_of(&self.extent);
        usize::try_from(known) != Ok(self.unshown().len())
    }

    /// What is not shown is known by its UID only: to be shown it is listed anew.
    fn look_for_room(&self) {
        let unshown = self.unshown().len();
        if unshown == 0 {
            return;
        }
        let room = self.site.term.look(|view| query::foreign_room(view, self.site.cluster)).unwrap_or(0);
        if room >= unshown.min(limits::FOREIGN_OF_CLUSTER_MAX / ROOM_SHARE) {
            self.room.notify_one();
        }
    }

    /// Ends when it is worth listing anew.
    async fn has_room(&self) {
        self.room.notified().await;
        tokio::time::sleep_until(self.began + Duration::from_millis(FOREIGN_LIST_MS_MIN)).await;
    }

    fn unshown(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.unshown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
