//! The conditions of a runnable. All are there from the start, so that a client can wait for any of them; what is
//! not known is `Unknown`.

use super::diagnosis;
use serde::Serialize;
use std::borrow::Cow;
use tallyman_model::record::{
    Attempt, Checked, Cluster, FanOut, Foreign, Making, Object, ObjectState, Preflight, PreflightVerdict,
    Record, Runnable,
};
use tallyman_model::{Damaged, Ordinal, Phase, Reason, View, query, time};

/// One condition in Kubernetes' form.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Condition<'a> {
    r#type: &'static str,
    status: &'static str,
    reason: &'a str,
    message: Cow<'a, str>,
    last_transition_time: String,
    observed_generation: u32,
}

/// The cluster's record, if it is still registered.
pub(crate) fn cluster_of(view: &dyn View, ordinal: Ordinal) -> Result<Option<Cluster>, Damaged> {
    Ok(match query::record(view, ordinal)? {
        Some(Record::Cluster(cluster)) => Some(cluster),
        _ => None,
    })
}

/// The types of a runnable's conditions.
pub const CONDITIONS: [&str; 9] = [
    "Accepted",
    "Approved",
    "Placed",
    "Created",
    "Observed",
    "ClusterReachable",
    "Succeeded",
    "Finished",
    "ObjectsRemoved",
];

pub(super) fn of<'a>(run: &'a Runnable, cluster: Option<&Cluster>) -> Vec<Condition<'a>> {
    let attempt = run.attempt();
    let mut conditions = vec![
        condition("Accepted", TRUE, "Accepted", "durable on a quorum", run.head.created_ms),
        approved(run),
        placed(run, attempt),
        created(run, attempt),
        observed(run, cluster),
        reachable(run, attempt, cluster),
        succeeded(run),
        finished(run),
    ];
    if let Some(fan_out) = &run.fan_out {
        of_fan_out(&mut conditions, run, fan_out);
    }
    conditions.extend(preflight(run));
    conditions.extend(removal(run));
    conditions
}

/// Those of what was not submitted here: nothing but what its cluster says.
pub(super) fn of_foreign<'a>(foreign: &'a Foreign, cluster: Option<&Cluster>) -> Vec<Condition<'a>> {
    let (phase, words) = (foreign.phase, foreign.words());
    let since_ms = foreign.finished_ms.unwrap_or(foreign.seen_ms);
    let succeeded = match phase {
        Phase::Succeeded => TRUE,
        Phase::Failed => FALSE,
        _ => UNKNOWN,
    };
    let reason = Some(foreign.reason_word()).filter(|word| !word.is_empty()).unwrap_or(phase.as_str());
    let finished = if phase.is_terminal() { TRUE } else { FALSE };
    vec![
        condition("Observed", TRUE, "Observed", words.clone(), foreign.seen_ms),
        match cluster {
            Some(cluster) => reachable_cluster(cluster),
            None => condition("ClusterReachable", UNKNOWN, "ClusterRemoved", "", foreign.seen_ms),
        },
        condition("Succeeded", succeeded, reason, words.clone(), since_ms),
        condition(
            "Finished",
            finished,
            phase.as_str(),
            if finished == TRUE { words } else { String::new() },
            since_ms,
        ),
    ]
}

/// What clusters said that were asked beforehand: the one that it is on, or else the last; the message is of all.
fn preflight(run: &Runnable) -> Option<Condition<'_>> {
    const TYPE: &str = "Preflight";
    if run.spec.preflight == Preflight::Skip {
        return None;
    }
    let here = run.attempt().filter(|attempt| !attempt.phase.is_terminal()).map(|attempt| attempt.cluster);
    let check = run.checks.iter().find(|check| Some(check.cluster) == here).or(run.checks.last());
    let Some(check) = check else {
        return Some(condition(TYPE, UNKNOWN, "NotAskedYet", "", run.head.created_ms));
    };
    let (status, reason) = match check.verdict {
        PreflightVerdict::Passed => (TRUE, "Passed"),
        PreflightVerdict::Refused => (FALSE, "Refused"),
        PreflightVerdict::Unanswered => (UNKNOWN, "Unanswered"),
    };
    let message = run.checks.iter().map(Checked::words).collect::<Vec<_>>().join("; ");
    Some(condition(TYPE, status, reason, message, check.at_ms))
}

