//! What is wanted of a deployable, what was applied, and what was observed, by cluster: from the inventory alone.

use super::clusters;
use super::deployables::{bundle, bundle_manifests, installations};
use crate::limits::DIFF_OBJECTS_MAX;
use crate::record::{
    Bundle, Deployable, Difference, Differences, Drifted, Installation, Kind, ObjectState, Planned,
    SyncAction, Synced,
};
use crate::{Damaged, Ordinal, View, manifest, rule};
use serde_json::Value;
use std::collections::BTreeMap;

/// One field of an object. Values are JSON, cut as [`Difference`] says; `None`: the field is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDiff {
    /// A JSON pointer to it.
    pub pointer: String,
    /// In the newest generation.
    pub wanted: Option<String>,
    /// As it was applied there.
    pub applied: Option<String>,
    /// As it was seen there last.
    pub observed: Option<String>,
    /// What is there is what the cluster itself made of the apply.
    pub admitted: bool,
}

/// One object of which something differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectDiff {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace there.
    pub namespace: String,
    /// Its name there.
    pub name: String,
    /// What is to be done to it; `None`: nothing.
    pub action: Option<SyncAction>,
    /// The generation that was applied to it last.
    pub applied: Option<u32>,
    /// Somebody else changed it.
    pub drift: Option<Drifted>,
    /// Where it differs; of one that is made or goes, nothing is said.
    pub fields: Vec<FieldDiff>,
    /// Differences beyond those.
    pub more: u32,
}

/// One cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterDiff {
    /// Its name.
    pub cluster: String,
    /// The newest generation of which all was applied there; 0: none.
    pub applied: u32,
    /// What differs, in the order of the bundle, what left it behind; nothing: all is as it is wanted.
    pub objects: Vec<ObjectDiff>,
}

/// All clusters, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Where the deployable is or is to be.
    pub clusters: Vec<ClusterDiff>,
    /// Objects that differ beyond [`DIFF_OBJECTS_MAX`], over all clusters.
    pub more: usize,
}

/// Where the newest generation, what was applied and what was observed differ, on all clusters or on that one.
///
/// # Errors
/// [`Damaged`].
pub fn diff(view: &dyn View, deployable: &Deployable, only: Option<&str>) -> Result<Diff, Damaged> {
    let Some(newest) = bundle(view, deployable.bundle())? else { return Ok(Diff::default()) };
    let mut there: BTreeMap<Ordinal, Installation> = BTreeMap::new();
    for installation in installations(view, deployable.head.ordinal)? {
        there.insert(installation.cluster, installation);
    }
    let mut compare = Compare::new(view, deployable, newest)?;
    let mut diff = Diff::default();
    for cluster in clusters(view)? {
        let installation = there.remove(&cluster.head.ordinal);
        let is_taken = deployable.withdrawal.is_none() && cluster.written_off.is_none();
        let wanted = is_taken && deployable.spec.placement.allows(&cluster);
        if (installation.is_none() && !wanted) || only.is_some_and(|only| only != cluster.head.name) {
            continue;
        }
        let mut objects = compare.cluster(installation.as_ref(), wanted)?;
        let room = DIFF_OBJECTS_MAX.saturating_sub(compare.shown);
        diff.more += objects.len().saturating_sub(room);
        objects.truncate(room);
        compare.shown += objects.len();
        let applied = installation.map_or(0, |installation| installation.applied);
        diff.clusters.push(ClusterDiff { cluster: cluster.head.name, applied, objects });
    }
    diff.clusters.sort_by(|one, other| one.cluster.cmp(&other.cluster));
    Ok(diff)
}

/// A generation with its manifests.
type Kept = (Bundle, Vec<u8>);

struct Compare<'a> {
    view: &'a dyn View,
    deployable: &'a Deployable,
    newest: Kept,
    /// Generations that were looked up; `None`: it is not kept.
    earlier: BTreeMap<u32, Option<Kept>>,
    /// What changed in the manifest at that place since that generation.
    changes: BTreeMap<(usize, u32), Differences>,
    shown: usize,
}

