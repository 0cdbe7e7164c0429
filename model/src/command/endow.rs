//! What a deployable has beside its objects: values of pools, and locks. It has them from the generation that names them
//! first for as long as it is there: earlier generations may be on some cluster still, or be taken up again.

use super::allocate::unconfirmed;
use super::deploy::Deployment;
use super::{Principal, keeping};
use crate::record::{Deployable, Given, Record, Resource, WantedAllocation, WantedLock};
use crate::{Damaged, Digest, Refusal, RefusalKind, Txn, limits};
use std::mem::take;

/// Gives a deployable what its next generation names and it does not have, and resolves the manifests of that; why it
/// cannot be taken otherwise.
pub(super) fn give(
    txn: &mut Txn<'_>,
    deployable: &mut Deployable,
    by: &Principal,
    asked: &mut Deployment,
) -> Result<Option<Refusal>, Damaged> {
    if asked.spec.allocations.is_empty() && asked.spec.locks.is_empty() {
        return Ok(None);
    }
    if txn.meta.unconfirmed().is_some() {
        return Ok(Some(unconfirmed()));
    }
    for (i, wanted) in asked.spec.allocations.iter().enumerate() {
        if let Some(refusal) = give_value(txn, deployable, by, wanted)? {
            return Ok(Some(keeping::at_fault(refusal, format!("spec.allocations[{i}]"))));
        }
    }
    let mut missing = Vec::new();
    for (i, wanted) in asked.spec.locks.iter().enumerate() {
        match lacks(txn, deployable, wanted)? {
            Ok(true) => missing.push(wanted),
            Ok(false) => {}
            Err(refusal) => return Ok(Some(keeping::at_fault(refusal, format!("spec.locks[{i}]")))),
        }
    }
    let owner = format!("deployable/{}", deployable.head.name);
    match keeping::take_locks(txn, &deployable.head, &owner, None, &missing)? {
        Ok(held) => deployable.locks.extend(held),
        Err(why) => return Ok(Some(Refusal::new(RefusalKind::Conflict, why))),
    }
    let values = named(deployable, asked);
    Ok(keeping::resolve(&mut asked.digest, &mut asked.planned, &asked.manifests, &values).err())
}

/// The values that a generation names.
fn named(deployable: &Deployable, asked: &Deployment) -> Vec<Given> {
    let is_named = |given: &&Given| asked.spec.allocations.iter().any(|wanted| wanted.name == given.name);
    deployable.allocations.iter().filter(is_named).cloned().collect()
}

/// The same as a generation keeps them.
pub(super) fn values(deployable: &Deployable, asked: &Deployment) -> Vec<(String, String)> {
    named(deployable, asked).into_iter().map(|given| (given.name, given.value)).collect()
}

/// The digest of what is asked for, with the values that the deployable has; `None` if it lacks some.
pub(super) fn digest(deployable: &Deployable, asked: &Deployment) -> Option<Digest> {
    let values = named(deployable, asked);
    if values.len() < asked.spec.allocations.len() {
        return None;
    }
    let (mut digest, mut planned) = (asked.digest, asked.planned.clone());
    keeping::resolve(&mut digest, &mut planned, &asked.manifests, &values).ok()?;
    Some(digest)
}

fn give_value(
    txn: &mut Txn<'_>,
    deployable: &mut Deployable,
    by: &Principal,
    wanted: &WantedAllocation,
) -> Result<Option<Refusal>, Damaged> {
    let conflict = |message| Ok(Some(Refusal::new(RefusalKind::Conflict, message)));
    if let Some(given) = deployable.allocations.iter().find(|given| given.name == wanted.name) {
        if has(txn, deployable, given, wanted)? {
            return Ok(None);
        }
        let Given { name, pool, value, .. } = given;
        return conflict(format!(
            "it has {value} of pool {pool:?} as {name:?} for as long as it is there; call another value otherwise"
        ));
    }
    if deployable.allocations.len() >= limits::RUN_ALLOCATIONS_MAX {
        let max = limits::RUN_ALLOCATIONS_MAX;
        return conflict(format!(
            "it has {max} values, those of earlier revisions among them, and that is the most there may be"
        ));
    }
    match keeping::allocate(txn, &deployable.head, by, wanted)? {
        Ok(given) => deployable.allocations.push(given),
        Err(refusal) => return Ok(Some(refusal)),
    }
    Ok(None)
}

/// True if what it was given is what is asked for.
fn has(
    txn: &Txn<'_>,
    deployable: &Deployable,
    given: &Given,
    wanted: &WantedAllocation,
) -> Result<bool, Damaged> {
    let Some(ordinal) = given.allocation.filter(|_| given.pool == wanted.pool) else { return Ok(false) };
    let Some(Record::Allocation(one)) = txn.record(ordinal)? else { return Ok(false) };
    Ok(match txn.named(Resource::Pool, &deployable.head.namespace, &wanted.pool)? {
        Some(Record::Pool(pool)) => one.is_what(&pool, &wanted.wanted).unwrap_or(false),
        _ => false,
    })
}

/// True if it is to be granted a lock; else it holds it, or can never have it.
fn lacks(
    txn: &Txn<'_>,
    deployable: &Deployable,
    wanted: &WantedLock,
) -> Result<Result<bool, Refusal>, Damaged> {
    Ok(match deployable.locks.iter().find(|held| held.name == wanted.name) {
        Some(held) if held.permits == wanted.permits => Ok(false),
        Some(held) => {
            let message = format!("it holds {} permits of it for as long as it is there", held.permits);
            Err(Refusal::new(RefusalKind::Conflict, message))
        }
        None => match keeping::impossible(txn, &deployable.head.namespace, wanted)? {
            Some(refusal) => Err(refusal),
            None => Ok(true),
        },
    })
}

/// Takes from a deployable that is gone what it has. Where its objects stay, their values stay allocated until somebody
/// releases them.
pub(super) fn give_back(
    txn: &mut Txn<'_>,
    deployable: &mut Deployable,
    objects_stay: bool,
) -> Result<(), Damaged> {
    for ordinal in deployable.allocations.iter_mut().filter_map(|given| given.allocation.take()) {
        if !objects_stay {
            txn.remove(ordinal, 0)?;
        } else if let Some(Record::Allocation(mut one)) = txn.record(ordinal)? {
            one.submission = None;
            txn.put(Record::Allocation(one))?;
        }
    }
    keeping::release_locks(txn, &deployable.head, take(&mut deployable.locks))
}
