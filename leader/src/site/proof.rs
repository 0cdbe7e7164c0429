//! Is an object on a cluster ours?

use tallyman_model::GroupId;
use tallyman_model::command::Observation;
use tallyman_model::record::{Object, Runnable};

/// True if `item` is exactly what a create of `object` makes: kind, place, name and all our marks.
///
/// Members are shared by runnables of equal bytes, so whose submission made one does not matter.
pub(super) fn is_exactly(item: &Observation, group: GroupId, run: &Runnable, object: &Object) -> bool {
    let Some(plan) = run.plan(object) else { return false };
    let named = item.kind == plan.kind && item.namespace == plan.namespace && item.name == object.name;
    let marked = item.group == Some(group) && item.digest.as_deref() == Some(&plan.digest.to_string());
    let of_this_attempt = item.submission == Some(run.head.uid) && item.attempt == Some(object.attempt);
    named && marked && (of_this_attempt || !run.is_main(object))
}
