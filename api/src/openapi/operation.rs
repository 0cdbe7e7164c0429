//! What can be asked of each path.

use super::{PARTS, REST, STATUS, name};
use crate::noun::Noun;
use crate::route;
use serde_json::{Map, Value, json};

/// A query parameter or header: its name, its type, what it is for.
type Param = (&'static str, &'static str, &'static str);

const READ: &[Param] = &[
    (
        "resourceVersion",
        "string",
        "A revision: the answer shows at least that one, without the leader being asked. 0: whatever this replica has.",
    ),
    ("resourceVersionMatch", "string", "NotOlderThan (the default) or Exact."),
    (
        "consistency",
        "string",
        "linearizable (the default) or stale, which answers at once and also without a quorum.",
    ),
    ("timeout", "string", "How long the request may wait for a revision, such as 5s."),
];
const LIST: &[Param] = &[
    ("labelSelector", "string", "Labels that must match, such as desk=rates,region in (eu,us),!draft."),
    ("fieldSelector", "string", "Fields that must match, such as status.phase=Running,status.cluster!=east."),
    ("limit", "integer", "At most so many at once; the rest is behind metadata.continue."),
    ("continue", "string", "Where the list before ended; it goes on at the same revision."),
];
const WATCH: &[Param] = &[
    ("watch", "boolean", "Answer with changes, one JSON document a line, after resourceVersion."),
    ("allowWatchBookmarks", "boolean", "Now and then say up to which revision everything has been told."),
    ("sendInitialEvents", "boolean", "First tell what is there, then say so by a bookmark."),
    ("timeoutSeconds", "integer", "How long the watch lasts."),
];
const WRITE: &[Param] = &[
    ("dryRun", "string", "All: the answer is what it would be, and nothing is changed or recorded."),
    ("fieldManager", "string", "Taken and not recorded."),
    ("fieldValidation", "string", "Strict, Warn or Ignore: unknown fields are refused whatever it says."),
];
const FORCE: &[Param] =
    &[("force", "boolean", "For server-side apply; there are no owners of fields to be overruled.")];
const DELETE: &[Param] = &[
    ("dryRun", "string", "All: the answer is what it would be, and nothing is changed or recorded."),
    (
        "propagationPolicy",
        "string",
        "Background or Foreground, which are the same here; Orphan for deployables and clusters only.",
    ),
];
const DIFF: &[Param] = &[("cluster", "string", "Only this cluster.")];
const PLAIN: &[Param] = &[];

/// How a request's body is written.
#[derive(Clone, Copy)]
enum Sends {
    Nothing,
    /// An object of the resource.
    Object,
    /// A patch, in one of these forms.
    Patch,
    /// An object of these fields.
    Fields(&'static [(&'static str, &'static str)]),
}

/// One method of one path.
struct Operation {
    path: &'static str,
    method: &'static str,
    noun: Option<Noun>,
    /// As Kubernetes calls it.
    action: &'static str,
    params: &'static [&'static [Param]],
    sends: Sends,
    says: &'static str,
}

const fn on(
    noun: Noun,
    path: &'static str,
    (method, action): (&'static str, &'static str),
    params: &'static [&'static [Param]],
    sends: Sends,
    says: &'static str,
) -> Operation {
    Operation { path, method, noun: Some(noun), action, params, sends, says }
}

const fn plain(path: &'static str, method: &'static str, sends: Sends, says: &'static str) -> Operation {
    Operation { path, method, noun: None, action: method, params: &[PLAIN], sends, says }
}

use Noun::{
    Allocations, AuditRecords, Clusters, Deployables, Locks, Pools, Replicas, Runnables, StatusRules,
};
use Sends::{Fields, Nothing, Object, Patch};

const GET: (&str, &str) = ("get", "get");
const LISTS: (&str, &str) = ("get", "list");
const POST: (&str, &str) = ("post", "post");
const PUT: (&str, &str) = ("put", "put");
const PATCH: (&str, &str) = ("patch", "patch");
const REMOVE: (&str, &str) = ("delete", "delete");
const CONNECT: (&str, &str) = ("post", "post");
const REASON: Sends = Fields(&[("reason", "Why, for the ledger.")]);

