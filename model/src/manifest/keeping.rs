//! What a submission asks for beside its objects: values of pools, and locks.

use super::fields::{Faults, Fields};
use super::lock::permits_of;
use super::pool::wanted_value;
use super::{names, placeholder};
use crate::command::SubmitManifest;
use crate::limits;
use crate::record::{DeploySpec, RunSpec, WantedAllocation, WantedLock, WhenHeld};

/// `allocations: [{name, pool, value, size, align, prefixLength}]`
pub(super) fn allocations_of(spec: &mut Fields<'_>, faults: &mut Faults) -> Vec<WantedAllocation> {
    let list = spec.list("allocations", faults).unwrap_or_default();
    if list.len() > limits::RUN_ALLOCATIONS_MAX {
        faults.add("spec.allocations", format!("at most {}", limits::RUN_ALLOCATIONS_MAX));
    }
    let mut all: Vec<WantedAllocation> = Vec::new();
    for (i, value) in list.into_iter().enumerate().take(limits::RUN_ALLOCATIONS_MAX) {
        let path = format!("spec.allocations[{i}]");
        let mut fields = Fields::of(&path, value, faults);
        let name = named(&mut fields, "name", faults);
        let pool = named(&mut fields, "pool", faults);
        let wanted = wanted_value(&mut fields, faults);
        fields.finish(faults);
        if all.iter().any(|earlier| earlier.name == name) {
            faults.add(path, format!("there is another one called {name:?}"));
        }
        all.push(WantedAllocation { name, pool, wanted });
    }
    all
}

/// `locks: [{name, permits, whenHeld}]`, or `{key, whenHeld}`; `usual` where `whenHeld` is not said.
pub(super) fn locks_of(spec: &mut Fields<'_>, usual: WhenHeld, faults: &mut Faults) -> Vec<WantedLock> {
    let list = spec.list("locks", faults).unwrap_or_default();
    if list.len() > limits::RUN_LOCKS_MAX {
        faults.add("spec.locks", format!("at most {}", limits::RUN_LOCKS_MAX));
    }
    let mut wanted: Vec<WantedLock> = Vec::new();
    for (i, value) in list.into_iter().enumerate().take(limits::RUN_LOCKS_MAX) {
        let path = format!("spec.locks[{i}]");
        let mut fields = Fields::of(&path, value, faults);
        let is_key = fields.has("key");
        if is_key && (fields.has("name") || fields.has("permits")) {
            faults.add(&path, "is either a lock, with name and permits, or a key, which one has at a time");
        }
        let name = if is_key { key_of(&mut fields, faults) } else { named(&mut fields, "name", faults) };
        let permits = if is_key { 1 } else { permits_of(&mut fields, faults) };
        let when_held = match fields.text("whenHeld", faults).as_deref() {
            None => usual,
            Some("Wait") => WhenHeld::Wait,
            Some("Refuse") => WhenHeld::Refuse,
            Some(other) => {
                faults.add(fields.path("whenHeld"), format!("must be Wait or Refuse, not {other:?}"));
                usual
            }
        };
        fields.finish(faults);
        if wanted.iter().any(|earlier| earlier.name == name) {
            faults.add(path, format!("lock {name:?} is asked for twice"));
        }
        wanted.push(WantedLock { name, permits, when_held, is_key });
    }
    wanted
}

/// A key is the name of a lock.
fn key_of(fields: &mut Fields<'_>, faults: &mut Faults) -> String {
    let key = named(fields, "key", faults);
    if key.len() > super::pool::NAME_BYTES_MAX {
        faults
            .add(fields.path("key"), format!("must have at most {} characters", super::pool::NAME_BYTES_MAX));
    }
    key
}

fn named(fields: &mut Fields<'_>, field: &str, faults: &mut Faults) -> String {
    let name = fields.text(field, faults).unwrap_or_default();
    if let Err(why) = names::label(&name) {
        faults.add(fields.path(field), why);
    }
    name
}

/// The runs of a fan-out take its locks themselves, when they are placed.
pub(super) fn check_fan_out(spec: &RunSpec, faults: &mut Faults) {
    if !spec.placement.fan_out {
        return;
    }
    for (i, _) in spec.locks.iter().enumerate().filter(|(_, lock)| lock.when_held == WhenHeld::Refuse) {
        let words = "must be Wait together with fanOut: its runs take the lock one after the other";
        faults.add(format!("spec.locks[{i}].whenHeld"), words);
    }
}

/// A deployable does not wait for its locks.
pub(super) fn check_deployable(spec: &DeploySpec, faults: &mut Faults) {
    for (i, _) in spec.locks.iter().enumerate().filter(|(_, lock)| lock.when_held == WhenHeld::Wait) {
        let words = "must be Refuse: a deployable is not accepted while others hold its locks";
        faults.add(format!("spec.locks[{i}].whenHeld"), words);
    }
}

/// Every place in a manifest must be one that will have a value.
pub(super) fn check_places(
    allocations: &[WantedAllocation],
    planned: &[SubmitManifest],
    bytes: &[u8],
    faults: &mut Faults,
) {
    let declared: Vec<&str> = allocations.iter().map(|wanted| wanted.name.as_str()).collect();
    for (i, plan) in planned.iter().enumerate() {
        if let Err(why) = placeholder::check(plan.json(bytes).unwrap_or_default(), &declared) {
            faults.add(format!("spec.manifests[{i}]"), why);
        }
    }
}
