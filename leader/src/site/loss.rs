//! What becomes of runs while their cluster is out of reach, when it is back, and while it is drained. The log decides; here is seen to it
//! that it is asked when there is something to decide, and that it knows how long the cluster was looked for in vain.

use super::Site;
use crate::limits::{LOSS_LOOK_MS, MISSED_TOLD_MS, REST_MS};
use std::time::Duration;
use tallyman_model::command::Assess;
use tallyman_model::record::{Cluster, Record};
use tallyman_model::{Command, Damaged, Lane, Revision, View, query};

pub(super) async fn run(site: &Site) {
    let mut record = site.record.clone();
    loop {
        record.mark_unchanged();
        while let Some(revision) = due_at(site) {
            match site.term.propose(assess(site)).await {
                Ok(done) if done.revision > revision => {}
                // Not taken, or it is not time yet.
                _ => tokio::time::sleep(Duration::from_millis(REST_MS)).await,
            }
        }
        let may_be_due = is_watched(&record.borrow());
        tokio::select! {
            changed = record.changed() => if changed.is_err() {
                return;
            },
            () = tokio::time::sleep(Duration::from_millis(LOSS_LOOK_MS)), if may_be_due => {}
        }
    }
}

/// True while something may come to be due though the record does not change.
fn is_watched(cluster: &Cluster) -> bool {
    cluster.reachable == Some(false) || cluster.draining.is_some()
}

/// The revision now, if there is something to decide.
fn due_at(site: &Site) -> Option<Revision> {
    if site.term.is_paused() {
        return None;
    }
    let now_ms = site.term.now_ms();
    site.term.look(|view| {
        let meta = query::meta(view)?;
        let Some(cluster) = cluster(view, site)? else { return Ok(None) };
        let next = |lane| query::next_due(view, lane, site.cluster);
        let is_due = match cluster.reachable {
            Some(true) => {
                let leaves = |due_ms: Option<u64>| due_ms.is_some_and(|due_ms| due_ms <= now_ms);
                next(Lane::Return)?.is_some() || (cluster.draining.is_some() && leaves(next(Lane::Drain)?))
            }
            Some(false) if has_looked(site, &cluster) => {
                next(Lane::Loss)?.is_some_and(|after_ms| after_ms <= cluster.missed_ms)
                    || next(Lane::GiveUp)?.is_some_and(|due_ms| due_ms <= now_ms)
            }
            _ => false,
        };
        Ok((is_due && meta.version >= assess(site).since()).then_some(meta.revision))
    })?
}

fn assess(site: &Site) -> Command {
    Command::Assess(Assess { cluster: site.cluster })
}

/// In how long it is to be recorded that the cluster was looked for in vain, so that the runs there are found lost in
/// time; `None`: that needs not be recorded.
pub(super) fn tell_in(site: &Site) -> Option<Duration> {
    let now_ms = site.term.now_ms();
    site.term.look(|view| {
        let Some(cluster) = cluster(view, site)? else { return Ok(None) };
        let after_ms = query::next_due(view, Lane::Loss, site.cluster)?;
        let given_up = query::next_due(view, Lane::GiveUp, site.cluster)?;
        let waits = after_ms.is_some_and(|after_ms| after_ms > cluster.missed_ms);
        let looked = cluster.missed.filter(|_| has_looked(site, &cluster));
        Ok(match looked {
            // Until then nothing of this is decided.
            None => (after_ms.is_some() || given_up.is_some()).then_some(Duration::ZERO),
            Some(last) if waits => {
                let left_ms = after_ms.unwrap_or(u64::MAX).saturating_sub(cluster.missed_ms);
                let due_ms = last.at_ms + left_ms.min(MISSED_TOLD_MS);
                Some(Duration::from_millis(due_ms.saturating_sub(now_ms)))
            }
            Some(_) => None,
        })
    })?
}

/// True if this leadership has recorded that it looked for the cluster in vain.
fn has_looked(site: &Site, cluster: &Cluster) -> bool {
    cluster.missed.is_some_and(|miss| miss.term == site.term.permit.term)
}

fn cluster(view: &dyn View, site: &Site) -> Result<Option<Cluster>, Damaged> {
    Ok(match query::record(view, site.cluster)? {
        Some(Record::Cluster(cluster)) => Some(cluster),
        _ => None,
    })
}
