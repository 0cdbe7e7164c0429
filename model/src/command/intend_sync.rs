//! Decide to make one kube write of what is kept in sync, before it is made.
//!
//! Reads the installation, the cluster and the claims; writes the installation. Refused as `Outdated` when the permit
//! is not of the term that the entry is in, the write is not what is due or of no approved generation, the cluster may not be written to, or the
//! group goes on from a backup and nobody has confirmed that. Where the name of what would be created is held by
//! another submission, that is noted, and nothing is decided. A delete that is too much within a window engages the
//! [`brake`](crate::brake) instead.

use super::install;
use crate::record::{Installation, ObjectState, Permit, Record, SyncAction, SyncIntent, Synced};
use crate::{Damaged, Done, Ordinal, Refusal, Tag, Txn, limits, lookup};
use serde::{Deserialize, Serialize};

/// An intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntendSync {
    /// The installation.
    pub installation: Ordinal,
    /// Which of its objects, a position in [`Installation::objects`].
    pub object: u16,
    /// The kube write.
    pub action: SyncAction,
    /// Under which leadership it will be made.
    pub permit: Permit,
}

impl IntendSync {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        if (self.permit.term, self.permit.leader) != (txn.ctx.term, txn.ctx.leader) {
            return Ok(Err(Refusal::outdated("the permit is of another leadership")));
        }
        if txn.meta.unconfirmed().is_some() {
            return Ok(Err(Refusal::outdated("the group's lineage is not confirmed")));
        }
        let Some(Record::Installation(mut installation)) = txn.record(self.installation)? else {
            return Ok(Err(Refusal::outdated("the installation is gone")));
        };
        if let Some(Record::Deployable(deployable)) = txn.record(installation.deployable)? {
            if let Some(words) = txn.meta.paused_words(&deployable.head.namespace) {
                return Ok(Err(Refusal::outdated(words)));
            }
            let is_approved =
                |approved: &crate::record::Approved| approved.generation >= installation.generation;
            let makes = matches!(self.action, SyncAction::Create | SyncAction::Apply);
            if makes && !deployable.approved.as_ref().is_some_and(is_approved) {
                return Ok(Err(Refusal::outdated("that generation is not approved")));
            }
        }
        if !txn.cluster(installation.cluster)?.is_some_and(|cluster| cluster.writable()) {
            return Ok(Err(Refusal::outdated("the cluster may not be written to")));
        }
        let (now, position) = (txn.now_ms(), usize::from(self.object));
        if !self.is_due(&installation, position, now) {
            return Ok(Err(Refusal::outdated("that kube write is not due")));
        }
        if self.action == SyncAction::Delete && !installation.stop_counted {
            if let Some(held) = txn.brake(installation.cluster, &installation.namespace)? {
                return Ok(held);
            }
            installation.stop_counted = true;
        }
        let words = format!("{} {}", self.action, installation.describe(position));
        let holder = holder(txn, &installation, position)?.filter(|_| self.action == SyncAction::Create);
        let generation = installation.generation;
        if let Some(object) = installation.objects.get_mut(position) {
            match &holder {
                Some(holder) => {
                    object.message = format!("the name is held by {holder}");
                    object.due_ms = now + NAME_DELAY_MS;
                    object.tries = object.tries.saturating_add(1);
                }
                None => {
                    let intent = SyncIntent {
                        action: self.action,
                        generation,
                        permit: self.permit,
                        index: txn.ctx.index,
                        at_ms: now,
                        unknown: false,
                    };
                    begin(object, intent);
                }
            }
        }
        txn.say(words);
        let ordinal = installation.ordinal;
        install::changed(txn, installation)?;
        Ok(Ok(match txn.record(ordinal)? {
            Some(record) => Done::with(txn, std::sync::Arc::new(record)),
            None => Done::at(txn),
        }))
    }

    /// Due is the object's next action, or the same create again when the last one's outcome is unknown or was another
    /// leadership's to find out.
    fn is_due(&self, installation: &Installation, position: usize, now: u64) -> bool {
        let Some(object) = installation.objects.get(position) else { return false };
        if let Some(pending) = object.pending {
            let open = pending.unknown || pending.permit != self.permit;
            let still =
                self.action == SyncAction::Create && object.state != ObjectState::Live && object.wanted;
            return open && pending.action == self.action && still;
        }
        object.due_ms <= now && installation.next_action(object) == Some(self.action)
    }
}

/// How long an object is left alone whose name is held: one that is released is used soon.
const NAME_DELAY_MS: u64 = 5_000;

fn begin(object: &mut Synced, intent: SyncIntent) {
    if let Some(earlier) = object.pending.filter(|earlier| earlier.action == SyncAction::Create) {
        // What the earlier request may still do does not end with its being sent again.
        let until_ms = earlier.at_ms + limits::CALL_DEADLINE_MS + limits::CALL_DRAIN_MS;
        object.doubt_until_ms = object.doubt_until_ms.max(until_ms);
    }
    object.create_intended |= intent.action == SyncAction::Create;
    object.due_ms = intent.at_ms + limits::CALL_DEADLINE_MS;
    object.pending = Some(intent);
}

/// Who else holds the name of an object, in words.
fn holder(txn: &Txn<'_>, installation: &Installation, position: usize) -> Result<Option<String>, Damaged> {
    let Some(object) = installation.objects.get(position) else { return Ok(None) };
    let Synced { kind, namespace, name, .. } = object;
    let claim = lookup::claim_hash(installation.cluster, kind, namespace, name);
    txn.find(Tag::Claim, claim, |record| match record {
        Record::Runnable(run) => {
            let holds = run.objects.iter().any(|theirs| {
                let plan = run
                    .plan(theirs)
                    .filter(|plan| plan.kind.names_same(kind) && plan.namespace == *namespace);
                plan.is_some()
                    && theirs.claims()
                    && theirs.cluster == installation.cluster
                    && theirs.name == *name
            });
            holds.then(|| format!("runnable {}/{}", run.head.namespace, run.head.name))
        }
        Record::Installation(other) if other.ordinal != installation.ordinal => {
            other.holds(installation.cluster, kind, namespace, name).then(|| "another deployable".to_owned())
        }
        _ => None,
    })
}

impl Installation {
    /// True if the name of that object is claimed by it.
    #[must_use]
    pub fn holds(&self, cluster: Ordinal, kind: &crate::record::Kind, namespace: &str, name: &str) -> bool {
        let is_it = |object: &Synced| {
            object.claims()
                && object.kind.names_same(kind)
                && (object.namespace.as_str(), object.name.as_str()) == (namespace, name)
        };
        self.cluster == cluster && self.objects.iter().any(is_it)
    }
}
