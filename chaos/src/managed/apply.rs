//! Server-side apply: what a manager applies is there, and what it applied before and does not any more is gone,
//! unless somebody else owns it too.

use super::fields::{self, Fields, Path};
use super::merge::merge;
use super::owners::{Owner, Owners};
use crate::refusal::Refusal;
use crate::request::Resource;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Who owns what nobody is known to, from the first apply on.
const BEFORE: &str = "before-first-apply";

/// What `manager` applies to `live` (null: to nothing), with who owns what in the end.
///
/// # Errors
/// 409 with a cause per field: others own fields that would change, and it is not forced.
pub(crate) fn apply(
    resource: &Resource,
    live: &Value,
    mut applied: Value,
    manager: &str,
    is_forced: bool,
) -> Result<Value, Refusal> {
    if resource.has_status
        && !resource.is_status
        && let Some(fields) = applied.as_object_mut()
    {
        fields.remove("status");
    }
    let owner = Owner {
        manager: manager.to_owned(),
        is_apply: true,
        api_version: resource.api_version(),
        subresource: if resource.is_status { "status".to_owned() } else { String::new() },
    };
    let mut owners = Owners::read(live);
    if owners.is_empty() && !live.is_null() {
        let before = Owner { manager: BEFORE.to_owned(), is_apply: false, ..owner.clone() };
        owners.set(&before, fields::of(live));
    }
    let wanted = fields::of(&applied);
    let conflicts = conflicts(&owners, &owner, live, &applied, &wanted);
    if !conflicts.is_empty() && !is_forced {
        return Err(refusal(&conflicts));
    }
    let lost: Fields = conflicts.into_iter().map(|(_, path)| path).collect();
    owners.take_from_others(&owner, &lost);
    let mut after = if live.is_null() { json!({}) } else { live.clone() };
    merge(&mut after, &applied, "", "");
    let given_up = owners.of(&owner);
    for path in given_up.difference(&wanted) {
        if !is_owned(&owners, &owner, path) && !wanted.iter().any(|kept| kept.starts_with(path)) {
            fields::remove(&mut after, path);
        }
    }
    owners.set(&owner, wanted);
    owners.write(live, &mut after);
    Ok(after)
}

/// True if anybody else owns it, or something in it.
fn is_owned(owners: &Owners, owner: &Owner, path: &Path) -> bool {
    owners.others(owner).any(|(_, _, fields)| fields.iter().any(|held| held.starts_with(path)))
}

/// The fields whose value would change and that others own, each with its owner in words.
fn conflicts(
    owners: &Owners,
    owner: &Owner,
    live: &Value,
    applied: &Value,
    wanted: &Fields,
) -> Vec<(String, Path)> {
    let mut found = Vec::new();
    for (other, time, fields) in owners.others(owner) {
        for path in wanted.intersection(fields) {
            let is_item = path.last().is_some_and(|last| !last.starts_with("f:"));
            if !is_item && fields::get(live, path) != fields::get(applied, path) {
                found.push((other.said(time), path.clone()));
            }
        }
    }
    found
}

fn refusal(conflicts: &[(String, Path)]) -> Refusal {
    let causes: Vec<Value> = conflicts
        .iter()
        .map(|(owner, path)| {
            json!({
                "reason": "FieldManagerConflict",
                "message": format!("conflict with {owner}"),
                "field": fields::said(path),
            })
        })
        .collect();
    let said = match conflicts {
        [(owner, path)] => format!("1 conflict: conflict with {owner}: {}", fields::said(path)),
        _ => {
            let mut by_owner: BTreeMap<&str, String> = BTreeMap::new();
            for (owner, path) in conflicts {
                let lines = by_owner.entry(owner).or_insert_with(|| format!("conflicts with {owner}:"));
                lines.extend(["\n- ", &fields::said(path)]);
            }
            let lines: Vec<String> = by_owner.into_values().collect();
            format!("{} conflicts: {}", conflicts.len(), lines.join("\n"))
        }
    };
    let mut refusal = Refusal::new(409, "Conflict", format!("Apply failed with {said}"));
    refusal.details = Some(json!({"causes": causes}));
    refusal
}
