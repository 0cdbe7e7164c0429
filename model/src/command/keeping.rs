//! What a run has beside its objects: values of pools, from its acceptance until nothing of it is on a cluster, and
//! locks, from when it is placed until nothing of it may run.

use super::Principal;
use super::acquire_lock::waiting_words;
use super::allocate::{Allocate, slots, unconfirmed};
use crate::manifest::placeholder;
use crate::record::{
    AttemptPhase, Given, Held, Hold, Lock, Object, Record, Resource, Runnable, WantedAllocation, WantedLock,
    WantedValue, WhenHeld,
};
use crate::{Cause, Damaged, Digest, Ordinal, Refusal, RefusalKind, Tag, Txn, Uid, limits, lookup};
use std::mem::take;

/// Gives a run that is accepted its values and the locks that it does not wait for, and resolves its manifests; why it
/// cannot be accepted otherwise.
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
        match allocate(txn, run, by, wanted)? {
            Ok(given) => run.allocations.push(given),
            Err(refusal) => return Ok(Some(at_fault(refusal, format!("spec.allocations[{i}]")))),
        }
    }
    if let Err(refusal) = resolve(run, manifests) {
        return Ok(Some(refusal));
    }
    for (i, wanted) in run.spec.locks.clone().iter().enumerate() {
        if let Some(refusal) = impossible(txn, run, wanted)? {
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
        let wanted = WantedAllocation {
            name: given.name,
            pool: given.pool,
            wanted: WantedValue::exactly(given.value),
        };
        match allocate(txn, run, by, &wanted)? {
            Ok(given) => run.allocations.iter_mut().skip(i).take(1).for_each(|slot| *slot = given.clone()),
            Err(refusal) => {
                let message = format!("{}; submit it anew to have another value", refusal.message);
                return Ok(Some(Refusal::new(RefusalKind::Conflict, message)));
            }
        }
    }
    take_at_once(txn, run)
}

fn at_fault(mut refusal: Refusal, field: String) -> Refusal {
    refusal.causes = vec![Cause { field: field.clone(), message: refusal.message.clone() }];
    refusal.message = format!("{field}: {}", refusal.message);
    refusal
}

