//! A `Cluster` as users write it.

mod credentials;
mod hub;
mod observe;
mod watching;

use crate::global_head::{Faults, GlobalHead};
use crate::noun::Noun;
use crate::status::Failure;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use tallyman_model::limits::DATACENTER_BYTES_MAX;
use tallyman_model::record::{Credentials, ForeignSelector, WatchScope};
use tallyman_model::{Revision, log_link};

/// What of a cluster users set.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ClusterBody {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) revision: Option<Revision>,
    pub(crate) credentials: Credentials,
    pub(crate) cordoned: bool,
    pub(crate) paused: bool,
    pub(crate) via: String,
    pub(crate) log_link: String,
    pub(crate) hub: Vec<String>,
    pub(crate) observe: Vec<ForeignSelector>,
    pub(crate) watch_scope: WatchScope,
    pub(crate) watch_namespaces: Vec<String>,
}

impl ClusterBody {
    /// Reads a document, that of the cluster `name` if it exists already.
    ///
    /// # Errors
    /// Every fault, with its path. No value is quoted: a wrong field may hold credentials.
    pub(crate) fn read(value: Value, name: Option<&str>) -> Result<Self, Failure> {
        let mut faults = Faults::default();
        let (head, mut root) = GlobalHead::read(Noun::Clusters, value, name, &mut faults)?;
        let GlobalHead { name: own, labels, annotations, revision } = head;
        let mut body = Self { name: own, labels, annotations, revision, ..Self::default() };
        body.spec(faults.object(&mut root, "spec", "spec"), &mut faults);
        faults.rest("", &root);
        if faults.0.is_empty() {
            return Ok(body);
        }
        Err(Failure::faults(Noun::Clusters, name.unwrap_or(&body.name), faults.0))
    }

    fn spec(&mut self, mut spec: Map<String, Value>, faults: &mut Faults) {
        self.credentials = credentials::read(&mut spec, faults);
        for (field, slot) in [("cordoned", &mut self.cordoned), ("paused", &mut self.paused)] {
            match spec.remove(field) {
                None | Some(Value::Null) => {}
                Some(Value::Bool(value)) => *slot = value,
                Some(_) => faults.add(format!("spec.{field}"), "must be true or false"),
            }
        }
        match spec.remove("via") {
            None | Some(Value::Null) => {}
            Some(Value::String(datacenter)) if datacenter.len() <= DATACENTER_BYTES_MAX => {
                self.via = datacenter
            }
            Some(_) => faults.add(
                "spec.via",
                format!("must be a datacenter's name, as a string of at most {DATACENTER_BYTES_MAX} bytes"),
            ),
        }
        match spec.remove("logLink") {
            None | Some(Value::Null) => {}
            Some(Value::String(template)) if template.is_empty() => {}
            Some(Value::String(template)) => match log_link::check(&template) {
                Ok(()) => self.log_link = template,
                Err(why) => faults.add("spec.logLink", why),
            },
            Some(_) => faults.add("spec.logLink", "must be a URL with places for names, as a string"),
        }
        self.hub = hub::read(spec.remove("hub"), faults);
        self.observe = observe::read(spec.remove("observe"), faults);
        (self.watch_scope, self.watch_namespaces) = watching::read(&mut spec, faults);
        faults.rest("spec.", &spec);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cluster_is_read_and_every_fault_is_named() {
        let good = json!({
            "apiVersion": "tallyman.dev/v1", "kind": "Cluster", "metadata": {"name": "east", "labels": {"a": "b"}},
            "spec": {"kubeconfig": {"path": "/etc/east", "context": "admin"}, "cordoned": true,
                "logLink": "https://logs.example.com/{cluster}/{pod}"},
        });
        let body = ClusterBody::read(good, None).unwrap();
        assert_eq!(body.log_link, "https://logs.example.com/{cluster}/{pod}");
        assert_eq!((body.name.as_str(), body.cordoned, body.paused), ("east", true, false));
        assert_eq!(body.credentials.context.as_deref(), Some("admin"));
        let bad = json!({
            "apiVersion": "v1", "kind": "Cluster", "metadata": {"name": "East", "labels": {"a": 1}}, "extra": 1,
            "spec": {"kubeconfig": {"path": "relative", "token": "hunter2"}, "paused": "yes", "password": "hunter2",
                "logLink": "javascript:hunter2"},
        });
        let failure = ClusterBody::read(bad, None).unwrap_err();
        let fields: Vec<_> = failure.causes.iter().map(|(_, cause)| cause.field.as_str()).collect();
        for field in [
            "apiVersion",
            "metadata.name",
            "metadata.labels.a",
            "extra",
            "spec.kubeconfig.path",
            "spec.kubeconfig.token",
            "spec.paused",
            "spec.password",
            "spec.logLink",
        ] {
            assert!(fields.contains(&field), "{field} of {fields:?}");
        }
        assert!(!failure.message.contains("hunter2"));
    }
}
