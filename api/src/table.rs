//! Rows for people: what `kubectl get` shows.

use crate::noun::Noun;
use crate::params::Params;
use crate::render::{self, Metadata, Scene, bytes};
use crate::status::Failure;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tallyman_model::record::{Cluster, Foreign, Making, Member, MemberState, Record, Runnable, StatusRule};
use tallyman_model::{Damaged, Revision, query, time};

pub(crate) const API_VERSION: &str = "meta.k8s.io/v1";
const NONE: &str = "<none>";
/// How many digits of a digest a person is shown.
const DIGEST_DIGITS: usize = 12;

/// What a row has beside its cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Include {
    /// Nothing.
    None,
    /// The metadata of the object.
    #[default]
    Metadata,
    /// All of the object: kubectl sorts by it.
    Object,
}

impl Include {
    /// From `includeObject`.
    ///
    /// # Errors
    /// A value that Kubernetes does not have.
    pub(crate) fn of(params: &Params) -> Result<Self, Failure> {
        match params.get("includeObject") {
            None | Some("Metadata") => Ok(Self::Metadata),
            Some("None") => Ok(Self::None),
            Some("Object") => Ok(Self::Object),
            Some(other) => {
                let words = "includeObject must be None, Metadata or Object";
                Err(Failure::bad_request(format!("{words}, not {other:?}")))
            }
        }
    }
}

