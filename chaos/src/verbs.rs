//! What is done for each verb on a resource.

pub(crate) mod apply;
pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod watch;

use crate::query::Query;
use crate::refusal::Refusal;
use serde_json::Value;

/// Whether a write is only tried.
///
/// # Errors
/// 400: a value that Kubernetes does not know.
pub(crate) fn is_dry_run(query: &Query) -> Result<bool, Refusal> {
    match query.get("dryRun") {
        "" => Ok(false),
        "All" => Ok(true),
        other => Err(Refusal::bad_request(format!(
            "dryRun: Unsupported value: {other:?}: supported values: \"All\""
        ))),
    }
}

/// An object in the body of a request.
///
/// # Errors
/// 415: not JSON by its type. 400: not JSON.
pub(crate) fn object_in(content_type: &str, body: &[u8]) -> Result<Value, Refusal> {
    if !matches!(content_type, "" | "application/json") {
        return Err(Refusal::unsupported_media_type("application/json"));
    }
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(Refusal::bad_request("the object provided is unrecognized (must be an object)")),
        Err(error) => Err(Refusal::bad_request(format!("the object provided is unrecognized: {error}"))),
    }
}
