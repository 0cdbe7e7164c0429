//! What every command that touches a deployable ends with: its installations follow from its generation, its placement
//! and the clusters that there are.

use super::{deploy, endow};
use crate::record::{
    Approved, Bundle, Cluster, Counts, Deployable, Differences, Drift, Health, Installation, ObjectState,
    Record, Synced,
};
use crate::rollout::{self, Progress};
use crate::{Damaged, Digest, Ordinal, Revision, Tag, Txn, limits};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Brings a deployable's installations to what it wants, and writes it. Returns it as it was written last.
pub(super) fn spread(txn: &mut Txn<'_>, mut deployable: Deployable) -> Result<Arc<Record>, Damaged> {
    let bundle = match deployable.approved.as_ref().map(|approved| txn.record(approved.bundle)).transpose()? {
        None => None,
        Some(Some(Record::Bundle(bundle))) => Some(bundle),
        Some(_) => return Err(Damaged::at(crate::Key::record(deployable.head.ordinal), "no bundle")),
    };
    let mut there: BTreeMap<Ordinal, Installation> = BTreeMap::new();
    for installation in txn.installations(deployable.head.ordinal)? {
        there.insert(installation.cluster, installation);
    }
    let (clusters, now) = (txn.clusters()?, txn.now_ms());
    let begin = begin(&mut deployable, &clusters, &there, now);
    for cluster in clusters {
        let known = there.remove(&cluster.head.ordinal);
        if cluster.written_off.is_some() {
            // What is there is given up with it.
            if let Some(known) = known {
                txn.remove(known.ordinal, 0)?;
            }
            continue;
        }
        let begins = bundle.as_ref().filter(|_| begin.contains(&cluster.head.ordinal));
        let mut installation = match (known, begins) {
            (Some(known), _) => known,
            (None, Some(_)) => new(txn, &deployable, &cluster),
            (None, None) => continue,
        };
        let before = installation.clone();
        match begins {
            Some(bundle) => retarget(&mut installation, bundle, now),
            None if !deployable.wants(&cluster) => leave(&mut installation, &deployable, now),
            // It is on it, or its turn has not come.
            None => {}
        }
        if installation != before || installation.revision == Revision(0) {
            put(txn, installation)?;
        }
    }
    // The cluster was taken out: what is there is written off with it.
    for installation in there.into_values() {
        txn.remove(installation.ordinal, 0)?;
    }
    write(txn, deployable)
}

/// The clusters on which the approved generation is begun now; how far it is then is noted.
fn begin(
    deployable: &mut Deployable,
    clusters: &[Cluster],
    there: &BTreeMap<Ordinal, Installation>,
    now: u64,
) -> Vec<Ordinal> {
    let Some(next) = rollout::of(deployable, clusters, there.values(), now) else { return Vec::new() };
    let is_next = |cluster: &&Cluster| next.begin.contains(&cluster.head.name.as_str());
    let begin = clusters.iter().filter(is_next).map(|cluster| cluster.head.ordinal).collect();
    (deployable.progress, deployable.look_ms) = (next.progress, next.look_ms);
    deployable.progress_message = next.message;
    begin
}

impl Deployable {
    /// True if it should be on that cluster.
    #[must_use]
    pub fn wants(&self, cluster: &Cluster) -> bool {
        let allows = |approved: &Approved| approved.spec.placement.allows(cluster);
        let is_taken = self.withdrawal.is_none() && cluster.written_off.is_none();
        is_taken && self.approved.as_ref().is_some_and(allows)
    }
}

fn new(txn: &mut Txn<'_>, deployable: &Deployable, cluster: &Cluster) -> Installation {
    Installation {
        ordinal: txn.new_ordinal(),
        revision: Revision(0),
        deployable: deployable.head.ordinal,
        uid: deployable.head.uid,
        namespace: deployable.head.namespace.clone(),
        name: deployable.head.name.clone(),
        cluster: cluster.head.ordinal,
        cluster_name: cluster.head.name.clone(),
        generation: 0,
        bundle: Ordinal(0),
        counts_as: 0,
        applied: 0,
        drift: Drift::default(),
        ready_ms: None,
        leaving: false,
        stop_counted: false,
        objects: Vec::new(),
    }
}

/// What is wanted there from now on is that generation.
fn retarget(installation: &mut Installation, bundle: &Bundle, now: u64) {
    installation.generation = bundle.generation;
    (installation.bundle, installation.counts_as) = (bundle.ordinal, bundle.counts_as);
    installation.drift = bundle.spec.drift;
    installation.ready_ms = None;
    (installation.leaving, installation.stop_counted) = (false, false);
    for object in &mut installation.objects {
        (object.wanted, object.keep, object.tries, object.corrections) = (false, !bundle.spec.prune, 0, 0);
        object.due_ms = object.due_ms.min(now);
    }
    let mut objects = Vec::with_capacity(bundle.planned.len());
    for (planned, plan) in (0..).zip(&bundle.planned) {
        let is_it = |object: &Synced| {
            (&object.kind, &object.namespace, &object.name) == (&plan.kind, &plan.namespace, &plan.name)
        };
        let mut object = match installation.objects.iter().position(is_it) {
            Some(at) => installation.objects.remove(at),
            None => absent(plan),
        };
        (object.planned, object.wanted) = (planned, true);
        if object.state != ObjectState::Live {
            // Whoever sets a spec wants it to be there, also what somebody removed.
            (object.state, object.drift) = (ObjectState::Absent, None);
        }
        objects.push(object);
    }
    // What left the bundle is behind.
    objects.append(&mut installation.objects);
    installation.objects = objects;
    settle(installation, now);
}

