//! What is due of one object, as a pure function of its run.

use tallyman_model::Ordinal;
use tallyman_model::record::{Action, Intent, Permit, Runnable};

/// What to do about one object now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Decide to make this kube write, and make it.
    Write(Action),
    /// Read what came of this intent.
    Resolve(Intent),
    /// This leadership decided to make a write and did not record what came of it: record that it is unknown.
    Lost(Intent),
    /// Nothing is wanted any more, and an old create may have taken effect since: read.
    Doubt,
    /// It was created, and no watch has told of it for too long: read.
    Untold,
}

/// What is due of `run` on `cluster`, by the position of the object.
pub(super) fn due(run: &Runnable, cluster: Ordinal, now_ms: u64, permit: &Permit) -> Vec<(u16, Step)> {
    let step = |position: u16| Some((position, of(run, position, cluster, now_ms, permit)?));
    let objects = u16::try_from(run.objects.len()).unwrap_or(u16::MAX);
    (0..objects).filter_map(step).collect()
}

fn of(run: &Runnable, position: u16, cluster: Ordinal, now_ms: u64, permit: &Permit) -> Option<Step> {
    let object = run.objects.get(usize::from(position))?;
    if object.cluster != cluster || !object.claims() {
        return None;
    }
    if let Some(intent) = object.pending {
        return match intent {
            _ if intent.permit != *permit => Some(Step::Resolve(intent)),
            _ if object.due_ms > now_ms => None,
            _ if intent.unknown => Some(Step::Resolve(intent)),
            _ => Some(Step::Lost(intent)),
        };
    }
    if object.is_in_doubt() {
        return (object.doubt_until_ms <= now_ms).then_some(Step::Doubt);
    }
    let Some(action) = run.next_action(object) else {
        return (run.read_due_ms(object)? <= now_ms).then_some(Step::Untold);
    };
    let turn = action != Action::Create || run.is_turn(object);
    (turn && object.due_ms <= now_ms).then_some(Step::Write(action))
}

#[cfg(test)]
#[path = "step_tests.rs"]
mod tests;
