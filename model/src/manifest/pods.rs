//! The marks on the Pods of an object: its controller makes them, so they are labelled through its template.

use serde_json::{Map, Value};

/// Where a kind, by API group and name, has the labels of the Pods that it makes; `*` is each element of a list.
///
/// Of a CronJob these are not the labels of its Jobs: what has our marks and was not sent is a stray.
const LABELS: &[(&str, &str, &[&str])] = &[
    ("batch", "Job", &["spec", "template", "metadata", "labels"]),
    ("batch", "CronJob", &["spec", "jobTemplate", "spec", "template", "metadata", "labels"]),
    ("apps", "Deployment", &["spec", "template", "metadata", "labels"]),
    ("apps", "StatefulSet", &["spec", "template", "metadata", "labels"]),
    ("apps", "DaemonSet", &["spec", "template", "metadata", "labels"]),
    ("apps", "ReplicaSet", &["spec", "template", "metadata", "labels"]),
    ("argoproj.io", "Workflow", &["spec", "podMetadata", "labels"]),
    ("argoproj.io", "CronWorkflow", &["spec", "workflowSpec", "podMetadata", "labels"]),
    ("sparkoperator.k8s.io", "SparkApplication", &["spec", "driver", "labels"]),
    ("sparkoperator.k8s.io", "SparkApplication", &["spec", "executor", "labels"]),
    ("ray.io", "RayCluster", &["spec", "headGroupSpec", "template", "metadata", "labels"]),
    ("ray.io", "RayCluster", &["spec", "workerGroupSpecs", "*", "template", "metadata", "labels"]),
    ("ray.io", "RayJob", &["spec", "rayClusterSpec", "headGroupSpec", "template", "metadata", "labels"]),
    (
        "ray.io",
        "RayJob",
        &["spec", "rayClusterSpec", "workerGroupSpecs", "*", "template", "metadata", "labels"],
    ),
    (
        "ray.io",
        "RayService",
        &["spec", "rayClusterConfig", "headGroupSpec", "template", "metadata", "labels"],
    ),
    (
        "ray.io",
        "RayService",
        &["spec", "rayClusterConfig", "workerGroupSpecs", "*", "template", "metadata", "labels"],
    ),
];

/// What of a path is made where it is missing; without anything else there are no Pods, or the cluster refuses it.
const MADE: [&str; 3] = ["metadata", "podMetadata", "labels"];

/// Puts labels on the Pods that `object`, a whole manifest, will have. A kind that is not known to have any stays as
/// it is.
pub fn label(object: &mut Value, labels: &[(&str, String)]) {
    let word = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
    let group = word("apiVersion").rsplit_once('/').map_or("", |(group, _)| group);
    let places = LABELS.iter().filter(|(known, kind, _)| (*known, *kind) == (group, word("kind")));
    for path in places.map(|(_, _, path)| *path).collect::<Vec<_>>() {
        put(object, path, labels);
    }
}

/// Adds to the map at `path` below `value`, where there is one or it is made.
fn put(value: &mut Value, path: &[&str], labels: &[(&str, String)]) {
    match path {
        [] => {
            if let Some(map) = value.as_object_mut() {
                map.extend(
                    labels.iter().map(|(key, value)| ((*key).to_owned(), Value::String(value.clone()))),
                );
            }
        }
        ["*", rest @ ..] => {
            value.as_array_mut().into_iter().flatten().for_each(|one| put(one, rest, labels));
        }
        [field, rest @ ..] => {
            if let Some(next) = value.as_object_mut().and_then(|map| field_of(map, field)) {
                put(next, rest, labels);
            }
        }
    }
}

/// A field of `map`; `None` where it is missing and would not be made.
fn field_of<'a>(map: &'a mut Map<String, Value>, field: &str) -> Option<&'a mut Value> {
    let is_made = MADE.contains(&field);
    let next = match map.entry(field) {
        serde_json::map::Entry::Vacant(_) if !is_made => return None,
        entry => entry.or_insert(Value::Null),
    };
    if next.is_null() && is_made {
        *next = Value::Object(Map::new());
    }
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn labelled(mut object: Value) -> Value {
        label(&mut object, &[("tallyman.dev/group", "g".to_owned())]);
        object
    }

    #[test]
    fn the_pods_of_known_kinds_are_labelled_and_their_own_labels_stay() {
        let job = labelled(json!({"apiVersion": "batch/v1", "kind": "Job",
            "spec": {"template": {"metadata": {"labels": {"app": "a"}}, "spec": {}}}}));
        assert_eq!(
            job.pointer("/spec/template/metadata/labels"),
            Some(&json!({"app": "a", "tallyman.dev/group": "g"}))
        );
        let workflow = labelled(json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
            "spec": {"workflowTemplateRef": {"name": "t"}}}));
        assert_eq!(workflow.pointer("/spec/podMetadata/labels"), Some(&json!({"tallyman.dev/group": "g"})));
        let cron = labelled(json!({"apiVersion": "batch/v1", "kind": "CronJob",
            "spec": {"jobTemplate": {"spec": {"template": {"metadata": null}}}}}));
        assert_eq!(
            cron.pointer("/spec/jobTemplate"),
            Some(&json!({"spec": {"template": {"metadata": {"labels": {"tallyman.dev/group": "g"}}}}}))
        );
    }

    #[test]
    fn each_group_of_a_ray_cluster_is_labelled_also_where_a_job_brings_the_cluster() {
        let cluster = json!({
            "headGroupSpec": {"template": {"spec": {}}},
            "workerGroupSpecs": [
                {"groupName": "small", "template": {"metadata": {"labels": {"app": "a"}}}},
                {"groupName": "none"},
                {"groupName": "big", "template": {"spec": {}}},
            ],
        });
        let ours = json!({"tallyman.dev/group": "g"});
        for (kind, at) in
            [("RayCluster", ""), ("RayJob", "/rayClusterSpec"), ("RayService", "/rayClusterConfig")]
        {
            let spec = match at.strip_prefix('/') {
                None => cluster.clone(),
                Some(field) => json!({field: cluster}),
            };
            let object = labelled(json!({"apiVersion": "ray.io/v1", "kind": kind, "spec": spec}));
            let labels = |place: &str| object.pointer(&format!("/spec{at}/{place}/template/metadata/labels"));
            assert_eq!(labels("headGroupSpec"), Some(&ours), "{kind}");
            assert_eq!(labels("workerGroupSpecs/0"), Some(&json!({"app": "a", "tallyman.dev/group": "g"})));
            assert_eq!((labels("workerGroupSpecs/1"), labels("workerGroupSpecs/2")), (None, Some(&ours)));
        }
    }

    #[test]
    fn what_has_no_pods_or_is_not_well_formed_stays_as_it_is() {
        for object in [
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {}}),
            json!({"apiVersion": "example.com/v1", "kind": "Job", "spec": {"template": {}}}),
            json!({"apiVersion": "batch/v1", "kind": "Job", "spec": {}}),
            json!({"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"metadata": 1}}}),
            json!({"apiVersion": "batch/v1", "kind": "Job"}),
        ] {
            assert_eq!(labelled(object.clone()), object);
        }
    }
}
