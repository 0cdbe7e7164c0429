//! Specs of Deployments, StatefulSets and DaemonSets.

use super::job::containers;
use crate::kind::Kind;
use crate::meta;
use crate::refusal::Cause;
use serde_json::Value;

/// What of a StatefulSet may change.
const OPEN: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

/// What is wrong with the spec of a workload whose defaults are filled in.
pub(super) fn spec(kind: &Kind, workload: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let spec = &workload["spec"];
    let numbers = ["replicas", "revisionHistoryLimit", "progressDeadlineSeconds"];
    for field in numbers.into_iter().filter(|field| !spec[*field].is_null()) {
        if spec[field].as_u64().is_none() {
            let detail = "must be greater than or equal to 0";
            causes.push(Cause::invalid(format!("spec.{field}"), &spec[field], detail));
        }
    }
    if *kind == Kind::Deployment && spec["progressDeadlineSeconds"] == 0 {
        let detail = "must be greater than minReadySeconds";
        causes.push(Cause::invalid("spec.progressDeadlineSeconds", &spec["progressDeadlineSeconds"], detail));
    }
    if meta::is_absent(spec, "/selector") {
        causes.push(Cause::required("spec.selector", ""));
    }
    let labels = &spec["template"]["metadata"]["labels"];
    let mut selected = spec.pointer("/selector/matchLabels").and_then(Value::as_object).into_iter().flatten();
    if selected.any(|(label, text)| labels.get(label) != Some(text)) {
        let detail = "`selector` does not match template `labels`";
        causes.push(Cause::invalid("spec.template.metadata.labels", labels, detail));
    }
    causes.extend(containers(spec["template"].get("spec"), "spec.template.spec"));
    let restarts = meta::text(spec, "/template/spec/restartPolicy");
    if !matches!(restarts, "" | "Always") {
        causes.push(Cause::unsupported("spec.template.spec.restartPolicy", restarts, r#""Always""#));
    }
    causes
}

/// Which fixed fields of a workload differ.
pub(super) fn immutable(kind: &Kind, old: &Value, new: &Value) -> Option<Cause> {
    if *kind != Kind::StatefulSet {
        let is_same = old["spec"].get("selector") == new["spec"].get("selector");
        let changed = || Cause::invalid("spec.selector", &new["spec"]["selector"], "field is immutable");
        return (!is_same).then(changed);
    }
    let fixed = |value: &Value| -> Vec<(String, Value)> {
        let all = value["spec"].as_object().into_iter().flatten();
        let fixed = all.filter(|(field, _)| !OPEN.contains(&field.as_str()));
        fixed.map(|(field, value)| (field.clone(), value.clone())).collect()
    };
    let detail = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
         'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
         'minReadySeconds' are forbidden";
    (fixed(old) != fixed(new)).then(|| Cause::forbidden("spec", detail))
}
