//! The marks on the Pods of an object: its controller makes them, so they are labelled through its template.

use serde_json::{Map, Value};

/// Where a kind, by API group and name, has the labels of the Pods that it makes.
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
        if let Some(map) = map_at(object, path) {
            map.extend(labels.iter().map(|(key, value)| ((*key).to_owned(), Value::String(value.clone()))));
        }
    }
}

/// The object at `path`; `None` where something else is, or nothing that would be made.
fn map_at<'a>(object: &'a mut Value, path: &[&str]) -> Option<&'a mut Map<String, Value>> {
    let step = |map: &'a mut Map<String, Value>, field: &&str| {
        let next = match map.entry(*field) {
            serde_json::map::Entry::Vacant(_) if !MADE.contains(field) => return None,
            entry => entry.or_insert(Value::Null),
        };
        if next.is_null() && MADE.contains(field) {
            *next = Value::Object(Map::new());
        }
        next.as_object_mut()
    };
    path.iter().try_fold(object.as_object_mut()?, step)
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
