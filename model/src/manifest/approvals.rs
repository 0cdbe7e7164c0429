//! `spec.approvals`.

use super::fields::{Faults, Fields};
use crate::limits;
use crate::record::ApprovalRule;
use serde_json::Value;

const PATH: &str = "spec.approvals";

/// Reads the rule. What is returned beside a fault is never used.
pub(super) fn rule_of(value: Value, faults: &mut Faults) -> ApprovalRule {
    let mut fields = Fields::of(PATH, value, faults);
    let required = fields.take("required");
    let required = match required.as_ref().and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()) {
        Some(number) if (1..=limits::APPROVALS_REQUIRED_MAX).contains(&number) => number,
        _ => {
            let given = required.map_or_else(String::new, |value| format!(", not {value}"));
            let max = limits::APPROVALS_REQUIRED_MAX;
            faults.add(fields.path("required"), format!("must be a number of people, 1 to {max}{given}"));
            1
        }
    };
    let groups = fields.texts("groups", faults);
    check_groups(&fields.path("groups"), &groups, faults);
    let expire_after_ms = fields.duration("expireAfter", faults).unwrap_or(limits::APPROVAL_EXPIRE_MS);
    if !(1..=limits::APPROVAL_EXPIRE_MS_MAX).contains(&expire_after_ms) {
        let max = super::write_duration(limits::APPROVAL_EXPIRE_MS_MAX);
        faults.add(fields.path("expireAfter"), format!("must be longer than 0s and at most {max}"));
    }
    fields.finish(faults);
    ApprovalRule { required, groups, expire_after_ms }
}

fn check_groups(path: &str, groups: &[String], faults: &mut Faults) {
    if groups.is_empty() || groups.len() > limits::APPROVAL_GROUPS_MAX {
        let max = limits::APPROVAL_GROUPS_MAX;
        faults.add(path, format!("must name 1 to {max} groups whose members may approve"));
    }
    for (i, group) in groups.iter().enumerate().take(limits::APPROVAL_GROUPS_MAX) {
        let length_ok = (1..=limits::APPROVAL_GROUP_BYTES_MAX).contains(&group.len());
        if !length_ok || group.chars().any(char::is_control) {
            let max = limits::APPROVAL_GROUP_BYTES_MAX;
            faults.add(format!("{path}[{i}]"), format!("must be the name of a group, 1 to {max} bytes"));
        } else if groups.iter().take(i).any(|earlier| earlier == group) {
            faults.add(format!("{path}[{i}]"), format!("{group:?} is named twice"));
        }
    }
}
