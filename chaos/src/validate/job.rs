//! Specs of Jobs and Pods.

use crate::meta;
use crate::refusal::Cause;
use serde_json::Value;

/// What is wrong with the spec of a Job whose defaults are filled in.
pub(super) fn spec(job: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for field in
        ["parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"]
    {
        let value = &job["spec"][field];
        if !value.is_null() && value.as_u64().is_none() {
            let detail = "must be greater than or equal to 0";
            causes.push(Cause::invalid(format!("spec.{field}"), value, detail));
        }
    }
    let template = &job["spec"]["template"];
    causes.extend(containers(template.get("spec"), "spec.template.spec"));
    match meta::text(template, "/spec/restartPolicy") {
        "OnFailure" | "Never" => {}
        "" => {
            let detail = r#"valid values: "OnFailure", "Never""#;
            causes.push(Cause::required("spec.template.spec.restartPolicy", detail));
        }
        other => {
            let supported = r#""OnFailure", "Never""#;
            causes.push(Cause::unsupported("spec.template.spec.restartPolicy", other, supported));
        }
    }
    causes
}

/// What is wrong with the containers of a Pod spec at `path`.
pub(super) fn containers(spec: Option<&Value>, path: &str) -> Vec<Cause> {
    let all = spec.and_then(|spec| spec.get("containers")).and_then(Value::as_array);
    let Some(all) = all.filter(|all| !all.is_empty()) else {
        return vec![Cause::required(format!("{path}.containers"), "")];
    };
    let missing = |(number, container): (usize, &Value)| {
        let absent = ["name", "image"]
            .into_iter()
            .filter(|field| meta::text(container, &format!("/{field}")).is_empty());
        absent
            .map(|field| Cause::required(format!("{path}.containers[{number}].{field}"), ""))
            .collect::<Vec<_>>()
    };
    all.iter().enumerate().flat_map(missing).collect()
}

/// Which fixed fields of a Job differ.
pub(super) fn immutable(old: &Value, new: &Value) -> Vec<Cause> {
    // The template of a Job that never ran may still change.
    let is_open = old["spec"]["suspend"] == Value::Bool(true) && meta::is_absent(old, "/status/startTime");
    let fields = ["selector", "completionMode", "completions", "template"];
    let changed = fields.into_iter().filter(|field| old["spec"].get(field) != new["spec"].get(field));
    let refused = changed.filter(|field| !(is_open && *field == "template"));
    refused
        .map(|field| Cause::invalid(format!("spec.{field}"), &new["spec"][field], "field is immutable"))
        .collect()
}