const DECISION: Sends = Fields(&[
    ("decision", "Approve or Reject."),
    ("digest", "What was looked at, as status.digest shows it."),
    ("reason", "Why, for the ledger."),
]);

const OPERATIONS: &[Operation] = &[
    on(
        Runnables,
        route::RUNNABLES_ALL,
        LISTS,
        &[READ, LIST, WATCH],
        Nothing,
        "Lists or watches runnables of all namespaces.",
    ),
    on(
        Runnables,
        route::RUNNABLES,
        LISTS,
        &[READ, LIST, WATCH],
        Nothing,
        "Lists or watches runnables of one namespace.",
    ),
    on(
        Runnables,
        route::RUNNABLES,
        POST,
        &[WRITE],
        Object,
        "Takes a runnable. 201: a quorum has it on disk, and it will reach its cluster exactly once.",
    ),
    on(Runnables, route::RUNNABLE, GET, &[READ], Nothing, "Reads a runnable."),
    on(
        Runnables,
        route::RUNNABLE,
        PATCH,
        &[WRITE, FORCE],
        Patch,
        "Changes labels and annotations. Server-side apply also makes the runnable.",
    ),
    on(Runnables, route::RUNNABLE, PUT, &[PLAIN], Object, "Refused: a runnable's spec is immutable."),
    on(
        Runnables,
        route::RUNNABLE,
        REMOVE,
        &[DELETE],
        Nothing,
        "Stops the run, removes its objects from the cluster, then its record. The ledger keeps what happened.",
    ),
    on(
        Runnables,
        route::CANCEL,
        CONNECT,
        &[WRITE],
        REASON,
        "Stops the run and keeps its record. 409 if it has ended.",
    ),
    on(Runnables, route::RETRY, CONNECT, &[WRITE], REASON, "Starts an ended run again, as a new attempt."),
    on(
        Runnables,
        route::MOVE,
        CONNECT,
        &[WRITE],
        REASON,
        "Has a run go on elsewhere, as a new attempt: when its object is seen to be gone, or at once if it is Lost, by the word of whoever asks.",
    ),
    on(
        Runnables,
        route::APPROVALS,
        CONNECT,
        &[WRITE],
        DECISION,
        "Approves or rejects a run that is held. 409 if the digest is not the run's.",
    ),
    on(
        Deployables,
        route::DEPLOYABLES_ALL,
        LISTS,
        &[READ, LIST, WATCH],
        Nothing,
        "Lists or watches deployables of all namespaces.",
    ),
    on(
        Deployables,
        route::DEPLOYABLES,
        LISTS,
        &[READ, LIST, WATCH],
        Nothing,
        "Lists or watches deployables of one namespace.",
    ),
    on(
        Deployables,
        route::DEPLOYABLES,
        POST,
        &[WRITE],
        Object,
        "Takes a deployable. 201: a quorum has it on disk, and it will be kept in sync on its clusters.",
    ),
    on(Deployables, route::DEPLOYABLE, GET, &[READ], Nothing, "Reads a deployable."),
    on(
        Deployables,
        route::DEPLOYABLE,
        PUT,
        &[WRITE],
        Object,
        "Replaces a deployable; a new spec is a new revision.",
    ),
    on(
        Deployables,
        route::DEPLOYABLE,
        PATCH,
        &[WRITE, FORCE],
        Patch,
        "Changes a deployable; a new spec is a new revision. Server-side apply also makes it.",
    ),
    on(
        Deployables,
        route::DEPLOYABLE,
        REMOVE,
        &[DELETE],
        Nothing,
        "Removes the objects from the clusters, or with propagationPolicy=Orphan releases them, then the record.",
    ),
    on(
        Deployables,
        route::ROLLBACK,
        CONNECT,
        &[WRITE],
        Fields(&[("revision", "The revision to take up again; without it the one before the newest.")]),
        "Takes up an earlier revision again, as the newest one.",
    ),
    on(
        Deployables,
        route::DEPLOYABLE_APPROVALS,
        CONNECT,
        &[WRITE],
        DECISION,
        "Approves or rejects the newest revision, if it waits for that. 409 if the digest is not its digest.",
    ),
    on(
        Deployables,
        route::ROLLOUT,
        CONNECT,
        &[WRITE],
        Fields(&[("paused", "true: it is begun on no more clusters; false: it goes on.")]),
        "Pauses or resumes the rollout.",
    ),
    on(
        Deployables,
        route::REVISIONS,
        GET,
        &[READ],
        Nothing,
        "Lists the revisions that are kept, with their manifests, oldest first.",
    ),
    on(
        Deployables,
        route::DIFF,
        GET,
        &[READ, DIFF],
        Nothing,
        "Shows for each cluster where what is wanted, what was applied there, and what was observed there differ.",
    ),
    on(
        Pools,
        route::POOLS_ALL,
        LISTS,
        &[READ, LIST, WATCH],
        Nothing,
        "Lists or watches pools of all namespaces.",
    ),
    on(Pools, route::POOLS, LISTS, &[READ, LIST, WATCH], Nothing, "Lists or watches pools of one namespace."),
    on(Pools, route::POOLS, POST, &[WRITE], Object, "Makes a pool."),
    on(Pools, route::POOL, GET, &[READ], Nothing, "Reads a pool."),
    on(
        Pools,
        route::POOL,
        PUT,
        &[WRITE],
        Object,
        "Changes a pool. 409 if something that is allocated would not be in it any more.",
    ),
    on(
        Pools,
        route::POOL,
        PATCH,
        &[WRITE, FORCE],
        Patch,
        "Changes a pool, as PUT does. Server-side apply also makes it.",
    ),
    on(
        Pools,
        route::POOL,
        REMOVE,
        &[DELETE],
        Nothing,
        "Removes a pool. 409 while something of it is allocated.",
    ),
    on(
        Pools,
        route::ALLOCATE,
        CONNECT,
        &[WRITE],
        Fields(&[
            ("key", "For whom: one value for each key; asked again, it is the same."),
            ("value", "Which value; without it the first one that is free."),
            ("ttl", "For how long, such as 15m; without it until it is released."),
        ]),
        "Gives a value of the pool to a key, and answers with the Allocation. 409 if it is another's, or the pool is exhausted.",
    ),
    on(
        Allocations,
        route::ALLOCATIONS_ALL,
        LISTS,
        &[READ, LIST, WATCH],
        Nothing,
        "Lists or watches allocations of all namespaces.",
    ),
    on(
        Allocations,
        route::ALLOCATIONS,
        LISTS,
        &[READ, LIST, WATCH],
        Nothing,
        "Lists or watches allocations of one namespace; those of one pool by labelSelector=tallyman.dev/pool=NAME.",
    ),
    on(Allocations, route::ALLOCATION, GET, &[READ], Nothing, "Reads an allocation, POOL.KEY."),
    on(
        Allocations,
        route::ALLOCATION,
        REMOVE,
        &[DELETE],
        Nothing,
        "Releases a value. 409 while it is a runnable's own.",
    ),
    on(
        Locks,
        route::LOCKS_ALL,
        LISTS,
        &[READ, LIST, WATCH],
        Nothing,
        "Lists or watches locks of all namespaces.",
    ),
    on(Locks, route::LOCKS, LISTS, &[READ, LIST, WATCH], Nothing, "Lists or watches locks of one namespace."),
    on(Locks, route::LOCKS, POST, &[WRITE], Object, "Makes a lock."),
    on(Locks, route::LOCK, GET, &[READ], Nothing, "Reads a lock."),
    on(Locks, route::LOCK, PUT, &[WRITE], Object, "Changes a lock."),
    on(Locks, route::LOCK, PATCH, &[WRITE, FORCE], Patch, "Changes a lock. Server-side apply also makes it."),
    on(Locks, route::LOCK, REMOVE, &[DELETE], Nothing, "Removes a lock. 409 while it is held."),
    on(
        Locks,
        route::ACQUIRE,
        CONNECT,
        &[WRITE],
        Fields(&[
            (
                "owner",
                "Who asks: asked again by whoever holds it, it is the same grant, for the ttl from now.",
            ),
            ("permits", "How many. Default 1."),
            ("ttl", "For how long, 1s to 24h. Default 60s."),
        ]),
        "Takes permits of a lock; status.holders has the fencing token. 409 while others hold them.",
    ),
    on(
        Locks,
        route::RENEW,
        CONNECT,
        &[WRITE],
        Fields(&[
            ("token", "The fencing token of the grant."),
            ("ttl", "For how long from now. Default 60s."),
        ]),
        "Holds a lock for longer. 409 if the grant is over: released, expired or taken over.",
    ),
    on(
        Locks,
        route::RELEASE,
        CONNECT,
        &[WRITE],
        Fields(&[("token", "The fencing token of the grant.")]),
        "Releases a lock. 409 if the grant is over.",
    ),
    on(Clusters, route::CLUSTERS, LISTS, &[READ, LIST, WATCH], Nothing, "Lists or watches clusters."),
    on(Clusters, route::CLUSTERS, POST, &[WRITE], Object, "Registers a cluster."),
    on(Clusters, route::CLUSTER, GET, &[READ], Nothing, "Reads a cluster."),
    on(
        Clusters,
        route::CLUSTER,
        PUT,
        &[WRITE],
        Object,
        "Changes a cluster's labels, credentials and settings.",
    ),
    on(
        Clusters,
        route::CLUSTER,
        PATCH,
        &[WRITE, FORCE],
        Patch,
        "Changes a cluster's labels, credentials and settings. Server-side apply also registers it.",
    ),
    on(
        Clusters,
        route::CLUSTER,
        REMOVE,
        &[DELETE],
        Nothing,
        "Takes a cluster out; while runs have objects there, only with propagationPolicy=Orphan.",
    ),
    on(
        Clusters,
        route::CONFIRM,
        CONNECT,
        &[WRITE],
        Fields(&[("kubeSystemUID", "The identity that the cluster shows now.")]),
        "Ends a quarantine: the cluster is now the one with that identity.",
    ),
    on(
        Clusters,
        route::WRITE_OFF,
        CONNECT,
        &[WRITE],
        Fields(&[("reason", "Why, in words.")]),
        "Gives up a cluster that is lost for good: its runs end Failed, and their names are free.",
    ),
    on(
        Clusters,
        route::DRAIN,
        CONNECT,
        &[WRITE],
        REASON,
        "Cordons the cluster, and takes runs with onLoss Move off it that have not started. Ends when it is not cordoned.",
    ),
    on(
        StatusRules,
        route::STATUSRULES,
        LISTS,
        &[READ, LIST, WATCH],
        Nothing,
        "Lists or watches status rules.",
    ),
    on(
        StatusRules,
        route::STATUSRULES,
        POST,
        &[WRITE],
        Object,
        "Makes a status rule. Objects of its kind are read anew by it.",
    ),
    on(StatusRules, route::STATUSRULE, GET, &[READ], Nothing, "Reads a status rule."),
    on(
        StatusRules,
        route::STATUSRULE,
        PUT,
        &[WRITE],
        Object,
        "Changes a status rule. Objects of its kind are read anew by it; what has ended stays so.",
    ),
    on(
        StatusRules,
        route::STATUSRULE,
        PATCH,
        &[WRITE, FORCE],
        Patch,
        "Changes a status rule. Server-side apply also makes it.",
    ),
    on(
        StatusRules,
        route::STATUSRULE,
        REMOVE,
        &[DELETE],
        Nothing,
        "Takes a status rule away. Runs that go by it go on, and are not seen to end without one.",
    ),
    on(Replicas, route::REPLICAS, LISTS, &[READ, LIST], Nothing, "Lists replicas."),
    on(Replicas, route::REPLICA, GET, &[READ], Nothing, "Reads a replica."),
    on(
        AuditRecords,
        route::AUDITRECORDS,
        LISTS,
        &[READ, LIST, WATCH],
        Nothing,
        "Lists or watches the ledger.",
    ),
    on(AuditRecords, route::AUDITRECORD, GET, &[READ], Nothing, "Reads a record of the ledger."),
    plain(
        route::NAMESPACE,
        "get",
        Nothing,
        "Reads a namespace: a tenant is there as soon as somebody names it.",
    ),
    plain(route::CORE, "get", Nothing, "Lists what of Kubernetes' core is here."),
    plain(
        route::EVENTS_ALL,
        "get",
        Nothing,
        "Lists what the ledger says of runs of all namespaces, newest last.",
    ),
    plain(
        route::EVENTS,
        "get",
        Nothing,
        "Lists what the ledger says of the runs of one namespace, newest last.",
    ),
    plain(route::WHOAMI, "post", Fields(&[]), "Says who the server takes the client for."),
    plain(route::MAY, "post", Fields(&[]), "Says whether the client may do one thing."),
    plain(route::RULES, "post", Fields(&[]), "Says what the client may do."),
    plain(route::RESOURCES, "get", Nothing, "Lists the resources."),
    plain(route::GROUP, "get", Nothing, "Describes the API group."),
    plain(route::APIS, "get", Nothing, "Lists the API groups, or with the right Accept all resources."),
    plain(route::API, "get", Nothing, "Lists the versions of Kubernetes' core that are here."),
    plain(route::SCOPES, "get", Nothing, "Lists the views of the clusters."),
    plain(
        route::OBJECTS,
        "get",
        Nothing,
        "Shows the observed objects of the clusters, read-only, as their own API would: /k8s/clusters/NAME and /k8s/all.",
    ),
    plain(route::ROOT, "get", Nothing, "Says in plain text what is here."),
    plain(route::LIVEZ, "get", Nothing, "Says that the process answers. Never looks at the quorum."),
    plain(route::READYZ, "get", Nothing, "Says whether requests should come here."),
    plain(route::METRICS, "get", Nothing, "Gives the metrics in the form of Prometheus."),
    plain(route::VERSION, "get", Nothing, "Says the version."),
    plain(route::OPENAPI, "get", Nothing, "Lists these documents."),
    plain(route::OPENAPI_PART, "get", Nothing, "Gives one of these documents."),
    plain(
        route::INIT,
        "post",
        Fields(&[("expect", "How many replicas there must be.")]),
        "Makes a group of blank replicas, once. For operators.",
    ),
    plain(
        route::TRANSFER,
        "post",
        Fields(&[("to", "The replica that is to lead; without it the one that is furthest.")]),
        "Hands leadership over. For operators.",
    ),
    plain(
        route::STATUS,
        "get",
        Nothing,
        "Says what this replica knows of itself, without a leader. For operators.",
    ),
    plain(
        route::SNAPSHOT,
        "get",
        Nothing,
        "Gives a backup of this replica, as application/octet-stream. For operators.",
    ),
    plain(
        route::LINEAGE,
        "get",
        Nothing,
        "Compares what the clusters show with the backup that the group goes on from. For operators.",
    ),
    plain(
        route::CONFIRM_LINEAGE,
        "post",
        Fields(&[
            ("lineage", "The lineage whose report was looked at."),
            ("without", "Clusters that are not waited for."),
        ]),
        "Lets a group send again that goes on from a backup. For operators.",
    ),
    plain(
        route::CONFIRM_STOPS,
        "post",
        Fields(&[
            ("cluster", "The cluster whose brake is engaged."),
            ("tenant", "Or the tenant."),
            ("reason", "Why, in words."),
        ]),
        "Agrees to stop what a brake holds back, because so much was stopped within minutes. For operators.",
    ),
    plain(
        route::PAUSE,
        "post",
        Fields(&[("tenant", "Only this tenant; null for the group."), ("reason", "Why, in words.")]),
        "Sends nothing to any cluster from now on, for the group or for one tenant; watching goes on. For operators.",
    ),
    plain(
        route::RESUME,
        "post",
        Fields(&[("tenant", "This tenant; null for the group."), ("reason", "Why, in words.")]),
        "Sends again, for the group or for one tenant. For operators.",
    ),
    plain(
        route::MEMBERS,
        "get",
        Nothing,
        "Lists the group's replicas with what each is to be, and the addresses from which others may join. For operators.",
    ),
    plain(
        route::MEMBERS_CHANGE,
        "post",
        Fields(&[
            ("address", "For add: where the peers of a blank replica reach it, as host:port."),
            ("voter", "For add: true if it votes as soon as it has caught up; otherwise it stays a learner."),
            ("id", "For promote: the learner that is to vote."),
            ("member", "For remove: the replica, or the address of one that has not joined yet."),
            ("old", "For replace: the voter that goes."),
            ("new", "For replace: the learner, or the address of a blank replica, that takes its place."),
            ("datacenter", "For prefer: where the leader is to be; null for anywhere."),
        ]),
        "Changes who is of the group: add, promote, remove, replace or prefer. The leader does it as soon as it is safe. For \
         operators.",
    ),
];

