//! Which objects a list or watch is of.

use super::scope::Scope;
use super::served::Served;
use crate::ask::Ask;
use crate::filter;
use crate::listed::Listed;
use crate::status::Failure;
use serde_json::Value;
use std::collections::BTreeMap;
use tallyman_model::query::{self, FieldTest, Filter};
use tallyman_model::record::{Kind, Object, ObjectState, Resource, Runnable};
use tallyman_model::selector::Selector;
use tallyman_model::{Damaged, Ordinal, View};

/// Objects of one kind.
pub(crate) struct Selection {
    pub(crate) scope: Scope,
    pub(crate) served: Served,
    namespace: Option<String>,
    labels: Selector,
    /// Names that they must, or must not, have.
    names: Vec<(String, bool)>,
    /// Namespaces that they must, or must not, be in.
    namespaces: Vec<(String, bool)>,
}

impl Selection {
    /// From the selectors of a request.
    ///
    /// # Errors
    /// A selector that cannot be read, or a field that cannot be selected by.
    pub(super) fn of(
        ask: &Ask,
        scope: Scope,
        served: Served,
        namespace: Option<&str>,
    ) -> Result<Self, Failure> {
        let labels = Selector::parse(ask.params.get("labelSelector").unwrap_or_default())
            .map_err(|why| Failure::bad_request(format!("labelSelector: {why}")))?;
        let (mut names, mut namespaces) = (Vec::new(), Vec::new());
        for (field, value, equal) in filter::terms(&ask.params)? {
            match field.as_str() {
                "metadata.name" => names.push((value, equal)),
                "metadata.namespace" => namespaces.push((value, equal)),
                _ => {
                    let plural = &served.plural;
                    return Err(Failure::bad_request(format!(
                        "fieldSelector: {plural} cannot be selected by {field:?}, only by metadata.name and \
                         metadata.namespace"
                    )));
                }
            }
        }
        let namespace = namespace.map(str::to_owned);
        Ok(Self { scope, served, namespace, labels, names, namespaces })
    }

    pub(crate) fn listed(&self) -> Listed {
        Listed::Observed { kind: self.served.kind.clone(), all: self.scope == Scope::All }
    }

    /// What its list is of, beside the selectors.
    pub(super) fn within(&self) -> String {
        let Served { kind, plural } = &self.served;
        let namespace = self.namespace.as_deref().unwrap_or("*");
        format!("{}/{}/{plural}/{namespace}", self.scope, kind.api_version())
    }

    /// The runs that have them; `cluster` is that of the scope.
    pub(super) fn runs(&self, cluster: Option<Ordinal>) -> Filter {
        let mut filter = Filter::all(Resource::Runnable);
        let only = self.namespaces.iter().find(|(_, equal)| *equal).map(|(namespace, _)| namespace);
        filter.namespace = self.namespace.as_ref().or(only).cloned();
        filter.fields.push((FieldTest::Objects(cluster), true));
        filter
    }

    /// True if the object is one of them by all but its labels.
    pub(crate) fn has(&self, run: &Runnable, object: &Object, cluster: Option<Ordinal>) -> bool {
        let Some(plan) = run.plan(object) else { return false };
        let passes = |tests: &[(String, bool)], text: &str| {
            tests.iter().all(|(value, equal)| (value.as_str() == text) == *equal)
        };
        object.state == ObjectState::Live
            && plan.kind == self.served.kind
            && cluster.is_none_or(|cluster| cluster == object.cluster)
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == plan.namespace)
            && passes(&self.namespaces, &plan.namespace)
            && passes(&self.names, &object.name)
    }

    /// True if its labels are those that are asked for.
    pub(super) fn has_labels(&self, document: &Value) -> bool {
        if self.labels.0.is_empty() {
            return true;
        }
        let labels = document.pointer("/metadata/labels").and_then(Value::as_object);
        let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
        let labels: BTreeMap<String, String> = labels.into_iter().flatten().filter_map(text).collect();
        self.labels.matches(&labels)
    }
}

/// True if no older run shows the object: members of equal bytes are shared.
pub(super) fn is_first(view: &dyn View, run: &Runnable, object: &Object) -> Result<bool, Damaged> {
    let Some(plan) = run.plan(object).filter(|_| !run.is_main(object)) else { return Ok(true) };
    let holders = query::claimants(view, object.cluster, &plan.kind, &plan.namespace, &object.name)?;
    let first =
        holders.iter().find(|holder| live(holder, object.cluster, &plan.kind, &object.name).is_some());
    Ok(first.is_none_or(|first| first.head.ordinal >= run.head.ordinal))
}

/// The live object of that name.
pub(super) fn live<'a>(run: &'a Runnable, cluster: Ordinal, kind: &Kind, name: &str) -> Option<&'a Object> {
    run.objects.iter().find(|object| {
        object.state == ObjectState::Live
            && object.cluster == cluster
            && object.name == name
            && run.plan(object).is_some_and(|plan| plan.kind == *kind)
    })
}
