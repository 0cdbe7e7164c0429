//! Whether what is sent for a runnable that exists is what it was made from.

use crate::Cause;
use crate::command::Submit;
use crate::record::Runnable;
use serde_json::Value;

/// Where the spec of `asked` differs from that of `run`, whose kept manifests are `kept`, joined; nothing if they
/// mean the same. A name that was made may be written out or not.
#[must_use]
pub fn differences(run: &Runnable, kept: &[u8], asked: &Submit) -> Vec<Cause> {
    let (has, wants) = (&run.spec, &asked.spec);
    let fields = [
        ("spec.placement", has.placement == wants.placement),
        ("spec.attempts.max", has.attempts_max == wants.attempts_max),
        ("spec.attempts.backoff", has.backoff_ms == wants.backoff_ms),
        ("spec.startBy", has.start_by_ms == wants.start_by_ms),
        ("spec.finishBy", has.finish_by_ms == wants.finish_by_ms),
        ("spec.onLate", has.on_late == wants.on_late),
        ("spec.ttlAfterFinished", has.ttl_after_finished_ms == wants.ttl_after_finished_ms),
        ("spec.approvals", has.approvals == wants.approvals),
        ("spec.requires", has.requires == wants.requires),
        ("spec.main", asked.main == Submit::UNNAMED || asked.main == run.main),
        ("spec.manifests", run.planned.len() == asked.planned.len()),
    ];
    let mut differing: Vec<Cause> =
        fields.into_iter().filter(|(_, same)| !same).map(|(field, _)| immutable(field)).collect();
    if differing.is_empty() && has != wants {
        differing.push(immutable("spec"));
    }
    for (i, (plan, manifest)) in run.planned.iter().zip(&asked.planned).enumerate() {
        // Names are made from the UID, so those of this run are.
        let name = manifest.name(run.head.uid, i);
        let has = plan.json(kept).and_then(|json| resolved(json, &plan.name, plan));
        let wants = manifest.json(&asked.manifests).and_then(|json| resolved(json, &name, plan));
        if has.is_none() || has != wants {
            differing.push(immutable(&format!("spec.manifests[{i}]")));
        }
    }
    differing
}

fn immutable(field: &str) -> Cause {
    let message = "is immutable: submit changed work under another name".to_owned();
    Cause { field: field.to_owned(), message }
}

/// A manifest with its name and namespace written out.
fn resolved(bytes: &[u8], name: &str, plan: &crate::record::Planned) -> Option<Value> {
    let mut value: Value = serde_json::from_slice(bytes).ok()?;
    let metadata = value.get_mut("metadata")?.as_object_mut()?;
    metadata.remove("generateName");
    metadata.insert("name".to_owned(), Value::String(name.to_owned()));
    metadata.insert("namespace".to_owned(), Value::String(plan.namespace.clone()));
    Some(value)
}
