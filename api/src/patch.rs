//! JSON merge patches (RFC 7386) and JSON patches (RFC 6902).

use crate::status::Failure;
use serde_json::Value;

/// Operations of one JSON patch.
const OPERATIONS_MAX: usize = 1_000;
/// What the copies of one JSON patch may weigh together, in bytes and values: each could double the target.
const COPIED_MAX: usize = 1024 * 1024;

/// Applies a merge patch: objects are merged, null takes away, everything else replaces.
pub(crate) fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(map) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            map.remove(&key);
        } else {
            merge(map.entry(key).or_insert(Value::Null), value);
        }
    }
}

/// Applies a JSON patch, all of it or nothing.
///
/// # Errors
/// 400 for a malformed patch; 422 for an operation that does not fit the target, `test` included.
pub(crate) fn apply(target: &Value, patch: &Value) -> Result<Value, Failure> {
    let operations =
        patch.as_array().ok_or_else(|| Failure::bad_request("a JSON patch is a list of operations"))?;
    if operations.len() > OPERATIONS_MAX {
        return Err(Failure::bad_request(format!("a JSON patch has at most {OPERATIONS_MAX} operations")));
    }
    let mut patched = target.clone();
    let mut copied = 0;
    for (i, operation) in operations.iter().enumerate() {
        step(&mut patched, operation, &mut copied).map_err(|why| match why {
            Why::Malformed(words) => {
                Failure::bad_request(format!("operation {i} of the JSON patch: {words}"))
            }
            Why::Misfit(words) => {
                Failure::invalid(format!("operation {i} of the JSON patch: {words}"), Vec::new())
            }
        })?;
    }
    Ok(patched)
}

enum Why {
    Malformed(&'static str),
    Misfit(String),
}

fn step(target: &mut Value, operation: &Value, copied: &mut usize) -> Result<(), Why> {
    let text = |field: &str| operation.get(field).and_then(Value::as_str);
    let path = text("path").ok_or(Why::Malformed("has no path"))?;
    let value = || operation.get("value").cloned().ok_or(Why::Malformed("has no value"));
    let from = || text("from").ok_or(Why::Malformed("has no from"));
    match text("op").ok_or(Why::Malformed("has no op"))? {
        "add" => add(target, path, value()?),
        "remove" => remove(target, path).map(|_| ()),
        "replace" => {
            let value = value()?;
            *target.pointer_mut(path).ok_or_else(|| missing(path))? = value;
            Ok(())
        }
        "move" => {
            let value = remove(target, from()?)?;
            add(target, path, value)
        }
        "copy" => {
            let from = from()?;
            let found = target.pointer(from).ok_or_else(|| missing(from))?;
            *copied += weight(found);
            if *copied > COPIED_MAX {
                return Err(Why::Malformed("copies too much"));
            }
            let value = found.clone();
            add(target, path, value)
        }
        "test" => {
            let found = target.pointer(path).ok_or_else(|| missing(path))?;
            if *found == value()? {
                return Ok(());
            }
            Err(Why::Misfit(format!("the test of {path:?} failed: it has another value")))
        }
        _ => Err(Why::Malformed("has an op that does not exist")),
    }
}

fn weight(value: &Value) -> usize {
    match value {
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + weight(value)).sum::<usize>() + 1,
        Value::Array(list) => list.iter().map(weight).sum::<usize>() + 1,
        Value::String(text) => text.len() + 1,
        _ => 1,
    }
}

fn missing(path: &str) -> Why {
    Why::Misfit(format!("there is nothing at {path:?}"))
}

/// The container that `path` ends in, and the last name.
fn parent<'a>(target: &'a mut Value, path: &str) -> Result<(&'a mut Value, String), Why> {
    let (before, last) = path.rsplit_once('/').ok_or(Why::Malformed("its path does not start with '/'"))?;
    let container = target.pointer_mut(before).ok_or_else(|| missing(before))?;
    Ok((container, last.replace("~1", "/").replace("~0", "~")))
}

fn add(target: &mut Value, path: &str, value: Value) -> Result<(), Why> {
    if path.is_empty() {
        *target = value;
        return Ok(());
    }
    match parent(target, path)? {
        (Value::Object(map), last) => {
            map.insert(last, value);
            Ok(())
        }
        (Value::Array(list), last) if last == "-" => {
            list.push(value);
            Ok(())
        }
        (Value::Array(list), last) => {
            let at =
                last.parse::<usize>().ok().filter(|at| *at <= list.len()).ok_or_else(|| missing(path))?;
            list.insert(at, value);
            Ok(())
        }
        _ => Err(missing(path)),
    }
}

fn remove(target: &mut Value, path: &str) -> Result<Value, Why> {
    match parent(target, path)? {
        (Value::Object(map), last) => map.remove(&last).ok_or_else(|| missing(path)),
        (Value::Array(list), last) => {
            let at = last.parse::<usize>().ok().filter(|at| *at < list.len()).ok_or_else(|| missing(path))?;
            Ok(list.remove(at))
        }
        _ => Err(missing(path)),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_merge_patch_merges_replaces_and_takes_away() {
        let mut target = json!({"a": {"b": 1, "c": 2}, "d": [1]});
        merge(&mut target, json!({"a": {"b": null, "e": {"f": 1, "g": null}}, "d": [2]}));
        assert_eq!(target, json!({"a": {"c": 2, "e": {"f": 1}}, "d": [2]}));
    }

    #[test]
    fn every_operation_of_a_json_patch_does_what_it_says() {
        let target = json!({"labels": {"a/b": "1"}, "list": [1, 2]});
        let patch = json!([
            {"op": "test", "path": "/labels/a~1b", "value": "1"},
            {"op": "add", "path": "/labels/c", "value": "2"},
            {"op": "replace", "path": "/labels/c", "value": "3"},
            {"op": "move", "from": "/labels/a~1b", "path": "/labels/d"},
            {"op": "copy", "from": "/labels/d", "path": "/list/-"},
            {"op": "add", "path": "/list/0", "value": 0},
            {"op": "remove", "path": "/list/1"},
        ]);
        let expected = json!({"labels": {"c": "3", "d": "1"}, "list": [0, 2, "1"]});
        assert_eq!(apply(&target, &patch).unwrap(), expected);
    }

    #[test]
    fn copies_cannot_grow_without_bound() {
        let copy = json!({"op": "copy", "from": "/a", "path": "/a/-"});
        let patch = Value::Array(vec![copy; 100]);
        assert_eq!(apply(&json!({"a": ["text"]}), &patch).unwrap_err().code.as_u16(), 400);
    }

    #[test]
    fn a_json_patch_that_does_not_fit_is_refused() {
        let target = json!({"a": 1});
        for wrong in [
            json!([{"op": "test", "path": "/a", "value": 2}]),
            json!([{"op": "remove", "path": "/b"}]),
            json!([{"op": "add", "path": "/b/c", "value": 1}]),
            json!([{"op": "replace", "path": "/b", "value": 1}]),
        ] {
            assert_eq!(apply(&target, &wrong).unwrap_err().code.as_u16(), 422, "{wrong}");
        }
        for wrong in [json!({}), json!([{"op": "add"}]), json!([{"op": "spin", "path": "/a"}]), json!([1])] {
            assert_eq!(apply(&target, &wrong).unwrap_err().code.as_u16(), 400, "{wrong}");
        }
    }
}
