//! Deployments: how a template takes the place of the one before, and what is said of that.

use super::{Look, TEMPLATE, condition, is_failing, set_counts, share};
use crate::controller::trouble;
use crate::{clock, meta};
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

const REVISION: &str = "deployment.kubernetes.io/revision";
const CREATED: &str = "NewReplicaSetCreated";
const UPDATED: &str = "ReplicaSetUpdated";
const AVAILABLE: &str = "NewReplicaSetAvailable";

/// One write of the controller, in its order: the new ReplicaSet, the observed generation, then the Pods of both.
pub(super) fn step(look: &mut Look<'_>, value: &mut Value) -> Option<Instant> {
    if meta::annotation(value, TEMPLATE) != Some(look.template.as_str()) {
        begin(look, value);
        return None;
    }
    let before = Counts::of(value);
    if !look.has_observed(value) {
        // The Pods that there are were all made before a new ReplicaSet.
        let is_new = reason(value) == CREATED;
        let after = if is_new { Counts { updated: 0, ..before } } else { before };
        look.observe(value);
        after.write(value);
        available(value, &after, &Bounds::of(value));
        return None;
    }
    let bounds = Bounds::of(value);
    let (after, due) = move_on(look, value, &before, &bounds);
    after.write(value);
    available(value, &after, &bounds);
    let refused = trouble::refuses_pods(value).then(|| {
        condition("ReplicaFailure", true, "FailedCreate", "pods are forbidden: exceeded quota: limit")
    });
    put(value, "ReplicaFailure", refused);
    let late = progress(look, value, &before, &after, &bounds);
    due.into_iter().chain(late).min()
}

/// A new template has a ReplicaSet of its own; what is counted is that of before.
fn begin(look: &Look<'_>, value: &mut Value) {
    let revision = meta::annotation(value, REVISION).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    meta::set(value, &["metadata", "annotations", REVISION], (revision + 1).to_string());
    meta::set(value, &["metadata", "annotations", TEMPLATE], look.template.as_str());
    let words = format!("Created new replica set \"{}-{}\"", look.found.name, look.template);
    put(value, "Progressing", Some(condition("Progressing", true, CREATED, &words)));
}

/// Which Pods are made, get ready, and end by this write; and when the next ones get ready.
fn move_on(
    look: &mut Look<'_>,
    value: &Value,
    before: &Counts,
    bounds: &Bounds,
) -> (Counts, Option<Instant>) {
    let mut now = if is_failing(value) { Counts { ready: 0, ..*before } } else { *before };
    let refuses = trouble::refuses_pods(value);
    if now.updated == 0 {
        // Nothing is lost with old Pods that are not ready: they end first.
        now.total = now.ready;
    }
    if now.updated > bounds.wanted {
        now.total -= now.updated - bounds.wanted;
        now.updated = bounds.wanted;
        now.ready = now.ready.min(now.total);
    }
    let room = (bounds.wanted + bounds.surge).saturating_sub(now.total);
    let made = if refuses { 0 } else { room.min(bounds.wanted - now.updated) };
    let old = now.total - now.updated;
    let ended = old.min(now.ready.saturating_sub(bounds.wanted.saturating_sub(bounds.unavailable)));
    if made > 0 {
        look.begin();
        now = Counts { total: now.total + made, updated: now.updated + made, ..now };
    } else if ended > 0 {
        now = Counts { total: now.total - ended, ready: now.ready - ended, ..now };
    } else if now.ready < now.total {
        match look.ready_at(value) {
            Some(at) if at <= Instant::now() => now.ready = now.total,
            due => return (now, due),
        }
    }
    let due = if now.ready < now.total { look.ready_at(value) } else { None };
    (now, due)
}

