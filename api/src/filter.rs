//! From `labelSelector` and `fieldSelector` to a filter of the model.

use crate::noun::Noun;
use crate::params::Params;
use crate::status::Failure;
use tallyman_model::Phase;
use tallyman_model::query::{FieldTest, Filter};
use tallyman_model::record::Resource;
use tallyman_model::selector::Selector;

/// Terms of one field selector.
const TERMS_MAX: usize = 64;

/// One term of a field selector: the field, its value, and whether they must be equal.
pub(crate) type Term = (String, String, bool);

/// The filter that a list or watch of `resource` in `namespace` asks for.
///
/// # Errors
/// A selector that cannot be read, or a field that cannot be selected by.
pub(crate) fn filter(
    params: &Params,
    noun: Noun,
    resource: Resource,
    namespace: Option<&str>,
) -> Result<Filter, Failure> {
    let labels = Selector::parse(params.get("labelSelector").unwrap_or_default())
        .map_err(|why| Failure::bad_request(format!("labelSelector: {why}")))?;
    let mut fields = Vec::new();
    for (field, value, equal) in terms(params)? {
        fields.push((test(noun, &field, value)?, equal));
    }
    Ok(Filter { resource, namespace: namespace.map(str::to_owned), labels, fields })
}

/// The terms of the field selector.
///
/// # Errors
/// It cannot be read.
pub(crate) fn terms(params: &Params) -> Result<Vec<Term>, Failure> {
    let text = params.get("fieldSelector").unwrap_or_default();
    let mut terms = Vec::new();
    for term in text.split(',').map(str::trim).filter(|_| !text.trim().is_empty()) {
        let signs = [("!=", false), ("==", true), ("=", true)];
        let split = signs.iter().find_map(|(sign, equal)| term.split_once(sign).map(|parts| (parts, *equal)));
        let Some(((field, value), equal)) = split else {
            let words = "write FIELD=VALUE, FIELD==VALUE or FIELD!=VALUE";
            return Err(Failure::bad_request(format!("fieldSelector: {term:?} has no operator; {words}")));
        };
        if terms.len() == TERMS_MAX {
            return Err(Failure::bad_request(format!("fieldSelector: at most {TERMS_MAX} terms")));
        }
        terms.push((field.trim().to_owned(), value.trim().to_owned(), equal));
    }
    Ok(terms)
}

fn test(noun: Noun, field: &str, value: String) -> Result<FieldTest, Failure> {
    match (noun, field) {
        (_, "metadata.name") => Ok(FieldTest::Name(value)),
        (_, "metadata.namespace") if noun.is_namespaced() => Ok(FieldTest::Namespace(value)),
        (Noun::Runnables, "status.cluster") => Ok(FieldTest::Cluster(value)),
        (Noun::Runnables, "status.parent") => Ok(FieldTest::Parent(value)),
        (Noun::Runnables, "status.phase") => Phase::parse(&value).map(FieldTest::Phase).ok_or_else(|| {
            let phases: Vec<_> = Phase::ALL.iter().map(|phase| phase.as_str()).collect();
            let words =
                format!("fieldSelector: {value:?} is not a phase; the phases are {}", phases.join(", "));
            Failure::bad_request(words)
        }),
        // Also a word of a Pod, of which there are many.
        (Noun::Runnables, "status.reason") => Ok(FieldTest::Reason(value)),
        (Noun::Runnables, "status.deadLetter") if value == "true" => Ok(FieldTest::DeadLetter),
        (Noun::Runnables, "status.deadLetter") => {
            let words =
                "fieldSelector: write status.deadLetter=true, or status.deadLetter!=true for the others";
            Err(Failure::bad_request(words))
        }
        (Noun::Runnables, "status.foreign") if value == "true" => Ok(FieldTest::Foreign),
        (Noun::Runnables, "status.foreign") => {
            let words = "fieldSelector: write status.foreign=true for what was not submitted here, or status.foreign!=true";
            Err(Failure::bad_request(words))
        }
        _ => Err(unsupported(noun, field)),
    }
}

/// A field that cannot be selected by.
pub(crate) fn unsupported(noun: Noun, field: &str) -> Failure {
    let served = match noun {
        Noun::Runnables => {
            "metadata.name, metadata.namespace, status.phase, status.reason, status.cluster, status.parent, status.deadLetter, status.foreign"
        }
        Noun::Deployables | Noun::Pools | Noun::Allocations | Noun::Locks => {
            "metadata.name, metadata.namespace"
        }
        Noun::Clusters | Noun::StatusRules | Noun::Replicas => "metadata.name",
        Noun::AuditRecords => "metadata.name, spec.submission, spec.uid, spec.user, spec.verb, spec.cluster",
    };
    let plural = noun.plural();
    Failure::bad_request(format!("fieldSelector: {plural} cannot be selected by {field:?}, only by {served}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use axum::http::StatusCode;

    fn of(query: &str) -> Result<Filter, Failure> {
        filter(&Params::parse(query)?, Noun::Runnables, Resource::Runnable, None)
    }

    #[test]
    fn every_operator_of_a_field_selector_is_read() {
        let filter =
            of("fieldSelector=status.phase%3DRunning,metadata.name!%3Da,status.cluster%3D%3Deast").unwrap();
        assert_eq!(
            filter.fields,
            [
                (FieldTest::Phase(Phase::Running), true),
                (FieldTest::Name("a".to_owned()), false),
                (FieldTest::Cluster("east".to_owned()), true)
            ]
        );
    }

    #[test]
    fn selectors_that_cannot_be_served_are_refused() {
        for wrong in [
            "labelSelector=a%20in%20b",
            "labelSelector=,",
            "fieldSelector=status.phase",
            "fieldSelector=status.phase%3DSleeping",
            "fieldSelector=status.deadLetter%3Dfalse",
            "fieldSelector=status.foreign%3Dfalse",
            "fieldSelector=spec.color%3Dred",
            "fieldSelector=,",
        ] {
            assert_eq!(of(wrong).unwrap_err().code, StatusCode::BAD_REQUEST, "{wrong}");
        }
    }
}
