//! Where on a cluster kinds are watched.

use crate::global_head::Faults;
use serde_json::{Map, Value};
use tallyman_model::limits::WATCHED_NAMESPACES_MAX;
use tallyman_model::manifest::names;
use tallyman_model::record::WatchScope;

/// `watchScope` and `watchNamespaces`, the latter sorted and each once.
pub(super) fn read(spec: &mut Map<String, Value>, faults: &mut Faults) -> (WatchScope, Vec<String>) {
    let scope = match spec.remove("watchScope") {
        None | Some(Value::Null) => WatchScope::Cluster,
        Some(value) => {
            let known = WatchScope::ALL.into_iter().find(|scope| value.as_str() == Some(scope.as_str()));
            if known.is_none() {
                faults.add("spec.watchScope", "must be Cluster or Namespaces");
            }
            known.unwrap_or_default()
        }
    };
    let namespaces = match spec.remove("watchNamespaces") {
        None | Some(Value::Null) => return (scope, Vec::new()),
        Some(value) => namespaces(&value),
    };
    match namespaces {
        Some(namespaces) if namespaces.is_empty() || scope == WatchScope::Namespaces => (scope, namespaces),
        Some(_) => {
            faults.add("spec.watchNamespaces", "says something only with watchScope: Namespaces");
            (scope, Vec::new())
        }
        None => {
            let message = format!("must be a list of at most {WATCHED_NAMESPACES_MAX} names of namespaces");
            faults.add("spec.watchNamespaces", message);
            (scope, Vec::new())
        }
    }
}

fn namespaces(value: &Value) -> Option<Vec<String>> {
    let all = value.as_array().filter(|all| all.len() <= WATCHED_NAMESPACES_MAX)?;
    let name = |one: &Value| one.as_str().filter(|name| names::label(name).is_ok()).map(str::to_owned);
    let mut namespaces = all.iter().map(name).collect::<Option<Vec<_>>>()?;
    namespaces.sort_unstable();
    namespaces.dedup();
    Some(namespaces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(spec: Value) -> (WatchScope, Vec<String>, Vec<String>) {
        let mut faults = Faults::default();
        let mut spec = spec.as_object().cloned().unwrap_or_default();
        let (scope, namespaces) = read(&mut spec, &mut faults);
        (scope, namespaces, faults.0.into_iter().map(|fault| fault.field).collect())
    }

    #[test]
    fn namespaces_are_named_in_order_and_only_where_they_count() {
        let all = json!({"watchScope": "Namespaces", "watchNamespaces": ["risk", "desk", "risk"]});
        let named = vec!["desk".to_owned(), "risk".to_owned()];
        assert_eq!(said(all), (WatchScope::Namespaces, named, Vec::new()));
        assert_eq!(said(json!({})), (WatchScope::Cluster, Vec::new(), Vec::new()));
        for (spec, field) in [
            (json!({"watchScope": "namespaces"}), "spec.watchScope"),
            (json!({"watchNamespaces": ["risk"]}), "spec.watchNamespaces"),
            (json!({"watchScope": "Namespaces", "watchNamespaces": ["Risk"]}), "spec.watchNamespaces"),
            (json!({"watchScope": "Namespaces", "watchNamespaces": "risk"}), "spec.watchNamespaces"),
            (json!({"watchScope": "Namespaces", "watchNamespaces": vec!["a"; 65]}), "spec.watchNamespaces"),
        ] {
            assert_eq!(said(spec.clone()).2, [field], "{spec}");
        }
    }
}
