//! JSON merge patch (RFC 7396) and JSON patch (RFC 6902).

use serde::Deserialize;
use serde_json::Value;

/// A patch that cannot be applied.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum PatchError {
    /// Not a patch.
    #[error("{0}")]
    Unreadable(String),
    /// A patch that does not fit the object, or whose `test` does not hold.
    #[error("{0}")]
    Unfit(String),
}

/// Merges `patch` into `value`: null removes, objects merge, all else replaces.
pub(crate) fn merge(value: &mut Value, patch: Value) {
    let Value::Object(changes) = patch else {
        *value = patch;
        return;
    };
    if !value.is_object() {
        *value = Value::Object(serde_json::Map::new());
    }
    let Some(fields) = value.as_object_mut() else { return };
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(&name);
        } else {
            merge(fields.entry(name).or_insert(Value::Null), change);
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Step {
    Add {
        path: String,
        value: Value,
    },
    Remove {
        path: String,
    },
    Replace {
        path: String,
        value: Value,
    },
    Move {
        from: String,
        path: String,
    },
    Copy {
        from: String,
        path: String,
    },
    Test {
        path: String,
        #[serde(default)]
        value: Value,
    },
}

/// Applies a JSON patch, all of it or nothing.
///
/// # Errors
/// Not a patch, or one that does not fit.
pub(crate) fn apply(value: &mut Value, patch: &[u8]) -> Result<(), PatchError> {
    let steps: Vec<Step> = serde_json::from_slice(patch)
        .map_err(|error| PatchError::Unreadable(format!("error decoding patch: {error}")))?;
    let mut changed = value.clone();
    for step in steps {
        perform(&mut changed, step)?;
    }
    *value = changed;
    Ok(())
}

fn perform(value: &mut Value, step: Step) -> Result<(), PatchError> {
    match step {
        Step::Add { path, value: new } => add(value, &path, new),
        Step::Remove { path } => take(value, &path).map(drop),
        Step::Replace { path, value: new } => {
            let place = value.pointer_mut(&path).ok_or_else(|| missing("replace", &path))?;
            *place = new;
            Ok(())
        }
        Step::Move { from, path } => {
            let moved = take(value, &from)?;
            add(value, &path, moved)
        }
        Step::Copy { from, path } => {
            let copied = value.pointer(&from).cloned().ok_or_else(|| missing("copy", &from))?;
            add(value, &path, copied)
        }
        Step::Test { path, value: expected } => {
            if value.pointer(&path).unwrap_or(&Value::Null) == &expected {
                return Ok(());
            }
            Err(PatchError::Unfit(format!("testing value {path} failed: test failed")))
        }
    }
}

fn add(value: &mut Value, path: &str, new: Value) -> Result<(), PatchError> {
    let Some((parent, last)) = path.rsplit_once('/') else {
        *value = new;
        return Ok(());
    };
    match value.pointer_mut(parent) {
        Some(Value::Object(fields)) => {
            fields.insert(unescaped(last), new);
        }
        Some(Value::Array(items)) if last == "-" => items.push(new),
        Some(Value::Array(items)) => {
            let at = last.parse().ok().filter(|at| *at <= items.len()).ok_or_else(|| missing("add", path))?;
            items.insert(at, new);
        }
        _ => return Err(missing("add", path)),
    }
    Ok(())
}

fn take(value: &mut Value, path: &str) -> Result<Value, PatchError> {
    let gone = || missing("remove", path);
    let (parent, last) = path.rsplit_once('/').ok_or_else(gone)?;
    match value.pointer_mut(parent).ok_or_else(gone)? {
        Value::Object(fields) => fields.remove(&unescaped(last)).ok_or_else(gone),
        Value::Array(items) => {
            let at = last.parse().ok().filter(|at: &usize| *at < items.len()).ok_or_else(gone)?;
            Ok(items.remove(at))
        }
        _ => Err(gone()),
    }
}

fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

fn missing(operation: &str, path: &str) -> PatchError {
    PatchError::Unfit(format!(
        "{operation} operation does not apply: doc is missing path: {path:?}: missing value"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use serde_json::json;

    fn applied(steps: &Value) -> Result<Value, PatchError> {
        let mut value = json!({"a": {"b": [1, 2]}, "c/d": "e"});
        apply(&mut value, steps.to_string().as_bytes()).map(|()| value)
    }

    #[test]
    fn a_merge_patch_removes_merges_and_replaces() {
        let mut value = json!({"a": {"b": 1, "c": 2}, "d": [1]});
        merge(&mut value, json!({"a": {"b": null, "e": {"f": null, "g": 1}}, "d": [2]}));
        assert_eq!(value, json!({"a": {"c": 2, "e": {"g": 1}}, "d": [2]}));
    }

    #[test]
    fn json_patch_does_its_operations() {
        let steps = json!([
            {"op": "test", "path": "/c~1d", "value": "e"},
            {"op": "add", "path": "/a/b/1", "value": 9},
            {"op": "add", "path": "/a/b/-", "value": 8},
            {"op": "replace", "path": "/a/b/0", "value": 0},
            {"op": "move", "from": "/c~1d", "path": "/f"},
            {"op": "copy", "from": "/f", "path": "/a/g"},
            {"op": "remove", "path": "/a/b/2"},
        ]);
        assert_eq!(applied(&steps).unwrap(), json!({"a": {"b": [0, 9, 8], "g": "e"}, "f": "e"}));
    }

    #[test]
    fn a_patch_whose_test_fails_changes_nothing() {
        let steps = json!([{"op": "remove", "path": "/a"}, {"op": "test", "path": "/c~1d", "value": "x"}]);
        assert!(matches!(applied(&steps), Err(PatchError::Unfit(_))));
        assert!(matches!(applied(&json!([{"op": "remove", "path": "/x/y"}])), Err(PatchError::Unfit(_))));
        assert!(matches!(applied(&json!([{"op": "grow"}])), Err(PatchError::Unreadable(_))));
    }
}
