//! What is there, with what is applied put over it.

use super::lists::{self, List};
use serde_json::Value;

/// Puts `applied` over `live`. `parent` and `field` say where the two are.
pub(super) fn merge(live: &mut Value, applied: &Value, parent: &str, field: &str) {
    match (live, applied) {
        (Value::Object(live), Value::Object(applied)) if !lists::is_atomic(field) => {
            for (name, value) in applied.iter().filter(|(_, value)| !value.is_null()) {
                match live.get_mut(name) {
                    Some(held) => merge(held, value, field, name),
                    None => {
                        live.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        (Value::Array(live), Value::Array(applied)) => match lists::list(parent, field, applied) {
            List::Keyed(keys) => {
                for item in applied {
                    let key = lists::key(item, keys);
                    match live.iter_mut().find(|held| lists::key(held, keys) == key) {
                        Some(held) => merge(held, item, field, ""),
                        None => live.push(item.clone()),
                    }
                }
            }
            List::Set => {
                let new: Vec<Value> = applied.iter().filter(|item| !live.contains(item)).cloned().collect();
                live.extend(new);
            }
            List::Atomic => live.clone_from(applied),
        },
        (live, applied) => live.clone_from(applied),
    }
}
