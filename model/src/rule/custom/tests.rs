#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::record::{Expressions, Head};
use serde_json::json;

fn ray() -> Kind {
    Kind::parse("ray.io/v1", "RayJob").unwrap()
}

fn rules(expressions: Expressions) -> Rules {
    let head = Head { revision: Revision(7), name: "ray".to_owned(), ..Head::default() };
    Rules::of(&[StatusRule { head, group: "ray.io".to_owned(), kind: "RayJob".to_owned(), expressions }])
}

fn usual() -> Rules {
    rules(Expressions {
        succeeded: "object.status.jobStatus == 'SUCCEEDED'".to_owned(),
        failed: "object.status.jobStatus in ['FAILED', 'STOPPED'] || object.status.jobDeploymentStatus == 'Failed'".to_owned(),
        running: "object.status.jobStatus == 'RUNNING'".to_owned(),
        message: "object.status.message".to_owned(),
        ..Expressions::default()
    })
}

fn seen(rules: &Rules, status: Value) -> (Option<Verdict>, String) {
    let object = json!({"metadata": {"name": "r", "uid": "u", "resourceVersion": "1"}, "status": status});
    let item = rules.project(&ray(), &object).unwrap();
    (item.verdict, item.seen.message)
}

#[test]
fn a_rule_says_where_an_object_is() {
    let rules = usual();
    let of = |status: Value| seen(&rules, status);
    assert_eq!(of(json!({})), (Some(Verdict::Pending), String::new()));
    assert_eq!(of(Value::Null), (Some(Verdict::Pending), String::new()));
    assert_eq!(of(json!({"jobStatus": "RUNNING"})).0, Some(Verdict::Running));
    assert_eq!(
        of(json!({"jobStatus": "FAILED", "message": "exit 1"})),
        (Some(Verdict::Failed), "exit 1".to_owned())
    );
    assert_eq!(of(json!({"jobDeploymentStatus": "Failed"})).0, Some(Verdict::Failed));
    assert_eq!(of(json!({"jobStatus": "SUCCEEDED"})).0, Some(Verdict::Succeeded));
}

#[test]
fn what_says_both_has_failed_and_what_says_neither_runs_if_nothing_else_is_asked() {
    let rules = rules(Expressions {
        succeeded: "object.status.done".to_owned(),
        failed: "object.status.errors > 0".to_owned(),
        ..Expressions::default()
    });
    assert_eq!(seen(&rules, json!({"done": true, "errors": 1})).0, Some(Verdict::Failed));
    assert_eq!(seen(&rules, json!({"done": false})).0, Some(Verdict::Running));
}

#[test]
fn an_observation_names_the_rule_and_without_one_nothing_is_said() {
    let object = json!({"metadata": {"name": "r", "uid": "u", "resourceVersion": "1"}});
    assert_eq!(usual().project(&ray(), &object).unwrap().seen.rule, Some(Revision(7)));
    let older = Kind::parse("ray.io/v1alpha1", "RayJob").unwrap();
    assert_eq!(usual().revision(&older), Some(Revision(7)), "a rule is for all versions of its kind");
    let other = Kind::parse("ray.io/v1", "RayCluster").unwrap();
    let item = usual().project(&other, &object).unwrap();
    assert_eq!((item.seen.rule, item.verdict), (None, None));
}

#[test]
fn a_rule_that_cannot_be_asked_of_an_object_decides_nothing_and_says_so() {
    let rules =
        rules(Expressions { succeeded: "object.status.state > 1".to_owned(), ..Expressions::default() });
    let (verdict, message) = seen(&rules, json!({"state": "done"}));
    assert_eq!(verdict, None);
    assert!(message.contains("succeeded: a text and a number have no order"), "{message}");
}

#[test]
fn a_rule_says_how_what_is_kept_in_sync_does() {
    let rules = rules(Expressions {
        healthy: "object.status.state == 'Ready'".to_owned(),
        degraded: "object.status.state == 'Broken'".to_owned(),
        message: "'it is ' + object.status.state".to_owned(),
        ..Expressions::default()
    });
    let of = |status: Value| {
        let owned = rules.owned(&ray(), &json!({"metadata": {}, "status": status}));
        (owned.health, owned.health_message)
    };
    assert_eq!(of(json!({"state": "Ready"})), (Health::Healthy, "it is Ready".to_owned()));
    assert_eq!(of(json!({"state": "Broken"})), (Health::Degraded, "it is Broken".to_owned()));
    assert_eq!(of(json!({})), (Health::Progressing, String::new()));
    assert_eq!(seen(&rules, json!({"state": "Ready"})).0, None, "it says nothing of an end");
}

#[test]
fn kinds_that_are_known_are_not_asked() {
    let mut rule = StatusRule { group: "batch".to_owned(), kind: "Job".to_owned(), ..StatusRule::default() };
    rule.expressions.succeeded = "true".to_owned();
    assert_eq!(Rules::of(&[rule]).revision(&Kind::Job), None);
}