fn allocate(
    txn: &mut Txn<'_>,
    run: &Runnable,
    by: &Principal,
    wanted: &WantedAllocation,
) -> Result<Result<Given, Refusal>, Damaged> {
    let namespace = &run.head.namespace;
    let Some(Record::Pool(pool)) = txn.named(Resource::Pool, namespace, &wanted.pool)? else {
        let message = format!("there is no pool {:?} in namespace {namespace:?}: make it first", wanted.pool);
        return Ok(Err(Refusal::new(RefusalKind::Invalid, message)));
    };
    let slots = match slots(txn, &pool, &wanted.wanted)? {
        Ok(slots) => slots,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let key = format!("{}.{}", run.head.uid, wanted.name);
    // Unlike any before: the same run may be given it twice.
    let seed = Digest::of(format!("{key}/{}", txn.next_revision()).as_bytes());
    let uid = Uid::from_random(std::array::from_fn(|at| seed.0.get(at).copied().unwrap_or_default()));
    let run = Some(run.head.ordinal);
    let allocation = Allocate::allocation(txn, &pool, &key, slots, (uid, by), run, None);
    let (ordinal, value) = (allocation.head.ordinal, allocation.value.clone());
    txn.put(Record::Allocation(allocation))?;
    let (name, pool) = (wanted.name.clone(), wanted.pool.clone());
    Ok(Ok(Given { name, pool, value, allocation: Some(ordinal) }))
}

/// Digests are of what is sent: of manifests with their values in place.
fn resolve(run: &mut Runnable, manifests: &[u8]) -> Result<(), Refusal> {
    if run.allocations.is_empty() {
        return Ok(());
    }
    let mut all = run.digest.0.to_vec();
    for i in 0..run.planned.len() {
        let Some(plan) = run.planned.get(i) else { break };
        let [from, length] =
            [plan.offset, plan.length].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        let kept = manifests.get(from..from.saturating_add(length)).unwrap_or_default();
        let resolved = placeholder::resolve(kept, |name| run.value(name)).map_err(|why| {
            let field = format!("spec.manifests[{i}]");
            at_fault(Refusal::new(RefusalKind::Invalid, why), field)
        })?;
        let digest = Digest::of(&resolved);
        all.extend(digest.0);
        if let Some(plan) = run.planned.get_mut(i) {
            plan.digest = digest;
        }
    }
    run.digest = Digest::of(&all);
    Ok(())
}

/// Why a lock can never be granted to the run.
fn impossible(txn: &Txn<'_>, run: &Runnable, wanted: &WantedLock) -> Result<Option<Refusal>, Damaged> {
    let namespace = &run.head.namespace;
    let message = match txn.named(Resource::Lock, namespace, &wanted.name)? {
        Some(Record::Lock(lock)) if wanted.permits <= lock.permits => return Ok(None),
        Some(Record::Lock(lock)) => format!("lock {:?} has {} permits in all", wanted.name, lock.permits),
        _ => format!("there is no lock {:?} in namespace {namespace:?}: make it first", wanted.name),
    };
    Ok(Some(Refusal::new(RefusalKind::Invalid, message)))
}

fn take_at_once(txn: &mut Txn<'_>, run: &mut Runnable) -> Result<Option<Refusal>, Damaged> {
    let taken = take_locks(txn, run, |wanted| wanted.when_held == WhenHeld::Refuse)?;
    Ok(taken.err().map(|why| Refusal::new(RefusalKind::Conflict, why)))
}

/// Has the run hold all of its locks, for a new attempt: with new tokens. Otherwise it holds no more than before.
pub(super) fn take_all(txn: &mut Txn<'_>, run: &mut Runnable) -> Result<Result<(), String>, Damaged> {
    let before: Vec<String> = run.locks.iter().map(|held| held.name.clone()).collect();
    if let Err(why) = take_locks(txn, run, |_| true)? {
        return Ok(Err(why));
    }
    run.waits_for_locks = false;
    for held in run.locks.iter_mut().filter(|held| before.contains(&held.name)) {
        let Some(mut lock) = txn.lock(held.lock)? else { continue };
        let token = txn.next_revision();
        let is_ours = |hold: &&mut Hold| hold.run == Some(run.head.ordinal);
        if let Some(hold) = lock.holders.iter_mut().find(is_ours) {
            (hold.token, held.token) = (token, token);
            txn.put(Record::Lock(lock))?;
        }
    }
    Ok(Ok(()))
}

/// Grants the locks that are `wanted` and not held yet: all of them, or none and why.
fn take_locks(
    txn: &mut Txn<'_>,
    run: &mut Runnable,
    wanted: impl Fn(&WantedLock) -> bool,
) -> Result<Result<(), String>, Damaged> {
    let mut grants = Vec::new();
    for wanted in run.spec.locks.iter().filter(|one| wanted(one) && !run.holds(&one.name)) {
        let Some(Record::Lock(mut lock)) = txn.named(Resource::Lock, &run.head.namespace, &wanted.name)?
        else {
            return Ok(Err(format!("there is no lock {:?} any more", wanted.name)));
        };
        lock.drop_expired(txn.now_ms());
        if let Some(why) = waiting_words(txn, &lock, Some(run.head.ordinal))? {
            return Ok(Err(why));
        }
        if wanted.permits > lock.free() || lock.holders.len() >= limits::LOCK_HOLDERS_MAX {
            return Ok(Err(lock.refusal_words(wanted.permits)));
        }
        grants.push((lock, wanted.permits));
    }
    for (mut lock, permits) in grants {
        let (token, now) = (txn.next_revision(), txn.now_ms());
        let owner = format!("runnable/{}", run.head.name);
        lock.holders.push(Hold {
            owner,
            permits,
            token,
            since_ms: now,
            expires_ms: None,
            run: Some(run.head.ordinal),
        });
        run.locks.push(Held { name: lock.head.name.clone(), lock: lock.head.ordinal, permits, token });
        txn.put(Record::Lock(lock))?;
    }
    Ok(Ok(()))
}

/// Gives back what the run needs no more: locks when nothing of it may run, values when nothing of it is on a cluster.
pub(super) fn give_back(txn: &mut Txn<'_>, run: &mut Runnable) -> Result<(), Damaged> {
    if run.waits_for_locks && !run.wants_cluster() {
        run.waits_for_locks = false;
        for wanted in &run.spec.locks {
            wake(txn, &run.head.namespace, &wanted.name, run.head.ordinal)?;
        }
    }
    if !run.phase.is_terminal() {
        return Ok(());
    }
    if !may_run(run) {
        for held in take(&mut run.locks) {
            let Some(mut lock) = txn.lock(held.lock)? else { continue };
            lock.holders.retain(|hold| hold.run != Some(run.head.ordinal));
            txn.put(Record::Lock(lock))?;
            wake(txn, &run.head.namespace, &held.name, run.head.ordinal)?;
        }
    }
    if !run.objects.iter().any(Object::claims) {
        for given in &mut run.allocations {
            if let Some(ordinal) = given.allocation.take() {
                txn.remove(ordinal, 0)?;
            }
        }
    }
    Ok(())
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
            true => object.doubt_until_ms > 0 || !attempt.is_some_and(|attempt| is_over(attempt.phase)),
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
