//! What a `DELETE` may ask for, in its body and its query.

use crate::ask::Ask;
use crate::status::Failure;
use serde_json::Value;
use tallyman_model::{Cause, Revision, Uid};

/// Only that record, only at that revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Preconditions {
    pub(crate) uid: Option<Uid>,
    pub(crate) revision: Option<Revision>,
}

impl Preconditions {
    /// From a `DeleteOptions` document, `If-Match` and `propagationPolicy`.
    pub(crate) fn of(ask: &Ask, options: Option<Value>) -> Result<Self, Failure> {
        policy(ask.params.get("propagationPolicy"))?;
        let mut asked = Self { uid: None, revision: ask.if_match()? };
        let Some(options) = options else { return Ok(asked) };
        let Value::Object(options) = options else {
            return Err(Failure::bad_request("the body of a DELETE is a DeleteOptions object, or nothing"));
        };
        for (field, value) in options {
            match (field.as_str(), value) {
                // Objects get the grace period of their own spec.
                ("kind" | "apiVersion" | "gracePeriodSeconds", _) | (_, Value::Null) => {}
                ("propagationPolicy", value) => policy(value.as_str())?,
                ("preconditions", Value::Object(preconditions)) => asked.take(preconditions)?,
                ("orphanDependents", Value::Bool(false)) => {}
                ("dryRun", Value::Array(list)) if list.is_empty() => {}
                _ => return Err(refused(&field, "is not supported; nothing was deleted")),
            }
        }
        Ok(asked)
    }

    fn take(&mut self, preconditions: serde_json::Map<String, Value>) -> Result<(), Failure> {
        for (field, value) in preconditions {
            let text = value.as_str().unwrap_or_default();
            match field.as_str() {
                "uid" => {
                    let uid = Uid::parse(text).ok_or_else(|| refused("preconditions.uid", "is not a UID"))?;
                    self.uid = Some(uid);
                }
                "resourceVersion" => {
                    let wrong = || refused("preconditions.resourceVersion", "is not a revision");
                    self.revision = Some(text.parse().map(Revision).map_err(|_| wrong())?);
                }
                other => return Err(refused(&format!("preconditions.{other}"), "unknown field")),
            }
        }
        Ok(())
    }
}

/// Objects always go before the record does; leaving them behind is not supported.
fn policy(policy: Option<&str>) -> Result<(), Failure> {
    match policy {
        None | Some("Background" | "Foreground") => Ok(()),
        Some("Orphan") => {
            Err(refused("propagationPolicy", "Orphan is not supported: a runnable's objects go with it"))
        }
        Some(_) => Err(refused("propagationPolicy", "must be Foreground or Background")),
    }
}

fn refused(field: &str, message: &str) -> Failure {
    let cause = Cause { field: field.to_owned(), message: message.to_owned() };
    Failure::invalid(format!("{field}: {message}"), vec![cause])
}
