//! StatefulSets: one Pod after the other.

use super::{Look, is_failing, set_counts};
use crate::controller::trouble;
use crate::meta;
use serde_json::Value;
use tokio::time::Instant;

/// One write of the controller.
pub(super) fn step(look: &mut Look<'_>, value: &mut Value) -> Option<Instant> {
    let mut now = Counts::of(value);
    let newest = format!("{}-{}", look.found.name, look.template);
    if !look.has_observed(value) || now.newest != newest {
        if now.current.is_empty() {
            now.current.clone_from(&newest);
        }
        if now.newest != newest {
            // Going back to the former one, those that have it still are of the newest.
            now.updated = if now.current == newest { now.total - now.updated } else { 0 };
        }
        now.newest = newest;
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
    let wanted = meta::count(value, "/spec/replicas");
    let rolls = meta::text(value, "/spec/updateStrategy/type") == "RollingUpdate";
    let held_back = meta::count(value, "/spec/updateStrategy/rollingUpdate/partition");
    if now.ready < now.total {
        match look.ready_at(value) {
            Some(at) if at <= Instant::now() => now.ready = now.total,
            due => return due,
        }
    } else if now.total < wanted && !trouble::refuses_pods(value) {
        look.begin();
        (now.total, now.updated) = (now.total + 1, now.updated + 1);
    } else if now.total > wanted {
        (now.total, now.ready) = (now.total - 1, now.ready - 1);
        now.updated = now.updated.saturating_sub(1);
    } else if rolls && now.updated < wanted.saturating_sub(held_back) {
        look.begin();
        (now.updated, now.ready) = (now.updated + 1, now.ready - 1);
    } else if now.updated == now.total {
        now.current.clone_from(&now.newest);
    }
    None
}

/// How many Pods there are, and of which revisions.
struct Counts {
    total: u64,
    ready: u64,
    updated: u64,
    current: String,
    newest: String,
}

impl Counts {
    fn of(value: &Value) -> Self {
        let count = |field: &str| meta::count(value, &format!("/status/{field}"));
        let text = |field: &str| meta::text(value, &format!("/status/{field}")).to_owned();
        Self {
            total: count("replicas"),
            ready: count("readyReplicas"),
            updated: count("updatedReplicas"),
            current: text("currentRevision"),
            newest: text("updateRevision"),
        }
    }

    fn write(&self, value: &mut Value) {
        let is_one = self.current == self.newest;
        let counts = [
            ("readyReplicas", self.ready),
            ("updatedReplicas", self.updated),
            ("currentReplicas", if is_one { self.total } else { self.total - self.updated }),
        ];
        set_counts(value, &counts);
        for (field, count) in
            [("replicas", self.total), ("availableReplicas", self.ready), ("collisionCount", 0)]
        {
            meta::set(value, &["status", field], count);
        }
        meta::set(value, &["status", "currentRevision"], self.current.as_str());
        meta::set(value, &["status", "updateRevision"], self.newest.as_str());
    }
}
