//! Server-side apply in memory: of one manager, whose fields others may take; nobody's fields are refused to it.

use crate::faults::refused;
use crate::sim::{Name, Sim, merge};
use serde_json::{Map, Value, json};
use tallyman_cluster::{Apply, CallError, Look, RefusedKind};
use tallyman_model::record::Kind;
use tallyman_model::rule;

pub(crate) fn look(kind: &Kind, object: &Value) -> Option<Look> {
    let owned = rule::Rules::default().owned(kind, object);
    Some(Look { item: rule::project(kind, object)?, owned, object: object.clone() })
}

pub(crate) fn apply(sim: &Sim, name: &Name, body: &Value, how: Apply) -> Result<Look, CallError> {
    let found = sim.get(name.0.clone(), &name.1, &name.2);
    let Some(mut object) = found.filter(|object| object["metadata"]["uid"] == body["metadata"]["uid"]) else {
        return Err(refused(409, RefusedKind::Conflict));
    };
    let before = object.clone();
    merge(&mut object, body);
    object["data"] = body["data"].clone();
    let fields = json!({"f:data": fields(&body["data"])});
    object["metadata"]["managedFields"] =
        json!([{"manager": "tallyman", "operation": "Apply", "fieldsV1": fields}]);
    if !how.dry_run && object != before {
        object = sim.put(name, Some(object)).expect("it was put");
    }
    Ok(look(&name.0, &object).expect("it can be projected"))
}

fn fields(value: &Value) -> Value {
    let inner = value.as_object().into_iter().flatten();
    Value::Object(inner.map(|(name, value)| (format!("f:{name}"), fields(value))).collect::<Map<_, _>>())
}
