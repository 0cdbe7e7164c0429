//! Decide to make one kube write, before it is made.
//!
//! Reads the runnable, the cluster and the counters; writes the runnable, and the counters if it stops a run. Of a
//! write that would stop more than may be stopped without a person's word only the brake is written, and no intent. Refused as `Outdated` when the permit is not of the term
//! that the entry is in, the write is not what is due, it would create something of a run that is not approved, the
//! cluster may not be written to, group or tenant are paused, or the group goes on from a backup and nobody has confirmed that.
//! Where the cluster lacks by now what the run requires, and nothing of the attempt was sent, the run is taken back instead.

use super::{place, settle};
use crate::brake;
use crate::record::{Action, AttemptPhase, Intent, ObjectState, Permit, Runnable};
use crate::{Damaged, Done, Ordinal, Refusal, Txn, limits, query};
use serde::{Deserialize, Serialize};

/// An intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intend {
    /// The runnable.
    pub run: Ordinal,
    /// Which of its objects, a position in [`Runnable::objects`].
    pub object: u16,
    /// The kube write.
    pub action: Action,
    /// Under which leadership it will be made.
    pub permit: Permit,
}

impl Intend {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        if (self.permit.term, self.permit.leader) != (txn.ctx.term, txn.ctx.leader) {
            return Ok(Err(Refusal::outdated("the permit is of another leadership")));
        }
        if txn.meta.unconfirmed().is_some() {
            return Ok(Err(Refusal::outdated("the group's lineage is not confirmed")));
        }
        let Some(mut run) = txn.runnable(self.run)? else {
            return Ok(Err(Refusal::outdated("the runnable is gone")));
        };
        if let Some(words) = txn.meta.paused_words(&run.head.namespace) {
            return Ok(Err(Refusal::outdated(words)));
        }
        let now = txn.now_ms();
        let position = usize::from(self.object);
        let Some(cluster) = run.objects.get(position).map(|object| object.cluster) else {
            return Ok(Err(Refusal::outdated("there is no such object")));
        };
        if !txn.cluster(cluster)?.is_some_and(|cluster| cluster.writable()) {
            return Ok(Err(Refusal::outdated("the cluster may not be written to")));
        }
        if self.action == Action::Create && !txn.is_approved(&run)? {
            return Ok(Err(Refusal::outdated("the runnable is not approved")));
        }
        if !self.is_due(&run, position, now) {
            return Ok(Err(Refusal::outdated("that kube write is not due")));
        }
        if let Some(words) = self.lacks(txn, &run)? {
            place::take_back(txn, &mut run, &words);
            txn.say(format!("not {}, but no cluster yet: {}", self.action, run.message));
            let record = settle::write(txn, run)?;
            return Ok(Ok(Done::with(txn, record)));
        }
        if let Some(held) = self.brake(txn, &mut run)? {
            return Ok(held);
        }
        let intent = Intent {
            action: self.action,
            permit: self.permit,
            index: txn.ctx.index,
            at_ms: now,
            unknown: false,
        };
        if let Some(object) = run.objects.get_mut(position) {
            if let Some(earlier) = object.pending.filter(|earlier| earlier.action == Action::Create) {
                // What the earlier request may still do does not end with its being sent again.
                let until_ms = earlier.at_ms + limits::CALL_DEADLINE_MS + limits::CALL_DRAIN_MS;
                object.doubt_until_ms = object.doubt_until_ms.max(until_ms);
            }
            if self.action == Action::Create {
                object.create_intended = true;
                object.sent_ms = Some(now);
            }
            object.pending = Some(intent);
            object.due_ms = now + limits::CALL_DEADLINE_MS;
        }
        txn.say(format!("{} {}", self.action, run.describe(position)));
        sent(&mut run);
        settle::settle(&mut run, now);
        let record = settle::write(txn, run)?;
        Ok(Ok(Done::with(txn, record)))
    }

    /// What the cluster lacks of what the run requires, before anything of the attempt is sent there: what is begun is
    /// finished.
    fn lacks(&self, txn: &Txn<'_>, run: &Runnable) -> Result<Option<String>, Damaged> {
        let Some(attempt) = run.attempt().filter(|attempt| attempt.phase == AttemptPhase::Placed) else {
            return Ok(None);
        };
        let mut objects = run.objects.iter().filter(|object| object.attempt == attempt.number);
        let is_unsent = objects.all(|object| !object.create_intended && object.state == ObjectState::Absent);
        if self.action != Action::Create || !is_unsent || run.spec.requires.is_empty() {
            return Ok(None);
        }
        let Some(cluster) = txn.cluster(attempt.cluster)? else { return Ok(None) };
        query::lacks(txn.view(), run, &cluster)
    }

    /// Stops nothing more if too much was stopped of late: the first that is too much engages the brake, and others are
    /// refused. `None`: it may be written.
    fn brake(&self, txn: &mut Txn<'_>, run: &mut Runnable) -> Result<Option<Result<Done, Refusal>>, Damaged> {
        let tenant = run.head.namespace.clone();
        let Some(object) = run.objects.get(usize::from(self.object)) else { return Ok(None) };
        if object.stop_counted || txn.meta.version < 3 || !brake::counts(run, object, self.action) {
            return Ok(None);
        }
        if let Some(held) = txn.brake(object.cluster, &tenant)? {
            return Ok(Some(held));
        }
        if let Some(object) = run.objects.get_mut(usize::from(self.object)) {
            object.stop_counted = true;
        }
        Ok(None)
    }

    /// Due is the object's next action, or the same create again when the last one's outcome is unknown or was
    /// another leadership's to find out.
    fn is_due(&self, run: &Runnable, position: usize, now: u64) -> bool {
        let Some(object) = run.objects.get(position) else { return false };
        if let Some(pending) = object.pending {
            let open = pending.unknown || pending.permit != self.permit;
            return open
                && pending.action == self.action
                && (self.action != Action::Create || (object.wanted && object.state == ObjectState::Absent));
        }
        let turn = self.action != Action::Create || run.is_turn(object);
        object.due_ms <= now && turn && run.next_action(object) == Some(self.action)
    }
}

fn sent(run: &mut Runnable) {
    if let Some(attempt) = run.attempts.last_mut()
        && attempt.phase == AttemptPhase::Placed
    {
        attempt.phase = AttemptPhase::Sent;
    }
}