/// The paths of one document.
pub(super) fn paths(part: &str) -> Value {
    let belongs = |path: &str| {
        let home =
            PARTS.iter().find(|part| path.strip_prefix('/').is_some_and(|path| path.starts_with(*part)));
        *home.unwrap_or(&REST) == part
    };
    let mut paths: Map<String, Value> = Map::new();
    for operation in OPERATIONS.iter().filter(|operation| belongs(operation.path)) {
        // axum writes a rest of a path with a star.
        let path = operation.path.replace("{*", "{");
        let methods = paths.entry(path).or_insert_with(|| json!({"parameters": in_path(operation.path)}));
        methods[operation.method] = operation.document();
    }
    Value::Object(paths)
}

fn in_path(path: &str) -> Value {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let param = |name: &str| {
        let name = name.trim_start_matches('*');
        json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "uniqueItems": true}})
    };
    Value::Array(names.map(param).collect())
}

impl Operation {
    fn document(&self) -> Value {
        let words = self.path.split(['/', '.']).filter(|word| !word.is_empty() && !word.starts_with('{'));
        let named = if self.path.ends_with('}') { "one" } else { "" };
        let id: String =
            std::iter::once(self.action).chain(words).chain([named]).flat_map(capitalised).collect();
        let query = |(name, kind, says): &Param| json!({"name": name, "in": "query", "description": says, "schema": {"type": kind, "uniqueItems": true}});
        let mut parameters: Vec<Value> = self.params.iter().flat_map(|list| list.iter()).map(query).collect();
        if self.noun.is_some() && self.method != "get" {
            for (header, says) in [
                ("Idempotency-Key", "The same key and body are done once and answered alike."),
                ("If-Match", "The ETag that the object must still have."),
            ] {
                parameters.push(
                    json!({"name": header, "in": "header", "description": says, "schema": {"type": "string"}}),
                );
            }
        }
        let mut document = json!({
            "description": self.says, "operationId": id, "parameters": parameters, "responses": self.answers(),
            "tags": [self.noun.map_or("tallyman", |_| "tallymanDev_v1")],
        });
        if let Some(body) = self.body() {
            document["requestBody"] = body;
        }
        if let Some(noun) = self.noun {
            document["x-kubernetes-action"] = json!(self.action);
            document["x-kubernetes-group-version-kind"] = super::group_version_kind(noun.kind());
        }
        document
    }

