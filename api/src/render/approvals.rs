//! The approvals of a runnable: the rule as it was submitted, and who has decided what.

use serde::Serialize;
use tallyman_model::manifest::write_duration;
use tallyman_model::record::{Approval, ApprovalRule, Approvals, Runnable};
use tallyman_model::{Digest, Phase, time};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule<'a> {
    required: u32,
    groups: &'a [String],
    expire_after: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApprovalsState<'a> {
    required: u32,
    groups: &'a [String],
    /// How many count.
    approved: usize,
    /// Of the run: what the next decision must name.
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_at: Option<String>,
    /// Who asked for the present try, and may not decide on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    retried_by: Option<&'a str>,
    given: Vec<Given<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Given<'a> {
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    through: Option<&'a str>,
    groups: &'a [String],
    decision: &'static str,
    digest: String,
    at: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    void: bool,
}

pub(super) fn rule(rule: &ApprovalRule) -> Rule<'_> {
    Rule { required: rule.required, groups: &rule.groups, expire_after: write_duration(rule.expire_after_ms) }
}

/// `None` if nobody has to agree.
pub(super) fn state(run: &Runnable) -> Option<ApprovalsState<'_>> {
    run.approvals.as_ref().map(|approvals| on(approvals, run.digest, run.phase == Phase::Held))
}

/// Of what has that digest, while it `waits` for them or after it.
pub(super) fn on(approvals: &Approvals, digest: Digest, waits: bool) -> ApprovalsState<'_> {
    let expires_ms = waits.then_some(approvals.expires_ms);
    ApprovalsState {
        required: approvals.rule.required,
        groups: &approvals.rule.groups,
        approved: approvals.approvers(digest).len(),
        digest: digest.to_string(),
        expires_at: expires_ms.map(time::format),
        approved_at: approvals.approved_ms.map(time::format),
        retried_by: approvals.asked_again.as_ref().map(|asker| asker.user.as_str()),
        given: approvals.given.iter().map(given).collect(),
    }
}

fn given(approval: &Approval) -> Given<'_> {
    Given {
        user: &approval.by.user,
        through: approval.by.through.as_deref(),
        groups: &approval.groups,
        decision: approval.decision.as_str(),
        digest: approval.digest.to_string(),
        at: time::format(approval.at_ms),
        reason: &approval.reason,
        void: approval.void,
    }
}
