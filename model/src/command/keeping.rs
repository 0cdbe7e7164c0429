//! What a run has beside its objects: values of pools, from its acceptance until nothing of it is on a cluster, and
//! locks, from when it is placed until nothing of it may run.

use super::Principal;
use super::acquire_lock::waiting_words;
use super::allocate::{Allocate, slots, unconfirmed};
use crate::manifest::placeholder;
use crate::record::{
    AttemptPhase, Given, Head, Held, Hold, Lock, Object, Planned, Record, Resource, Runnable,
    WantedAllocation, WantedLock, WantedValue, WhenHeld,
};
use crate::{Cause, Damaged, Digest, Ordinal, Refusal, RefusalKind, Tag, Txn, Uid, limits, lookup};
use std::mem::take;

/// Gives a run that is accepted its values and the locks that it does not wait for, and resolves its manifests; why it
/// cannot be accepted otherwise. The runs of a fan-out have its values, and take its locks themselves.
pub(super) fn begin(
    txn: &mut Txn<'_>,
    run: &mut Runnable,
    by: &Principal,
    manifests: &[u8],
) -> Result<Option<Refusal>, Damaged> {
    if run.spec.allocations.is_empty() && run.spec.locks.is_empty() {
        return Ok(None);
    }
    if txn.meta.unconfirmed().is_some() {
        return Ok(Some(unconfirmed()));
    }
    for (i, wanted) in run.spec.allocations.clone().iter().enumerate() {
        match allocate(txn, &run.head, by, wanted)? {
            Ok(given) => run.allocations.push(given),
            Err(refusal) => return Ok(Some(at_fault(refusal, format!("spec.allocations[{i}]")))),
        }
    }
    if let Err(refusal) = resolve(&mut run.digest, &mut run.planned, manifests, &run.allocations) {
        return Ok(Some(refusal));
    }
    for (i, wanted) in run.spec.locks.clone().iter().enumerate() {
        if let Some(refusal) = impossible(txn, &run.head.namespace, wanted)? {
            return Ok(Some(at_fault(refusal, format!("spec.locks[{i}]"))));
        }
    }
    take_at_once(txn, run)
}

/// Gives a run that is to start again what it gave back when it ended: the same values, for its manifests name them.
pub(super) fn begin_again(
    txn: &mut Txn<'_>,
    run: &mut Runnable,
    by: &Principal,
) -> Result<Option<Refusal>, Damaged> {
    for i in 0..run.allocations.len() {
        let Some(given) = run.allocations.get(i).filter(|given| given.allocation.is_none()).cloned() else {
            continue;
        };
        let Given { name, pool, value, .. } = given;
        let wanted = WantedAllocation { name, pool, wanted: WantedValue::exactly(value) };
        match allocate(txn, &run.head, by, &wanted)? {
            Ok(given) => run.allocations.iter_mut().skip(i).take(1).for_each(|slot| *slot = given.clone()),
            Err(refusal) => {
                let message = format!("{}; submit it anew to have another value", refusal.message);
                return Ok(Some(Refusal::new(RefusalKind::Conflict, message)));
            }
        }
    }
    take_at_once(txn, run)
}

pub(super) fn at_fault(mut refusal: Refusal, field: String) -> Refusal {
    refusal.causes = vec![Cause { field: field.clone(), message: refusal.message.clone() }];
    refusal.message = format!("{field}: {}", refusal.message);
    refusal
}

