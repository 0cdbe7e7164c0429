//! Specs of `CustomResourceDefinition`s.

use super::names;
use crate::definition::versions;
use crate::meta;
use crate::refusal::Cause;
use serde_json::Value;

/// Groups of Kubernetes itself, whose definitions need a word of approval.
const PROTECTED: [&str; 2] = ["k8s.io", "kubernetes.io"];
const APPROVED: &str = "api-approved.kubernetes.io";

/// What is wrong with a definition whose defaults are filled in.
pub(super) fn spec(definition: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let text = |pointer| meta::text(definition, pointer);
    let (group, plural) = (text("/spec/group"), text("/spec/names/plural"));
    let said = &definition["metadata"]["name"];
    if said.as_str() != Some(format!("{plural}.{group}").as_str()) {
        let detail = r#"must be spec.names.plural+"."+spec.group"#;
        causes.push(Cause::invalid("metadata.name", said, detail));
    }
    if group.is_empty() {
        causes.push(Cause::required("spec.group", ""));
    } else if !group.contains('.') {
        let detail = "should be a domain with at least one dot";
        causes.push(Cause::invalid("spec.group", &group.into(), detail));
    }
    let is_protected =
        PROTECTED.iter().any(|domain| group == *domain || group.ends_with(&format!(".{domain}")));
    if is_protected && meta::annotation(definition, APPROVED).is_none_or(str::is_empty) {
        let detail = "protected groups must have approval annotation \"api-approved.kubernetes.io\", see \
                      https://github.com/kubernetes/enhancements/pull/1111";
        causes.push(Cause::required(format!("metadata.annotations[{APPROVED}]"), detail));
    }
    match text("/spec/scope") {
        "Namespaced" | "Cluster" => {}
        "" => causes.push(Cause::required("spec.scope", "")),
        other => causes.push(Cause::unsupported("spec.scope", other, r#""Cluster", "Namespaced""#)),
    }
    for field in ["plural", "singular", "kind", "listKind"] {
        let path = format!("spec.names.{field}");
        match meta::text(definition, &format!("/spec/names/{field}")) {
            "" => causes.push(Cause::required(path, "")),
            name => {
                if let Err(detail) = names::check_label(&name.to_lowercase()) {
                    causes.push(Cause::invalid(path, &name.into(), detail));
                }
            }
        }
    }
    causes.extend(version_causes(definition));
    causes
}

fn version_causes(definition: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let all = &definition["spec"]["versions"];
    if versions(definition).filter(|version| version["storage"] == Value::Bool(true)).count() != 1 {
        let detail = "must have exactly one version marked as storage version";
        causes.push(Cause::invalid("spec.versions", all, detail));
    }
    for (number, version) in versions(definition).enumerate() {
        if meta::text(version, "/name").is_empty() {
            causes.push(Cause::required(format!("spec.versions[{number}].name"), ""));
        }
        if meta::is_absent(version, "/schema/openAPIV3Schema") {
            let path = format!("spec.versions[{number}].schema.openAPIV3Schema");
            causes.push(Cause::required(path, "schemas are required"));
        }
    }
    causes
}

/// Which fixed fields differ; all but the group may change until the names are accepted.
pub(super) fn immutable(old: &Value, new: &Value) -> Vec<Cause> {
    let is_open = !meta::has_condition(old, "Established");
    let fixed = ["group", "scope", "names/kind", "names/plural"];
    let at =
        |value: &Value, field: &str| value.pointer(&format!("/spec/{field}")).cloned().unwrap_or_default();
    let changed = fixed.into_iter().filter(|field| at(old, field) != at(new, field));
    let refused = changed.filter(|field| !is_open || *field == "group");
    let path = |field: &str| format!("spec.{}", field.replace('/', "."));
    refused.map(|field| Cause::invalid(path(field), &at(new, field), "field is immutable")).collect()
}
