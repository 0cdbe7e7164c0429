//! One site for each cluster's record, as long as the record is there.

use crate::dispatch::Bells;
use crate::factory::ClusterFactory;
use crate::limits::{CLUSTERS_LOOK_MS, CLUSTERS_MAX};
use crate::site::{self, Site};
use crate::term::Term;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::limits::WATCHED_NAMESPACES_MAX;
use tallyman_model::query::Extents;
use tallyman_model::record::{Cluster, Record, Resource, StatusRule};
use tallyman_model::rule::Rules;
use tallyman_model::{Key, Ordinal, Tag, query};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

struct Running {
    record: watch::Sender<Cluster>,
    tracked: watch::Sender<Extents>,
    task: AbortOnDropHandle<()>,
}

pub(crate) async fn run(term: Arc<Term>, factory: Arc<dyn ClusterFactory>, bells: Bells) {
    let mut sites: BTreeMap<Ordinal, Running> = BTreeMap::new();
    let mut applied = term.log.applied();
    let mut rules = None;
    loop {
        applied.mark_unchanged();
        read_rules(&term, &mut rules);
        if let Some(clusters) = clusters(&term) {
            term.clusters.send_replace(Some(Arc::new(clusters.clone())));
            sites.retain(|ordinal, running| {
                let stays = clusters.iter().any(|cluster| cluster.head.ordinal == *ordinal);
                if !stays {
                    bells.forget(*ordinal);
                }
                stays && !running.task.is_finished()
            });
            for cluster in clusters {
                let running = sites
                    .entry(cluster.head.ordinal)
                    .or_insert_with(|| start(&term, &factory, &bells, cluster.clone()));
                replace(&running.record, cluster);
            }
            for running in sites.values() {
                let record = running.record.borrow().clone();
                let found = term.look(|view| query::extents(view, &record, WATCHED_NAMESPACES_MAX));
                if let Some(extents) = found {
                    replace(&running.tracked, extents);
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(CLUSTERS_LOOK_MS)).await;
        if applied.changed().await.is_err() {
            return;
        }
    }
}

/// Before anything is read by them, and whenever they have changed.
fn read_rules(term: &Term, known: &mut Option<Vec<StatusRule>>) {
    let found = term.look(query::status_rules);
    if found.is_some() && found != *known {
        term.rules.send_replace(Arc::new(Rules::of(found.as_deref().unwrap_or_default())));
        *known = found;
    }
}

/// Whoever follows the value is told only when it is another one.
fn replace<T: PartialEq>(known: &watch::Sender<T>, value: T) {
    known.send_if_modified(|known| {
        let changed = *known != value;
        *known = value;
        changed
    });
}

/// All clusters as they are now.
pub(crate) fn clusters(term: &Term) -> Option<Vec<Cluster>> {
    let ordinals = term.look(|view| {
        let of = |ordinal| Key::lookup(Tag::Resource, Resource::Cluster as u64, Ordinal(ordinal));
        let page = view.page(of(0), of(u64::MAX), CLUSTERS_MAX)?;
        Ok(page.into_iter().map(|(key, _)| key.ordinal()).collect::<Vec<_>>())
    })?;
    let cluster = |record| match record {
        Record::Cluster(cluster) => Some(cluster),
        _ => None,
    };
    Some(term.records(&ordinals)?.into_iter().filter_map(cluster).collect())
}

fn start(term: &Arc<Term>, factory: &Arc<dyn ClusterFactory>, bells: &Bells, cluster: Cluster) -> Running {
    let (bell, diagnoses) = (bells.of(cluster.head.ordinal), bells.diagnoses_of(cluster.head.ordinal));
    let (record, known) = watch::channel(cluster);
    let (tracked, extents) = watch::channel(Extents::default());
    let site = Arc::new(Site::new(Arc::clone(term), known, extents, bell));
    let task = AbortOnDropHandle::new(tokio::spawn(site::run(site, Arc::clone(factory), diagnoses)));
    Running { record, tracked, task }
}
