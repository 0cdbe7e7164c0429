//! What a `DELETE` may ask for, in its body and its query.

use crate::ask::Ask;
use crate::status::Failure;
use serde_json::Value;
use tallyman_model::{Cause, Revision, Uid};

/// Only that record, only at that revision; and whether objects may stay behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeleteOptions {
    pub(crate) uid: Option<Uid>,
    pub(crate) revision: Option<Revision>,
    pub(crate) orphan: bool,
    pub(crate) dry_run: bool,
}

impl DeleteOptions {
    /// From a `DeleteOptions` document, `If-Match` and `propagationPolicy`.
    pub(crate) fn of(ask: &Ask, options: Option<Value>) -> Result<Self, Failure> {
        let orphan = orphans(ask.params.get("propagationPolicy"))?;
        let mut asked = Self { uid: None, revision: ask.if_match()?, orphan, dry_run: ask.dry_run };
        let Some(options) = options else { return Ok(asked) };
        let Value::Object(options) = options else {
            return Err(Failure::bad_request("the body of a DELETE is a DeleteOptions object, or nothing"));
        };
        for (field, value) in options {
            match (field.as_str(), value) {
                // Objects get the grace period of their own spec.
                ("kind" | "apiVersion" | "gracePeriodSeconds", _) | (_, Value::Null) => {}
                ("propagationPolicy", Value::String(policy)) => asked.orphan |= orphans(Some(&policy))?,
                ("preconditions", Value::Object(preconditions)) => asked.take(preconditions)?,
                ("orphanDependents", Value::Bool(false)) => {}
                ("dryRun", Value::Array(list)) if list.iter().all(|one| one == "All") => {
                    asked.dry_run |= !list.is_empty();
                }
                _ => return Err(refused(&field, "is not supported; nothing was deleted")),
            }
        }
        Ok(asked)
    }

    /// For records whose objects always go before they do.
    pub(crate) fn without_orphans(self) -> Result<Self, Failure> {
        if self.orphan {
            let words = "Orphan is not supported: a runnable's objects go with it";
            return Err(refused("propagationPolicy", words));
        }
        Ok(self)
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

/// True if a policy leaves objects behind.
fn orphans(policy: Option<&str>) -> Result<bool, Failure> {
    match policy {
        None | Some("Background" | "Foreground") => Ok(false),
        Some("Orphan") => Ok(true),
        Some(_) => Err(refused("propagationPolicy", "must be Foreground, Background or Orphan")),
    }
}

fn refused(field: &str, message: &str) -> Failure {
    let cause = Cause { field: field.to_owned(), message: message.to_owned() };
    Failure::invalid(format!("{field}: {message}"), vec![cause])
}