/// Says how far it is; answers when it is late.
fn progress(
    look: &Look<'_>,
    value: &mut Value,
    before: &Counts,
    after: &Counts,
    bounds: &Bounds,
) -> Option<Instant> {
    let set = format!("ReplicaSet \"{}-{}\"", look.found.name, look.template);
    if after.updated == after.total && reason(value) == AVAILABLE {
        // That it was rolled out is not taken back.
        return None;
    }
    if after.is_all_of(bounds.wanted) {
        let words = format!("{set} has successfully progressed.");
        put(value, "Progressing", Some(condition("Progressing", true, AVAILABLE, &words)));
        return None;
    }
    let has_more = after.updated > before.updated || after.ready > before.ready;
    if has_more || after.total - after.updated < before.total - before.updated {
        let words = format!("{set} is progressing.");
        put(value, "Progressing", Some(condition("Progressing", true, UPDATED, &words)));
        // Each step is noted with its time, also where it says the same.
        touch(value, "Progressing");
    }
    let deadline = Duration::from_secs(meta::count(value, "/spec/progressDeadlineSeconds"));
    let noted = meta::condition(value, "Progressing").map(|one| meta::text(one, "/lastUpdateTime"));
    let left = deadline.saturating_sub(clock::since(noted.unwrap_or_default()));
    if !left.is_zero() {
        return Some(Instant::now() + left);
    }
    let words = format!("{set} has timed out progressing.");
    put(value, "Progressing", Some(condition("Progressing", false, "ProgressDeadlineExceeded", &words)));
    None
}

fn available(value: &mut Value, counts: &Counts, bounds: &Bounds) {
    let said = if counts.ready >= bounds.wanted.saturating_sub(bounds.unavailable) {
        let words = "Deployment has minimum availability.";
        condition("Available", true, "MinimumReplicasAvailable", words)
    } else {
        let words = "Deployment does not have minimum availability.";
        condition("Available", false, "MinimumReplicasUnavailable", words)
    };
    put(value, "Available", Some(said));
}

fn reason(value: &Value) -> &str {
    meta::condition(value, "Progressing").map_or("", |one| meta::text(one, "/reason"))
}

/// Notes that a condition was found again now.
fn touch(value: &mut Value, kind: &str) {
    let all = value.pointer_mut("/status/conditions").and_then(Value::as_array_mut).into_iter().flatten();
    for one in all.filter(|one| meta::text(one, "/type") == kind) {
        one["lastUpdateTime"] = clock::now().into();
    }
}

/// Sets a condition, or takes it off. One that says the same stays as it is.
fn put(value: &mut Value, kind: &str, said: Option<Value>) {
    let all = value.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let known = all.iter().find(|one| meta::text(one, "/type") == kind).cloned();
    let mut kept: Vec<Value> = all.into_iter().filter(|one| meta::text(one, "/type") != kind).collect();
    if let Some(mut said) = said {
        let same = |field| known.as_ref().is_some_and(|known| meta::is_same(known, &said, field));
        if same("status") && same("reason") {
            return;
        }
        let is_turned = !same("status");
        let now = clock::now();
        said["lastUpdateTime"] = now.as_str().into();
        said["lastTransitionTime"] = match known.filter(|_| !is_turned) {
            Some(known) => known["lastTransitionTime"].clone(),
            None => now.into(),
        };
        kept.push(said);
    }
    if kept.is_empty() {
        meta::remove(value, &["status", "conditions"]);
    } else {
        meta::set(value, &["status", "conditions"], kept);
    }
}

/// How many Pods there are. Those that are not of the newest template are old, and are ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts {
    total: u64,
    updated: u64,
    ready: u64,
}

impl Counts {
    fn of(value: &Value) -> Self {
        let count = |field: &str| meta::count(value, &format!("/status/{field}"));
        Self { total: count("replicas"), updated: count("updatedReplicas"), ready: count("readyReplicas") }
    }

    fn is_all_of(&self, wanted: u64) -> bool {
        [self.total, self.updated, self.ready] == [wanted; 3]
    }

    fn write(&self, value: &mut Value) {
        let counts = [
            ("replicas", self.total),
            ("updatedReplicas", self.updated),
            ("readyReplicas", self.ready),
            ("availableReplicas", self.ready),
            ("unavailableReplicas", self.total - self.ready),
        ];
        set_counts(value, &counts);
    }
}

/// How many Pods are wanted, and how many more or fewer there may be on the way.
struct Bounds {
    wanted: u64,
    surge: u64,
    unavailable: u64,
}

impl Bounds {
    fn of(value: &Value) -> Self {
        let wanted = meta::count(value, "/spec/replicas");
        if meta::text(value, "/spec/strategy/type") == "Recreate" {
            return Self { wanted, surge: 0, unavailable: wanted };
        }
        let rolling = "/spec/strategy/rollingUpdate";
        let surge = share(value, &format!("{rolling}/maxSurge"), wanted, true);
        let unavailable = share(value, &format!("{rolling}/maxUnavailable"), wanted, false);
        // Both at zero would never move.
        Self { wanted, surge, unavailable: if surge == 0 { unavailable.max(1) } else { unavailable } }
    }
}
