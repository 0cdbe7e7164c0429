//! Label and field selectors.

use crate::kind::Kind;
use crate::meta;
use crate::object::Object;
use crate::query::Query;
use crate::refusal::Refusal;
use std::collections::BTreeMap;

/// What a list or watch is narrowed to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<FieldRequirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    label: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct FieldRequirement {
    /// Where the field is.
    at: &'static str,
    value: String,
    is_equal: bool,
}

const NAME: &str = "/metadata/name";
const NAMESPACE: &str = "/metadata/namespace";

impl Selector {
    /// The selectors of a request.
    ///
    /// # Errors
    /// 400: a selector that cannot be read, or a field that cannot be selected on.
    pub(crate) fn read(kind: &Kind, query: &Query) -> Result<Self, Refusal> {
        let labels = parts(query.get("labelSelector")).map(requirement).collect::<Result<_, _>>()?;
        let fields =
            parts(query.get("fieldSelector")).map(|part| field(kind, part)).collect::<Result<_, _>>()?;
        Ok(Self { labels, fields })
    }

    pub(crate) fn matches(&self, object: &Object) -> bool {
        self.labels.iter().all(|requirement| requirement.holds(&object.labels))
            && self.fields.iter().all(|requirement| requirement.holds(object))
    }
}

impl Requirement {
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.label);
        match &self.test {
            Test::In(values) => value.is_some_and(|value| values.contains(value)),
            Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Test::Exists => value.is_some(),
            Test::DoesNotExist => value.is_none(),
        }
    }
}

impl FieldRequirement {
    fn holds(&self, object: &Object) -> bool {
        let inner;
        let value = match self.at {
            NAME => &object.name,
            NAMESPACE => &object.namespace,
            at => {
                inner = object.value();
                meta::text(&inner, at)
            }
        };
        (value == self.value) == self.is_equal
    }
}

/// The parts of a selector; commas between parentheses do not part.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let split = move |letter: char| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    };
    text.split(split).map(str::trim).filter(|part| !part.is_empty())
}

fn requirement(part: &str) -> Result<Requirement, Refusal> {
    let unreadable = || Refusal::bad_request(format!("unable to parse requirement: {part:?}"));
    let (label, test) = if let Some(label) = part.strip_prefix('!') {
        (label.trim(), Test::DoesNotExist)
    } else if let Some((label, values)) = set(part, " notin") {
        (label, Test::NotIn(values))
    } else if let Some((label, values)) = set(part, " in") {
        (label, Test::In(values))
    } else if let Some((label, value)) = part.split_once("!=") {
        (label.trim(), Test::NotIn(vec![value.trim().to_owned()]))
    } else if let Some((label, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        (label.trim(), Test::In(vec![value.trim().to_owned()]))
    } else {
        (part, Test::Exists)
    };
    if !crate::validate::is_label_name(label) {
        return Err(unreadable());
    }
    if let Test::In(values) | Test::NotIn(values) = &test
        && !values.iter().all(|value| crate::validate::is_label_value(value))
    {
        return Err(unreadable());
    }
    Ok(Requirement { label: label.to_owned(), test })
}

/// `LABEL in (a, b)` with `operator` " in".
fn set<'a>(part: &'a str, operator: &str) -> Option<(&'a str, Vec<String>)> {
    let (head, values) = part.strip_suffix(')')?.split_once('(')?;
    let label = head.trim_end().strip_suffix(operator)?;
    Some((label.trim(), values.split(',').map(|value| value.trim().to_owned()).collect()))
}

fn field(kind: &Kind, part: &str) -> Result<FieldRequirement, Refusal> {
    let unreadable =
        || Refusal::bad_request(format!("invalid selector: '{part}'; can't understand '{part}'"));
    let (name, value, is_equal) = if let Some((name, value)) = part.split_once("!=") {
        (name, value, false)
    } else {
        let (name, value) = part.split_once("==").or_else(|| part.split_once('=')).ok_or_else(unreadable)?;
        (name, value, true)
    };
    let at = match (kind, name.trim()) {
        (_, "metadata.name") => NAME,
        (_, "metadata.namespace") if kind.is_namespaced() => NAMESPACE,
        (Kind::Pod, "status.phase") => "/status/phase",
        (Kind::Pod, "spec.nodeName") => "/spec/nodeName",
        (Kind::Event, "involvedObject.uid") => "/involvedObject/uid",
        (Kind::Event, "involvedObject.name") => "/involvedObject/name",
        (Kind::Event, "reason") => "/reason",
        (Kind::Event, "type") => "/type",
        (_, other) => {
            return Err(Refusal::bad_request(format!(
                "field label {other:?} not supported for {}",
                kind.name()
            )));
        }
    };
    Ok(FieldRequirement { at, value: value.trim().to_owned(), is_equal })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use serde_json::{Value, json};

    fn object() -> Object {
        let labels = json!({"app": "report", "tier": "back"});
        let value = json!({"metadata": {"name": "a", "namespace": "n", "labels": labels}});
        Object::new(&Kind::Job, value, 1).unwrap()
    }

    fn matches(selector: &str) -> bool {
        Selector::read(&Kind::Job, &Query::parse(&format!("labelSelector={selector}")))
            .unwrap()
            .matches(&object())
    }

    #[test]
    fn label_selectors_select() {
        for selector in [
            "app=report",
            "app==report,tier",
            "app!=x",
            "app in (x, report)",
            "app notin (x)",
            "!none",
            "none!=x",
            "",
        ] {
            assert!(matches(selector), "{selector}");
        }
        for selector in ["app=x", "app!=report", "app in (x,y),tier", "app notin (report)", "!app", "none"] {
            assert!(!matches(selector), "{selector}");
        }
    }

    #[test]
    fn unreadable_selectors_are_refused() {
        for query in ["labelSelector=a b", "labelSelector=a=(", "fieldSelector=x", "fieldSelector=spec.x=1"] {
            assert_eq!(Selector::read(&Kind::Job, &Query::parse(query)).unwrap_err().code, 400, "{query}");
        }
    }

    #[test]
    fn pods_and_events_are_selected_by_the_fields_that_they_have_for_it() {
        let holds = |kind: &Kind, value: Value, query: &str| {
            let object = Object::new(kind, value, 1).unwrap();
            Selector::read(kind, &Query::parse(&format!("fieldSelector={query}"))).unwrap().matches(&object)
        };
        let pod = json!({"metadata": {"name": "a"}, "status": {"phase": "Pending"}});
        assert!(holds(&Kind::Pod, pod.clone(), "status.phase!=Succeeded"));
        assert!(!holds(&Kind::Pod, pod, "status.phase=Running"));
        let event = json!({"metadata": {"name": "a"}, "type": "Warning", "involvedObject": {"uid": "u"}});
        assert!(holds(&Kind::Event, event.clone(), "involvedObject.uid=u,type=Warning"));
        assert!(!holds(&Kind::Event, event, "involvedObject.uid=v"));
    }

    #[test]
    fn field_selectors_select_on_name_and_namespace() {
        let query = Query::parse("fieldSelector=metadata.name=a,metadata.namespace!=m");
        assert!(Selector::read(&Kind::Job, &query).unwrap().matches(&object()));
    }
}