impl<'a> Compare<'a> {
    fn new(view: &'a dyn View, deployable: &'a Deployable, newest: Bundle) -> Result<Self, Damaged> {
        let manifests = bundle_manifests(view, &newest)?;
        let (earlier, changes) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { view, deployable, newest: (newest, manifests), earlier, changes, shown: 0 })
    }

    fn cluster(&mut self, there: Option<&Installation>, wanted: bool) -> Result<Vec<ObjectDiff>, Damaged> {
        let known = there.map(|there| there.objects.as_slice()).unwrap_or_default();
        let planned = if wanted { self.newest.0.planned.clone() } else { Vec::new() };
        let mut objects = Vec::new();
        for (at, plan) in planned.iter().enumerate() {
            let synced = known.iter().find(|synced| is_of(synced, plan));
            objects.extend(self.object(at, plan, synced)?);
        }
        let left = |synced: &&Synced| !planned.iter().any(|plan| is_of(synced, plan));
        let goes = |synced: &Synced| self.goes(synced, wanted);
        objects.extend(known.iter().filter(left).filter_map(goes));
        Ok(objects)
    }

    /// One that is not wanted.
    fn goes(&self, synced: &Synced, wanted: bool) -> Option<ObjectDiff> {
        let orphans = self.deployable.withdrawal.as_ref().map(|withdrawal| withdrawal.orphan);
        let stays = orphans.unwrap_or(wanted && !self.newest.0.spec.prune);
        let stays = stays || synced.is_kept();
        let action = if stays { SyncAction::Release } else { SyncAction::Delete };
        let diff = ObjectDiff { drift: synced.drift.clone(), ..about(synced, Some(action)) };
        (synced.state == ObjectState::Live).then_some(diff)
    }

    /// One that is wanted; `None`: it is as it is wanted.
    fn object(
        &mut self,
        at: usize,
        plan: &Planned,
        synced: Option<&Synced>,
    ) -> Result<Option<ObjectDiff>, Damaged> {
        let Some(synced) = synced.filter(|synced| synced.state == ObjectState::Live) else {
            let made = ObjectDiff {
                kind: plan.kind.clone(),
                namespace: plan.namespace.clone(),
                name: plan.name.clone(),
                action: Some(SyncAction::Create),
                applied: None,
                drift: synced.and_then(|synced| synced.drift.clone()),
                fields: Vec::new(),
                more: 0,
            };
            return Ok(Some(made));
        };
        let newest = self.newest.0.generation;
        let changes = match synced.applied {
            Some(applied) if applied != newest => self.changes(at, plan, applied)?,
            _ => Differences::default(),
        };
        let is_applied = synced.applied == Some(newest) && synced.drift.is_none();
        if is_applied && synced.differences == Differences::default() {
            return Ok(None);
        }
        let action = (!is_applied).then_some(SyncAction::Apply);
        let more = changes.more.saturating_add(synced.differences.more);
        let fields = fields(changes, &synced.differences);
        Ok(Some(ObjectDiff { fields, more, ..about(synced, action) }))
    }

    fn changes(&mut self, at: usize, plan: &Planned, since: u32) -> Result<Differences, Damaged> {
        if let Some(known) = self.changes.get(&(at, since)) {
            return Ok(known.clone());
        }
        let wanted = value(&self.newest, plan);
        let before = self.kept(since)?.and_then(|kept| {
            let mut plans = kept.0.planned.iter();
            let same = plans.find(|one| {
                (&one.kind, &one.namespace, &one.name) == (&plan.kind, &plan.namespace, &plan.name)
            });
            value(kept, same?)
        });
        let changes = match (before, wanted) {
            (Some(before), Some(wanted)) => rule::changes(&before, &wanted),
            _ => Differences::default(),
        };
        self.changes.insert((at, since), changes.clone());
        Ok(changes)
    }

    /// A generation, if it is kept.
    fn kept(&mut self, generation: u32) -> Result<Option<&Kept>, Damaged> {
        if !self.earlier.contains_key(&generation) {
            let ordinal = self.deployable.bundles.iter().find(|(number, _)| *number == generation);
            let found = match ordinal {
                Some((_, ordinal)) => bundle(self.view, *ordinal)?,
                None => None,
            };
            let kept = match found {
                Some(found) => Some((bundle_manifests(self.view, &found)?, found)),
                None => None,
            };
            self.earlier.insert(generation, kept.map(|(manifests, found)| (found, manifests)));
        }
        Ok(self.earlier.get(&generation).and_then(Option::as_ref))
    }
}

fn value((bundle, manifests): &Kept, plan: &Planned) -> Option<Value> {
    manifest::in_bundle(bundle, plan, manifests)
}

fn is_of(synced: &Synced, plan: &Planned) -> bool {
    (&synced.kind, &synced.namespace, &synced.name) == (&plan.kind, &plan.namespace, &plan.name)
}

fn about(synced: &Synced, action: Option<SyncAction>) -> ObjectDiff {
    ObjectDiff {
        kind: synced.kind.clone(),
        namespace: synced.namespace.clone(),
        name: synced.name.clone(),
        action,
        applied: synced.applied,
        drift: synced.drift.clone(),
        fields: Vec::new(),
        more: 0,
    }
}

/// What changes and what departed, by field.
fn fields(changes: Differences, departures: &Differences) -> Vec<FieldDiff> {
    let mut fields: BTreeMap<String, FieldDiff> = BTreeMap::new();
    for Difference { pointer, before, after, .. } in changes.fields {
        let field =
            FieldDiff { pointer, wanted: after, observed: before.clone(), applied: before, admitted: false };
        fields.insert(field.pointer.clone(), field);
    }
    for one in &departures.fields {
        let Difference { pointer, before, after, admitted } = one.clone();
        let field = fields.entry(pointer.clone()).or_insert_with(|| FieldDiff {
            pointer,
            wanted: before.clone(),
            applied: before,
            observed: None,
            admitted,
        });
        field.observed = after;
    }
    fields.into_values().collect()
}
