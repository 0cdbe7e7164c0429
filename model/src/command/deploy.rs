//! Take a deployable.
//!
//! Reads the name, the named clusters and all clusters; writes the deployable, its first generation, and an
//! installation for each cluster that it goes to, allocations and locks. Refused when the name is taken (`AlreadyExists`), a named
//! cluster, pool or lock is unknown (`Invalid`), or a value or lock that it names is another's (`Conflict`).

use super::{Principal, endow, install};
use crate::record::{
    Approvals, Asked, Bundle, DeploySpec, Deployable, Head, Person, Placement, Planned, Record, Resource,
};
use crate::rollout::Progress;
use crate::{Cause, Damaged, Digest, Done, Ordinal, Refusal, RefusalKind, Revision, Txn, Uid, limits};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::mem::take;

/// A spec as it was asked for, checked by [`manifest`](crate::manifest) before it was proposed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Everything but the manifests.
    pub spec: DeploySpec,
    /// Of spec and manifests.
    pub digest: Digest,
    /// Which object each manifest is of.
    pub planned: Vec<Planned>,
    /// The manifests as JSON, joined.
    #[serde(with = "crate::bytes")]
    pub manifests: Vec<u8>,
}

/// A new deployable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deploy {
    /// Random, made by whoever took the request.
    pub uid: Uid,
    /// The tenant.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The user's labels.
    pub labels: BTreeMap<String, String>,
    /// The user's annotations.
    pub annotations: BTreeMap<String, String>,
    /// What is to be applied.
    pub asked: Deployment,
}

impl Deploy {
    /// The manifests are moved into the first generation: a refused command is whole, one that was taken is not.
    pub(crate) fn apply(
        &mut self,
        txn: &mut Txn<'_>,
        by: &Principal,
    ) -> Result<Result<Done, Refusal>, Damaged> {
        if let Some(refusal) = unknown_clusters(txn, &self.asked.spec.placement)? {
            return Ok(Err(refusal));
        }
        if txn.named(Resource::Deployable, &self.namespace, &self.name)?.is_some() {
            let (name, namespace) = (&self.name, &self.namespace);
            let message =
                format!("deployables.tallyman.dev {name:?} already exists in namespace {namespace:?}");
            return Ok(Err(Refusal::new(RefusalKind::AlreadyExists, message)));
        }
        let mut deployable = Deployable {
            head: Head {
                ordinal: txn.new_ordinal(),
                uid: self.uid,
                namespace: self.namespace.clone(),
                name: self.name.clone(),
                labels: self.labels.clone(),
                annotations: self.annotations.clone(),
                created_ms: txn.now_ms(),
                created_by: by.user.clone(),
                ..Head::default()
            },
            generation: 0,
            spec: DeploySpec::default(),
            digest: self.asked.digest,
            bundles: Vec::new(),
            approvals: None,
            approved: None,
            paused: None,
            progress: Progress::default(),
            progress_message: String::new(),
            look_ms: None,
            withdrawal: None,
            allocations: Vec::new(),
            locks: Vec::new(),
            counts: crate::record::Counts::default(),
            history: Vec::new(),
        };
        if let Some(refusal) = endow::give(txn, &mut deployable, by, &mut self.asked)? {
            return Ok(Err(refusal));
        }
        generation(txn, by, &mut deployable, &mut self.asked, None)?;
        let record = install::spread(txn, deployable)?;
        Ok(Ok(Done::with(txn, record)))
    }
}

/// Refuses a placement that names a cluster that is not known.
pub(super) fn unknown_clusters(txn: &Txn<'_>, placement: &Placement) -> Result<Option<Refusal>, Damaged> {
    let mut causes = Vec::new();
    for (i, name) in placement.clusters.iter().enumerate() {
        if txn.named(Resource::Cluster, "", name)?.is_none() {
            causes.push(Cause {
                field: format!("spec.placement.clusters[{i}]"),
                message: format!("there is no cluster {name:?}; `tallyman cluster list` shows them"),
            });
        }
    }
    Ok((!causes.is_empty()).then(|| {
        let words = "spec.placement names a cluster that is not known";
        Refusal { causes, ..Refusal::new(RefusalKind::Invalid, words) }
    }))
}

/// Makes the next generation of a deployable, and drops the oldest if there are too many. The deployable is not written.
pub(super) fn generation(
    txn: &mut Txn<'_>,
    by: &Principal,
    deployable: &mut Deployable,
    asked: &mut Deployment,
    again: Option<&Bundle>,
) -> Result<(), Damaged> {
    let mut bytes = take(&mut asked.manifests);
    let parts = match bytes.len() {
        0..=limits::MANIFESTS_INLINE_BYTES_MAX => 0,
        length => u16::try_from(length.div_ceil(limits::PART_BYTES_MAX)).unwrap_or(u16::MAX),
    };
    let ordinal = txn.new_ordinal();
    for part in 1..=parts {
        let rest = bytes.split_off(bytes.len().min(limits::PART_BYTES_MAX));
        txn.put_part(ordinal, part, bytes);
        bytes = rest;
    }
    let values = endow::values(deployable, asked);
    deployable.generation += 1;
    deployable.spec = take(&mut asked.spec);
    deployable.digest = asked.digest;
    deployable.bundles.push((deployable.generation, ordinal));
    let bundle = Bundle {
        ordinal,
        revision: Revision(0),
        deployable: deployable.head.ordinal,
        generation: deployable.generation,
        asked: Asked { by: by.user.clone(), at_ms: txn.now_ms() },
        again: again.map(|earlier| earlier.generation),
        counts_as: again.map_or(deployable.generation, |earlier| earlier.counts_as),
        spec: deployable.spec.clone(),
        digest: asked.digest,
        values,
        planned: take(&mut asked.planned),
        parts,
        manifests: bytes,
    };
    txn.put(Record::Bundle(bundle))?;
    // Who set the rule in force decides also on what would loosen it.
    let in_force = deployable.approved.as_ref().and_then(|approved| approved.spec.approvals.clone());
    let rule = in_force.or_else(|| deployable.spec.approvals.clone());
    deployable.approvals = rule.map(|rule| Approvals::asked(rule, Person::of(by), txn.now_ms()));
    deployable.approve();
    forget(txn, deployable)
}

/// Drops the oldest generations if there are too many, but none that is or may go on a cluster.
fn forget(txn: &mut Txn<'_>, deployable: &mut Deployable) -> Result<(), Damaged> {
    if deployable.bundles.len() <= limits::BUNDLES_MAX {
        return Ok(());
    }
    let mut used: Vec<Ordinal> =
        txn.installations(deployable.head.ordinal)?.iter().map(|one| one.bundle).collect();
    used.extend(deployable.approved.as_ref().map(|approved| approved.bundle));
    used.push(deployable.bundle());
    let mut excess = deployable.bundles.len() - limits::BUNDLES_MAX;
    let mut dropped = Vec::new();
    deployable.bundles.retain(|(_, bundle)| {
        let goes = excess > 0 && !used.contains(bundle);
        if goes {
            excess -= 1;
            dropped.push(*bundle);
        }
        !goes
    });
    dropped.into_iter().try_for_each(|bundle| remove(txn, bundle))
}

/// Removes a generation and its manifests.
pub(super) fn remove(txn: &mut Txn<'_>, bundle: Ordinal) -> Result<(), Damaged> {
    let parts = match txn.record(bundle)? {
        Some(Record::Bundle(bundle)) => bundle.parts,
        _ => return Ok(()),
    };
    txn.remove(bundle, parts)
}
