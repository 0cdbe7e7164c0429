//! The time to live of Workflows that have ended.

use super::spec;
use crate::deletion::{DeleteOptions, Preconditions, delete};
use crate::object::Object;
use crate::refusal::Refusal;
use crate::state::State;
use crate::{clock, meta};
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

const ARCHIVING: &str = "workflows.argoproj.io/workflow-archiving-status";

/// Deletes a Workflow whose time has run out; not before it is archived, if it is to be.
pub(super) fn look_at(
    state: &mut State,
    workflow: &Object,
    value: &Value,
) -> Result<Option<Instant>, Refusal> {
    let Some(ttl_s) = ttl_s(value) else { return Ok(None) };
    if workflow.is_deleting || workflow.labels.get(ARCHIVING).is_some_and(|status| status == "Pending") {
        return Ok(None);
    }
    let left =
        Duration::from_secs(ttl_s).saturating_sub(clock::since(meta::text(value, "/status/finishedAt")));
    if !left.is_zero() {
        return Ok(Some(Instant::now() + left));
    }
    let mut options = DeleteOptions::background();
    options.preconditions = Preconditions { uid: Some(workflow.uid.clone()), resource_version: None };
    delete(state, &workflow.kind, &workflow.key, &options).map(|_| None)
}

/// A time for the phase wins over one for all ends; the phase Error has none of its own.
fn ttl_s(workflow: &Value) -> Option<u64> {
    let strategy = [Some(&workflow["spec"]), spec::stored(workflow)]
        .into_iter()
        .flatten()
        .find_map(|spec| spec.get("ttlStrategy").filter(|strategy| strategy.is_object()))?;
    let of_phase = match meta::text(workflow, "/status/phase") {
        "Succeeded" => strategy["secondsAfterSuccess"].as_u64(),
        "Failed" => strategy["secondsAfterFailure"].as_u64(),
        _ => None,
    };
    of_phase.or_else(|| strategy["secondsAfterCompletion"].as_u64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_time_to_live_for_the_phase_wins() {
        let strategy = json!({"secondsAfterCompletion": 9, "secondsAfterFailure": 0});
        let of = |phase| ttl_s(&json!({"spec": {"ttlStrategy": strategy}, "status": {"phase": phase}}));
        assert_eq!([of("Succeeded"), of("Failed"), of("Error")], [Some(9), Some(0), Some(9)]);
        assert_eq!(ttl_s(&json!({"status": {"phase": "Failed"}})), None);
    }
}
