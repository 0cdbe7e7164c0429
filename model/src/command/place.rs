//! Give a run a cluster, and the names that it needs there.
//!
//! Reads the runnable, the cluster, the claims and the deployables that the run requires; writes the runnable with a new attempt, or with why it waits.
//! Refused as `Outdated` when the run does not wait for that attempt any more or is not approved, or the cluster
//! takes no work, or the group goes on from a backup and nobody has confirmed that.

use super::{keeping, settle};
use crate::manifest::names::of_attempt;
use crate::record::{Attempt, Cluster, Object, ObjectState, Record, Runnable};
use crate::{
    Damaged, Done, Ordinal, Phase, Reason, Refusal, Revision, Tag, Txn, limits, lookup, query, retry,
};
use serde::{Deserialize, Serialize};

/// What the leader decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Choice {
    /// This cluster.
    On(Ordinal),
    /// No cluster takes it now, in words.
    Nowhere(String),
    /// This cluster, if it would take it: it is asked first.
    Ask(Ordinal),
    /// None, and some only because they lack deployables that the run requires.
    Await {
        /// Why, in words.
        message: String,
        /// When a deployable had last become ready somewhere, as far as that was looked at.
        ready: Revision,
    },
}

/// A decision on where a run's next attempt goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The runnable.
    pub run: Ordinal,
    /// The attempt's number, one more than there are.
    pub attempt: u32,
    /// Where.
    pub choice: Choice,
    /// Why there, in words.
    pub why: String,
}

impl Place {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        if txn.meta.unconfirmed().is_some() {
            // Which cluster has it already is known only when all have been looked at.
            return Ok(Err(Refusal::outdated("the group's lineage is not confirmed")));
        }
        let Some(mut run) = txn.runnable(self.run)? else {
            return Ok(Err(Refusal::outdated("the runnable is gone")));
        };
        let next = u32::try_from(run.attempts.len()).unwrap_or(u32::MAX).saturating_add(1);
        if !run.wants_cluster() || self.attempt != next {
            return Ok(Err(Refusal::outdated("the runnable does not wait for that attempt")));
        }
        if !txn.is_approved(&run)? {
            return Ok(Err(Refusal::outdated("the runnable is not approved")));
        }
        if let Some(pause) = &txn.meta.paused {
            return Ok(Err(Refusal::outdated(pause.words("the group"))));
        }
        match &self.choice {
            _ if txn.meta.paused_tenants.contains_key(&run.head.namespace) => {
                let words = txn.meta.tenant_paused_words(&run.head.namespace).unwrap_or_default();
                wait(txn, &mut run, Reason::Paused, words, CLUSTER_DELAY_MS);
            }
            Choice::Nowhere(message) => {
                wait(txn, &mut run, Reason::NoCluster, message.clone(), CLUSTER_DELAY_MS)
            }
            Choice::Await { message, ready } => {
                // One that became ready meanwhile may be what it waits for.
                let delay_ms = if *ready == txn.meta.ready { limits::REQUIRES_AGAIN_MS } else { 0 };
                wait(txn, &mut run, Reason::AwaitingDeployable, message.clone(), delay_ms);
            }
            Choice::Ask(ordinal) => {
                let Some(cluster) = txn.cluster(*ordinal)?.filter(|cluster| allows(&run, cluster)) else {
                    return Ok(Err(Refusal::outdated("the cluster takes no work")));
                };
                ask(txn, &mut run, &cluster);
            }
            Choice::On(ordinal) if !run.is_checked(*ordinal, txn.now_ms()) => {
                return Ok(Err(Refusal::outdated("the cluster has not said that it would take it")));
            }
            Choice::On(ordinal) => {
                let Some(cluster) = txn.cluster(*ordinal)?.filter(|cluster| allows(&run, cluster)) else {
                    return Ok(Err(Refusal::outdated("the cluster takes no work")));
                };
                self.put_on(txn, &mut run, &cluster)?;
            }
        }
        txn.say(self.words(&run));
        let record = settle::write(txn, run)?;
        Ok(Ok(Done::with(txn, record)))
    }

    /// Gives it the cluster, unless something is in the way.
    fn put_on(&self, txn: &mut Txn<'_>, run: &mut Runnable, cluster: &Cluster) -> Result<(), Damaged> {
        if let Some(lacks) = query::lacks(txn.view(), run, cluster)? {
            let message = format!("{} {lacks}", cluster.head.name);
            wait(txn, run, Reason::AwaitingDeployable, message, LACKS_DELAY_MS);
            return Ok(());
        }
        let objects = objects(run, self.attempt, cluster.head.ordinal);
        if let Some(message) = holder(txn, run, &objects)? {
            let delay_ms = retry::delay_ms(run.head.uid, 0, run.place_tries, 0).min(NAME_DELAY_MS_MAX);
            wait(txn, run, Reason::NameHeld, message, delay_ms);
            return Ok(());
        }
        match keeping::take_all(txn, run)? {
            Ok(()) => self.place(txn, run, cluster, objects),
            Err(why) => {
                wait(txn, run, Reason::LockHeld, why, limits::LOCK_AGAIN_MS);
                run.waits_for_locks = true;
            }
        }
        Ok(())
    }

    /// What was decided, as the ledger tells it.
    fn words(&self, run: &Runnable) -> String {
        match run.attempts.last().filter(|attempt| attempt.number == self.attempt) {
            Some(attempt) => format!("attempt {} to {} ({})", self.attempt, attempt.cluster_name, self.why),
            None => format!("no cluster yet: {}", run.message),
        }
    }

    fn place(&self, txn: &Txn<'_>, run: &mut Runnable, cluster: &Cluster, mut objects: Vec<Object>) {
        let now = txn.now_ms();
        let head = &cluster.head;
        run.attempts.push(Attempt::placed(self.attempt, head.ordinal, head.name.clone(), now));
        objects.iter_mut().for_each(|object| object.due_ms = now);
        run.objects.append(&mut objects);
        (run.place_tries, run.asking) = (0, None);
        settle::enter(run, now, Phase::Placed, Reason::None, self.why.clone());
    }
}