#[derive(Serialize)]
struct Row<'a> {
    cells: Vec<Value>,
    object: Option<Beside<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Beside<'a> {
    Partial(Partial<'a>),
    Whole(Box<RawValue>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Partial<'a> {
    kind: &'static str,
    api_version: &'static str,
    metadata: Metadata<'a>,
}

/// A column: its name, its type, whether it is always shown, and what it says.
type Column = (&'static str, &'static str, Shown, &'static str);

#[derive(Clone, Copy)]
enum Shown {
    Always,
    /// With `-o wide`.
    Wide,
}
use Shown::{Always, Wide};

const RUNNABLES: [Column; 10] = [
    ("Name", "string", Always, "The runnable's name."),
    ("Phase", "string", Always, "Where the run is."),
    (
        "Cluster",
        "string",
        Always,
        "Where its last attempt is or was; of a fan-out, how many clusters it goes to.",
    ),
    ("Attempt", "integer", Always, "The number of its last attempt; 0: it was not placed yet."),
    ("Age", "string", Always, "How long ago it was accepted."),
    ("Digest", "string", Wide, "The first digits of the digest of its manifests and placement."),
    (
        "Object",
        "string",
        Wide,
        "How far the making of its main object has come: Planned, Sent, Created (the cluster's answer), Observed (its watch has told of it), or Unwatched (created, and it may not be watched).",
    ),
    (
        "Observed",
        "string",
        Wide,
        "How long ago its cluster had told all; of a run that ended, when its object was seen last.",
    ),
    ("Reason", "string", Wide, "Why it is in its phase."),
    ("Message", "string", Wide, "The same in words; of a run that does not start, what its Pods say."),
];
const DEPLOYABLES: [Column; 7] = [
    ("Name", "string", Always, "The deployable's name."),
    ("Revision", "integer", Always, "Its newest revision."),
    ("Synced", "string", Always, "On how many of its clusters that is applied."),
    ("Healthy", "string", Always, "On how many of them it is healthy, too."),
    ("Drifted", "integer", Always, "On how many others changed something."),
    ("Age", "string", Always, "How long ago it was accepted."),
    ("Failing", "integer", Wide, "On how many something cannot be written."),
];
const POOLS: [Column; 5] = [
    ("Name", "string", Always, "The pool's name."),
    ("Values", "string", Always, "What it gives out."),
    ("Allocated", "integer", Always, "How many of its values are allocated."),
    ("Free", "integer", Always, "How many are not."),
    ("Age", "string", Always, "How long ago it was made."),
];
const ALLOCATIONS: [Column; 7] = [
    ("Name", "string", Always, "The pool's name, and the key."),
    ("Value", "string", Always, "The value."),
    ("Runnable", "string", Always, "Whose it is, if it goes with a run."),
    ("Expires", "string", Always, "When it is released by itself."),
    ("Age", "string", Always, "How long ago it was given out."),
    ("Fence", "integer", Wide, "Its fencing token."),
    ("Pool", "string", Wide, "The pool's name."),
];
const LOCKS: [Column; 5] = [
    ("Name", "string", Always, "The lock's name."),
    ("Permits", "integer", Always, "How many may be held at the same time."),
    ("Free", "integer", Always, "How many are not held."),
    ("Holders", "string", Always, "Who holds it."),
    ("Age", "string", Always, "How long ago it was made."),
];
const CLUSTERS: [Column; 9] = [
    ("Name", "string", Always, "The cluster's name."),
    ("Reachable", "string", Always, "Yes, No, Unknown, or Quarantined when it shows another identity."),
    ("Version", "string", Always, "The Kubernetes version that it reports."),
    ("Cordoned", "string", Always, "Yes: nothing new is placed on it."),
    ("Age", "string", Always, "How long ago it was registered."),
    ("Paused", "string", Wide, "Yes: nothing is sent to it."),
    ("Runs", "integer", Wide, "Runs there that have not ended."),
    ("Observed", "string", Wide, "How long ago it had told all that happened on it."),
    ("Message", "string", Wide, "What went wrong with it last."),
];
const STATUSRULES: [Column; 6] = [
    ("Name", "string", Always, "The rule's name."),
    ("Kind", "string", Always, "The kind that it is for."),
    ("Group", "string", Always, "The API group of the kind."),
    ("Runs", "string", Always, "Yes: it says when an object of the kind has ended."),
    ("Age", "string", Always, "How long ago it was made."),
    ("Succeeded", "string", Wide, "When that was well."),
];
const REPLICAS: [Column; 6] = [
    ("Name", "string", Always, "The replica's id."),
    ("Role", "string", Always, "leader, follower or learner."),
    ("Datacenter", "string", Always, "Where it is."),
    (
        "Applied",
        "string",
        Always,
        "The log index that it has applied; known only of the replica that answers.",
    ),
    ("Age", "string", Always, "How long ago it joined."),
    ("URL", "string", Wide, "Where its API is."),
];
const AUDITRECORDS: [Column; 7] = [
    ("Name", "string", Always, "The record's number."),
    ("At", "string", Always, "When it was proposed."),
    ("User", "string", Always, "Who proposed it."),
    ("Verb", "string", Always, "What was done."),
    ("Subject", "string", Always, "What it was done to."),
    ("Detail", "string", Always, "What there is to say beside the verb."),
    ("Revision", "integer", Wide, "The revision after it."),
];

/// The columns of a resource, as Kubernetes describes columns.
pub(crate) fn columns(noun: Noun) -> Value {
    let columns: &[Column] = match noun {
        Noun::Runnables => &RUNNABLES,
        Noun::Deployables => &DEPLOYABLES,
        Noun::Pools => &POOLS,
        Noun::Allocations => &ALLOCATIONS,
        Noun::Locks => &LOCKS,
        Noun::Clusters => &CLUSTERS,
        Noun::StatusRules => &STATUSRULES,
        Noun::Replicas => &REPLICAS,
        Noun::AuditRecords => &AUDITRECORDS,
    };
    let column = |(name, kind, shown, says): &Column| {
        let format = if *name == "Name" { "name" } else { "" };
        let priority = u8::from(matches!(shown, Wide));
        json!({"name": name, "type": kind, "format": format, "description": says, "priority": priority})
    };
    Value::Array(columns.iter().map(column).collect())
}

/// The row of a record; `revision` replaces its own.
pub(crate) fn row(
    scene: &Scene<'_>,
    record: &Record,
    revision: Option<Revision>,
) -> Result<Vec<u8>, Damaged> {
    let Some(head) = record.head() else { return Ok(Vec::new()) };
    let cells = match record {
        Record::Runnable(run) => runnable(scene, run)?,
        Record::Foreign(one) => foreign(scene, one)?,
        Record::Cluster(cluster) => cells_of_cluster(scene, cluster)?,
        Record::Member(member) => replica(scene, member),
        Record::StatusRule(rule) => status_rule(scene, rule),
        Record::Deployable(deployable) => {
            render::deployable_cells(deployable, &scene.age(Some(head.created_ms)))
        }
        Record::Pool(pool) => render::pool_cells(scene, pool)?,
        Record::Allocation(one) => render::allocation_cells(scene, one)?,
        Record::Lock(lock) => render::lock_cells(lock, &scene.age(Some(head.created_ms))),
        Record::Receipt(_) | Record::Watch(_) | Record::Bundle(_) | Record::Installation(_) => Vec::new(),
    };
    let object = match scene.include {
        Include::None => None,
        Include::Metadata => {
            let metadata = Metadata::of(head, revision);
            Some(Beside::Partial(Partial {
                kind: "PartialObjectMetadata",
                api_version: API_VERSION,
                metadata,
            }))
        }
        Include::Object => whole(&render::record(scene, record, None, revision)?),
    };
    Ok(bytes(&Row { cells, object }))
}

fn status_rule(scene: &Scene<'_>, rule: &StatusRule) -> Vec<Value> {
    let runs = if rule.completes() { "Yes" } else { "No" };
    let age = scene.age(Some(rule.head.created_ms));
    vec![
        json!(rule.head.name),
        json!(rule.kind),
        json!(rule.group),
        json!(runs),
        json!(age),
        json!(rule.expressions.succeeded),
    ]
}

fn whole<'a>(document: &[u8]) -> Option<Beside<'a>> {
    serde_json::from_slice::<Box<RawValue>>(document).ok().map(Beside::Whole)
}

fn runnable(scene: &Scene<'_>, run: &Runnable) -> Result<Vec<Value>, Damaged> {
    let attempt = run.attempt();
    let seen_ms = run.main_object().and_then(|object| object.seen.as_ref()).map(|seen| seen.at_ms);
    let observed_ms = match attempt {
        Some(attempt) if !run.phase.is_terminal() => scene.observed_ms(attempt.cluster)?,
        _ => seen_ms,
    };
    let cluster = match (&run.fan_out, attempt) {
        (Some(fan_out), _) => format!("{} clusters", fan_out.clusters()),
        (None, attempt) => attempt.map_or(NONE, |attempt| &attempt.cluster_name).to_owned(),
    };
    let on = match attempt {
        Some(attempt) => render::cluster_of(scene.view, attempt.cluster)?,
        None => None,
    };
    let digest = run.digest.to_string();
    let digest = digest.strip_prefix("sha256:").unwrap_or(&digest);
    Ok(vec![
        json!(run.head.name),
        json!(run.phase.as_str()),
        json!(cluster),
        json!(attempt.map_or(0, |attempt| attempt.number)),
        json!(scene.age(Some(run.head.created_ms))),
        json!(digest.get(..DIGEST_DIGITS).unwrap_or(digest)),
        json!(render::making(run, on.as_ref())),
        json!(scene.age(observed_ms)),
        json!(words(run.reason_word())),
        json!(words(&render::message(run))),
    ])
}

/// The columns of a runnable, of what nobody submitted.
fn foreign(scene: &Scene<'_>, one: &Foreign) -> Result<Vec<Value>, Damaged> {
    let observed_ms =
        if one.phase.is_terminal() { Some(one.seen_ms) } else { scene.observed_ms(one.cluster)? };
    Ok(vec![
        json!(one.head.name),
        json!(one.phase.as_str()),
        json!(one.cluster_name),
        json!(0),
        json!(scene.age(Some(one.head.created_ms))),
        json!(NONE),
        json!(Making::Observed.as_str()),
        json!(scene.age(observed_ms)),
        json!(words(one.reason_word())),
        json!(words(&one.words())),
    ])
}

fn words(text: &str) -> &str {
    if text.is_empty() { NONE } else { text }
}

fn yes(is: bool) -> &'static str {
    if is { "Yes" } else { "No" }
}

fn cells_of_cluster(scene: &Scene<'_>, cluster: &Cluster) -> Result<Vec<Value>, Damaged> {
    let reachable = match cluster.reachable {
        _ if cluster.quarantined => "Quarantined",
        Some(reachable) => yes(reachable),
        None => "Unknown",
    };
    let runs = query::active(scene.view, cluster.head.ordinal, render::ACTIVE_MAX)?;
    Ok(vec![
        json!(cluster.head.name),
        json!(reachable),
        json!(cluster.version),
        json!(yes(cluster.is_cordoned())),
        json!(scene.age(Some(cluster.head.created_ms))),
        json!(yes(cluster.paused)),
        json!(runs),
        json!(scene.age(scene.observed_ms(cluster.head.ordinal)?)),
        json!(words(&cluster.message)),
    ])
}

fn replica(scene: &Scene<'_>, member: &Member) -> Vec<Value> {
    let itself = scene.status.id == Some(member.id);
    let role = match member.state {
        _ if scene.status.leader == Some(member.id) => "leader",
        MemberState::Voter => "follower",
        MemberState::Learner | MemberState::Joining { .. } => "learner",
        MemberState::Leaving => "leaving",
    };
    vec![
        json!(member.head.name),
        json!(role),
        json!(member.datacenter),
        json!(if itself { scene.status.applied.to_string() } else { "<unknown>".to_owned() }),
        json!(scene.age(Some(member.head.created_ms))),
        json!(member.api_url),
    ]
}

/// The row of a ledger record.
pub(crate) fn audit_row(
    record: &tallyman_model::ledger::LedgerRecord,
    include: Include,
    document: impl FnOnce() -> Option<Vec<u8>>,
) -> Vec<u8> {
    let subject = record.subjects.first().map_or_else(String::new, |subject| {
        let namespace = if subject.namespace.is_empty() { "" } else { "/" };
        format!("{}/{}{namespace}{}", subject.resource, subject.namespace, subject.name)
    });
    let more = record.subjects_count.saturating_sub(1);
    let subject = if more > 0 { format!("{subject} and {more} more") } else { subject };
    let name = record.seq.to_string();
    let at = time::format(record.at_ms);
    let cells = vec![
        json!(name),
        json!(at),
        json!(record.user),
        json!(record.verb),
        json!(subject),
        json!(record.detail),
        json!(record.revision),
    ];
    let object = match include {
        Include::None => None,
        Include::Metadata => {
            let revision = record.revision.to_string();
            let metadata = json!({"name": name, "resourceVersion": revision, "creationTimestamp": at});
            let object =
                json!({"kind": "PartialObjectMetadata", "apiVersion": API_VERSION, "metadata": metadata});
            whole(object.to_string().as_bytes())
        }
        Include::Object => document().and_then(|document| whole(&document)),
    };
    bytes(&Row { cells, object })
}
