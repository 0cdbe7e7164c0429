//! What every command that touches a run ends with: the run's phase follows from its attempts and objects.
//!
//! Nothing here looks at how the state came about; each function takes the state as it is and moves it as far as
//! it can go.

mod fan_out;

use super::{Observation, keeping};
use crate::record::{
    Action, Attempt, AttemptPhase, Ending, Loss, Object, ObjectState, OnLoss, Record, Runnable, Seen,
};
use crate::rule::Verdict;
use crate::{Damaged, GroupId, Ordinal, Phase, Reason, Tag, Txn, limits, lookup, time};
use std::sync::Arc;

/// The object exists as `item` says.
pub(super) fn live(object: &mut Object, item: &Observation, timeline: u32, now: u64) {
    if object.uid.as_ref() != Some(&item.uid) {
        (object.created_ms, object.observed_ms, object.read) = (Some(now), None, None);
    }
    object.state = ObjectState::Live;
    object.uid = Some(item.uid.clone());
    object.held = item.held;
    object.seen = Some(Seen { at_ms: now, timeline, ..item.seen.clone() });
    if object.held && item.seen.is_deleting() {
        // The hold is all that keeps it: whatever was to be tried later is over.
        object.due_ms = object.due_ms.min(now);
    }
    // A watch may be faster than the answer to the create: seen is seen.
    if object.pending.is_some_and(|intent| intent.action == Action::Create) {
        object.pending = None;
        object.tries = 0;
        object.due_ms = now;
    }
}

/// Notes whether something of what we wrote on the object is missing: a label, an annotation, or the hold of a main
/// object whose end is not known yet. After [`observed`], so that an end counts.
pub(super) fn check_marks(run: &mut Runnable, position: usize, item: &Observation, group: GroupId) {
    let Some(object) = run.objects.get(position) else { return };
    let Some(plan) = run.plan(object) else { return };
    let main = run.is_main(object);
    let own = item.submission == Some(run.head.uid) && item.attempt == Some(object.attempt);
    let holds = item.held || item.seen.is_deleting() || !object.wanted || run.has_ended(object);
    // Members are shared: whose submission and attempt they name does not matter.
    let whole = item.group == Some(group)
        && item.submission.is_some()
        && item.digest.as_deref() == Some(&plan.digest.to_string())
        && (!main || (own && holds));
    if let Some(object) = run.objects.get_mut(position) {
        object.stripped = !whole && !item.gone;
    }
}

/// The object with the known UID does not exist any more in that timeline.
pub(super) fn gone(object: &mut Object, timeline: u32, now: u64) {
    object.state = ObjectState::Gone;
    if let Some(seen) = &mut object.seen {
        seen.timeline = timeline;
    }
    object.pending = None;
    if object.doubt_until_ms <= now {
        object.doubt_until_ms = 0;
    }
    object.held = false;
    object.tries = 0;
}

