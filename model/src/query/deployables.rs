//! What readers ask of deployables.

use super::{all, joined, named, ordinals, record};
use crate::command::Observation;
use crate::record::{Bundle, Deployable, Installation, Record, Resource};
use crate::{Damaged, Ordinal, Tag, View, lookup};

/// The deployable of that name.
///
/// # Errors
/// [`Damaged`].
pub fn deployable(view: &dyn View, namespace: &str, name: &str) -> Result<Option<Deployable>, Damaged> {
    Ok(named(view, Resource::Deployable, namespace, name)?.and_then(|record| match record {
        Record::Deployable(deployable) => Some(deployable),
        _ => None,
    }))
}

/// All deployables.
///
/// # Errors
/// [`Damaged`].
pub fn deployables(view: &dyn View) -> Result<Vec<Deployable>, Damaged> {
    all(view, Resource::Deployable, |record| match record {
        Record::Deployable(deployable) => Some(deployable),
        _ => None,
    })
}

/// One generation of a deployable.
///
/// # Errors
/// [`Damaged`].
pub fn bundle(view: &dyn View, ordinal: Ordinal) -> Result<Option<Bundle>, Damaged> {
    Ok(record(view, ordinal)?.and_then(|record| match record {
        Record::Bundle(bundle) => Some(bundle),
        _ => None,
    }))
}

/// The manifests of one generation, joined.
///
/// # Errors
/// [`Damaged`], also when a part is missing.
pub fn bundle_manifests(view: &dyn View, bundle: &Bundle) -> Result<Vec<u8>, Damaged> {
    joined(view, bundle.ordinal, &bundle.manifests, bundle.parts)
}

/// A deployable's installations, or those of all deployables on a cluster: `of` is the ordinal of either.
///
/// # Errors
/// [`Damaged`].
pub fn installations(view: &dyn View, of: Ordinal) -> Result<Vec<Installation>, Damaged> {
    let mut all = Vec::new();
    for ordinal in ordinals(view, Tag::Installed, of.0)? {
        if let Some(Record::Installation(installation)) = record(view, ordinal)? {
            all.push(installation);
        }
    }
    Ok(all)
}

/// True if what was seen on a cluster is an object that is kept in sync there, or that a committed create of one made.
///
/// # Errors
/// [`Damaged`].
pub fn is_kept_in_sync(view: &dyn View, cluster: Ordinal, item: &Observation) -> Result<bool, Damaged> {
    let claim = lookup::claim_hash(cluster, &item.kind, &item.namespace, &item.name);
    for ordinal in ordinals(view, Tag::Claim, claim)? {
        if let Some(Record::Installation(installation)) = record(view, ordinal)?
            && installation.cluster == cluster
            && installation.objects.iter().any(|object| {
                let named = object.kind == item.kind
                    && (&object.namespace, &object.name) == (&item.namespace, &item.name);
                named && object.uid.as_ref().is_none_or(|uid| *uid == item.uid)
            })
        {
            return Ok(true);
        }
    }
    Ok(false)
}
