//! How lists of the Kubernetes API are merged, by the names of the fields that hold them.

use serde_json::Value;

/// What the items of a list are told apart by.
pub(super) enum List {
    /// By these fields of them.
    Keyed(&'static [&'static str]),
    /// By themselves.
    Set,
    /// Not at all: the list is one value.
    Atomic,
}

/// The list in the field `field` of what is in the field `parent`.
pub(super) fn list(parent: &str, field: &str, items: &[Value]) -> List {
    let keys: &'static [&'static str] = match (parent, field) {
        (
            _,
            "containers" | "initContainers" | "ephemeralContainers" | "env" | "volumes" | "imagePullSecrets",
        ) => &["name"],
        (_, "volumeMounts") => &["mountPath"],
        (_, "volumeDevices") => &["devicePath"],
        (_, "conditions") => &["type"],
        (_, "ownerReferences") => &["uid"],
        (_, "hostAliases") => &["ip"],
        (_, "topologySpreadConstraints") => &["topologyKey", "whenUnsatisfiable"],
        ("spec", "ports") => &["port", "protocol"],
        (_, "ports") => &["containerPort", "protocol"],
        ("metadata", "finalizers") => return List::Set,
        _ => return List::Atomic,
    };
    // A custom kind may have a list of that name and other items.
    let is_fit = |item: &Value| keys.iter().any(|key| item.get(*key).is_some());
    if items.iter().all(is_fit) { List::Keyed(keys) } else { List::Atomic }
}

/// True if the object in that field is one value.
pub(super) fn is_atomic(field: &str) -> bool {
    matches!(
        field,
        "selector"
            | "nodeSelector"
            | "labelSelector"
            | "configMapKeyRef"
            | "secretKeyRef"
            | "fieldRef"
            | "resourceFieldRef"
    )
}

/// What an item of a keyed list is called by.
pub(super) fn key(item: &Value, keys: &[&str]) -> String {
    let key = |name: &&str| {
        let value = match (item.get(*name), *name) {
            (Some(value), _) => value.clone(),
            (None, "protocol") => "TCP".into(),
            (None, _) => Value::Null,
        };
        ((*name).to_owned(), value)
    };
    Value::Object(keys.iter().map(key).collect()).to_string()
}