/// Moves the attempt of the object at `position` to what `item` says of its main object.
pub(super) fn observed(run: &mut Runnable, position: usize, item: &Observation, now: u64) {
    let Some(object) = run.objects.get(position) else { return };
    if object.planned != run.main {
        return;
    }
    let (number, ending) = (object.attempt, run.ending.is_some());
    let cancelled =
        run.is_stopping(object) && run.ending.as_ref().is_some_and(|ending| ending.phase == Phase::Cancelled);
    let has_ended = run.has_ended(object);
    let what = if has_ended { run.describe(position) } else { String::new() };
    let Some(attempt) = run.attempts.iter_mut().find(|attempt| attempt.number == number) else { return };
    if has_ended {
        return overlap(attempt, &what, item, now);
    }
    attempt.message.clone_from(&item.seen.message);
    if item.gone {
        attempt.phase = if ending { AttemptPhase::Cancelled } else { AttemptPhase::Gone };
        attempt.finished_ms = Some(now);
        return;
    }
    attempt.phase = match item.verdict {
        Some(Verdict::Succeeded) => AttemptPhase::Succeeded,
        Some(Verdict::Failed) if cancelled => AttemptPhase::Cancelled,
        Some(Verdict::Failed) => AttemptPhase::Failed,
        Some(Verdict::Running) => AttemptPhase::Running,
        // Nobody says that it does not run any more.
        None if attempt.phase == AttemptPhase::Running => AttemptPhase::Running,
        Some(Verdict::Pending) | None => AttemptPhase::Pending,
    };
    if item.verdict.is_none() && attempt.message.is_empty() {
        attempt.message = format!(
            "it exists; whether it runs or has ended is not known, for no status rule for {} {} says it",
            item.kind.api_version(),
            item.kind
        );
    }
    let waits = match attempt.phase {
        AttemptPhase::Pending => true,
        AttemptPhase::Running => item.seen.waiting > 0,
        _ => false,
    };
    if !waits && attempt.phase != AttemptPhase::Failed {
        attempt.diagnosis = None;
    }
    attempt.waits_since_ms = waits.then(|| attempt.waits_since_ms.unwrap_or(now));
    if attempt.phase != AttemptPhase::Pending && attempt.started_ms.is_none() {
        attempt.started_ms = item.seen.started_ms.or(Some(now));
    }
    if attempt.phase.is_terminal() {
        attempt.finished_ms = Some(now);
    }
}

/// The object of an attempt that was given up is there still: that is put down once.
fn overlap(attempt: &mut Attempt, what: &str, item: &Observation, now: u64) {
    let is_given_up = matches!(attempt.phase, AttemptPhase::Lost | AttemptPhase::Moved);
    if item.gone || !is_given_up || attempt.overlap_ms.is_some() {
        return;
    }
    let state = match item.verdict {
        Some(Verdict::Succeeded) => "it had ended well",
        Some(Verdict::Failed) => "it had ended badly",
        Some(Verdict::Running) => "it ran",
        Some(Verdict::Pending) | None => "it did not run yet",
    };
    attempt.overlap_ms = Some(now);
    attempt.message = format!(
        "overlap: {what} (UID {}) was there still at {} though it had been given up, and {state}; it is deleted",
        item.uid,
        time::format(now)
    );
}

/// What was found now to be there still, in words for the ledger.
pub(super) fn overlap_words(run: &Runnable, now: u64) -> Option<&str> {
    let found = run.attempts.iter().find(|attempt| attempt.overlap_ms == Some(now))?;
    Some(&found.message)
}

/// Decides on an end; the first decision stands.
pub(super) fn decide(run: &mut Runnable, phase: Phase, reason: Reason, message: String) {
    if run.ending.is_none() && !run.phase.is_terminal() {
        run.ending = Some(Ending { phase, reason, message });
    }
}

/// Moves the run as far as its attempts and objects allow.
pub(super) fn settle(run: &mut Runnable, now: u64) {
    if let Some(asked) = run.deletion.clone() {
        decide(run, Phase::Cancelled, Reason::CancelRequested, format!("{} asked for its removal", asked.by));
        run.objects.iter_mut().for_each(|object| object.wanted = false);
    }
    if run.fan_out.is_some() {
        return fan_out::settle(run, now);
    }
    if run.ending.is_some() && !run.phase.is_terminal() {
        // Members that were not made yet are not needed any more either; those that were stay until the ttl.
        // A main object that stops by itself is left to say what became of it.
        let stops = run.planned.get(usize::from(run.main)).is_some_and(|plan| plan.kind.stops());
        for object in &mut run.objects {
            let main = object.planned == run.main && !(stops && object.state == ObjectState::Live);
            if main || object.state == ObjectState::Absent {
                object.wanted = false;
            }
        }
    }
    drop_void(run);
    if !run.phase.is_terminal() {
        advance(run, now);
    }
}

