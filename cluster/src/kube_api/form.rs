//! How much of its objects a cluster is asked for: where no rule reads more than the metadata, that alone.

use serde_json::Value;
use tallyman_model::command::Observation;
use tallyman_model::record::Kind;
use tallyman_model::rule::{self, Rules};

/// All of an object, or its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Whole,
    Metadata,
}

/// What answers are to be: a server that cannot cut objects sends all of them.
pub(super) const WHOLE: &str = "application/json";
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

impl Form {
    /// What is needed of objects of `kind`.
    pub(super) fn of(rules: &Rules, kind: &Kind) -> Self {
        if rules.reads_all(kind) { Self::Whole } else { Self::Metadata }
    }

    /// The header `Accept` for one object, or a watch.
    pub(super) fn accept(self) -> &'static str {
        match self {
            Self::Whole => WHOLE,
            Self::Metadata => METADATA,
        }
    }

    /// The header `Accept` for a listing.
    pub(super) fn accept_list(self) -> &'static str {
        match self {
            Self::Whole => WHOLE,
            Self::Metadata => METADATA_LIST,
        }
    }

    /// The projection of what was answered. No rule is asked about metadata alone, also one that has come since: that a
    /// status was not read is not that there is none.
    pub(super) fn project(self, rules: &Rules, kind: &Kind, object: &Value) -> Option<Observation> {
        match self {
            Self::Whole => rules.project(kind, object),
            Self::Metadata => rule::project_metadata(kind, object),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;
    use tallyman_model::record::{Expressions, StatusRule};

    fn rules(failed: &str) -> Rules {
        let expressions = Expressions { failed: failed.to_owned(), ..Expressions::default() };
        let (group, kind) = ("example.com".to_owned(), "Widget".to_owned());
        Rules::of(&[StatusRule { group, kind, expressions, ..StatusRule::default() }])
    }

    #[test]
    fn only_kinds_that_say_something_by_their_status_are_read_whole() {
        let widget = Kind::parse("example.com/v1", "Widget").unwrap();
        let pod = Kind::parse("v1", "Pod").unwrap();
        for (kind, rules, form) in [
            (&Kind::Job, Rules::default(), Form::Whole),
            (&Kind::Workflow, Rules::default(), Form::Whole),
            (&pod, Rules::default(), Form::Whole),
            (&Kind::ConfigMap, Rules::default(), Form::Metadata),
            (&Kind::WorkflowTemplate, Rules::default(), Form::Metadata),
            (&widget, Rules::default(), Form::Metadata),
            (&widget, rules("false"), Form::Whole),
        ] {
            assert_eq!(Form::of(&rules, kind), form, "{kind}");
        }
    }

    #[test]
    fn a_rule_that_came_since_is_not_asked_about_metadata() {
        let widget = Kind::parse("example.com/v1", "Widget").unwrap();
        let metadata = json!({"name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7"});
        let partial = json!({"kind": "PartialObjectMetadata", "metadata": metadata});
        let rules = rules("!has(object.status)");
        assert!(rules.project(&widget, &partial).unwrap().verdict.is_some(), "it would say that it failed");
        let item = Form::Metadata.project(&rules, &widget, &partial).unwrap();
        assert_eq!((item.verdict, item.seen.rule), (None, None));
    }
}