/// Of a fan-out its runs say what becomes of objects.
fn of_fan_out(conditions: &mut [Condition<'_>], run: &Runnable, fan_out: &FanOut) {
    const REASON: &str = "FanOut";
    for told in conditions {
        *told = match told.r#type {
            "Placed" if fan_out.is_decided && fan_out.left.is_empty() => {
                let message = format!("a run on each of {} clusters", fan_out.clusters());
                condition("Placed", TRUE, REASON, message, run.head.created_ms)
            }
            r#type @ ("Created" | "Observed" | "ClusterReachable") => {
                condition(r#type, UNKNOWN, REASON, "each of its runs says that", run.head.created_ms)
            }
            _ => continue,
        };
    }
}

const TRUE: &str = "True";
const FALSE: &str = "False";
const UNKNOWN: &str = "Unknown";

fn condition<'a>(
    r#type: &'static str,
    status: &'static str,
    reason: &'a str,
    message: impl Into<Cow<'a, str>>,
    at_ms: u64,
) -> Condition<'a> {
    let last_transition_time = time::format(at_ms);
    Condition {
        r#type,
        status,
        reason,
        message: message.into(),
        last_transition_time,
        observed_generation: 1,
    }
}

fn reason_or(run: &Runnable, otherwise: &'static str) -> &'static str {
    if run.reason == Reason::None { otherwise } else { run.reason.as_str() }
}

fn approved(run: &Runnable) -> Condition<'_> {
    const TYPE: &str = "Approved";
    let Some(approvals) = &run.approvals else {
        return condition(TYPE, TRUE, "NotRequired", "", run.head.created_ms);
    };
    if let Some(rejection) = approvals.rejection() {
        return condition(TYPE, FALSE, Reason::Rejected.as_str(), run.message.as_str(), rejection.at_ms);
    }
    if let Some(at_ms) = approvals.approved_ms {
        return condition(TYPE, TRUE, "Approved", approvals.count(run.digest), at_ms);
    }
    if run.phase == Phase::Held || run.reason == Reason::ApprovalExpired {
        return condition(TYPE, FALSE, run.reason.as_str(), run.message.as_str(), run.phase_since_ms);
    }
    // It ended before it was decided.
    condition(TYPE, UNKNOWN, "NotDecided", approvals.count(run.digest), run.phase_since_ms)
}

fn placed<'a>(run: &'a Runnable, attempt: Option<&'a Attempt>) -> Condition<'a> {
    match attempt {
        // Between two attempts the run waits for a cluster, or for approval, again.
        Some(attempt) if !matches!(run.phase, Phase::Held | Phase::Accepted) => {
            let message = format!("attempt {} on {}", attempt.number, attempt.cluster_name);
            condition("Placed", TRUE, "Placed", message, attempt.placed_ms)
        }
        _ => condition("Placed", FALSE, reason_or(run, "Waiting"), run.message.as_str(), run.phase_since_ms),
    }
}

