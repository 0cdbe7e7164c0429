//! Take over an attempt that was sent after the backup that the group goes on from: its main object is on a cluster, and
//! the run knows nothing of it. The run would else be sent once more, to another cluster perhaps.
//!
//! Reads the counters, the cluster and the claims; writes the runnable. Refused as `Outdated` when the group does not go
//! on from a backup, the cluster is gone or its timeline has moved on, the run knows better by now, or another run holds
//! one of the names.

use super::{Observation, Observe, place, settle};
use crate::manifest::names::of_attempt;
use crate::record::{Attempt, AttemptPhase, ObjectState, Runnable};
use crate::{Damaged, Done, GroupId, Ordinal, Refusal, Txn, limits};
use serde::{Deserialize, Serialize};

/// An object that explains itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopt {
    /// The runnable that its label names.
    pub run: Ordinal,
    /// Where it is.
    pub cluster: Ordinal,
    /// The cluster's timeline as the leader knew it.
    pub timeline: u32,
    /// The object.
    pub item: Box<Observation>,
}

/// What an attempt says of which only the number is known.
const LOST: &str = "what became of it is not in the backup; a later attempt was made";

impl Adopt {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let outdated = |why: &str| Ok(Err(Refusal::outdated(why)));
        let Some(begun_ms) = txn.meta.lineages.last().map(|lineage| lineage.at_ms) else {
            return outdated("the group does not go on from a backup");
        };
        let cluster = txn.cluster(self.cluster)?.filter(|cluster| cluster.timeline == self.timeline);
        let Some(cluster) = cluster else {
            return outdated("the cluster is gone, or its timeline has moved on");
        };
        let Some(mut run) = txn.runnable(self.run)? else { return outdated("the runnable is gone") };
        let Some(number) = run.lost_attempt(self.cluster, &self.item, txn.meta.group, begun_ms) else {
            return outdated("the object is of no attempt that the run does not know");
        };
        if run.attempt().is_none_or(|attempt| attempt.number < number) {
            let mut objects = place::objects(&run, number, self.cluster);
            if place::holder(txn, &run, &objects)?.is_some() {
                return outdated("one of the names is held");
            }
            supersede(&mut run, number, txn.now_ms());
            let head = &cluster.head;
            run.attempts.push(Attempt::placed(number, head.ordinal, head.name.clone(), txn.now_ms()));
            run.objects.append(&mut objects);
        }
        sent(&mut run, number, txn.now_ms());
        settle::write(txn, run)?;
        let (kind, items) = (self.item.kind.clone(), vec![Observation::clone(&self.item)]);
        let (cluster, timeline) = (self.cluster, self.timeline);
        let said = format!("{kind} {}/{}", self.item.namespace, self.item.name);
        let (namespace, plural) = (String::new(), String::new());
        let (is_watch, cursor, rule) = (false, None, None);
        let seen = Observe { cluster, kind, namespace, plural, timeline, is_watch, cursor, rule, items };
        let seen = seen.apply(txn)?;
        txn.say(format!("attempt {number} was sent after the backup: {said}"));
        Ok(seen)
    }
}

/// Everything that the last attempt needs was sent.
fn sent(run: &mut Runnable, number: u32, now: u64) {
    if let Some(attempt) = run.attempts.last_mut() {
        attempt.phase = AttemptPhase::Sent;
    }
    for object in run.objects.iter_mut().filter(|object| object.attempt == number) {
        object.create_intended = true;
        object.due_ms = now;
    }
    run.place_tries = 0;
    settle::settle(run, now);
}

/// Before attempt `number` was made, those before it had ended, in a way that nobody knows any more.
fn supersede(run: &mut Runnable, number: u32, now: u64) {
    for earlier in run.attempts.iter_mut().filter(|attempt| !attempt.phase.is_terminal()) {
        (earlier.phase, earlier.finished_ms) = (AttemptPhase::Failed, Some(now));
        LOST.clone_into(&mut earlier.message);
    }
    for object in run.objects.iter_mut().filter(|object| object.state == ObjectState::Absent) {
        object.wanted = false;
    }
    let known = run.attempt().map_or(0, |attempt| attempt.number);
    for missing in known + 1..number {
        let (phase, finished_ms, message) = (AttemptPhase::Failed, Some(now), LOST.to_owned());
        // Where it was is not known either.
        let unknown = Attempt::placed(missing, Ordinal(0), String::new(), now);
        run.attempts.push(Attempt { phase, finished_ms, message, ..unknown });
    }
}

impl Runnable {
    /// The attempt of which `item`, on `cluster`, is the main object though the run does not know that it was sent: it
    /// was there before the lineage that began at `begun_ms`, and has all our marks. `None` if it is something else.
    #[must_use]
    pub fn lost_attempt(
        &self,
        cluster: Ordinal,
        item: &Observation,
        group: GroupId,
        begun_ms: u64,
    ) -> Option<u32> {
        let number = item.attempt.filter(|number| (1..=limits::ATTEMPTS_MAX).contains(number))?;
        let plan = self.planned.get(usize::from(self.main))?;
        let named = (&item.kind, &item.namespace) == (&plan.kind, &plan.namespace)
            && item.name == of_attempt(&plan.name, number);
        let marked = item.group == Some(group)
            && item.submission == Some(self.head.uid)
            && item.digest.as_deref() == Some(&plan.digest.to_string());
        let waits = !item.gone && !self.phase.is_terminal() && self.head.created_ms <= begun_ms;
        let unknown = match self.attempt() {
            Some(last) if last.number == number => last.cluster == cluster && self.is_unsent(),
            last => last.is_none_or(|last| last.number < number),
        };
        (named && marked && waits && unknown).then_some(number)
    }

    /// Nothing was decided yet on making the main object of the last attempt.
    fn is_unsent(&self) -> bool {
        self.main_object().is_some_and(|object| {
            object.state == ObjectState::Absent && object.wanted && !object.create_intended
        })
    }
}
