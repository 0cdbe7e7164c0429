//! Objects of kinds that Tallyman knows nothing of.

use crate::world::World;
use serde_json::{Value, json};
use tallyman_model::command::*;
use tallyman_model::manifest::accept;
use tallyman_model::record::*;
use tallyman_model::*;

fn widget() -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 3}})
}

fn with(manifest: Value) -> impl Fn(&mut Value) {
    move |value| value["spec"]["manifests"].as_array_mut().unwrap().push(manifest.clone())
}

fn tracked(world: &World) -> Vec<String> {
    let east = world.cluster("east").head.ordinal;
    let kinds = query::tracked(&world.view, east).unwrap();
    kinds.iter().map(|kind| format!("{} {kind}", kind.api_version())).collect()
}

/// What is said against a submission with this manifest alone.
fn said(manifest: Value) -> String {
    let value = json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": "a"},
        "spec": {"manifests": [manifest]},
    });
    let causes = accept(value, "risk", Uid::default()).unwrap_err();
    causes.into_iter().map(|cause| cause.message).collect::<Vec<_>>().join("; ")
}

#[test]
fn an_object_of_any_kind_goes_along_with_a_job_and_is_looked_at_while_it_is_there() {
    let mut world = World::upgraded();
    world.submit("report", with(widget()));
    assert_eq!(tracked(&world), ["batch/v1 Job", "v1 ConfigMap"]);
    world.place("report", "east");
    assert_eq!(tracked(&world), ["batch/v1 Job", "v1 ConfigMap", "example.com/v1 Widget"]);
    let run = world.get("report");
    let widget = run.planned.iter().position(|plan| plan.kind.is_other()).unwrap();
    assert_ne!(usize::from(run.main), widget, "the Job says when the run has ended");
}

#[test]
fn a_group_whose_replicas_may_not_know_other_kinds_takes_none() {
    let mut world = World::new();
    let value = json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": "report"},
        "spec": {"manifests": [
            {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "report"}, "spec": {}},
            widget(),
        ]},
    });
    let submit = accept(value, "risk", Uid([1; 16])).unwrap();
    let refusal = world.run(Command::Submit(Box::new(submit))).unwrap_err();
    assert!(refusal.message.contains("needs version 3 of the group"), "{}", refusal.message);
}

#[test]
fn versions_of_a_kind_claim_the_same_names() {
    let mut world = World::upgraded();
    world.submit("one", with(widget()));
    world.place("one", "east");
    let mut other = widget();
    other["apiVersion"] = json!("example.com/v2");
    world.submit("two", with(other));
    world.place("two", "east");
    let two = world.get("two");
    assert_eq!(two.reason, Reason::NameHeld, "{}", two.message);
}

#[test]
fn the_cursors_of_a_cluster_go_with_it() {
    let mut world = World::upgraded();
    let east = world.cluster("east");
    let (cluster, timeline) = (east.head.ordinal, east.timeline);
    let kind = Kind::parse("example.com/v1", "Widget").unwrap();
    let (plural, cursor) = ("widgetz".to_owned(), Some("7".to_owned()));
    world.ok(Command::Observe(Observe {
        cluster,
        kind,
        namespace: String::new(),
        plural,
        timeline,
        is_watch: true,
        cursor,
        rule: None,
        items: Vec::new(),
    }));
    let watches = query::watches(&world.view, cluster).unwrap();
    assert!(watches.iter().any(|watch| watch.plural == "widgetz" && watch.cursor == "7"));
    let remove = RemoveCluster { name: "east".to_owned(), revision: None, orphan: false };
    world.ok(Command::RemoveCluster(remove));
    assert!(query::watches(&world.view, cluster).unwrap().is_empty());
}

#[test]
fn what_a_run_may_not_bring_is_refused_with_what_to_do() {
    let of = |api_version: &str, kind: &str| {
        said(json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}}))
    };
    for (api_version, kind, words) in [
        ("v1", "Secret", "make it on the cluster"),
        ("v1", "Namespace", "not in a namespace"),
        ("v1", "List", "one by one"),
        ("rbac.authorization.k8s.io/v1", "Role", "rights are given"),
        ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "what a cluster lets in"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "kinds are defined"),
        ("tallyman.dev/v1", "Runnable", "Tallyman's own"),
        ("example.com/v1/x", "Widget", "cannot be the names of a kind"),
    ] {
        let said = of(api_version, kind);
        assert!(said.contains(words), "{kind}: {said}");
    }
}

#[test]
fn objects_that_would_go_with_others_or_could_not_go_are_refused() {
    let owner = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "theirs", "uid": "u"}]);
    for (field, value, words) in [
        ("ownerReferences", owner, "would go with its owner"),
        ("finalizers", json!(["example.com/keep"]), "could not be removed"),
        ("labels", json!({"tallyman.dev/group": "theirs"}), "is set by Tallyman only"),
        ("annotations", json!({"tallyman.dev/attempt": "9"}), "is set by Tallyman only"),
    ] {
        let mut job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": {}});
        job["metadata"][field] = value;
        let said = said(job);
        assert!(said.contains(words), "{field}: {said}");
    }
}