fn created<'a>(run: &'a Runnable, attempt: Option<&'a Attempt>) -> Condition<'a> {
    let (Some(attempt), Some(object)) = (attempt, run.main_object()) else {
        return condition("Created", UNKNOWN, "NotPlaced", "", run.head.created_ms);
    };
    if let Some(uid) = &object.uid {
        let at_ms = object.created_ms.unwrap_or(attempt.placed_ms);
        return condition("Created", TRUE, "Created", format!("UID {uid}"), at_ms);
    }
    // What holds the run up may be a member: they are made first.
    let stuck =
        run.objects.iter().find(|object| object.state == ObjectState::Absent && !object.message.is_empty());
    if run.objects.iter().any(Object::may_exist) {
        let message =
            stuck.map_or("a create was sent and its outcome is not known yet", |object| &object.message);
        return condition("Created", UNKNOWN, Reason::OutcomeUnknown.as_str(), message, attempt.placed_ms);
    }
    match run.reason {
        Reason::NamespaceMissing
        | Reason::Refused
        | Reason::Retrying
        | Reason::NeedsOperator
        | Reason::NameTaken => {
            condition("Created", FALSE, run.reason.as_str(), run.message.as_str(), run.phase_since_ms)
        }
        _ if run.phase.is_terminal() => condition(
            "Created",
            FALSE,
            reason_or(run, "NotCreated"),
            run.message.as_str(),
            run.phase_since_ms,
        ),
        _ => match stuck {
            Some(object) => {
                condition("Created", FALSE, "Retrying", object.message.as_str(), attempt.placed_ms)
            }
            None => match object.sent_ms {
                Some(at_ms) => condition(
                    "Created",
                    UNKNOWN,
                    "Sent",
                    "it was sent, and the cluster has not answered yet",
                    at_ms,
                ),
                None => condition("Created", UNKNOWN, "NotCreatedYet", "", attempt.placed_ms),
            },
        },
    }
}

/// Whether a watch has told of the main object; that the cluster answered the create is another condition.
fn observed<'a>(run: &'a Runnable, cluster: Option<&Cluster>) -> Condition<'a> {
    const TYPE: &str = "Observed";
    let Some(object) = run.main_object() else {
        return condition(TYPE, UNKNOWN, "NotObservedYet", "", run.head.created_ms);
    };
    let (said, found) = (object.seen.as_ref(), run.diagnosis().filter(|_| !run.phase.is_terminal()));
    let words = found.and_then(|_| diagnosis::words(run)).unwrap_or_default();
    let said = said.map_or("", |seen| seen.message.as_str());
    match (object.observed_ms, object.created_ms) {
        (Some(at_ms), _) => {
            let reason = found.map_or("Observed", |found| found.finding.reason.as_str());
            condition(TYPE, TRUE, reason, joined([said.to_owned(), words]), at_ms)
        }
        (None, Some(created_ms)) => {
            let (status, reason, why) = unobserved(run, object, cluster);
            condition(TYPE, status, reason, joined([why, said.to_owned(), words]), created_ms)
        }
        (None, None) => condition(TYPE, UNKNOWN, "NotObservedYet", "", run.head.created_ms),
    }
}

/// Why no watch has told of an object that was created, and what a read found instead.
fn unobserved(
    run: &Runnable,
    object: &Object,
    cluster: Option<&Cluster>,
) -> (&'static str, &'static str, String) {
    let found = object.read.as_ref().map_or_else(String::new, |read| {
        let at = time::format(read.at_ms);
        match read.message.as_str() {
            "" => format!("it was there when it was read at {at}"),
            message => format!("it could not be read at {at}: {message}"),
        }
    });
    let lets_watch = |cluster: &Cluster| {
        run.plan(object).is_none_or(|plan| cluster.lets_watch(&plan.kind, &plan.namespace))
    };
    if let Some(cluster) = cluster.filter(|cluster| !lets_watch(cluster)) {
        let why = joined(["created, not watched".to_owned(), cluster.message.clone()]);
        return (FALSE, "NotWatched", joined([why, found]));
    }
    let why = "created; its watch has not told of it".to_owned();
    let status = if object.read.is_some() { FALSE } else { UNKNOWN };
    (status, "NotObservedYet", joined([why, found]))
}

