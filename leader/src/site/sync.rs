//! Works on one deployable on this cluster until nothing of it is due.

mod looking;
mod write;

pub(super) use looking::{run as look_after, shows};

use super::Site;
use crate::limits::OBJECTS_AT_ONCE_MAX;
use futures::{StreamExt, stream};
use serde_json::Value;
use tallyman_model::command::{ConcludeSync, SyncOutcome};
use tallyman_model::manifest::{Marks, as_applied};
use tallyman_model::record::{Bundle, Cluster, Installation, Permit, Record, SyncAction, SyncIntent, Synced};
use tallyman_model::{Command, GroupId, Ordinal, query};

/// An installation with what it is made from, at one moment.
struct Desk {
    installation: Installation,
    bundle: Bundle,
    manifests: Vec<u8>,
    cluster: Cluster,
    group: GroupId,
}

impl Desk {
    /// What is written on the objects that are made here; `None`: the cluster has not been reached.
    fn marks(&self, at_ms: u64) -> Option<Marks> {
        let cluster_uid = self.cluster.kube_system_uid.clone()?;
        Some(Marks { group: self.group, cluster_uid, at_ms })
    }

    /// What is applied to an object, if the kept manifests are what was accepted.
    fn as_applied(&self, object: &Synced) -> Option<Value> {
        let marks = self.marks(0)?;
        as_applied(&self.bundle, self.installation.uid, object, &self.manifests, &marks)
    }
}

/// What to do about one object now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Decide to make this kube write, and make it.
    Write(SyncAction),
    /// Read what came of this intent.
    Resolve(SyncIntent),
    /// This leadership decided to make a write and did not record what came of it: record that it is unknown.
    Lost(SyncIntent),
    /// Nothing is wanted any more, and an old create may have taken effect since: read.
    Doubt,
}

/// True if it moved, or nothing was due.
pub(super) async fn work(site: &Site, ordinal: Ordinal) -> bool {
    while let Some(desk) = desk(site, ordinal).filter(|_| site.is_open()) {
        let steps = due(&desk.installation, site.term.now_ms(), &site.term.permit);
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
        let Some(Record::Installation(installation)) = query::record(view, ordinal)? else { return Ok(None) };
        let Some(bundle) = query::bundle(view, installation.bundle)? else { return Ok(None) };
        let Some(Record::Cluster(cluster)) = query::record(view, site.cluster)? else { return Ok(None) };
        let manifests = query::bundle_manifests(view, &bundle)?;
        let group = query::meta(view)?.group;
        Ok(Some(Desk { installation, bundle, manifests, cluster, group }))
    })?
}

/// What is due of an installation, by the position of the object.
fn due(installation: &Installation, now_ms: u64, permit: &Permit) -> Vec<(usize, Step)> {
    let step = |object: &Synced| {
        if let Some(intent) = object.pending {
            return match intent {
                _ if intent.permit != *permit => Some(Step::Resolve(intent)),
                _ if object.due_ms > now_ms => None,
                _ if intent.unknown => Some(Step::Resolve(intent)),
                _ => Some(Step::Lost(intent)),
            };
        }
        if object.is_in_doubt() {
            return (object.doubt_until_ms <= now_ms).then_some(Step::Doubt);
        }
        let action = installation.next_action(object)?;
        (object.due_ms <= now_ms).then_some(Step::Write(action))
    };
    let steps = installation.objects.iter().enumerate();
    steps.filter_map(|(position, object)| Some((position, step(object)?))).collect()
}

/// True if something of it moved.
async fn take(site: &Site, desk: &Desk, position: usize, step: Step) -> bool {
    let Some(object) = desk.installation.objects.get(position) else { return false };
    match step {
        Step::Write(action) => write::write(site, desk, position, action).await,
        Step::Lost(intent) => {
            let message = "its decision was recorded, what came of it was not".to_owned();
            conclude(site, desk, object, intent.index, SyncOutcome::Unknown { message }).await;
            true
        }
        Step::Resolve(intent) => match write::resolved(site, desk, object, Some(intent)).await {
            Some(outcome) => {
                conclude(site, desk, object, intent.index, outcome).await;
                true
            }
            // The same request again: the same name, the same cluster.
            None => write::write(site, desk, position, intent.action).await,
        },
        Step::Doubt => match write::resolved(site, desk, object, None).await {
            Some(SyncOutcome::Unknown { .. }) | None => false,
            Some(outcome) => {
                conclude(site, desk, object, 0, outcome).await;
                true
            }
        },
    }
}

/// Says what came of an intent (0: of a doubt). If the log calls that outdated, others have moved the object.
async fn conclude(site: &Site, desk: &Desk, object: &Synced, intent: u64, outcome: SyncOutcome) {
    let (installation, name) = (desk.installation.ordinal, object.name.clone());
    // Twice is as good as once: the second is outdated.
    let _ =
        site.term.insist(Command::ConcludeSync(ConcludeSync { installation, name, intent, outcome })).await;
}