impl Runnable {
    /// What the next attempt would make on a cluster.
    #[must_use]
    pub fn objects_on(&self, cluster: Ordinal) -> Vec<Object> {
        let next = u32::try_from(self.attempts.len()).unwrap_or(u32::MAX).saturating_add(1);
        objects(self, next, cluster)
    }
}

/// The objects that an attempt adds: its main object, and the members that the cluster does not have yet.
pub(super) fn objects(run: &Runnable, attempt: u32, cluster: Ordinal) -> Vec<Object> {
    let here = |planned: u16| {
        run.objects.iter().any(|object| {
            object.planned == planned
                && object.cluster == cluster
                && object.wanted
                && object.state != ObjectState::Gone
        })
    };
    let new = |(planned, plan): (u16, &crate::record::Planned)| {
        let main = planned == run.main;
        if !main && here(planned) {
            return None;
        }
        let name = if main { of_attempt(&plan.name, attempt) } else { plan.name.clone() };
        Some(Object::wanted(planned, attempt, cluster, name))
    };
    (0..).zip(&run.planned).filter_map(new).collect()
}

fn allows(run: &Runnable, cluster: &Cluster) -> bool {
    let left = run.left().contains(&cluster.head.ordinal);
    cluster.takes_work() && run.spec.placement.allows(cluster) && !left
}

impl crate::record::Placement {
    /// True if the submission may go to that cluster, whether or not it takes work now.
    #[must_use]
    pub fn allows(&self, cluster: &Cluster) -> bool {
        let named = self.clusters.is_empty() || self.clusters.contains(&cluster.head.name);
        let decided = self.decision.as_ref().is_none_or(|decision| cluster.is_decided(decision));
        named
            && decided
            && self.selector.as_ref().is_none_or(|selector| selector.matches(&cluster.head.labels))
    }
}

