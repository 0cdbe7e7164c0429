//! DaemonSets: a Pod on the one node.

use super::{Look, TEMPLATE, is_failing, set_counts};
use crate::controller::trouble;
use crate::meta;
use serde_json::Value;
use tokio::time::Instant;

/// One write of the controller.
pub(super) fn step(look: &mut Look<'_>, value: &mut Value) -> Option<Instant> {
    let mut now = Counts::of(value);
    let is_new = meta::annotation(value, TEMPLATE) != Some(look.template.as_str());
    if is_new || !look.has_observed(value) {
        if is_new {
            meta::set(value, &["metadata", "annotations", TEMPLATE], look.template.as_str());
            now.updated = 0;
        }
        look.observe(value);
        now.write(value);
        return None;
    }
    let due = move_on(look, value, &mut now);
    now.write(value);
    due
}

fn move_on(look: &mut Look<'_>, value: &Value, now: &mut Counts) -> Option<Instant> {
    if is_failing(value) {
        now.ready = 0;
    }
    let rolls = meta::text(value, "/spec/updateStrategy/type") == "RollingUpdate";
    let is_missing = now.scheduled == 0 && !trouble::refuses_pods(value);
    if is_missing || now.scheduled == 1 && now.updated == 0 && rolls {
        look.begin();
        *now = Counts { scheduled: 1, updated: 1, ready: 0 };
    } else if now.ready < now.scheduled {
        match look.ready_at(value) {
            Some(at) if at <= Instant::now() => now.ready = now.scheduled,
            due => return due,
        }
    }
    None
}

struct Counts {
    scheduled: u64,
    updated: u64,
    ready: u64,
}

impl Counts {
    fn of(value: &Value) -> Self {
        let count = |field: &str| meta::count(value, &format!("/status/{field}"));
        Self {
            scheduled: count("currentNumberScheduled"),
            updated: count("updatedNumberScheduled"),
            ready: count("numberReady"),
        }
    }

    fn write(&self, value: &mut Value) {
        let always = [
            ("desiredNumberScheduled", 1),
            ("currentNumberScheduled", self.scheduled),
            ("numberMisscheduled", 0),
            ("numberReady", self.ready),
        ];
        for (field, count) in always {
            meta::set(value, &["status", field], count);
        }
        let counts = [
            ("updatedNumberScheduled", self.updated),
            ("numberAvailable", self.ready),
            ("numberUnavailable", 1 - self.ready),
        ];
        set_counts(value, &counts);
    }
}
