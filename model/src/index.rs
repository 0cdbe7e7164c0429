//! What a record is found by.

mod memory;
mod pairs;
mod posting;

pub use memory::Index;

use crate::record::{Extent, Foreign, Installation, Kind, Object, ObjectState, Record, Resource, Runnable};
use crate::{Key, Lane, Ordinal, Tag, Uid, lookup};

/// As many lookups as most records have.
const KEYS_USUAL: usize = 16;

/// The lookups of a record: a pure function of it, so that an index rebuilt from rows is the one that was kept.
#[must_use]
pub fn index(record: &Record) -> Vec<Key> {
    let ordinal = record.ordinal();
    let mut keys = Vec::with_capacity(KEYS_USUAL);
    keys.push(Key::lookup(Tag::Resource, record.resource() as u64, ordinal));
    if let Some(head) = record.head() {
        let name = lookup::name_hash(record.resource(), &head.namespace, &head.name);
        keys.push(Key::lookup(Tag::Name, name, ordinal));
        keys.push(Key::lookup(Tag::Uid, uid_hash(head.uid), ordinal));
        if record.resource().is_namespaced() {
            keys.push(Key::lookup(Tag::Tenant, lookup::tenant_hash(&head.namespace), ordinal));
            for (key, value) in &head.labels {
                keys.push(Key::lookup(Tag::Label, lookup::label_hash(key, value), ordinal));
                keys.push(Key::lookup(Tag::LabelKey, lookup::label_key_hash(key), ordinal));
            }
        }
    }
    match record {
        Record::Runnable(run) => runnable(run, &mut keys),
        Record::Receipt(receipt) => {
            keys.push(Key::lookup(Tag::Receipt, receipt.key.short(), ordinal));
            keys.push(Key::lookup(Tag::Receipts, lookup::tenant_hash(&receipt.namespace), ordinal));
            keys.push(Key::lane(Lane::Expire, Ordinal(0), receipt.expires_ms, ordinal));
        }
        Record::Watch(watch) => {
            let hash = watch_hash(watch.cluster, &watch.extent, watch.foreign.is_some());
            keys.push(Key::lookup(Tag::Name, hash, ordinal));
            keys.push(Key::lookup(Tag::Watches, watch.cluster.0, ordinal));
        }
        Record::Installation(installation) => self::installation(installation, &mut keys),
        Record::Foreign(foreign) => self::foreign(foreign, &mut keys),
        Record::Pool(pool) if pool.disjoint.is_empty() => {}
        Record::Pool(pool) => {
            keys.push(Key::lookup(Tag::Disjoint, lookup::disjoint_hash(&pool.disjoint), ordinal));
        }
        Record::Allocation(one) => {
            for piece in one.slots.pieces() {
                let taken = lookup::taken(one.pool, piece.level);
                keys.push(Key::lookup(Tag::Slot, taken, Ordinal(piece.index)));
                keys.push(Key::lookup(Tag::Name, lookup::piece_hash(one.pool, piece), ordinal));
            }
            keys.extend(one.expires_ms.map(|due_ms| Key::lane(Lane::Expire, Ordinal(0), due_ms, ordinal)));
        }
        Record::Lock(lock) => {
            let due_ms = lock.expires_ms();
            keys.extend(due_ms.map(|due_ms| Key::lane(Lane::Expire, Ordinal(0), due_ms, ordinal)));
        }
        Record::Deployable(deployable) => {
            keys.extend(
                deployable.look_ms.map(|due_ms| Key::lane(Lane::Expire, Ordinal(0), due_ms, ordinal)),
            );
        }
        Record::StatusRule(rule) => {
            keys.push(Key::lookup(Tag::Name, rule_hash(&rule.group, &rule.kind), ordinal));
        }
        Record::Cluster(_) | Record::Member(_) | Record::Bundle(_) => {}
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The lookup hash of a UID.
pub(crate) fn uid_hash(uid: Uid) -> u64 {
    // Random bytes need no hashing.
    uid.0.iter().take(8).fold(0, |sum, &byte| (sum << 8) | u64::from(byte))
}

/// The lookup hash of a watch, of what the group made or of what was not submitted here.
pub(crate) fn watch_hash(cluster: Ordinal, extent: &Extent, is_foreign: bool) -> u64 {
    let Extent { kind, namespace } = extent;
    let whose = if is_foreign { "foreign" } else { "" };
    let name = [kind.api_version(), kind.as_str(), namespace, whose].join(" ");
    lookup::name_hash(Resource::Watch, &cluster.0.to_string(), &name)
}

/// Where an object is to be seen on a cluster.
fn extent(cluster: Ordinal, kind: &Kind, namespace: &str, ordinal: Ordinal) -> Key {
    let extent = Extent { kind: kind.clone(), namespace: namespace.to_owned() };
    Key::lookup(Tag::Extents, lookup::extent(cluster, &extent), ordinal)
}

/// The lookup hash of the status rule of a kind.
pub(crate) fn rule_hash(group: &str, kind: &str) -> u64 {
    // No name of a rule has a space.
    lookup::name_hash(Resource::StatusRule, "", &[kind, group].join(" "))
}

fn runnable(run: &Runnable, keys: &mut Vec<Key>) {
    let ordinal = run.head.ordinal;
    keys.push(Key::lookup(Tag::Phase, run.phase as u64, ordinal));
    if let Some(main) = run.planned.get(usize::from(run.main)).filter(|_| !run.phase.is_terminal())
        && main.kind.is_other()
        && run.fan_out.is_none()
    {
        keys.push(Key::lookup(Tag::Ruled, rule_hash(main.kind.group(), main.kind.as_str()), ordinal));
    }
    if run.is_dead_letter() {
        keys.push(Key::lookup(Tag::DeadLetter, 0, ordinal));
    }
    if let Some(attempt) = run.attempt() {
        keys.push(Key::lookup(Tag::Cluster, attempt.cluster.0, ordinal));
        if !attempt.phase.is_terminal() {
            keys.push(Key::lookup(Tag::Active, attempt.cluster.0, ordinal));
        }
    }
    for object in run.objects.iter().filter(|object| object.claims()) {
        if let Some(plan) = run.plan(object) {
            let claim = lookup::claim_hash(object.cluster, &plan.kind, &plan.namespace, &object.name);
            keys.push(Key::lookup(Tag::Claim, claim, ordinal));
            keys.push(extent(object.cluster, &plan.kind, &plan.namespace, ordinal));
            if !plan.kind.is_everywhere() {
                keys.push(Key::lookup(
                    Tag::Tracked,
                    lookup::tracked(object.cluster, plan.kind.code()),
                    ordinal,
                ));
            }
        }
        keys.push(Key::lookup(Tag::Objects, object.cluster.0, ordinal));
        keys.push(Key::lookup(Tag::Objects, lookup::ANY_CLUSTER, ordinal));
        if let Some((lane, due_ms)) = lane(run, object) {
            keys.push(Key::lane(lane, object.cluster, due_ms, ordinal));
        }
        if let Some(due_ms) = run.diagnosis_due_ms(object) {
            keys.push(Key::lane(Lane::Diagnose, object.cluster, due_ms, ordinal));
        }
    }
    if run.waits_for_locks && run.wants_cluster() {
        let waited_for = run.spec.locks.iter().filter(|lock| !run.holds(&lock.name));
        keys.extend(waited_for.map(|lock| {
            let hash = lookup::name_hash(Resource::Lock, &run.head.namespace, &lock.name);
            Key::lookup(Tag::Waits, hash, ordinal)
        }));
    }
    keys.extend(loss(run).into_iter().flatten());
    if let Some(parent) = &run.parent {
        keys.push(Key::lookup(Tag::Child, parent.ordinal.0, ordinal));
    }
    if let Some(due_ms) = run.fan_out_due_ms() {
        keys.push(Key::lane(Lane::FanOut, Ordinal(0), due_ms, ordinal));
    }
    if run.wants_cluster() {
        keys.push(Key::lane(Lane::Place, Ordinal(0), run.place_due_ms, ordinal));
        if !run.spec.requires.is_empty() {
            keys.push(Key::lane(Lane::Require, Ordinal(0), run.place_due_ms, ordinal));
        }
        keys.extend(run.asking.map(|cluster| Key::lane(Lane::Preflight, cluster, 0, ordinal)));
    }
    if let Some(due_ms) = run.expires_ms() {
        keys.push(Key::lane(Lane::Expire, Ordinal(0), due_ms, ordinal));
    }
}

/// What is due of the run when its cluster is lost, or back.
fn loss(run: &Runnable) -> [Option<Key>; 3] {
    let Some(attempt) = run.attempt().filter(|attempt| !attempt.phase.is_terminal()) else {
        return [None; 3];
    };
    let key = |lane, due_ms| Some(Key::lane(lane, attempt.cluster, due_ms, run.head.ordinal));
    // One that is to stop does so when the cluster is back.
    let stops = run.ending.is_some();
    match attempt.lost.filter(|lost| lost.back_ms.is_none()) {
        Some(lost) => {
            let give_up_ms = lost.give_up_ms.filter(|_| !stops);
            [key(Lane::Return, 0), give_up_ms.and_then(|due_ms| key(Lane::GiveUp, due_ms)), None]
        }
        None if stops => [None; 3],
        None => {
            let drained = run.is_drainable().then_some(attempt.stays_until_ms);
            let lost = key(Lane::Loss, run.spec.placement.loss_after_ms);
            [lost, drained.and_then(|due_ms| key(Lane::Drain, due_ms)), None]
        }
    }
}

/// Nothing of it is ever due but its forgetting: it has no claim, and is not active.
fn foreign(foreign: &Foreign, keys: &mut Vec<Key>) {
    let (ordinal, cluster) = (foreign.head.ordinal, foreign.cluster);
    keys.push(Key::lookup(Tag::Phase, foreign.phase as u64, ordinal));
    keys.push(Key::lookup(Tag::Cluster, cluster.0, ordinal));
    keys.push(Key::lookup(Tag::Foreign, lookup::tracked(cluster, foreign.kind.code()), ordinal));
    keys.push(Key::lookup(Tag::Foreign, lookup::ANY_CLUSTER, ordinal));
    if let Some(due_ms) = foreign.expires_ms() {
        keys.push(Key::lookup(Tag::ForeignGone, cluster.0, ordinal));
        keys.push(Key::lane(Lane::Expire, Ordinal(0), due_ms, ordinal));
    }
}

fn installation(installation: &Installation, keys: &mut Vec<Key>) {
    let ordinal = installation.ordinal;
    keys.push(Key::lookup(Tag::Installed, installation.deployable.0, ordinal));
    keys.push(Key::lookup(Tag::Installed, installation.cluster.0, ordinal));
    for object in &installation.objects {
        let cluster = installation.cluster;
        if object.claims() {
            let claim = lookup::claim_hash(cluster, &object.kind, &object.namespace, &object.name);
            keys.push(Key::lookup(Tag::Claim, claim, ordinal));
            keys.push(Key::lookup(Tag::Objects, cluster.0, ordinal));
            keys.push(extent(cluster, &object.kind, &object.namespace, ordinal));
            if !object.kind.is_everywhere() {
                keys.push(Key::lookup(Tag::Tracked, lookup::tracked(cluster, object.kind.code()), ordinal));
            }
        }
        let due_ms = if object.is_in_doubt() {
            Some(object.doubt_until_ms)
        } else {
            let has_work = object.pending.is_some() || installation.next_action(object).is_some();
            has_work.then_some(object.due_ms)
        };
        keys.extend(due_ms.map(|due_ms| Key::lane(Lane::Sync, cluster, due_ms, ordinal)));
    }
}

/// The lane that an object's due work is in.
fn lane(run: &Runnable, object: &Object) -> Option<(Lane, u64)> {
    use crate::record::Action;
    if object.pending.is_some() {
        return Some((Lane::Resolve, object.due_ms));
    }
    if object.is_in_doubt() {
        return Some((Lane::Resolve, object.doubt_until_ms));
    }
    let Some(action) = run.next_action(object) else {
        return run.read_due_ms(object).map(|due_ms| (Lane::Resolve, due_ms));
    };
    match action {
        // Members are made first; the main object's turn comes when all of them exist.
        Action::Create if !run.is_turn(object) => None,
        Action::Create => Some((Lane::Send, object.due_ms)),
        Action::Delete | Action::Stop => Some((Lane::Delete, object.due_ms)),
        Action::Release | Action::Relabel => Some((Lane::Release, object.due_ms)),
    }
}

impl Runnable {
    /// True while the run waits for a cluster.
    #[must_use]
    pub fn wants_cluster(&self) -> bool {
        let between = self.attempt().is_none_or(|attempt| attempt.phase.is_terminal());
        let stops = self.cancel.is_some() || self.deletion.is_some();
        self.phase == crate::Phase::Accepted && between && !stops && self.fan_out.is_none()
    }

    /// When there is something to do for the runs of a fan-out, ms since 1970.
    #[must_use]
    pub fn fan_out_due_ms(&self) -> Option<u64> {
        let fan_out = self.fan_out.as_ref()?;
        let is_held = self.phase == crate::Phase::Held;
        let passes_on = fan_out.cascade.is_some() && !is_held;
        let makes = !fan_out.is_decided || !fan_out.left.is_empty();
        let may_make = !is_held && self.ending.is_none() && !self.phase.is_terminal();
        (passes_on || (makes && may_make)).then_some(self.place_due_ms)
    }

    /// True if nothing that must exist before `object` is missing.
    #[must_use]
    pub fn is_turn(&self, object: &Object) -> bool {
        // An earlier attempt's member may be gone; the one that was made in its place counts.
        let exists = |planned: u16| {
            let mut objects = self.objects.iter();
            objects.any(|other| {
                other.planned == planned
                    && other.cluster == object.cluster
                    && other.state == ObjectState::Live
            })
        };
        let mut members = (0..).zip(&self.planned).filter(|(planned, _)| *planned != self.main);
        !self.is_main(object) || members.all(|(planned, _)| exists(planned))
    }

    /// When the next deadline or retention of the run passes, ms since 1970.
    #[must_use]
    pub fn expires_ms(&self) -> Option<u64> {
        if let Some(finished_ms) = self.finished_ms {
            let objects =
                self.objects.iter().any(|object| object.wanted && object.state != ObjectState::Gone);
            let ttl_ms = finished_ms + self.spec.ttl_after_finished_ms;
            return Some(if objects { ttl_ms } else { self.keep_until_ms });
        }
        if self.phase == crate::Phase::Stopping {
            return None;
        }
        if self.phase == crate::Phase::Held {
            let approval = self.approvals.as_ref().map(|approvals| approvals.expires_ms);
            return [approval, self.finish_deadline_ms].into_iter().flatten().min();
        }
        let start = (!self.has_started()).then_some(self.start_deadline_ms);
        [start, self.finish_deadline_ms].into_iter().flatten().min()
    }

    /// True once the main object of the last attempt is known to exist, or no start is waited for any more: the runs of a
    /// fan-out wait for theirs themselves.
    #[must_use]
    pub fn has_started(&self) -> bool {
        let is_made = self.main_object().is_some_and(|object| object.state != ObjectState::Absent);
        is_made || self.fan_out.as_ref().is_some_and(|fan_out| fan_out.is_decided)
    }
}
