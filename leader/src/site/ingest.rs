//! From what a watch said to the log: each batch with its cursor.

use super::{Site, contact, sync};
use crate::cursors::LastMove;
use crate::limits::{OBSERVE_ITEMS_MAX, READS_AT_ONCE_MAX, REST_MS};
use futures::future::BoxFuture;
use futures::{StreamExt, stream};
use std::sync::Arc;
use tallyman_cluster::ClusterApi;
use tallyman_cluster::driver::{Batch, Sink, SinkError};
use tallyman_model::command::{Contact, CursorMove, MoveCursors, Observation, Observe};
use tallyman_model::record::{Action, Extent, Object, ObjectState, Record};
use tallyman_model::{Command, Revision, query};

/// Takes what one watch saw.
pub(super) struct Ingest {
    site: Arc<Site>,
    api: Arc<dyn ClusterApi>,
    /// The revision of the status rule that was the kind's when the watch began.
    rule: Option<Revision>,
    moved: LastMove,
}

impl Sink for Ingest {
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(self.take(batch))
    }
}

impl Ingest {
    pub(super) fn new(site: Arc<Site>, api: Arc<dyn ClusterApi>, rule: Option<Revision>) -> Self {
        Self { site, api, rule, moved: LastMove::default() }
    }

    async fn take(&self, batch: Batch) -> Result<(), SinkError> {
        if !self.site.term.leads() {
            return Err(SinkError::Stopped);
        }
        begin_timeline(&self.site, batch.timeline).await?;
        if batch.items.iter().chain(&batch.deleted).any(|item| sync::shows(&self.site, item)) {
            self.site.look_now.notify_one();
        }
        let quiet = batch.items.is_empty() && batch.deleted.is_empty();
        // What has come under the name of something that is gone counts only once that is known.
        let mut items = self.read_deleted(batch.deleted).await;
        items.extend(batch.items);
        items.retain(|item| is_news(&self.site, batch.timeline, item));
        if items.is_empty() && batch.listed.is_none() {
            if !quiet && self.moved.is_recent() {
                // Our own writes coming back, mostly. The next batch or bookmark takes the cursor along.
                return Ok(());
            }
            if let Some(cursor) = batch.cursor.clone().filter(|cursor| self.is_shared(cursor)) {
                return self.move_on(&batch.extent, batch.timeline, cursor).await;
            }
        }
        self.propose(&batch.extent, batch.timeline, items, batch.cursor).await?;
        if batch.listed.is_some() {
            // What the listing did not name is read one by one there.
            self.site.sweep_now.notify_one();
        }
        Ok(())
    }

    async fn propose(
        &self,
        extent: &Extent,
        timeline: u32,
        items: Vec<Observation>,
        cursor: Option<String>,
    ) -> Result<(), SinkError> {
        let (cluster, rule) = (self.site.cluster, self.rule);
        for (items, cursor) in entries(items, cursor) {
            let moves = cursor.is_some();
            let Extent { kind, namespace } = extent.clone();
            // Whoever listed it has learnt that.
            let plural = self.api.plural(&kind).await.unwrap_or_default();
            let observe =
                Observe { cluster, kind, namespace, plural, timeline, is_watch: true, cursor, rule, items };
            put(&self.site, Command::Observe(observe)).await?;
            if moves {
                self.moved.note();
            }
        }
        Ok(())
    }

    /// False if the cursor is an entry of its own: that a listing begins is told at once.
    fn is_shared(&self, cursor: &str) -> bool {
        let version = self.site.term.look(|view| Ok(query::meta(view)?.version));
        !cursor.is_empty() && version.is_some_and(|version| version >= MoveCursors::SINCE)
    }

    /// Moves the cursor in one entry with those of others.
    async fn move_on(&self, extent: &Extent, timeline: u32, cursor: String) -> Result<(), SinkError> {
        let plural = self.api.plural(&extent.kind).await.unwrap_or_default();
        let (cluster, extent, rule) = (self.site.cluster, extent.clone(), self.rule);
        let (cursor, foreign) = (Some(cursor), None);
        let moved = CursorMove { cluster, extent, foreign, plural, timeline, cursor, rule };
        self.site.term.cursors.put(moved).await?;
        self.moved.note();
        Ok(())
    }

    /// What a DELETED event means: gone, or alive without our label.
    async fn read_deleted(&self, deleted: Vec<Observation>) -> Vec<Observation> {
        let read = deleted.into_iter().map(|item| self.read_one(item));
        let read: Vec<Option<Observation>> =
            stream::iter(read).buffer_unordered(READS_AT_ONCE_MAX).collect().await;
        read.into_iter().flatten().collect()
    }

