//! The objects of the clusters, read through us.

use crate::client::{Server, start, words};
use crate::memory::Memory;
use crate::samples::{RUNNABLES, path};
use serde_json::{Value, json};
use tallyman_model::command::{Observation, Observe};
use tallyman_model::record::{Condition, Kind, Seen};
use tallyman_model::rule::Verdict;
use tallyman_model::{Command, Ordinal};

const EAST: &str = "/k8s/clusters/east/apis/batch/v1/namespaces/risk/jobs";
const ALL: &str = "/k8s/all/apis/batch/v1/jobs";
const TABLE: (&str, &str) = ("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json");

/// A run whose Job is called `job`.
async fn submit(server: &Server, name: &str, job: &str) {
    let body = json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": name},
        "spec": {"manifests": [{
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": job, "labels": {"desk": "rates", "of": name}},
            "spec": {"completions": 3, "template": {"spec": {"containers": [{"name": "main", "image": "busybox"}]}}},
        }]},
    });
    server.post(RUNNABLES, &body).await.done(201);
}

fn seen() -> Seen {
    Seen {
        resource_version: "8817".to_owned(),
        created_ms: Some(1_794_999_940_000),
        started_ms: Some(1_794_999_941_000),
        active: 1,
        ..Seen::default()
    }
}

/// A watch says that of the run's Job.
fn observe(memory: &Memory, name: &str, seen: Seen) {
    let run = memory.run_of(name);
    let object = &run.objects[0];
    let verdict = match seen.condition {
        Some(Condition::Complete) => Verdict::Succeeded,
        Some(Condition::Failed) => Verdict::Failed,
        _ => Verdict::Running,
    };
    let item = Observation {
        kind: Kind::Job,
        namespace: "risk".to_owned(),
        name: object.name.clone(),
        uid: format!("uid-{name}"),
        resource_version: seen.resource_version.clone(),
        gone: false,
        group: Some(tallyman_model::Uid([9; 16])),
        submission: Some(run.head.uid),
        attempt: Some(object.attempt),
        digest: Some(run.planned[0].digest.to_string()),
        held: true,
        seen,
        verdict: Some(verdict),
        described: None,
    };
    let (cluster, cursor) = (object.cluster, Some("8817".to_owned()));
    memory.run(Command::Observe(Observe {
        cluster,
        kind: Kind::Job,
        namespace: String::new(),
        plural: String::new(),
        timeline: 1,
        is_watch: true,
        cursor,
        rule: None,
        items: vec![item],
    }));
}

