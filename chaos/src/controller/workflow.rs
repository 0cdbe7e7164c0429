//! Argo Workflows: their nodes, the Pods of these, their end.

mod expiry;
mod nodes;
mod pods;
mod run;
mod spec;

use crate::kind::Kind;
use crate::object::Object;
use crate::refusal::Refusal;
use crate::state::State;
use crate::{argo, clock, generation, meta};
use nodes::{Nodes, Phase};
use run::{Run, Stop};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::time::Instant;

const PHASE: &str = "workflows.argoproj.io/phase";
const COMPLETED: &str = "workflows.argoproj.io/completed";

/// Brings a Workflow one step further. As in Argo, what is labelled completed is not looked at but to delete it.
pub(super) fn look_at(state: &mut State, kind: &Kind, key: &str) -> Result<Option<Instant>, Refusal> {
    let Some(workflow) = state.get(kind, key).cloned() else { return Ok(None) };
    let before = workflow.value();
    if workflow.labels.get(COMPLETED).is_some_and(|text| text == "true") {
        return expiry::look_at(state, &workflow, &before);
    }
    let mut after = before.clone();
    let due = advance(state, &workflow, &mut after)?;
    let has_status = state.served(kind, argo::VERSION).is_ok_and(|served| served.has_status);
    generation::count(kind, has_status, &before, &mut after);
    state.settle(&workflow, after)?;
    Ok(due)
}

fn advance(state: &mut State, workflow: &Arc<Object>, value: &mut Value) -> Result<Option<Instant>, Refusal> {
    let spec = match spec::executed(state, &workflow.namespace, value) {
        Ok(spec) => spec,
        Err(message) => {
            end(value, Phase::Error, &message);
            return Ok(None);
        }
    };
    if meta::text(value, "/status/phase").is_empty() {
        set_phase(value, "Running");
    }
    let shutdown =
        Some(meta::text(value, "/spec/shutdown")).filter(|text| !text.is_empty()).map(str::to_owned);
    let is_suspended = value["spec"]["suspend"] == Value::Bool(true) && shutdown.is_none();
    let mut run = Run::new(state, workflow, value, spec, shutdown.clone());
    let outcome =
        run.reconcile().and_then(|()| if is_suspended { Ok(Phase::Running) } else { run.execute() });
    let (nodes, due) = run.finish();
    let message = nodes.message(&workflow.name).to_owned();
    report(value, nodes);
    match outcome {
        Ok(Phase::Running) => return Ok(due),
        Ok(Phase::Succeeded) => end(value, Phase::Succeeded, ""),
        Ok(phase) => {
            let stopped = shutdown.map(|strategy| format!("Stopped with strategy '{strategy}'"));
            end(value, phase, &stopped.unwrap_or(message));
        }
        Err(Stop::Invalid(message)) => end(value, Phase::Failed, &format!("invalid spec: {message}")),
        Err(Stop::NotKept(refusal)) => return Err(refusal),
    }
    Ok(None)
}

fn report(value: &mut Value, nodes: Nodes) {
    if nodes.is_empty() {
        return;
    }
    meta::set(value, &["status", "progress"], nodes.progress());
    set_condition(value, "PodRunning", nodes.has_running_pod());
    meta::set(value, &["status", "nodes"], nodes.into_value());
}

fn set_phase(value: &mut Value, phase: &str) {
    meta::set(value, &["status", "phase"], phase);
    meta::set(value, &["metadata", "labels", PHASE], phase);
    meta::set_default(value, &["metadata", "labels", COMPLETED], "false");
    meta::set_default(value, &["status", "startedAt"], clock::now());
    meta::set_default(value, &["status", "finishedAt"], Value::Null);
    meta::set_default(value, &["status", "progress"], "0/0");
}

fn end(value: &mut Value, phase: Phase, message: &str) {
    set_phase(value, phase.as_str());
    meta::set(value, &["status", "finishedAt"], clock::now());
    if !message.is_empty() {
        meta::set(value, &["status", "message"], message);
    }
    set_condition(value, "Completed", true);
    meta::set(value, &["metadata", "labels", COMPLETED], "true");
}

/// Argo's conditions carry neither time nor reason.
fn set_condition(value: &mut Value, kind: &str, is_true: bool) {
    let condition = json!({"type": kind, "status": if is_true { "True" } else { "False" }});
    let all = meta::at_mut(value, &["status", "conditions"]);
    let Some(held) = all.as_array_mut() else {
        *all = json!([condition]);
        return;
    };
    match held.iter_mut().find(|held| meta::text(held, "/type") == kind) {
        Some(place) => *place = condition,
        None => held.push(condition),
    }
}