    /// `None`: it concerns nothing that is known or not yet known to be gone, or it could not be read; then a sweep finds
    /// out.
    async fn read_one(&self, item: Observation) -> Option<Observation> {
        let object = known(&self.site, &item).filter(|object| object.state != ObjectState::Gone)?;
        let gone = Observation { gone: true, ..item };
        if object.delete_sent || object.pending.is_some_and(|intent| intent.action == Action::Delete) {
            return Some(gone);
        }
        let reader = self.site.reader()?;
        match reader.get(&gone.kind, &gone.namespace, &gone.name).await {
            Ok(Some(alive)) if alive.uid == gone.uid => {
                tracing::info!(cluster = self.site.name, kind = %alive.kind, name = alive.name, "labels were taken off");
                Some(alive)
            }
            Ok(_) => Some(gone),
            Err(error) => {
                tracing::info!(cluster = self.site.name, kind = %gone.kind, name = gone.name, %error, "not read");
                self.site.sweep_now.notify_one();
                None
            }
        }
    }
}

/// Cuts what was seen into entries of the log. The cursor goes with the last items: it is never ahead of what it has passed.
pub(super) fn entries<T>(mut items: Vec<T>, cursor: Option<String>) -> Vec<(Vec<T>, Option<String>)> {
    let mut entries = Vec::new();
    while items.len() > OBSERVE_ITEMS_MAX {
        let rest = items.split_off(OBSERVE_ITEMS_MAX);
        entries.push((std::mem::replace(&mut items, rest), None));
    }
    if !items.is_empty() || cursor.is_some() {
        entries.push((items, cursor));
    }
    entries
}

pub(super) async fn put(site: &Site, command: Command) -> Result<(), SinkError> {
    match site.term.propose(command).await {
        Ok(_) => Ok(()),
        Err(stuck) => {
            let message = format!("the log did not take it: {stuck:?}");
            Err(SinkError::Refused { wait_ms: REST_MS, message })
        }
    }
}

/// A watch that saw resourceVersions go backwards is ahead of the record: that is stepped first.
pub(super) async fn begin_timeline(site: &Site, timeline: u32) -> Result<(), SinkError> {
    while let Some(record) = contact::current(site).filter(|record| record.timeline < timeline) {
        tracing::warn!(cluster = site.name, timeline, "the cluster's history went backwards");
        let contact = Contact {
            cluster: site.cluster,
            reachable: true,
            kube_system_uid: None,
            version: String::new(),
            rewound: true,
            relayed_by: record.relayed_by,
            unwatched: record.unwatched,
            message: record.message,
        };
        put(site, Command::Contact(contact)).await?;
    }
    Ok(())
}

/// The object of that UID, as the state has it.
fn known(site: &Site, item: &Observation) -> Option<Object> {
    let uid = item.submission?;
    match site.term.look(|view| query::by_uid(view, uid))?? {
        Record::Runnable(run) => {
            run.objects.into_iter().find(|object| object.uid.as_ref() == Some(&item.uid))
        }
        _ => None,
    }
}

/// False if the state says it already.
fn is_news(site: &Site, timeline: u32, item: &Observation) -> bool {
    if sync::shows(site, item) {
        return false;
    }
    let Some(object) = known(site, item) else { return true };
    // The answer to the create said all of it, but that a watch tells of it, too, is news.
    let Some(seen) = object.seen.filter(|_| object.observed_ms.is_some()) else { return true };
    let known = (seen.timeline, &seen.resource_version, seen.rule);
    let same = (timeline, &item.resource_version, item.seen.rule) == known;
    item.gone || !(same || seen.is_after(timeline, &item.resource_version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_is_in_the_last_entry_and_there_is_none_without_news() {
        let cut = |items: usize, cursor: Option<&str>| {
            let entries = entries(vec![(); items], cursor.map(str::to_owned));
            entries.into_iter().map(|(items, cursor)| (items.len(), cursor.is_some())).collect::<Vec<_>>()
        };
        assert_eq!(cut(0, None), []);
        assert_eq!(cut(0, Some("7")), [(0, true)]);
        assert_eq!(cut(OBSERVE_ITEMS_MAX, Some("7")), [(OBSERVE_ITEMS_MAX, true)]);
        assert_eq!(cut(OBSERVE_ITEMS_MAX + 1, Some("7")), [(OBSERVE_ITEMS_MAX, false), (1, true)]);
        assert_eq!(cut(OBSERVE_ITEMS_MAX + 1, None), [(OBSERVE_ITEMS_MAX, false), (1, false)]);
    }
}