async fn running(server: &Server, name: &str, job: &str, cluster: Ordinal) {
    submit(server, name, job).await;
    server.memory.place(name, cluster);
    server.memory.intend(name);
    observe(&server.memory, name, seen());
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_job_is_shown_as_it_was_sent_with_what_its_cluster_said_of_it() {
    let server = start().await;
    let east = server.memory.cluster("east");
    running(&server, "report", "nightly", east).await;
    let job = server.get(&format!("{EAST}/nightly")).await.done(200);
    assert_eq!((&job["kind"], &job["apiVersion"]), (&json!("Job"), &json!("batch/v1")));
    let metadata = &job["metadata"];
    assert_eq!((&metadata["uid"], &metadata["namespace"]), (&json!("uid-report"), &json!("risk")));
    assert_eq!(metadata["creationTimestamp"], "2026-11-18T11:05:40Z");
    assert_eq!(metadata["finalizers"], json!(["tallyman.dev/hold"]));
    let run = server.get(&path("report")).await.done(200);
    assert_eq!(metadata["resourceVersion"], run["metadata"]["resourceVersion"]);
    assert_eq!(metadata["labels"]["tallyman.dev/submission-uid"], run["metadata"]["uid"]);
    assert_eq!((&metadata["labels"]["desk"], &job["spec"]["completions"]), (&json!("rates"), &json!(3)));
    let annotations = &metadata["annotations"];
    for (key, value) in [
        ("tallyman.dev/runnable", "report"),
        ("tallyman.dev/cluster", "east"),
        ("tallyman.dev/cluster-resource-version", "8817"),
        ("tallyman.dev/cluster-uid", "uid-of-east"),
        ("tallyman.dev/attempt", "1"),
    ] {
        assert_eq!(annotations[key], value, "{key}");
    }
    assert_eq!(annotations["tallyman.dev/observed-at"], run["status"]["observed"]["at"]);
    assert_eq!(annotations["tallyman.dev/hold-until"], Value::Null, "it is not known any more");
    assert_eq!(job["status"], json!({"active": 1, "startTime": "2026-11-18T11:05:41Z"}));

    let finished_ms = Some(1_794_999_951_000);
    let failed = Seen {
        active: 0,
        failed: 2,
        finished_ms,
        condition: Some(Condition::Failed),
        message: "BackoffLimitExceeded: m".to_owned(),
        ..seen()
    };
    observe(&server.memory, "report", failed);
    let status = server.get(&format!("{EAST}/nightly")).await.done(200)["status"].clone();
    let condition = json!({"type": "Failed", "status": "True", "message": "BackoffLimitExceeded: m",
        "lastTransitionTime": "2026-11-18T11:05:51Z"});
    let expected = json!({"failed": 2, "startTime": "2026-11-18T11:05:41Z", "conditions": [condition]});
    assert_eq!(status, expected, "a Job that failed has no completionTime");
}

#[tokio::test]
async fn what_was_not_seen_on_its_cluster_is_not_shown() {
    let server = start().await;
    let east = server.memory.cluster("east");
    submit(&server, "report", "nightly").await;
    server.memory.place("report", east);
    server.memory.intend("report");
    assert_eq!(names(&server.get(EAST).await.done(200)), [""; 0]);
    let message = server.get(&format!("{EAST}/nightly")).await.refused(404, "NotFound");
    assert_eq!(message, "jobs.batch \"nightly\" not found");
    observe(&server.memory, "report", seen());
    let list = server.get(EAST).await.done(200);
    assert_eq!((names(&list), &list["kind"]), (vec!["nightly"], &json!("JobList")));
    assert_eq!(list["items"][0]["kind"], Value::Null, "as a cluster lists it: the list says the kind");
    gone(&server.memory, "report");
    server.get(&format!("{EAST}/nightly")).await.refused(404, "NotFound");
}

#[tokio::test]
async fn rows_have_the_columns_of_kubectl_and_over_all_clusters_the_cluster() {
    let server = start().await;
    let (east, west) = (server.memory.cluster("east"), server.memory.cluster("west"));
    running(&server, "a", "one", east).await;
    running(&server, "b", "two", west).await;
    let ended = Seen {
        succeeded: 3,
        finished_ms: Some(1_794_999_951_000),
        condition: Some(Condition::Complete),
        ..seen()
    };
    observe(&server.memory, "b", ended);
    let rows = async |path: &str| {
        let table = server.send("GET", path, &[TABLE], "").await.done(200);
        let columns: Vec<String> = table["columnDefinitions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect();
        (columns.join(" "), table["rows"].clone())
    };
    let (columns, all) = rows(ALL).await;
    let expected = "Name Cluster Status Completions Duration Age Observed Containers Images Runnable";
    assert_eq!(columns, expected);
    assert_eq!(
        all[0]["cells"],
        json!(["one", "east", "Running", "0/3", "59s", "60s", "0s", "main", "busybox", "a"])
    );
    assert_eq!(
        all[1]["cells"],
        json!(["two", "west", "Complete", "3/3", "10s", "60s", "0s", "main", "busybox", "b"])
    );
    assert_eq!(all[0]["object"]["metadata"]["namespace"], "risk");
    let (columns, east) = rows(EAST).await;
    assert_eq!(columns, expected.replace(" Cluster", ""));
    assert_eq!(east.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_may_be_old_is_said_to_be() {
    let server = start().await;
    let east = server.memory.cluster("east");
    running(&server, "a", "one", east).await;
    assert_eq!(server.get(EAST).await.header("warning"), "");
    server.memory.env.now_ms.fetch_add(3_600_000, std::sync::atomic::Ordering::Relaxed);
    for path in [EAST.to_owned(), ALL.to_owned(), format!("{EAST}/one")] {
        let warning = server.get(&path).await.header("warning").to_owned();
        assert!(warning.contains("east") && warning.contains("60m old"), "{path}: {warning}");
    }
    let sortable = server.send("GET", &format!("{ALL}?includeObject=Object"), &[TABLE], "").await.done(200);
    assert_eq!(sortable["rows"][0]["object"]["spec"]["completions"], 3);
}

#[tokio::test]
async fn a_name_on_two_clusters_is_a_conflict_that_says_where_to_read() {
    let server = start().await;
    let (east, west) = (server.memory.cluster("east"), server.memory.cluster("west"));
    running(&server, "a", "same", east).await;
    let all = "/k8s/all/apis/batch/v1/namespaces/risk/jobs/same";
    assert_eq!(server.get(all).await.done(200)["metadata"]["uid"], "uid-a");
    running(&server, "b", "same", west).await;
    let message = server.get(all).await.refused(409, "Conflict");
    assert!(message.contains("/k8s/clusters/east or /k8s/clusters/west"), "{message}");
    assert_eq!(server.get(&format!("{EAST}/same")).await.done(200)["metadata"]["uid"], "uid-a");
    assert_eq!(names(&server.get(ALL).await.done(200)), ["same", "same"]);
}

#[tokio::test]
async fn lists_are_selected_and_paged_at_one_revision() {
    let server = start().await;
    let east = server.memory.cluster("east");
    for i in 0..5 {
        running(&server, &format!("run{i}"), &format!("job{i}"), east).await;
    }
    let select = async |query: &str| names(&server.get(&format!("{EAST}?{query}")).await.done(200)).join(" ");
    assert_eq!(select("labelSelector=of%3Drun2").await, "job2");
    assert_eq!(select("labelSelector=desk%3Drates,of+notin+(run0,run1,run2)").await, "job3 job4");
    assert_eq!(select("fieldSelector=metadata.name%3Djob1").await, "job1");
    assert_eq!(select("fieldSelector=metadata.namespace!%3Drisk").await, "");
    server.get(&format!("{EAST}?fieldSelector=status.successful%3D1")).await.refused(400, "BadRequest");
    let first = server.get(&format!("{ALL}?limit=2")).await.done(200);
    assert_eq!(names(&first), ["job0", "job1"]);
    running(&server, "later", "later", east).await;
    let mut all = 2;
    let mut token = first["metadata"]["continue"].as_str().unwrap().to_owned();
    loop {
        let page = server.get(&format!("{ALL}?limit=2&continue={token}")).await.done(200);
        assert_eq!(page["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
        all += names(&page).len();
        match page["metadata"]["continue"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(all, 5, "what came later is not of the list");
    server.get(&format!("{EAST}?limit=2&continue={token}")).await.refused(400, "BadRequest");
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_with_where_it_can() {
    let server = start().await;
    server.memory.cluster("east");
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let message = server.send(method, EAST, &[], "{}").await.refused(405, "MethodNotAllowed");
        assert!(message.contains("POST a Runnable"), "{message}");
    }
    let message = server.get(&format!("{ALL}?watch=true")).await.refused(405, "MethodNotAllowed");
    assert!(message.contains("/k8s/clusters/NAME"), "{message}");
    server.get("/k8s/clusters/east/api/v1/configmaps?watch=1").await.refused(405, "MethodNotAllowed");
    for nowhere in ["/k8s/clusters/north/api", "/k8s/clusters/north/apis/batch/v1/jobs"] {
        let message = server.get(nowhere).await.refused(404, "NotFound");
        assert!(message.contains("north"), "{message}");
    }
    server.get("/k8s/all/api/v1/pods").await.refused(404, "NotFound");
    assert_eq!(server.get("/k8s").await.done(200)["paths"], json!(["/k8s/all", "/k8s/clusters/east"]));
}

#[tokio::test]
async fn discovery_names_what_is_tracked_in_both_forms() {
    let server = start().await;
    server.memory.cluster("east");
    for (scope, verbs) in
        [("all", json!(["get", "list"])), ("clusters/east", json!(["get", "list", "watch"]))]
    {
        let get = async |path: &str| server.get(&format!("/k8s/{scope}/{path}")).await.done(200);
        assert_eq!(get("api").await["versions"], json!(["v1"]));
        assert_eq!(get("apis").await["groups"][0]["name"], "batch");
        assert_eq!(get("apis/batch").await["kind"], "APIGroup");
        let resources = get("apis/batch/v1").await["resources"].clone();
        assert_eq!((&resources[0]["name"], &resources[0]["verbs"]), (&json!("jobs"), &verbs));
        assert_eq!(get("api/v1").await["resources"][0]["shortNames"], json!(["cm"]));
        assert_eq!(get("version").await["major"], "1");
        let accept = ("accept", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
        let groups = server.send("GET", &format!("/k8s/{scope}/apis"), &[accept], "").await.done(200);
        assert_eq!(groups["items"][0]["versions"][0]["resources"][0]["verbs"], verbs);
    }
}

#[tokio::test]
async fn the_jobs_of_a_cluster_are_watched_from_any_revision() {
    let server = start().await;
    let east = server.memory.cluster("east");
    running(&server, "a", "one", east).await;
    let list = server.get(EAST).await.done(200);
    let from: u64 = list["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
    let initial =
        "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut whole = server.watch(&format!("{EAST}?{initial}")).await;
    let (kind, name, revision) = whole.event().await;
    assert_eq!((kind.as_str(), name.as_str()), ("ADDED", "one"));
    assert_eq!(list["items"][0]["metadata"]["resourceVersion"], revision.to_string());
    let bookmark = whole.next().await.unwrap();
    assert_eq!((&bookmark["type"], &bookmark["object"]["kind"]), (&json!("BOOKMARK"), &json!("Job")));
    assert_eq!(bookmark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    let mut watch = server.watch(&format!("{EAST}?watch=true&resourceVersion={from}")).await;
    running(&server, "b", "two", east).await;
    let ended = Seen { succeeded: 3, condition: Some(Condition::Complete), ..seen() };
    observe(&server.memory, "a", ended);
    let (kind, name, revision) = watch.event().await;
    assert_eq!((kind.as_str(), name.as_str()), ("ADDED", "two"));
    let modified = watch.next().await.unwrap();
    assert_eq!(
        (&modified["type"], &modified["object"]["status"]["succeeded"]),
        (&json!("MODIFIED"), &json!(3))
    );
    // From any revision in between it is the same stream.
    let mut resumed = server.watch(&format!("{EAST}?watch=true&resourceVersion={revision}")).await;
    assert_eq!(words(&resumed.next().await.unwrap()), words(&modified));
    let west = server.memory.cluster("west");
    running(&server, "c", "three", west).await;
    gone(&server.memory, "a");
    let deleted = resumed.next().await.unwrap();
    assert_eq!(
        (&deleted["type"], &deleted["object"]["metadata"]["uid"]),
        (&json!("DELETED"), &json!("uid-a"))
    );
    assert_eq!(deleted["object"]["spec"]["completions"], 3);
}

/// A watch says that the run's Job is gone.
fn gone(memory: &Memory, name: &str) {
    let run = memory.run_of(name);
    let object = &run.objects[0];
    let item = Observation {
        kind: Kind::Job,
        namespace: "risk".to_owned(),
        name: object.name.clone(),
        uid: format!("uid-{name}"),
        resource_version: "8900".to_owned(),
        gone: true,
        group: None,
        submission: None,
        attempt: None,
        digest: None,
        held: false,
        seen: Seen::default(),
        verdict: None,
        described: None,
    };
    let cluster = object.cluster;
    memory.run(Command::Observe(Observe {
        cluster,
        kind: Kind::Job,
        namespace: String::new(),
        plural: String::new(),
        timeline: 1,
        is_watch: true,
        cursor: None,
        rule: None,
        items: vec![item],
    }));
}
