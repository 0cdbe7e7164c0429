//! The watches and the sweeps of one cluster, as long as it is the cluster that it was.

use super::ingest::Ingest;
use super::{Site, foreign, sweep};
use crate::limits::{REST_MS, UNTRACKED_MS};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tallyman_cluster::driver::{self, WatchOptions};
use tallyman_cluster::machine::Stored;
use tallyman_cluster::{ClusterApi, Guarded};
use tallyman_model::manifest::marks;
use tallyman_model::query::Extents;
use tallyman_model::record::{Cluster, Extent, Kind, WatchScope};
use tallyman_model::{Revision, query};
use tokio::sync::watch;

pub(super) async fn run(site: &Arc<Site>) {
    let mut confirmed = site.confirmed.subscribe();
    let mut client = site.client.subscribe();
    loop {
        if confirmed.wait_for(|confirmed| *confirmed).await.is_err() {
            return;
        }
        client.mark_unchanged();
        let Some(reader) = site.reader() else {
            if client.changed().await.is_err() {
                return;
            }
            continue;
        };
        // A new client or another identity ends all of it; it starts anew from the committed cursors.
        tokio::select! {
            () = watch_and_sweep(site, Arc::new(reader)) => return,
            ended = confirmed.wait_for(|confirmed| !*confirmed) => if ended.is_err() {
                return;
            },
            ended = client.changed() => if ended.is_err() {
                return;
            },
        }
    }
}

async fn watch_and_sweep(site: &Arc<Site>, reader: Arc<Guarded>) {
    let (timeline, known) = watch::channel(site.record.borrow().timeline);
    tokio::join!(
        follow_timeline(site, timeline),
        watch_tracked(site, reader.clone() as Arc<dyn ClusterApi>, known.clone()),
        foreign::run(site, reader.clone() as Arc<dyn ClusterApi>, known),
        sweep::run(site, reader.as_ref())
    );
}

/// Watches each kind while something of it is tracked, everywhere or in each namespace.
async fn watch_tracked(site: &Arc<Site>, api: Arc<dyn ClusterApi>, known: watch::Receiver<u32>) {
    let mut tracked = site.tracked.clone();
    let mut watches = FuturesUnordered::new();
    let mut watched: BTreeSet<Extent> = BTreeSet::new();
    loop {
        let extents = tracked.borrow_and_update().all.clone();
        for extent in extents.into_iter().filter(|extent| extent.kind.is_watched()) {
            if watched.insert(extent.clone()) {
                watches.push(watch_while_tracked(site, extent, &api, known.clone()));
            }
        }
        tokio::select! {
            changed = tracked.changed() => if changed.is_err() {
                return std::future::pending().await;
            },
            Some(ended) = watches.next(), if !watches.is_empty() => {
                watched.remove(&ended);
            }
        }
    }
}

/// Gives the extent back when nothing of it is tracked any more, it is to be read by another rule, or the cluster is
/// watched by other extents.
async fn watch_while_tracked(
    site: &Arc<Site>,
    extent: Extent,
    api: &Arc<dyn ClusterApi>,
    known: watch::Receiver<u32>,
) -> Extent {
    let mut tracked = site.tracked.clone();
    let rule = site.term.rules.borrow().revision(&extent.kind);
    tokio::select! {
        () = watch_extent(site, &extent, rule, api, known) => {}
        () = untracked(&mut tracked, &extent) => site.denials.forget(&extent),
        () = rescoped(site, &extent) => site.denials.forget(&extent),
        () = ruled_anew(site, &extent.kind, rule) => {}
    }
    extent
}

/// Ends when the cluster is not watched by such extents.
async fn rescoped(site: &Site, extent: &Extent) {
    let mut record = site.record.clone();
    let by_namespaces = extent.namespace().is_some();
    let is_other = |record: &Cluster| (record.watch_scope == WatchScope::Namespaces) != by_namespaces;
    if record.wait_for(is_other).await.is_err() {
        std::future::pending().await
    }
}

async fn watch_extent(
    site: &Arc<Site>,
    extent: &Extent,
    rule: Option<Revision>,
    api: &Arc<dyn ClusterApi>,
    known: watch::Receiver<u32>,
) {
    let found = site.term.look(|view| {
        let stored = query::watch(view, site.cluster, extent)?;
        Ok((stored, query::meta(view)?.group))
    });
    let Some((stored, group)) = found else {
        // Not to be asked again and again.
        return tokio::time::sleep(Duration::from_millis(REST_MS)).await;
    };
    // What was read by another rule is listed and read anew.
    let stored = stored.filter(|watch| watch.rule == rule);
    let sink = Arc::new(Ingest::new(Arc::clone(site), Arc::clone(api), rule));
    let options = options(site, extent, marks::selector(group));
    driver::run(Arc::clone(api), sink, options, stored.map(Stored::from), known).await;
    // The leadership is over.
    std::future::pending().await
}

/// How the watches of a site are run.
pub(super) fn options(site: &Site, extent: &Extent, selector: String) -> WatchOptions {
    WatchOptions {
        tide: site.term.tide.clone(),
        turns: site.turns.clone(),
        beats_from: site.term.begun,
        ..WatchOptions::new(extent.clone(), selector, site.term.options.env.number())
    }
}

/// Ends when the kind has another rule than that.
pub(super) async fn ruled_anew(site: &Site, kind: &Kind, rule: Option<Revision>) {
    let mut rules = site.term.rules.subscribe();
    if rules.wait_for(|rules| rules.revision(kind) != rule).await.is_err() {
        std::future::pending().await
    }
}

/// Ends when nothing of it has been tracked for a while.
async fn untracked(tracked: &mut watch::Receiver<Extents>, extent: &Extent) {
    loop {
        if tracked.wait_for(|tracked| !tracked.all.contains(extent)).await.is_err() {
            return std::future::pending().await;
        }
        let again = tracked.wait_for(|tracked| tracked.all.contains(extent));
        if tokio::time::timeout(Duration::from_millis(UNTRACKED_MS), again).await.is_err() {
            return;
        }
    }
}

async fn follow_timeline(site: &Site, timeline: watch::Sender<u32>) {
    let mut record = site.record.clone();
    while record.changed().await.is_ok() {
        let now = record.borrow_and_update().timeline;
        timeline.send_if_modified(|known| std::mem::replace(known, now) != now);
    }
    std::future::pending().await
}
