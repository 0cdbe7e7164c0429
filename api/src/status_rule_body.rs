//! A `StatusRule` as users write it.

use crate::global_head::{Faults, GlobalHead};
use crate::noun::Noun;
use crate::status::Failure;
use serde_json::{Map, Value};
use tallyman_model::Uid;
use tallyman_model::command::PutStatusRule;
use tallyman_model::record::{Expressions, Kind};
use tallyman_model::rule::cel::Program;
use tallyman_model::rule::is_ruled;

/// Reads a document, that of the rule `name` if it exists already. With a UID it is to be made.
///
/// # Errors
/// Every fault, with its path; of an expression what is wrong with it and where.
pub(crate) fn read(value: Value, name: Option<&str>, uid: Option<Uid>) -> Result<PutStatusRule, Failure> {
    let mut faults = Faults::default();
    let (head, mut root) = GlobalHead::read(Noun::StatusRules, value, name, &mut faults)?;
    let mut spec = faults.object(&mut root, "spec", "spec");
    faults.rest("", &root);
    let (group, kind) = kind(&mut spec, &mut faults);
    let expressions = expressions(&mut spec, &mut faults);
    faults.rest("spec.", &spec);
    if !faults.0.is_empty() {
        return Err(Failure::faults(Noun::StatusRules, name.unwrap_or(&head.name), faults.0));
    }
    let GlobalHead { name, labels, annotations, revision } = head;
    Ok(PutStatusRule { uid, revision, name, labels, annotations, group, kind, expressions })
}

fn kind(spec: &mut Map<String, Value>, faults: &mut Faults) -> (String, String) {
    let mut text = |field: &str, is_needed: bool, faults: &mut Faults| match spec.remove(field) {
        Some(Value::String(text)) => text,
        None | Some(Value::Null) if !is_needed => String::new(),
        _ => {
            faults.add(format!("spec.{field}"), "must be there, as a string");
            String::new()
        }
    };
    let (group, kind) = (text("group", false, faults), text("kind", true, faults));
    // Of any version.
    let api_version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
    if Kind::parse(&api_version, &kind).is_none() {
        let message = format!(
            "{group:?} and {kind:?} cannot be the names of a group and a kind; no version is named here"
        );
        faults.add("spec.kind", message);
    } else if is_ruled(&group, &kind) {
        faults.add("spec.kind", format!("what a {kind} says is known: no rule can be made for it"));
    }
    (group, kind)
}

fn expressions(spec: &mut Map<String, Value>, faults: &mut Faults) -> Expressions {
    let mut expressions = Expressions::default();
    for (name, slot) in expressions.named_mut() {
        match spec.remove(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text.is_empty() => {}
            Some(Value::String(text)) => match Program::parse(&text) {
                Ok(_) => *slot = text,
                Err(why) => faults.add(format!("spec.{name}"), why.to_string()),
            },
            Some(_) => faults.add(format!("spec.{name}"), "must be an expression, as a string"),
        }
    }
    let is_empty = |text: &str| text.is_empty();
    if faults.0.is_empty() && is_empty(&expressions.succeeded) {
        if !is_empty(&expressions.failed) || !is_empty(&expressions.running) {
            faults.add(
                "spec.succeeded",
                "must be there beside failed and running: nothing would say that it ended well",
            );
        } else if is_empty(&expressions.healthy) && is_empty(&expressions.degraded) {
            faults.add("spec.succeeded", "must be there, or healthy or degraded for what is kept in sync");
        }
    }
    expressions
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(spec: Value) -> Result<PutStatusRule, Vec<(String, String)>> {
        let document = json!({
            "apiVersion": "tallyman.dev/v1", "kind": "StatusRule", "metadata": {"name": "spark"}, "spec": spec,
        });
        read(document, None, None).map_err(|failure| {
            failure.causes.iter().map(|(_, cause)| (cause.field.clone(), cause.message.clone())).collect()
        })
    }

    #[test]
    fn a_rule_is_read() {
        let rule = of(json!({
            "group": "ray.io", "kind": "RayJob", "succeeded": "object.status.jobStatus == 'SUCCEEDED'",
            "message": "object.status.message",
        }));
        let rule = rule.unwrap();
        assert_eq!(
            (rule.group.as_str(), rule.kind.as_str(), rule.name.as_str()),
            ("ray.io", "RayJob", "spark")
        );
        assert_eq!(rule.expressions.message, "object.status.message");
    }

    #[test]
    fn every_fault_is_named_with_its_place() {
        let fields = |spec: Value| of(spec).unwrap_err();
        let found = fields(json!({
            "group": "ray.io/v1", "kind": "RayJob", "succeeded": "object.status.state = 'a'", "failed": 1, "extra": 1,
        }));
        let has = |field: &str, words: &str| {
            assert!(found.iter().any(|(at, said)| at == field && said.contains(words)), "{field}: {found:?}");
        };
        has("spec.kind", "cannot be the names");
        has("spec.succeeded", "character 21: equality is ==");
        has("spec.failed", "must be an expression");
        has("spec.extra", "unknown field");
        let one = |spec: Value| fields(spec).remove(0);
        assert_eq!(one(json!({"group": "batch", "kind": "Job", "succeeded": "true"})).0, "spec.kind");
        assert_eq!(one(json!({"kind": "Widget", "failed": "true"})).0, "spec.succeeded");
        assert_eq!(one(json!({"kind": "Widget"})).0, "spec.succeeded");
        assert_eq!(one(json!({"succeeded": "true"})).0, "spec.kind");
    }
}