    fn body(&self) -> Option<Value> {
        let object = self.noun.map_or_else(|| json!({"type": "object"}), |noun| reference(&name(noun, "")));
        let as_types = |types: &[&str], schema: Value| {
            let content: Map<String, Value> =
                types.iter().map(|one| ((*one).to_owned(), json!({"schema": schema}))).collect();
            Some(json!({"content": content, "required": true}))
        };
        match self.sends {
            Nothing => None,
            Object => as_types(&["application/json", "application/yaml"], object),
            Patch => as_types(
                &[
                    "application/apply-patch+yaml",
                    "application/json-patch+json",
                    "application/merge-patch+json",
                ],
                json!({"type": "object", "description": "What is to be changed."}),
            ),
            Fields(fields) => {
                let property =
                    |(field, says): &(&str, &str)| ((*field).to_owned(), json!({"description": says}));
                let properties: Map<String, Value> = fields.iter().map(property).collect();
                as_types(&["application/json"], json!({"type": "object", "properties": properties}))
            }
        }
    }

    fn answers(&self) -> Value {
        let answer = |says: &str, schema: Value| json!({"description": says, "content": {"application/json": {"schema": schema}}});
        let done = match (self.noun, self.action) {
            (Some(noun), "list") => reference(&name(noun, "List")),
            (Some(noun), _) => reference(&name(noun, "")),
            (None, _) => json!({}),
        };
        let creates = matches!(self.sends, Object) && self.method == "post";
        let mut answers = Map::new();
        answers.insert(if creates { "201" } else { "200" }.to_owned(), answer("Done.", done));
        answers.insert(
            "default".to_owned(),
            answer("Not done, or not known to be: the message says which.", reference(STATUS)),
        );
        Value::Object(answers)
    }
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn capitalised(word: &str) -> impl Iterator<Item = char> + '_ {
    let mut letters = word.chars().filter(char::is_ascii_alphanumeric);
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters)
}