fn wait(txn: &Txn<'_>, run: &mut Runnable, reason: Reason, message: String, delay_ms: u64) {
    let now = txn.now_ms();
    // What a cluster refused it may take when that does not count any more.
    let again = run.checks.iter().map(|check| check.until_ms).filter(|until_ms| *until_ms > now).min();
    let again = again.filter(|_| reason == Reason::NoCluster);
    run.place_due_ms = again.unwrap_or(u64::MAX).min(now + delay_ms);
    run.asking = None;
    run.place_tries = run.place_tries.saturating_add(1);
    // Who could not be placed anyway keeps nobody waiting.
    run.waits_for_locks = false;
    settle::enter(run, now, Phase::Accepted, reason, message);
}

/// Takes the run back from the cluster that it was given last, where it lacks `words`. Nothing of the attempt has been sent:
/// there is none.
pub(super) fn take_back(txn: &Txn<'_>, run: &mut Runnable, words: &str) {
    let Some(attempt) = run.attempts.pop() else { return };
    run.objects.retain(|object| object.attempt != attempt.number);
    let message = format!("{} {words}", attempt.cluster_name);
    wait(txn, run, Reason::AwaitingDeployable, message, 0);
}

/// Has a cluster asked. If nothing is heard of it the run is looked at anew.
fn ask(txn: &Txn<'_>, run: &mut Runnable, cluster: &Cluster) {
    let now = txn.now_ms();
    run.asking = Some(cluster.head.ordinal);
    run.place_due_ms = now + limits::CHECK_WITHIN_MS;
    let message = format!("{} is asked whether it would take it", cluster.head.name);
    settle::enter(run, now, Phase::Accepted, Reason::None, message);
}

/// The longest a run is left alone whose name is held: one that is released is used soon.
const NAME_DELAY_MS_MAX: u64 = 10_000;
/// How long a run is left alone whose cluster turned out to lack what it requires: whoever chose it looks again.
const LACKS_DELAY_MS: u64 = 1_000;
/// How long a run is left alone that no cluster takes, or whose tenant is paused: until what it says of the clusters is looked at again. When
/// one takes work again the leader looks at all that wait, so there may be many of them at little cost.
const CLUSTER_DELAY_MS: u64 = 300_000;

/// Who holds one of the names, in words. Equal bytes of a member are shared, not held.
pub(super) fn holder(txn: &Txn<'_>, run: &Runnable, objects: &[Object]) -> Result<Option<String>, Damaged> {
    for object in objects {
        let Some(plan) = run.plan(object) else { continue };
        let claim = lookup::claim_hash(object.cluster, &plan.kind, &plan.namespace, &object.name);
        let holder = txn.find(Tag::Claim, claim, |record| match record {
            Record::Runnable(other) => blocks(&other, run, object, plan)
                .then(|| format!("runnable {}/{}", other.head.namespace, other.head.name)),
            Record::Installation(other) => other
                .holds(object.cluster, &plan.kind, &plan.namespace, &object.name)
                .then(|| "a deployable".to_owned()),
            _ => None,
        })?;
        if let Some(holder) = holder {
            let (kind, namespace, name) = (&plan.kind, &plan.namespace, &object.name);
            return Ok(Some(format!("{kind} {namespace}/{name} is held by {holder}")));
        }
    }
    Ok(None)
}

fn blocks(other: &Runnable, run: &Runnable, object: &Object, plan: &crate::record::Planned) -> bool {
    other.objects.iter().filter(|theirs| theirs.claims()).any(|theirs| {
        let Some(their_plan) = other.plan(theirs) else { return false };
        let same_name = theirs.cluster == object.cluster
            && theirs.name == object.name
            && their_plan.kind.names_same(&plan.kind)
            && their_plan.namespace == plan.namespace;
        let shared = their_plan.digest == plan.digest
            && theirs.wanted
            && !other.is_main(theirs)
            && !run.is_main(object);
        same_name && !shared
    })
}
