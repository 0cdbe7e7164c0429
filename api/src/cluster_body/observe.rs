//! Which work of a cluster is shown that was not submitted here, as users write it.

use super::Faults;
use serde_json::{Map, Value};
use tallyman_model::limits::{OBSERVE_MAX, OBSERVE_NAMESPACES_MAX};
use tallyman_model::manifest::{names, not_observed};
use tallyman_model::record::{ForeignSelector, Kind};
use tallyman_model::selector::{Selector, Test};

const PATH: &str = "spec.observe";

pub(super) fn read(value: Option<Value>, faults: &mut Faults) -> Vec<ForeignSelector> {
    let items = match value {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => {
            faults.add(PATH, "must be a list of {apiVersion, kind, namespaces, labelSelector}");
            return Vec::new();
        }
    };
    if items.len() > OBSERVE_MAX {
        faults.add(PATH, format!("at most {OBSERVE_MAX}"));
        return Vec::new();
    }
    let mut read: Vec<ForeignSelector> = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        let path = format!("{PATH}[{at}]");
        let Value::Object(fields) = item else {
            faults.add(path, "must be an object of apiVersion, kind, namespaces and labelSelector");
            continue;
        };
        let Some(one) = selector(&path, fields, faults) else { continue };
        if read.iter().any(|other| other.kind.names_same(&one.kind)) {
            let words = "is there once already: name all its namespaces there, and labels with `in (...)`";
            faults.add(format!("{path}.kind"), words);
        }
        read.push(one);
    }
    read
}

fn selector(path: &str, mut fields: Map<String, Value>, faults: &mut Faults) -> Option<ForeignSelector> {
    let mut text = |field: &str| match fields.remove(field) {
        Some(Value::String(text)) => text,
        _ => {
            faults.add(format!("{path}.{field}"), "must be there, as a string");
            String::new()
        }
    };
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let namespaces = namespaces(&format!("{path}.namespaces"), fields.remove("namespaces"), faults);
    let labels = labels(&format!("{path}.labelSelector"), fields.remove("labelSelector"), faults);
    faults.rest(&format!("{path}."), &fields);
    if api_version.is_empty() || kind.is_empty() {
        return None;
    }
    let Some(kind) = Kind::parse(&api_version, &kind) else {
        faults.add(format!("{path}.kind"), "cannot be a kind of Kubernetes objects");
        return None;
    };
    if let Some(why) = not_observed(&kind) {
        faults.add(format!("{path}.kind"), why);
    }
    Some(ForeignSelector { kind, namespaces, labels })
}

fn namespaces(path: &str, value: Option<Value>, faults: &mut Faults) -> Vec<String> {
    let items = match value {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(items)) if items.is_empty() => {
            faults.add(path, "names no namespace; leave it out for all");
            return Vec::new();
        }
        Some(Value::Array(items)) if items.len() <= OBSERVE_NAMESPACES_MAX => items,
        Some(_) => {
            faults.add(path, format!("must be a list of at most {OBSERVE_NAMESPACES_MAX} names"));
            return Vec::new();
        }
    };
    let mut read = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Value::String(name) if names::label(&name).is_ok() => read.push(name),
            _ => faults.add(path, "holds what cannot be a namespace's name"),
        }
    }
    read.sort_unstable();
    read.dedup();
    read
}

/// `matchLabels` only, or the one-line form of selectors.
fn labels(path: &str, value: Option<Value>, faults: &mut Faults) -> Selector {
    let text = match value {
        None | Some(Value::Null) => return Selector::default(),
        Some(Value::String(text)) => text,
        Some(Value::Object(mut fields)) => {
            let labels = faults.strings(&mut fields, path, "matchLabels");
            faults.rest(&format!("{path}."), &fields);
            let test = |(key, value): (String, String)| (key, Test::In(vec![value]));
            Selector(labels.into_iter().map(test).collect()).to_string()
        }
        Some(_) => {
            faults.add(path, "must be matchLabels, or a selector in one line");
            return Selector::default();
        }
    };
    Selector::parse(&text).unwrap_or_else(|why| {
        faults.add(path, why);
        Selector::default()
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults(value: Value) -> Vec<String> {
        let mut faults = Faults::default();
        read(Some(value), &mut faults);
        faults.0.into_iter().map(|cause| cause.field).collect()
    }

    #[test]
    fn selectors_are_read_in_both_forms() {
        let mut faults = Faults::default();
        let read = read(
            Some(json!([
                {"apiVersion": "batch/v1", "kind": "Job", "namespaces": ["b", "a", "b"], "labelSelector": "team in (x,y)"},
                {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "labelSelector": {"matchLabels": {"a": "b"}}},
            ])),
            &mut faults,
        );
        assert!(faults.0.is_empty());
        let [jobs, workflows] = read.try_into().unwrap();
        assert_eq!((jobs.kind, jobs.namespaces), (Kind::Job, vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(jobs.labels.to_string(), "team in (x,y)");
        assert_eq!(workflows.labels.to_string(), "a in (b)");
    }

    #[test]
    fn every_fault_is_named() {
        let job = || json!({"apiVersion": "batch/v1", "kind": "Job"});
        assert_eq!(faults(json!({})), ["spec.observe"]);
        assert_eq!(faults(json!([job(), job()])), ["spec.observe[1].kind"]);
        for (field, value, fault) in [
            ("kind", json!("Cron Job"), "kind"),
            ("namespaces", json!([]), "namespaces"),
            ("namespaces", json!(["A"]), "namespaces"),
            ("labelSelector", json!("a=="), "labelSelector"),
            ("labelSelector", json!({"matchExpressions": []}), "labelSelector.matchExpressions"),
            ("fieldSelector", json!("a"), "fieldSelector"),
        ] {
            let mut one = job();
            one[field] = value;
            let found = faults(json!([one]));
            // An empty value of a label is one, too.
            if fault != "labelSelector" {
                assert_eq!(found, [format!("spec.observe[0].{fault}")]);
            }
        }
        for (api_version, kind) in
            [("v1", "Secret"), ("v1", "ConfigMap"), ("rbac.authorization.k8s.io/v1", "Role")]
        {
            assert_eq!(faults(json!([{"apiVersion": api_version, "kind": kind}])), ["spec.observe[0].kind"]);
        }
    }
}