fn drop_void(run: &mut Runnable) {
    for object in run.objects.iter_mut().filter(|object| object.is_void()) {
        object.state = ObjectState::Gone;
    }
}

fn advance(run: &mut Runnable, now: u64) {
    let Some(attempt) = run.attempt().cloned() else { return between(run, now) };
    match attempt.phase {
        _ if attempt.phase.is_terminal() && matches!(run.phase, Phase::Accepted | Phase::Held) => {
            between(run, now)
        }
        AttemptPhase::Succeeded => end(run, now, Phase::Succeeded, Reason::Completed, attempt.message),
        AttemptPhase::Failed => failed(run, now, &attempt),
        AttemptPhase::Gone if is_moved(run) => {
            let why = moved_words(run);
            move_on(run, now, Reason::Moving, why);
        }
        AttemptPhase::Gone => {
            let message = gone_words(run);
            end(run, now, Phase::Failed, Reason::ObjectGone, message);
        }
        AttemptPhase::Cancelled => end_as_decided(run, now),
        AttemptPhase::Lost | AttemptPhase::Moved => between(run, now),
        phase => under_way(run, now, phase),
    }
}

fn gone_words(run: &Runnable) -> String {
    let main = |object: &Object| Some(object) == run.main_object();
    let Some(position) = run.objects.iter().position(main) else { return String::new() };
    let uid = run.main_object().and_then(|object| object.uid.as_deref()).unwrap_or("not known");
    let what = run.describe(position);
    format!(
        "{what} (UID {uid}) was deleted there by somebody else before its end was seen: a retry runs it again"
    )
}

fn between(run: &mut Runnable, now: u64) {
    if run.ending.is_some() {
        end_as_decided(run, now);
    }
}

fn under_way(run: &mut Runnable, now: u64, phase: AttemptPhase) {
    if let Some(ending) = run.ending.clone() {
        if run.main_object().is_none_or(|object| object.state == ObjectState::Gone) {
            if let Some(attempt) = run.attempts.last_mut() {
                let failed = ending.phase == Phase::Failed;
                attempt.phase = if failed { AttemptPhase::Failed } else { AttemptPhase::Cancelled };
                attempt.finished_ms = Some(now);
                attempt.message.clone_from(&ending.message);
            }
            return end_as_decided(run, now);
        }
        return enter(run, now, Phase::Stopping, ending.reason, ending.message);
    }
    if run.attempt().is_some_and(Attempt::is_lost) {
        // What it is there is known when its cluster is back.
        return;
    }
    if run.attempt().is_some_and(|attempt| attempt.leaving.is_some()) {
        let why = moved_words(run);
        return match run.main_object().is_none_or(|object| object.state == ObjectState::Gone) {
            true => move_on(run, now, Reason::Moving, why),
            false => enter(run, now, Phase::Stopping, Reason::Moving, why),
        };
    }
    let phase = match phase {
        AttemptPhase::Placed => Phase::Placed,
        AttemptPhase::Sent => Phase::Sent,
        AttemptPhase::Running => Phase::Running,
        _ => Phase::Pending,
    };
    if phase != run.phase {
        enter(run, now, phase, Reason::None, String::new());
    }
}

fn failed(run: &mut Runnable, now: u64, attempt: &Attempt) {
    if run.main_object().is_some_and(|object| run.is_stopping(object)) {
        return end_as_decided(run, now);
    }
    let allowed = run.spec.attempts_max + run.attempts_added;
    if run.ending.is_some() || attempt.number >= allowed + run.moves() {
        return end(run, now, Phase::Failed, Reason::ObjectFailed, attempt.message.clone());
    }
    let doublings = attempt.number.saturating_sub(1).min(16);
    let backoff_ms = (run.spec.backoff_ms << doublings).min(limits::DURATION_MS_MAX);
    run.place_due_ms = now + backoff_ms;
    run.place_tries = 0;
    if let Some(wanted) =
        run.approvals.as_ref().filter(|_| !run.is_approved()).map(|all| all.wanted(run.digest))
    {
        // It was taken over, and the backup does not have who approved it.
        return enter(run, now, Phase::Held, Reason::AwaitingApproval, wanted);
    }
    let message = format!("attempt {} failed: {}", attempt.number, attempt.message);
    enter(run, now, Phase::Accepted, Reason::ObjectFailed, message);
}

