//! Looks after what is kept in sync here: reads it by name, every few seconds and when a watch says that something of
//! it changed, and records what is not as it was.

use crate::limits::{READS_AT_ONCE_MAX, SYNC_LOOK_MS, SYNC_LOOK_MS_MIN};
use crate::site::Site;
use crate::site::sync::{Desk, desk};
use futures::{StreamExt, stream};
use serde_json::Value;
use std::time::Duration;
use tallyman_cluster::{ClusterApi, Guarded, Look};
use tallyman_model::command::{Looked, Observation, ObserveSync, Sight};
use tallyman_model::record::{Differences, Installation, ObjectState, Record, Synced};
use tallyman_model::{Command, query, rule};

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
    let Some(desk) = desk(site, installation.ordinal) else { return };
    let is_there = |object: &&Synced| object.state == ObjectState::Live && object.pending.is_none();
    let there = desk.installation.objects.iter().filter(is_there);
    let there: Vec<_> = there.map(|object| (object.clone(), applied(&desk, object))).collect();
    let reads = there.into_iter().map(|(object, applied)| sight(reader, object, applied));
    let sights: Vec<Option<Sight>> = stream::iter(reads).buffer_unordered(READS_AT_ONCE_MAX).collect().await;
    let sights: Vec<Sight> = sights.into_iter().flatten().collect();
    if !sights.is_empty() {
        let observe = ObserveSync { installation: installation.ordinal, sights };
        // Not taken: the next look finds it again.
        let _ = site.term.propose(Command::ObserveSync(observe)).await;
    }
}

/// What was applied to an object, if that was of the wanted generation.
fn applied(desk: &Desk, object: &Synced) -> Option<Value> {
    let is_wanted = object.applied == Some(desk.bundle.generation) && object.wanted;
    if is_wanted { desk.as_applied(object) } else { None }
}

/// `None`: it is as it was, or could not be read.
async fn sight(reader: &Guarded, object: Synced, applied: Option<Value>) -> Option<Sight> {
    let uid = object.uid.clone()?;
    let found = reader.look(&object.kind, &object.namespace, &object.name).await.ok()?;
    let Some(look) = found.filter(|look| look.item.uid == uid) else {
        return Some(Sight { uid, looked: None });
    };
    let looked = looked(&look, applied.as_ref());
    is_news(&object, &looked).then_some(Sight { uid, looked: Some(looked) })
}

fn is_news(object: &Synced, looked: &Looked) -> bool {
    let is_changed = object.owned.is_some() && looked.owned != object.owned;
    let seen = (object.deleting, object.health, object.health_message.as_str());
    let departs = |differences: &Differences| differences.digest() != object.differences_digest;
    seen != (looked.deleting, looked.health, looked.health_message.as_str())
        || is_changed != object.drift.is_some()
        || looked.differences.as_ref().is_some_and(departs)
}

/// What is recorded of what was read.
/// `applied` is what was applied, if that is known.
pub(super) fn looked(look: &Look, applied: Option<&Value>) -> Looked {
    Looked {
        uid: look.item.uid.clone(),
        resource_version: look.item.resource_version.clone(),
        deleting: look.item.seen.is_deleting(),
        owned: look.owned.digest,
        changed_by: look.owned.changed_by.clone(),
        health: look.owned.health,
        health_message: look.owned.health_message.clone(),
        differences: applied.map(|applied| rule::departures(applied, &look.object)),
    }
}
