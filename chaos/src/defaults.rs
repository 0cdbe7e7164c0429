//! Fields that a kube-apiserver fills in.

mod workload;

use crate::kind::Kind;
use crate::{definition, meta};
use serde_json::{Value, json};

/// Fills in what was left out of an object that is to be made; metadata is complete, the uid included.
pub(crate) fn new_object(kind: &Kind, has_status: bool, value: &mut Value) {
    match kind {
        Kind::Namespace => namespace(value),
        Kind::Job => {
            meta::set(value, &["status"], json!({}));
            meta::set(value, &["metadata", "generation"], 1);
            job_selector(value);
        }
        Kind::Pod => {
            meta::set(value, &["status"], json!({"phase": "Pending", "qosClass": "BestEffort"}));
            meta::set(value, &["metadata", "generation"], 1);
        }
        Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet => {
            meta::set(value, &["status"], workload::new_status(kind));
            meta::set(value, &["metadata", "generation"], 1);
        }
        Kind::CustomResourceDefinition => {
            meta::set(value, &["status"], definition::new_status());
            meta::set(value, &["metadata", "generation"], 1);
        }
        Kind::Custom(_) => {
            if has_status {
                meta::remove(value, &["status"]);
            }
            meta::set(value, &["metadata", "generation"], 1);
        }
        Kind::ConfigMap | Kind::Event => {}
    }
    spec(kind, value);
}

/// Fills in what was left out of a spec.
pub(crate) fn spec(kind: &Kind, value: &mut Value) {
    match kind {
        Kind::Job => {
            job(value);
            let template = meta::at_mut(value, &["spec", "template"]);
            if !meta::is_absent(template, "/spec") {
                pod_spec(meta::at_mut(template, &["spec"]));
            }
        }
        Kind::Pod if !meta::is_absent(value, "/spec") => {
            meta::set_default(value, &["spec", "restartPolicy"], "Always");
            pod_spec(meta::at_mut(value, &["spec"]));
        }
        Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet => workload::spec(kind, value),
        Kind::CustomResourceDefinition => definition::fill(value),
        _ => {}
    }
}

fn namespace(value: &mut Value) {
    let name = meta::text(value, "/metadata/name").to_owned();
    let made = crate::state::new_namespace(&name);
    meta::set(value, &["metadata", "labels", "kubernetes.io/metadata.name"], name);
    meta::copy_top(&made, value, "spec");
    meta::copy_top(&made, value, "status");
}

fn job(value: &mut Value) {
    if meta::is_absent(value, "/spec/completions") && meta::is_absent(value, "/spec/parallelism") {
        meta::set(value, &["spec", "completions"], 1);
    }
    let defaults = json!({
        "parallelism": 1,
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "suspend": false,
        "manualSelector": false,
        "podReplacementPolicy": "TerminatingOrFailed",
    });
    fill(meta::at_mut(value, &["spec"]), &defaults);
}

/// The selector, and the labels of the Pods that it selects.
fn job_selector(value: &mut Value) {
    if value["spec"]["manualSelector"] == Value::Bool(true) {
        return;
    }
    let uid = meta::text(value, "/metadata/uid").to_owned();
    let name = meta::text(value, "/metadata/name").to_owned();
    meta::set(
        value,
        &["spec", "selector"],
        json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}),
    );
    let labels = meta::at_mut(value, &["spec", "template", "metadata", "labels"]);
    for (label, text) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("job-name", &name),
    ] {
        meta::set(labels, &[label], text.as_str());
    }
}

fn pod_spec(spec: &mut Value) {
    let defaults = json!({
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    });
    fill(spec, &defaults);
    for container in spec.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten() {
        let is_latest = meta::text(container, "/image").ends_with(":latest");
        let is_untagged =
            !meta::text(container, "/image").rsplit('/').next().unwrap_or_default().contains([':', '@']);
        let defaults = json!({
            "imagePullPolicy": if is_latest || is_untagged { "Always" } else { "IfNotPresent" },
            "resources": {},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
        });
        fill(container, &defaults);
    }
}

fn fill(value: &mut Value, defaults: &Value) {
    for (field, default) in defaults.as_object().into_iter().flatten() {
        meta::set_default(value, &[field], default.clone());
    }
}