fn end_as_decided(run: &mut Runnable, now: u64) {
    let ending = run.ending.clone().unwrap_or(Ending {
        phase: Phase::Cancelled,
        reason: Reason::CancelRequested,
        message: String::new(),
    });
    end(run, now, ending.phase, ending.reason, ending.message);
}

/// True if the run goes on elsewhere now that its object is gone: it is being taken off its cluster, or it is to be
/// moved from a lost one, and the object was not seen there since.
fn is_moved(run: &Runnable) -> bool {
    let Some(attempt) = run.attempt().filter(|_| run.ending.is_none()) else { return false };
    let seen_ms = run.main_object().and_then(|object| object.seen.as_ref()).map_or(0, |seen| seen.at_ms);
    let is_lost = |lost: Loss| run.spec.placement.on_loss == OnLoss::Move && seen_ms <= lost.since_ms;
    attempt.leaving.is_some() || attempt.lost.is_some_and(is_lost)
}

fn moved_words(run: &Runnable) -> String {
    let Some(attempt) = run.attempt() else { return String::new() };
    let cluster = &attempt.cluster_name;
    match &attempt.leaving {
        Some(leaving) => format!("{} takes it off {cluster}{}", leaving.by, because(&leaving.why)),
        None => format!("its object was gone when {cluster} was back"),
    }
}

