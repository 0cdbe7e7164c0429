//! Sets of fields, as paths, and as the `fieldsV1` that they are written as.

use super::lists::{self, List};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// One step: `f:NAME` of a field, `k:{...}` of an item by its keys, `v:...` of an item by itself.
pub(super) type Path = Vec<String>;
/// Fields that hold a value, and items of lists.
pub(super) type Fields = BTreeSet<Path>;

/// Fields of metadata that clients set.
const METADATA: [&str; 4] = ["labels", "annotations", "finalizers", "ownerReferences"];

/// All fields of an object that somebody owns.
pub(super) fn of(object: &Value) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in object.as_object().into_iter().flatten() {
        let path = vec![format!("f:{name}")];
        match name.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    if METADATA.contains(&name.as_str()) {
                        collect(value, "metadata", name, step(&path, format!("f:{name}")), &mut fields);
                    }
                }
            }
            _ => collect(value, "", name, path, &mut fields),
        }
    }
    fields
}

pub(super) fn step(path: &[String], next: String) -> Path {
    let mut path = path.to_vec();
    path.push(next);
    path
}

fn collect(value: &Value, parent: &str, field: &str, path: Path, fields: &mut Fields) {
    match value {
        Value::Null => {}
        Value::Object(all) if !all.is_empty() && !lists::is_atomic(field) => {
            for (name, value) in all {
                collect(value, field, name, step(&path, format!("f:{name}")), fields);
            }
        }
        Value::Array(items) => match lists::list(parent, field, items) {
            List::Keyed(keys) => {
                for item in items {
                    let path = step(&path, format!("k:{}", lists::key(item, keys)));
                    fields.insert(path.clone());
                    collect(item, field, "", path, fields);
                }
            }
            List::Set => fields.extend(items.iter().map(|item| step(&path, format!("v:{item}")))),
            List::Atomic => {
                fields.insert(path);
            }
        },
        _ => {
            fields.insert(path);
        }
    }
}

/// The value at a path.
pub(super) fn get<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, step| match step.split_at_checked(2)? {
        ("f:", name) => value.get(name),
        (_, key) => value.as_array()?.iter().find(|item| is_item(item, step, key)),
    })
}

fn is_item(item: &Value, step: &str, key: &str) -> bool {
    let Ok(key) = serde_json::from_str::<Value>(key) else { return false };
    if step.starts_with("v:") {
        return *item == key;
    }
    let is_same = |(name, value): (&String, &Value)| match item.get(name) {
        Some(held) => held == value,
        None => value.is_null() || name == "protocol" && value == "TCP",
    };
    key.as_object().is_some_and(|keys| keys.iter().all(is_same))
}

/// Removes what is at a path, and the objects and lists around it that get empty.
pub(super) fn remove(object: &mut Value, path: &[String]) {
    let Some((first, rest)) = path.split_first() else { return };
    let Some((sort, name)) = first.split_at_checked(2) else { return };
    match object {
        Value::Object(all) if sort == "f:" => {
            if let Some(inner) = all.get_mut(name).filter(|_| !rest.is_empty()) {
                remove(inner, rest);
                if !is_empty(inner) {
                    return;
                }
            }
            all.remove(name);
        }
        Value::Array(items) => {
            let Some(at) = items.iter().position(|item| is_item(item, first, name)) else { return };
            match items.get_mut(at).filter(|_| !rest.is_empty()) {
                Some(item) => remove(item, rest),
                None => {
                    items.remove(at);
                }
            }
        }
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// As Kubernetes writes it.
pub(super) fn written(fields: &Fields) -> Value {
    let mut tree = Value::Object(Map::new());
    for path in fields {
        let mut here = &mut tree;
        for step in path {
            if here.is_null() {
                *here = Value::Object(Map::new());
            }
            here = &mut here[step.as_str()];
        }
        let is_item = path.last().is_some_and(|last| last.starts_with("k:"));
        match (here.is_null(), is_item) {
            (_, true) => here["."] = Value::Object(Map::new()),
            (true, false) => *here = Value::Object(Map::new()),
            (false, false) => {}
        }
    }
    tree
}

/// What [`written`] wrote, or a real server.
pub(super) fn read(tree: &Value) -> Fields {
    let mut fields = Fields::new();
    descend(tree, &mut Vec::new(), &mut fields);
    fields
}

fn descend(tree: &Value, path: &mut Path, fields: &mut Fields) {
    let all = tree.as_object();
    if all.is_none_or(Map::is_empty) && !path.is_empty() {
        fields.insert(path.clone());
    }
    for (step, inner) in all.into_iter().flatten() {
        if step == "." {
            fields.insert(path.clone());
            continue;
        }
        path.push(step.clone());
        descend(inner, path, fields);
        path.pop();
    }
}

/// A path as messages have it: `.spec.containers[name="main"].image`.
pub(super) fn said(path: &[String]) -> String {
    let mut text = String::new();
    for step in path {
        match step.split_at_checked(2) {
            Some(("f:", name)) => text.extend([".", name]),
            Some(("k:", keys)) => {
                let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                let keys: Vec<String> = keys.iter().map(|(name, value)| format!("{name}={value}")).collect();
                text.extend(["[", &keys.join(","), "]"]);
            }
            Some((_, item)) => text.extend(["[=", item, "]"]),
            None => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod() -> Value {
        json!({"kind": "Pod", "metadata": {"name": "a", "labels": {"x": "1"}, "finalizers": ["h/old"]}, "spec": {
            "containers": [{"name": "main", "image": "i", "args": ["a", "b"], "ports": [{"containerPort": 80}]}],
            "nodeSelector": {"a": "b"},
        }})
    }

    #[test]
    fn fields_are_told_apart_as_a_real_server_does() {
        let said: Vec<String> = of(&pod()).iter().map(|path| said(path)).collect();
        let expected = [
            ".metadata.finalizers[=\"h/old\"]",
            ".metadata.labels.x",
            ".spec.containers[name=\"main\"]",
            ".spec.containers[name=\"main\"].args",
            ".spec.containers[name=\"main\"].image",
            ".spec.containers[name=\"main\"].name",
            ".spec.containers[name=\"main\"].ports[containerPort=80,protocol=\"TCP\"]",
            ".spec.containers[name=\"main\"].ports[containerPort=80,protocol=\"TCP\"].containerPort",
            ".spec.nodeSelector",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let fields = of(&pod());
        let tree = written(&fields);
        assert_eq!(read(&tree), fields);
        let main = &tree["f:spec"]["f:containers"]["k:{\"name\":\"main\"}"];
        assert_eq!((&main["."], &main["f:image"]), (&json!({}), &json!({})));
    }

    #[test]
    fn every_field_is_found_and_an_item_goes_as_a_whole() {
        let (mut pod, fields) = (pod(), of(&pod()));
        for path in &fields {
            assert!(get(&pod, path).is_some(), "{}", said(path));
        }
        for path in &fields {
            remove(&mut pod, path);
        }
        assert_eq!(pod, json!({"kind": "Pod", "metadata": {"name": "a"}}));
    }
}
