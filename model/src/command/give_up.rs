//! Give up what runs have on a cluster that was written off.
//!
//! Reads the cluster; writes it and at most [`GIVE_UP_RUNS_MAX`](limits::GIVE_UP_RUNS_MAX) runs: each that is under way
//! there ends `Failed`, and its names are free. Refused as `Outdated` when the cluster is gone, not written off, or all
//! of it is given up.

use super::settle;
use crate::record::{Ending, Object, ObjectState, Record, Runnable, WrittenOff};
use crate::{Damaged, Done, Ordinal, Phase, Reason, Refusal, Tag, Txn, limits, rule};
use serde::{Deserialize, Serialize};

/// The next few runs of a cluster that was written off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GiveUp {
    /// The cluster.
    pub cluster: Ordinal,
}

impl GiveUp {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let Some(mut cluster) = txn.cluster(self.cluster)? else {
            return Ok(Err(Refusal::outdated("the cluster is gone")));
        };
        let Some(mut off) = cluster.written_off.clone().filter(|off| !off.done) else {
            return Ok(Err(Refusal::outdated("nothing of the cluster is to be given up")));
        };
        let words = off.words(&cluster.head.name);
        let runs = txn.ordinals(Tag::Objects, self.cluster.0, limits::GIVE_UP_RUNS_MAX)?;
        for ordinal in &runs {
            let Some(run) = txn.runnable(*ordinal)? else { continue };
            self.take(txn, run, &words, &mut off)?;
        }
        off.done = runs.len() < limits::GIVE_UP_RUNS_MAX;
        txn.say(format!("{} runs and {} objects so far", off.runs, off.objects));
        cluster.written_off = Some(off);
        let record = txn.put(Record::Cluster(cluster))?;
        Ok(Ok(Done::with(txn, record)))
    }

    fn take(
        &self,
        txn: &mut Txn<'_>,
        mut run: Runnable,
        words: &str,
        off: &mut WrittenOff,
    ) -> Result<(), Damaged> {
        let now = txn.now_ms();
        let mut given_up = Vec::new();
        for position in 0..run.objects.len() {
            let what = run.describe(position);
            let Some(object) = run.objects.get_mut(position) else { continue };
            if object.cluster == self.cluster && object.claims() {
                let uid = object.uid.as_deref().unwrap_or("not known");
                given_up.push(format!("{what} (UID {uid})"));
                give_up(object);
            }
        }
        off.objects += given_up.len() as u64;
        off.runs += 1;
        let here = run
            .attempt()
            .is_some_and(|attempt| attempt.cluster == self.cluster && !attempt.phase.is_terminal());
        if here {
            let mut message = format!("{words}; given up there: {}", given_up.join(", "));
            rule::truncate(&mut message);
            // Nobody saw it stop, whatever was asked for.
            run.ending = Some(Ending { phase: Phase::Failed, reason: Reason::ClusterWrittenOff, message });
        }
        settle::settle(&mut run, now);
        settle::write(txn, run)?;
        Ok(())
    }
}

/// Whatever is found under its name from now on is not ours to touch.
fn give_up(object: &mut Object) {
    object.state = ObjectState::Gone;
    object.wanted = false;
    object.pending = None;
    object.doubt_until_ms = 0;
    object.held = false;
    object.create_intended = false;
    object.given_up = true;
}
