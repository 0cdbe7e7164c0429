//! Looks after what is kept in sync here: reads it by name, every few seconds and when a watch says that something of
//! it changed, and records what is not as it was.

use crate::limits::{READS_AT_ONCE_MAX, SYNC_LOOK_MS, SYNC_LOOK_MS_MIN};
use crate::site::Site;
use futures::{StreamExt, stream};
use std::time::Duration;
use tallyman_cluster::{ClusterApi, Guarded, Look};
use tallyman_model::command::{Looked, Observation, ObserveSync, Sight};
use tallyman_model::record::{Installation, ObjectState, Record, Synced};
use tallyman_model::{Command, query};

pub(in crate::site) async fn run(site: &Site) {
    loop {
        let is_known = *site.confirmed.borrow() && !site.breaker.is_open() && !site.term.is_paused();
        if let Some(reader) = site.reader().filter(|_| is_known) {
            let found = site.term.look(|view| query::installations(view, site.cluster));
            for installation in found.unwrap_or_default() {
                one(site, &reader, &installation).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(SYNC_LOOK_MS_MIN)).await;
        tokio::select! {
            () = site.look_now.notified() => {}
            () = tokio::time::sleep(Duration::from_millis(SYNC_LOOK_MS)) => {}
        }
    }
}

/// True if what a watch saw is of something that is kept in sync: then all of that is looked at.
pub(in crate::site) fn shows(site: &Site, item: &Observation) -> bool {
    let Some(uid) = item.submission else { return false };
    let found = site.term.look(|view| query::by_uid(view, uid)).flatten();
    matches!(found, Some(Record::Deployable(_)))
}

async fn one(site: &Site, reader: &Guarded, installation: &Installation) {
    let is_there = |object: &&Synced| object.state == ObjectState::Live && object.pending.is_none();
    let there: Vec<Synced> = installation.objects.iter().filter(is_there).cloned().collect();
    let reads = there.into_iter().map(|object| sight(reader, object));
    let sights: Vec<Option<Sight>> = stream::iter(reads).buffer_unordered(READS_AT_ONCE_MAX).collect().await;
    let sights: Vec<Sight> = sights.into_iter().flatten().collect();
    if !sights.is_empty() {
        let observe = ObserveSync { installation: installation.ordinal, sights };
        // Not taken: the next look finds it again.
        let _ = site.term.propose(Command::ObserveSync(observe)).await;
    }
}

/// `None`: it is as it was, or could not be read.
async fn sight(reader: &Guarded, object: Synced) -> Option<Sight> {
    let uid = object.uid.clone()?;
    let found = reader.look(&object.kind, &object.namespace, &object.name).await.ok()?;
    let Some(look) = found.filter(|look| look.item.uid == uid) else {
        return Some(Sight { uid, looked: None });
    };
    let looked = looked(&look);
    is_news(&object, &looked).then_some(Sight { uid, looked: Some(looked) })
}

fn is_news(object: &Synced, looked: &Looked) -> bool {
    let is_changed = object.owned.is_some() && looked.owned != object.owned;
    let seen = (object.deleting, object.health, object.health_message.as_str());
    seen != (looked.deleting, looked.health, looked.health_message.as_str())
        || is_changed != object.drift.is_some()
}

/// What is recorded of what was read.
pub(super) fn looked(look: &Look) -> Looked {
    Looked {
        uid: look.item.uid.clone(),
        resource_version: look.item.resource_version.clone(),
        deleting: look.item.seen.is_deleting(),
        owned: look.owned.digest,
        changed_by: look.owned.changed_by.clone(),
        health: look.owned.health,
        health_message: look.owned.health_message.clone(),
    }
}