/// What there is of these, behind each other.
fn joined<const N: usize>(words: [String; N]) -> String {
    words.into_iter().filter(|one| !one.is_empty()).collect::<Vec<_>>().join("; ")
}

/// How far the making of the main object has come, for a column.
pub(crate) fn making(run: &Runnable, cluster: Option<&Cluster>) -> &'static str {
    let Some(object) = run.main_object() else { return Making::Planned.as_str() };
    let is_unwatched = |cluster: &Cluster| {
        run.plan(object).is_some_and(|plan| !cluster.lets_watch(&plan.kind, &plan.namespace))
    };
    match object.making() {
        Making::Created if cluster.is_some_and(is_unwatched) => "Unwatched",
        making => making.as_str(),
    }
}

fn reachable<'a>(run: &'a Runnable, attempt: Option<&Attempt>, cluster: Option<&Cluster>) -> Condition<'a> {
    const TYPE: &str = "ClusterReachable";
    match (attempt, cluster) {
        (None, _) => condition(TYPE, UNKNOWN, "NotPlaced", "", run.head.created_ms),
        (Some(attempt), None) => {
            let message = format!("cluster {} is not registered any more", attempt.cluster_name);
            condition(TYPE, UNKNOWN, "ClusterRemoved", message, attempt.placed_ms)
        }
        (Some(_), Some(cluster)) => reachable_cluster(cluster),
    }
}

fn reachable_cluster<'a>(cluster: &Cluster) -> Condition<'a> {
    let (status, reason) = match cluster.reachable {
        Some(true) => (TRUE, "Reachable"),
        Some(false) => (FALSE, "Unreachable"),
        None => (UNKNOWN, "NotContactedYet"),
    };
    let since_ms = cluster.reachable_since_ms.max(cluster.head.created_ms);
    let message = match cluster.reachable {
        Some(false) => format!(
            "{} has been out of reach since {}, and this status is as old: {}",
            cluster.head.name,
            time::format(since_ms),
            cluster.message
        ),
        _ => cluster.message.clone(),
    };
    condition("ClusterReachable", status, reason, message, since_ms)
}

fn succeeded(run: &Runnable) -> Condition<'_> {
    let status = match run.phase {
        Phase::Succeeded => TRUE,
        Phase::Failed | Phase::Cancelled => FALSE,
        _ => return condition("Succeeded", UNKNOWN, run.phase.as_str(), "", run.phase_since_ms),
    };
    let at_ms = run.finished_ms.unwrap_or(run.phase_since_ms);
    condition("Succeeded", status, reason_or(run, run.phase.as_str()), run.message.as_str(), at_ms)
}

fn finished(run: &Runnable) -> Condition<'_> {
    let (status, message) = if run.phase.is_terminal() { (TRUE, run.message.as_str()) } else { (FALSE, "") };
    condition("Finished", status, run.phase.as_str(), message, run.finished_ms.unwrap_or(run.phase_since_ms))
}

/// While a removal waits: which cluster it waits for, and what is still there.
fn removal(run: &Runnable) -> Option<Condition<'_>> {
    let asked = run.deletion.as_ref()?;
    let left = |object: &&Object| object.state != ObjectState::Gone;
    let object = run.objects.iter().find(left)?;
    let plan = run.plan(object)?;
    let on = |attempt: &&Attempt| attempt.cluster == object.cluster;
    let cluster = run.attempts.iter().find(on).map_or("?", |attempt| attempt.cluster_name.as_str());
    let count = run.objects.iter().filter(left).count();
    let mut message = format!(
        "waits for cluster {cluster:?}: {} {}/{} is still there",
        plan.kind, plan.namespace, object.name
    );
    if count > 1 {
        message.push_str(&format!(", and {} more", count - 1));
    }
    if !object.message.is_empty() {
        message.push_str(&format!(" ({})", object.message));
    }
    Some(condition("ObjectsRemoved", FALSE, "ObjectsRemain", message, asked.at_ms))
}
