//! Works on one run until nothing of it is due on this cluster.

use super::step::{self, Step};
use super::{Site, preflight, resolve, sync, write};
use crate::limits::OBJECTS_AT_ONCE_MAX;
use futures::{StreamExt, stream};
use tallyman_model::command::{Conclude, Outcome};
use tallyman_model::record::{Cluster, Record, Runnable};
use tallyman_model::{Command, GroupId, Ordinal, query};

/// A run and its cluster, at one moment.
pub(super) struct Desk {
    pub(super) run: Runnable,
    pub(super) cluster: Cluster,
    pub(super) group: GroupId,
}

/// Works on a run or an installation; true if it moved, or nothing was due.
pub(super) async fn work(site: &Site, ordinal: Ordinal) -> bool {
    let found = site.term.look(|view| query::record(view, ordinal)).flatten();
    match found {
        Some(Record::Installation(_)) => sync::work(site, ordinal).await,
        _ => run(site, ordinal).await,
    }
}

async fn run(site: &Site, ordinal: Ordinal) -> bool {
    while let Some(desk) = desk(site, ordinal).filter(|_| site.is_open()) {
        if desk.run.asking == Some(site.cluster) && desk.run.wants_cluster() {
            return preflight::ask(site, &desk).await;
        }
        let steps = step::due(&desk.run, site.cluster, site.term.now_ms(), &site.term.permit);
        if steps.is_empty() {
            return true;
        }
        let steps = steps.into_iter().map(|(position, step)| take(site, &desk, position, step));
        let moved: Vec<bool> = stream::iter(steps).buffer_unordered(OBJECTS_AT_ONCE_MAX).collect().await;
        if !moved.contains(&true) {
            return false;
        }
    }
    true
}

fn desk(site: &Site, ordinal: Ordinal) -> Option<Desk> {
    site.term.look(|view| {
        let run = query::record(view, ordinal)?;
        let cluster = query::record(view, site.cluster)?;
        let group = query::meta(view)?.group;
        Ok(match (run, cluster) {
            (Some(Record::Runnable(run)), Some(Record::Cluster(cluster))) => {
                Some(Desk { run, cluster, group })
            }
            _ => None,
        })
    })?
}

/// True if something of it moved.
async fn take(site: &Site, desk: &Desk, position: u16, step: Step) -> bool {
    match step {
        Step::Write(action) => write::write(site, desk, position, action).await,
        Step::Resolve(intent) => resolve::intent(site, desk, position, intent).await,
        Step::Doubt => resolve::doubt(site, desk, position).await,
        Step::Untold => resolve::untold(site, desk, position).await,
        Step::Lost(intent) => {
            let message = "its decision was recorded, what came of it was not".to_owned();
            conclude(site, desk.run.head.ordinal, position, intent.index, Outcome::Unknown { message }).await;
            true
        }
    }
}

/// Says what came of an intent (0: of a read). If the log calls that outdated, others have moved the object.
pub(super) async fn conclude(site: &Site, run: Ordinal, object: u16, intent: u64, outcome: Outcome) {
    // Twice is as good as once: the second is outdated.
    let _ = site.term.insist(Command::Conclude(Conclude { run, object, intent, outcome })).await;
}
