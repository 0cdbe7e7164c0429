//! What keeps Pods of one template: Deployments, StatefulSets, DaemonSets. The Pods are only counted.
//!
//! Each look writes once at most, so that watches see the steps that they see of real controllers.

mod daemon_set;
mod deployment;
mod stateful_set;

use super::plan::{Clocks, POD_REASON, Plan, START_AFTER};
use super::trouble;
use crate::kind::Kind;
use crate::meta;
use crate::object::Object;
use crate::refusal::Refusal;
use crate::state::State;
use serde_json::{Value, json};
use tokio::time::Instant;

/// Of which template the newest Pods are, on what has no other place to remember that.
const TEMPLATE: &str = "simulate.tallyman.dev/template";

/// Brings a workload one step further; answers when to look at it again if nothing happens.
pub(super) fn look_at(
    state: &mut State,
    clocks: &mut Clocks,
    kind: &Kind,
    key: &str,
) -> Result<Option<Instant>, Refusal> {
    let Some(found) = state.get(kind, key).cloned().filter(|found| !found.is_deleting) else {
        clocks.forget(kind, key);
        return Ok(None);
    };
    let mut value = found.value();
    let mut look = Look { found: &found, clocks, template: template(&value) };
    let due = match kind {
        Kind::Deployment => deployment::step(&mut look, &mut value),
        Kind::StatefulSet => stateful_set::step(&mut look, &mut value),
        _ => daemon_set::step(&mut look, &mut value),
    };
    if trouble::refuses_pods(&value) {
        trouble::refuse(state, &found)?;
    }
    state.settle(&found, value)?;
    Ok(due)
}

/// One look at a workload.
struct Look<'a> {
    found: &'a Object,
    clocks: &'a mut Clocks,
    /// What its template is told from others by.
    template: String,
}

impl Look<'_> {
    /// New Pods are there from now on.
    fn begin(&mut self) {
        self.clocks.enter(self.found, Instant::now());
    }

    /// When the Pods that are not ready are; `None`: never.
    fn ready_at(&mut self, value: &Value) -> Option<Instant> {
        if is_failing(value) || is_failing(&value["spec"]["template"]) {
            return None;
        }
        let made = meta::text(value, "/metadata/creationTimestamp");
        Some(self.clocks.entered(self.found, made) + start_after(value))
    }

    /// True if its controller has seen the newest generation.
    fn has_observed(&self, value: &Value) -> bool {
        meta::number(value, "/status/observedGeneration") == meta::number(value, "/metadata/generation")
    }

    /// Notes that the newest generation is seen.
    fn observe(&self, value: &mut Value) {
        let generation = meta::number(value, "/metadata/generation").unwrap_or_default();
        meta::set(value, &["status", "observedGeneration"], generation);
    }
}

/// How long its Pods take to start; its template is asked first.
fn start_after(value: &Value) -> std::time::Duration {
    let template = &value["spec"]["template"];
    let asks = meta::annotation(template, START_AFTER).is_some();
    Plan::of(if asks { template } else { value }).start_after
}

/// True if the Pods of a workload, or of a template, are not to get ready.
fn is_failing(value: &Value) -> bool {
    meta::annotation(value, POD_REASON).is_some() && !trouble::refuses_pods(value)
}

/// Tells templates apart: FNV-1a of the JSON, whose fields are sorted.
fn template(value: &Value) -> String {
    let text = value["spec"]["template"].to_string();
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{:010x}", hash & 0xff_ffff_ffff)
}

/// Sets the counts of a status; those that types leave out when they are zero are.
fn set_counts(value: &mut Value, counts: &[(&str, u64)]) {
    for (field, count) in counts {
        if *count == 0 {
            meta::remove(value, &["status", field]);
        } else {
            meta::set(value, &["status", field], *count);
        }
    }
}

/// A count, or a share of `wanted` in per cent.
fn share(value: &Value, pointer: &str, wanted: u64, rounds_up: bool) -> u64 {
    let Some(per_cent) = meta::text(value, pointer).strip_suffix('%') else {
        return meta::count(value, pointer);
    };
    let hundredths = wanted * per_cent.parse::<u64>().unwrap_or_default();
    if rounds_up { hundredths.div_ceil(100) } else { hundredths / 100 }
}

/// A condition as its type has it, without its times.
fn condition(kind: &str, holds: bool, reason: &str, message: &str) -> Value {
    let status = if holds { "True" } else { "False" };
    json!({"type": kind, "status": status, "reason": reason, "message": message})
}
