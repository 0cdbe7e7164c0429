//! The watches and the sweeps of one cluster, as long as it is the cluster that it was.

use super::ingest::Ingest;
use super::{Site, sweep};
use crate::limits::UNTRACKED_MS;
use futures::future::join_all;
use std::sync::Arc;
use std::time::Duration;
use tallyman_cluster::driver::{self, WatchOptions};
use tallyman_cluster::machine::Stored;
use tallyman_cluster::{ClusterApi, Guarded};
use tallyman_model::manifest::marks;
use tallyman_model::query;
use tallyman_model::record::Kind;
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
    let watches = Kind::ALL.into_iter().filter(|kind| kind.is_watched()).map(|kind| {
        let (site, api, known) =
            (Arc::clone(site), Arc::clone(&reader) as Arc<dyn ClusterApi>, known.clone());
        async move {
            let mut tracked = site.tracked.clone();
            while tracked.wait_for(|tracked| tracked.contains(&kind)).await.is_ok() {
                tokio::select! {
                    () = watch_kind(&site, kind, &api, known.clone()) => return,
                    () = untracked(&mut tracked, kind) => {}
                }
            }
        }
    });
    tokio::join!(follow_timeline(site, timeline), join_all(watches), sweep::run(site, reader.as_ref()));
}

async fn watch_kind(site: &Arc<Site>, kind: Kind, api: &Arc<dyn ClusterApi>, known: watch::Receiver<u32>) {
    let found = site.term.look(|view| {
        let stored = query::watch(view, site.cluster, kind)?;
        Ok((stored, query::meta(view)?.group))
    });
    let Some((stored, group)) = found else { return };
    let stored = stored.map(|watch| Stored { cursor: watch.cursor, timeline: watch.timeline });
    let seed = site.term.options.env.number();
    let options = WatchOptions::new(kind, marks::selector(group), seed);
    let sink = Arc::new(Ingest::new(Arc::clone(site)));
    driver::run(Arc::clone(api), sink, options, stored, known).await;
}

/// Ends when nothing of the kind has been tracked for a while.
async fn untracked(tracked: &mut watch::Receiver<Vec<Kind>>, kind: Kind) {
    loop {
        if tracked.wait_for(|tracked| !tracked.contains(&kind)).await.is_err() {
            return std::future::pending().await;
        }
        let again = tracked.wait_for(|tracked| tracked.contains(&kind));
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
