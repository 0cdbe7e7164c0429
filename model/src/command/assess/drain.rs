//! Takes runs off a cluster that is drained: those that are to move and have not started. What was made of them there is
//! deleted and seen to be gone first, as when a person moves one.

use super::{due, stays};
use crate::command::{move_run, settle};
use crate::query::Required;
use crate::record::Cluster;
use crate::{Damaged, Lane, Txn, limits};

pub(super) fn drain(txn: &mut Txn<'_>, cluster: &Cluster) -> Result<(), Damaged> {
    let Some(leaving) = &cluster.draining else { return Ok(()) };
    let now = txn.now_ms();
    let runs = due(txn, Lane::Drain, cluster, now)?;
    if runs.is_empty() {
        return Ok(());
    }
    let (clusters, name) = (txn.clusters()?, &cluster.head.name);
    let mut required = Required::default();
    let mut count = 0;
    for mut run in runs {
        if let Some(why) = stays(txn, &run, cluster, &clusters, &mut required)? {
            if let Some(attempt) = run.attempts.last_mut() {
                attempt.stays_until_ms = now + limits::GIVE_UP_AGAIN_MS;
            }
            run.message = format!("{name} is drained, and it is not moved: {why}");
        } else if txn.meta.moves.take(now, limits::MOVES_PER_SECOND_MAX) {
            count += 1;
            move_run::leave(&mut run, leaving.clone());
            settle::settle(&mut run, now);
        } else {
            // Its turn comes in the next second.
            continue;
        }
        settle::write(txn, run)?;
    }
    txn.say(format!("{count} leave {name}, which is drained"));
    Ok(())
}
