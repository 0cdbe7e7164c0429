//! The watches and the sweeps of one cluster, as long as it is the cluster that it was.

use super::ingest::Ingest;
use super::{Site, sweep};
use futures::future::join_all;
use std::sync::Arc;
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
            let found = site.term.look(|view| {
                let stored = query::watch(view, site.cluster, kind)?;
                Ok((stored, query::meta(view)?.group))
            });
            let Some((stored, group)) = found else { return };
            let stored = stored.map(|watch| Stored { cursor: watch.cursor, timeline: watch.timeline });
            let seed = site.term.options.env.number();
            let options = WatchOptions::new(kind, marks::selector(group), seed);
            let sink = Arc::new(Ingest::new(Arc::clone(&site)));
            driver::run(api, sink, options, stored, known).await;
        }
    });
    tokio::join!(follow_timeline(site, timeline), join_all(watches), sweep::run(site, reader.as_ref()));
}

async fn follow_timeline(site: &Site, timeline: watch::Sender<u32>) {
    let mut record = site.record.clone();
    while record.changed().await.is_ok() {
        let now = record.borrow_and_update().timeline;
        timeline.send_if_modified(|known| std::mem::replace(known, now) != now);
    }
    std::future::pending().await
}