fn absent(plan: &crate::record::Planned) -> Synced {
    Synced {
        kind: plan.kind.clone(),
        namespace: plan.namespace.clone(),
        name: plan.name.clone(),
        planned: 0,
        wanted: true,
        keep: false,
        state: ObjectState::Absent,
        uid: None,
        resource_version: String::new(),
        deleting: false,
        pending: None,
        due_ms: 0,
        tries: 0,
        create_intended: false,
        doubt_until_ms: 0,
        applied: None,
        owned: None,
        differences: Differences::default(),
        differences_digest: Digest::default(),
        drift: None,
        corrections: 0,
        corrected_ms: 0,
        health: Health::Progressing,
        health_message: String::new(),
        message: String::new(),
    }
}

fn leave(installation: &mut Installation, deployable: &Deployable, now: u64) {
    let keep = deployable.withdrawal.as_ref().is_some_and(|withdrawal| withdrawal.orphan);
    if !std::mem::replace(&mut installation.leaving, true) {
        installation.stop_counted = false;
    }
    for object in installation.objects.iter_mut().filter(|object| object.wanted) {
        (object.wanted, object.keep, object.tries) = (false, keep, 0);
    }
    settle(installation, now);
}

/// Drops what is neither wanted nor there, and notes what is all applied.
pub(super) fn settle(installation: &mut Installation, now: u64) {
    installation.objects.retain(|object| !object.is_void());
    let mut room = limits::DIFFERENCES_BYTES_MAX;
    for object in &mut installation.objects {
        match room.checked_sub(object.differences.len_bytes()) {
            Some(left) => room = left,
            None => {
                let cut = std::mem::take(&mut object.differences);
                let count = u32::try_from(cut.fields.len()).unwrap_or(u32::MAX);
                object.differences.more = cut.more.saturating_add(count);
            }
        }
    }
    if installation.is_all_synced() {
        installation.applied = installation.generation;
    }
    let is_ready = installation.is_all_synced() && installation.health() == Health::Healthy;
    installation.ready_ms = is_ready.then(|| installation.ready_ms.unwrap_or(now));
}

/// Writes a settled installation, or removes it if nothing of it is left.
pub(super) fn put(txn: &mut Txn<'_>, installation: Installation) -> Result<(), Damaged> {
    if installation.leaving && installation.objects.is_empty() {
        if installation.revision != Revision(0) {
            txn.remove(installation.ordinal, 0)?;
        }
        return Ok(());
    }
    let is_news = installation.ready_ms == Some(txn.now_ms());
    txn.put(Record::Installation(installation))?;
    if is_news {
        txn.meta.ready = txn.meta.revision;
    }
    Ok(())
}

/// Writes an installation that changed, and its deployable if that looks different now.
pub(super) fn changed(txn: &mut Txn<'_>, mut installation: Installation) -> Result<(), Damaged> {
    settle(&mut installation, txn.now_ms());
    let deployable = installation.deployable;
    put(txn, installation)?;
    let Some(Record::Deployable(deployable)) = txn.record(deployable)? else { return Ok(()) };
    if deployable.progress != Progress::Begun {
        // What waits for this cluster may go on.
        return spread(txn, deployable).map(drop);
    }
    let counts = counts(txn, &deployable)?;
    if counts != deployable.counts {
        write(txn, deployable)?;
    }
    Ok(())
}

/// Writes a deployable with how it is on its clusters; removes it if its removal was asked for and nothing is left.
fn write(txn: &mut Txn<'_>, mut deployable: Deployable) -> Result<Arc<Record>, Damaged> {
    deployable.counts = counts(txn, &deployable)?;
    if deployable.withdrawal.is_some() && deployable.counts.clusters == 0 {
        for (_, bundle) in std::mem::take(&mut deployable.bundles) {
            deploy::remove(txn, bundle)?;
        }
        let objects_stay = deployable.withdrawal.as_ref().is_some_and(|withdrawal| withdrawal.orphan);
        endow::give_back(txn, &mut deployable, objects_stay)?;
        if deployable.head.revision != Revision(0) {
            txn.remove(deployable.head.ordinal, 0)?;
        }
        deployable.head.revision = txn.meta.revision;
        return Ok(Arc::new(Record::Deployable(deployable)));
    }
    let ordinal = deployable.head.ordinal;
    let record = Record::Deployable(deployable);
    match txn.record(ordinal)? {
        Some(known) if known == record => Ok(Arc::new(record)),
        _ => txn.put(record),
    }
}

fn counts(txn: &Txn<'_>, deployable: &Deployable) -> Result<Counts, Damaged> {
    let mut counts = Counts::default();
    for installation in txn.installations(deployable.head.ordinal)? {
        let synced = installation.is_all_synced() && installation.generation == deployable.generation;
        counts.clusters += 1;
        counts.synced += u32::from(synced);
        counts.healthy += u32::from(synced && installation.health() == Health::Healthy);
        counts.drifted += u32::from(installation.is_drifted());
        counts.failing += u32::from(installation.is_failing());
    }
    Ok(counts)
}

impl Txn<'_> {
    /// The installations of a deployable, or those on a cluster.
    pub(crate) fn installations(&self, of: Ordinal) -> Result<Vec<Installation>, Damaged> {
        let mut all = Vec::new();
        for ordinal in self.ordinals(Tag::Installed, of.0, limits::CLUSTERS_MAX)? {
            if let Some(Record::Installation(installation)) = self.record(ordinal)? {
                all.push(installation);
            }
        }
        Ok(all)
    }
}