/// Gives a submission a value for as long as it needs it.
pub(super) fn allocate(
    txn: &mut Txn<'_>,
    head: &Head,
    by: &Principal,
    wanted: &WantedAllocation,
) -> Result<Result<Given, Refusal>, Damaged> {
    let namespace = &head.namespace;
    let Some(Record::Pool(pool)) = txn.named(Resource::Pool, namespace, &wanted.pool)? else {
        let message = format!("there is no pool {:?} in namespace {namespace:?}: make it first", wanted.pool);
        return Ok(Err(Refusal::new(RefusalKind::Invalid, message)));
    };
    let slots = match slots(txn, &pool, &wanted.wanted)? {
        Ok(slots) => slots,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let key = format!("{}.{}", head.uid, wanted.name);
    let uid = uid_unlike_any(txn, &key);
    let allocation = Allocate::allocation(txn, &pool, &key, slots, (uid, by), Some(head.ordinal), None);
    let (ordinal, value) = (allocation.head.ordinal, allocation.value.clone());
    txn.put(Record::Allocation(allocation))?;
    let (name, pool) = (wanted.name.clone(), wanted.pool.clone());
    Ok(Ok(Given { name, pool, value, allocation: Some(ordinal) }))
}

/// Of a record that `seed` has made: unlike any before, also if that made such a one before.
fn uid_unlike_any(txn: &Txn<'_>, seed: &str) -> Uid {
    let seed = Digest::of(format!("{seed}/{}", txn.next_revision()).as_bytes());
    Uid::from_random(std::array::from_fn(|at| seed.0.get(at).copied().unwrap_or_default()))
}

/// Digests are of what is sent: of manifests with their values in place.
pub(super) fn resolve(
    digest: &mut Digest,
    planned: &mut [Planned],
    manifests: &[u8],
    values: &[Given],
) -> Result<(), Refusal> {
    if values.is_empty() {
        return Ok(());
    }
    let mut all = digest.0.to_vec();
    let mut digests = Vec::with_capacity(planned.len());
    for (i, plan) in planned.iter().enumerate() {
        let kept = plan.json(manifests).unwrap_or_default();
        let resolved = placeholder::resolve(kept, |name| Given::value(values, name)).map_err(|why| {
            let field = format!("spec.manifests[{i}]");
            at_fault(Refusal::new(RefusalKind::Invalid, why), field)
        })?;
        let digest = Digest::of(&resolved);
        all.extend(digest.0);
        digests.push(digest);
    }
    planned.iter_mut().zip(digests).for_each(|(plan, digest)| plan.digest = digest);
    *digest = Digest::of(&all);
    Ok(())
}

/// Why a lock can never be granted to a submission.
pub(super) fn impossible(
    txn: &Txn<'_>,
    namespace: &str,
    wanted: &WantedLock,
) -> Result<Option<Refusal>, Damaged> {
    let message = match txn.named(Resource::Lock, namespace, &wanted.name)? {
        Some(Record::Lock(lock)) if wanted.is_key && lock.permits > 1 => no_key(&lock),
        Some(Record::Lock(lock)) if wanted.permits <= lock.permits => return Ok(None),
        Some(Record::Lock(lock)) => format!("lock {:?} has {} permits in all", wanted.name, lock.permits),
        _ if wanted.is_key => return Ok(None),
        _ => format!("there is no lock {:?} in namespace {namespace:?}: make it first", wanted.name),
    };
    Ok(Some(Refusal::new(RefusalKind::Invalid, message)))
}

fn no_key(lock: &Lock) -> String {
    let (name, permits) = (&lock.head.name, lock.permits);
    format!("lock {name:?} has {permits} permits, and as a key only one may be active: name the lock instead")
}

fn take_at_once(txn: &mut Txn<'_>, run: &mut Runnable) -> Result<Option<Refusal>, Damaged> {
    let taken = take_missing(txn, run, |wanted| wanted.when_held == WhenHeld::Refuse)?;
    Ok(taken.err().map(|why| Refusal::new(RefusalKind::Conflict, why)))
}

/// Has the run hold all of its locks, for a new attempt: with new tokens. Otherwise it holds no more than before.
pub(super) fn take_all(txn: &mut Txn<'_>, run: &mut Runnable) -> Result<Result<(), String>, Damaged> {
    let before: Vec<String> = run.locks.iter().map(|held| held.name.clone()).collect();
    if let Err(why) = take_missing(txn, run, |_| true)? {
        return Ok(Err(why));
    }
    run.waits_for_locks = false;
    for held in run.locks.iter_mut().filter(|held| before.contains(&held.name)) {
        let Some(mut lock) = txn.lock(held.lock)? else { continue };
        let token = txn.next_revision();
        let is_ours = |hold: &&mut Hold| hold.submission == Some(run.head.ordinal);
        if let Some(hold) = lock.holders.iter_mut().find(is_ours) {
            (hold.token, held.token) = (token, token);
            txn.put(Record::Lock(lock))?;
        }
    }
    Ok(Ok(()))
}

/// Grants the run those of its locks that are `wanted` and that it does not hold yet: all of them, or none and why.
fn take_missing(
    txn: &mut Txn<'_>,
    run: &mut Runnable,
    wanted: impl Fn(&WantedLock) -> bool,
) -> Result<Result<(), String>, Damaged> {
    let missing: Vec<&WantedLock> =
        run.spec.locks.iter().filter(|one| wanted(one) && !run.holds(&one.name)).collect();
    let owner = format!("runnable/{}", run.head.name);
    Ok(take_locks(txn, &run.head, &owner, Some(run.head.ordinal), &missing)?
        .map(|held| run.locks.extend(held)))
}

/// Grants a submission locks: all of them, or none and why. `turn` is its place among those that wait; who has none comes
/// behind all of them.
pub(super) fn take_locks(
    txn: &mut Txn<'_>,
    head: &Head,
    owner: &str,
    turn: Option<Ordinal>,
    wanted: &[&WantedLock],
) -> Result<Result<Vec<Held>, String>, Damaged> {
    let mut grants = Vec::new();
    for wanted in wanted {
        let mut lock = match txn.named(Resource::Lock, &head.namespace, &wanted.name)? {
            Some(Record::Lock(lock)) => lock,
            _ if wanted.is_key => {
                grants.push((None, *wanted));
                continue;
            }
            _ => return Ok(Err(format!("there is no lock {:?} any more", wanted.name))),
        };
        lock.drop_expired(txn.now_ms());
        if wanted.is_key && lock.permits > 1 {
            return Ok(Err(no_key(&lock)));
        }
        if let Some(why) = waiting_words(txn, &lock, turn)? {
            return Ok(Err(why));
        }
        if wanted.permits > lock.free() || lock.holders.len() >= limits::LOCK_HOLDERS_MAX {
            return Ok(Err(lock.refusal_words(wanted.permits)));
        }
        grants.push((Some(lock), *wanted));
    }
    let mut held = Vec::new();
    for (lock, WantedLock { name, permits, .. }) in grants {
        let mut lock = lock.unwrap_or_else(|| lock_of_key(txn, head, name));
        let (token, now) = (txn.next_revision(), txn.now_ms());
        let (owner, submission) = (owner.to_owned(), Some(head.ordinal));
        lock.grant(Hold { owner, permits: *permits, token, since_ms: now, expires_ms: None, submission });
        held.push(Held { name: name.clone(), lock: lock.head.ordinal, permits: *permits, token });
        txn.put(Record::Lock(lock))?;
    }
    Ok(Ok(held))
}

/// The lock of a key, as it is made for the first who has it. Not written yet.
fn lock_of_key(txn: &mut Txn<'_>, of: &Head, key: &str) -> Lock {
    let head = Head {
        ordinal: txn.new_ordinal(),
        uid: uid_unlike_any(txn, &format!("{}/{key}", of.uid)),
        namespace: of.namespace.clone(),
        name: key.to_owned(),
        created_ms: txn.now_ms(),
        created_by: of.created_by.clone(),
        ..Head::default()
    };
    Lock { head, permits: 1, of_key: true, holders: Vec::new() }
}

/// Takes its locks from a submission, and has those be placed that wait for them.
pub(super) fn release_locks(txn: &mut Txn<'_>, head: &Head, held: Vec<Held>) -> Result<(), Damaged> {
    for held in held {
        let Some(mut lock) = txn.lock(held.lock)? else { continue };
        lock.holders.retain(|hold| hold.submission != Some(head.ordinal));
        if !forget_key(txn, &lock, head.ordinal)? {
            txn.put(Record::Lock(lock))?;
            wake(txn, &head.namespace, &held.name, head.ordinal)?;
        }
    }
    Ok(())
}

/// Removes the lock of a key that nobody has, nor waits for beside `not`. True if it did.
fn forget_key(txn: &mut Txn<'_>, lock: &Lock, not: Ordinal) -> Result<bool, Damaged> {
    let Head { ordinal, namespace, name, .. } = &lock.head;
    if !lock.of_key || !lock.holders.is_empty() {
        return Ok(false);
    }
    let waiting = txn.ordinals(Tag::Waits, lookup::name_hash(Resource::Lock, namespace, name), 2)?;
    if waiting.iter().any(|waits| *waits != not) {
        return Ok(false);
    }
    txn.remove(*ordinal, 0)?;
    Ok(true)
}

/// Gives back what the run needs no more: locks when nothing of it may run, values when nothing of it is on a cluster.
pub(super) fn give_back(txn: &mut Txn<'_>, run: &mut Runnable) -> Result<(), Damaged> {
    if run.waits_for_locks && !run.wants_cluster() {
        run.waits_for_locks = false;
        for wanted in &run.spec.locks {
            wake(txn, &run.head.namespace, &wanted.name, run.head.ordinal)?;
            if let Some(Record::Lock(lock)) = txn.named(Resource::Lock, &run.head.namespace, &wanted.name)? {
                forget_key(txn, &lock, run.head.ordinal)?;
            }
        }
    }
    if !run.phase.is_terminal() {
        return Ok(());
    }
    if !may_run(run) {
        release_locks(txn, &run.head, take(&mut run.locks))?;
    }
    let is_used = run.objects.iter().any(Object::claims);
    if run.has_values() && !is_used && !runs_have_values(txn, run)? {
        for given in &mut run.allocations {
            // Those of a run of a fan-out are its parent's.
            if let Some(ordinal) = given.allocation.take().filter(|_| run.parent.is_none()) {
                txn.remove(ordinal, 0)?;
            }
        }
    }
    Ok(())
}

/// True while a run of a fan-out uses its values.
fn runs_have_values(txn: &Txn<'_>, run: &Runnable) -> Result<bool, Damaged> {
    if run.fan_out.is_none() {
        return Ok(false);
    }
    for ordinal in txn.children(run.head.ordinal, Ordinal(0), limits::FAN_OUT_CLUSTERS_MAX)? {
        if txn.runnable(ordinal)?.is_some_and(|child| child.has_values()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// True while something of a run that has ended may run still: a main object whose end was not seen, or a member of a
/// kind that may do anything.
fn may_run(run: &Runnable) -> bool {
    run.objects.iter().filter(|object| object.claims()).any(|object| {
        let attempt = run.attempts.iter().find(|attempt| attempt.number == object.attempt);
        let is_over =
            |phase| matches!(phase, AttemptPhase::Succeeded | AttemptPhase::Failed | AttemptPhase::Cancelled);
        let other = run.plan(object).is_none_or(|plan| plan.kind.is_other());
        match run.is_main(object) {
            // While it is there, a create that is still under way makes no second one.
            true => object.is_in_doubt() || !attempt.is_some_and(|attempt| is_over(attempt.phase)),
            false => other,
        }
    })
}

/// Has those be placed that wait for a lock and come next.
pub(super) fn wake(txn: &mut Txn<'_>, namespace: &str, lock: &str, not: Ordinal) -> Result<(), Damaged> {
    let now = txn.now_ms();
    let hash = lookup::name_hash(Resource::Lock, namespace, lock);
    for ordinal in txn.ordinals(Tag::Waits, hash, limits::LOCK_WAKE_MAX)? {
        if let Some(mut run) = txn.runnable(ordinal)?.filter(|run| ordinal != not && run.place_due_ms > now) {
            run.place_due_ms = now;
            txn.put(Record::Runnable(run))?;
        }
    }
    Ok(())
}

impl Txn<'_> {
    fn lock(&self, ordinal: Ordinal) -> Result<Option<Lock>, Damaged> {
        Ok(self.record(ordinal)?.and_then(|record| match record {
            Record::Lock(lock) => Some(lock),
            _ => None,
        }))
    }
}