/// A person's words behind what they are about.
pub(super) fn because(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

/// Gives the attempt up. The run waits for another cluster; what is left of it there is deleted.
pub(super) fn move_on(run: &mut Runnable, now: u64, reason: Reason, message: String) {
    let Some(attempt) = run.attempts.last_mut() else { return };
    (attempt.phase, attempt.finished_ms) = (AttemptPhase::Moved, Some(now));
    attempt.message.clone_from(&message);
    let cluster = attempt.cluster;
    unwant(run, cluster);
    drop_void(run);
    run.place_due_ms = now;
    run.place_tries = 0;
    enter(run, now, Phase::Accepted, reason, format!("{message}; it goes on elsewhere"));
}

/// Nothing of the run is wanted on that cluster any more.
pub(super) fn unwant(run: &mut Runnable, cluster: Ordinal) {
    for object in run.objects.iter_mut().filter(|object| object.cluster == cluster) {
        object.wanted = false;
    }
}

/// Ends the run though its cluster is lost: what is there of it is deleted when the cluster is back.
pub(super) fn end_lost(run: &mut Runnable, now: u64, message: String) {
    let Some(attempt) = run.attempts.last_mut() else { return };
    (attempt.phase, attempt.finished_ms) = (AttemptPhase::Lost, Some(now));
    let cluster = attempt.cluster;
    unwant(run, cluster);
    end(run, now, Phase::Failed, Reason::ClusterLost, message);
}

fn end(run: &mut Runnable, now: u64, phase: Phase, reason: Reason, message: String) {
    run.finished_ms = Some(now);
    run.keep_until_ms = now + limits::RETENTION_MS.max(run.spec.ttl_after_finished_ms);
    run.ending = None;
    for object in run.objects.iter_mut().filter(|object| object.state == ObjectState::Absent) {
        object.wanted = false;
    }
    drop_void(run);
    enter(run, now, phase, reason, message);
}

/// Enters a phase, or stays in it with another reason.
pub(super) fn enter(run: &mut Runnable, now: u64, phase: Phase, reason: Reason, message: String) {
    if run.phase != phase {
        run.phase = phase;
        run.phase_since_ms = now;
    }
    run.reason = reason;
    run.message = message;
}

/// Writes a settled run: removes it if its removal was asked for and nothing of it is left on a cluster. Returns
/// it as it was written last.
///
/// A fan-out that the run is a part of follows.
pub(super) fn write(txn: &mut Txn<'_>, run: Runnable) -> Result<Arc<Record>, Damaged> {
    let Some(parent) = run.parent.as_ref().map(|parent| parent.ordinal) else { return put(txn, run) };
    let (ordinal, after) = (run.head.ordinal, run.phase);
    let before = txn.runnable(ordinal)?;
    let record = put(txn, run)?;
    let now = txn.runnable(ordinal)?;
    let has_values = |run: &Option<Runnable>| run.as_ref().is_some_and(Runnable::has_values);
    let change = fan_out::Change {
        before: before.as_ref().map(|run| run.phase),
        after,
        is_gone: now.is_none(),
        gave_back: has_values(&before) && !has_values(&now),
    };
    fan_out::changed(txn, parent, change)?;
    Ok(record)
}

/// Removes a run that has ended and of which nothing is left; a fan-out that it is a part of follows.
pub(super) fn remove(txn: &mut Txn<'_>, run: &Runnable) -> Result<(), Damaged> {
    txn.remove(run.head.ordinal, run.parts)?;
    match &run.parent {
        Some(parent) => {
            let change = fan_out::Change {
                before: Some(run.phase),
                after: run.phase,
                is_gone: true,
                gave_back: false,
            };
            fan_out::changed(txn, parent.ordinal, change)
        }
        None => Ok(()),
    }
}

/// As [`write`], without what follows for others.
pub(super) fn put(txn: &mut Txn<'_>, mut run: Runnable) -> Result<Arc<Record>, Damaged> {
    release_shared(txn, &mut run)?;
    keeping::give_back(txn, &mut run)?;
    // The runs of a fan-out have their manifests from it.
    let all_gone = run.objects.iter().all(|object| !object.claims())
        && txn.children(run.head.ordinal, Ordinal(0), 1)?.is_empty();
    if run.deletion.is_some() && run.phase.is_terminal() && all_gone {
        txn.remove(run.head.ordinal, run.parts)?;
        run.head.revision = txn.meta.revision;
        return Ok(Arc::new(Record::Runnable(run)));
    }
    txn.put(Record::Runnable(run))
}

/// Members that are not wanted here but by another runnable of equal bytes stay; members on a cluster that was
/// taken out are written off with it.
fn release_shared(txn: &Txn<'_>, run: &mut Runnable) -> Result<(), Damaged> {
    for position in 0..run.objects.len() {
        let Some(object) = run.objects.get(position) else { continue };
        if object.wanted || object.state != ObjectState::Live || object.delete_sent {
            continue;
        }
        let cluster_gone = txn.cluster(object.cluster)?.is_none();
        let shared = object.planned != run.main && is_shared(txn, run, object)?;
        if (cluster_gone || shared)
            && let Some(object) = run.objects.get_mut(position)
        {
            // Whoever has it now is told of it, whatever its cluster goes through.
            gone(object, u32::MAX, txn.now_ms());
        }
    }
    Ok(())
}

fn is_shared(txn: &Txn<'_>, run: &Runnable, object: &Object) -> Result<bool, Damaged> {
    let Some(plan) = run.plan(object) else { return Ok(false) };
    let claim = lookup::claim_hash(object.cluster, &plan.kind, &plan.namespace, &object.name);
    let other = txn.find(Tag::Claim, claim, |record| match record {
        Record::Runnable(other) if other.head.ordinal != run.head.ordinal => {
            let same = |theirs: &Object| {
                theirs.cluster == object.cluster && theirs.name == object.name && theirs.wanted
            };
            other.objects.iter().any(same).then_some(())
        }
        _ => None,
    })?;
    Ok(other.is_some())
}
