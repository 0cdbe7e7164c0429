//! Rows for people: what `kubectl get` shows.

use crate::noun::Noun;
use crate::render::{Metadata, Scene, bytes};
use serde::Serialize;
use serde_json::{Value, json};
use tallyman_model::record::{Cluster, Member, MemberState, Record, Runnable};
use tallyman_model::{Damaged, Revision, time};

pub(crate) const API_VERSION: &str = "meta.k8s.io/v1";

#[derive(Serialize)]
struct Row<'a> {
    cells: Vec<Value>,
    object: Partial<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Partial<'a> {
    kind: &'static str,
    api_version: &'static str,
    metadata: Metadata<'a>,
}

/// The columns of a resource, as Kubernetes describes columns.
pub(crate) fn columns(noun: Noun) -> Value {
    let names: &[&str] = match noun {
        Noun::Runnables => &["Name", "Phase", "Cluster", "Attempt", "Age"],
        Noun::Clusters => &["Name", "Reachable", "Version", "Cordoned", "Age"],
        Noun::Replicas => &["Name", "Role", "Datacenter", "Applied", "Age"],
        Noun::AuditRecords => &["Name", "At", "User", "Verb", "Subject", "Detail"],
    };
    let column = |name: &&str| {
        let kind = if matches!(*name, "Attempt" | "Applied") { "integer" } else { "string" };
        let format = if *name == "Name" { "name" } else { "" };
        json!({"name": name, "type": kind, "format": format, "description": name, "priority": 0})
    };
    Value::Array(names.iter().map(column).collect())
}

/// The row of a record; `revision` replaces its own.
pub(crate) fn row(
    scene: &Scene<'_>,
    record: &Record,
    revision: Option<Revision>,
) -> Result<Vec<u8>, Damaged> {
    let Some(head) = record.head() else { return Ok(Vec::new()) };
    let mut cells = match record {
        Record::Runnable(run) => runnable(run),
        Record::Cluster(cluster) => cells_of_cluster(cluster),
        Record::Member(member) => replica(scene, member),
        Record::Receipt(_) | Record::Watch(_) => Vec::new(),
    };
    cells.push(json!(age(scene.now_ms.saturating_sub(head.created_ms))));
    let metadata = Metadata::of(head, revision);
    let kind = "PartialObjectMetadata";
    Ok(bytes(&Row { cells, object: Partial { kind, api_version: API_VERSION, metadata } }))
}

fn runnable(run: &Runnable) -> Vec<Value> {
    let attempt = run.attempt();
    vec![
        json!(run.head.name),
        json!(run.phase.as_str()),
        json!(attempt.map_or("<none>", |attempt| &attempt.cluster_name)),
        json!(attempt.map_or(0, |attempt| attempt.number)),
    ]
}

fn cells_of_cluster(cluster: &Cluster) -> Vec<Value> {
    let reachable = match cluster.reachable {
        _ if cluster.quarantined => "Quarantined",
        Some(true) => "Yes",
        Some(false) => "No",
        None => "Unknown",
    };
    vec![
        json!(cluster.head.name),
        json!(reachable),
        json!(cluster.version),
        json!(if cluster.cordoned { "Yes" } else { "No" }),
    ]
}

fn replica(scene: &Scene<'_>, member: &Member) -> Vec<Value> {
    let itself = scene.status.id == Some(member.id);
    let role = match member.state {
        _ if scene.status.leader == Some(member.id) => "leader",
        MemberState::Voter => "follower",
        MemberState::Learner => "learner",
    };
    vec![
        json!(member.head.name),
        json!(role),
        json!(member.datacenter),
        if itself { json!(scene.status.applied) } else { Value::Null },
    ]
}

/// How long ago, in the words of `kubectl`.
pub(crate) fn age(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7_199 => format!("{}m", seconds / 60),
        7_200..=172_799 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// The row of a ledger record.
pub(crate) fn audit_row(record: &tallyman_model::ledger::LedgerRecord) -> Vec<u8> {
    let subject = record.subjects.first().map_or_else(String::new, |subject| {
        let namespace = if subject.namespace.is_empty() { "" } else { "/" };
        format!("{}/{}{namespace}{}", subject.resource, subject.namespace, subject.name)
    });
    let more = record.subjects_count.saturating_sub(1);
    let subject = if more > 0 { format!("{subject} and {more} more") } else { subject };
    let name = record.seq.to_string();
    let at = time::format(record.at_ms);
    let metadata =
        json!({"name": name, "resourceVersion": record.revision.to_string(), "creationTimestamp": at});
    let object = json!({"kind": "PartialObjectMetadata", "apiVersion": API_VERSION, "metadata": metadata});
    json!({"cells": [name, at, record.user, record.verb, subject, record.detail], "object": object})
        .to_string()
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::age;

    #[test]
    fn an_age_has_one_unit() {
        let ages = [0, 119_000, 120_000, 7_199_000, 7_200_000, 172_800_000].map(age);
        assert_eq!(ages, ["0s", "119s", "2m", "119m", "2h", "2d"]);
    }
}
