//! What a cluster tells of others, and what its hub tells of it.

use serde::Serialize;
use std::collections::BTreeSet;
use tallyman_model::{record, time};

#[derive(Serialize)]
pub(super) struct Spec<'a> {
    namespaces: &'a [String],
}

#[derive(Serialize)]
pub(super) struct State<'a> {
    message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Profile<'a> {
    hub: &'a str,
    namespace: &'a str,
    name: &'a str,
    /// As the profile has it.
    #[serde(skip_serializing_if = "str::is_empty")]
    control_plane_healthy: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gone_at: Option<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    decisions: &'a BTreeSet<String>,
}

pub(super) fn spec(hub: &record::Hub) -> Spec<'_> {
    Spec { namespaces: &hub.namespaces }
}

pub(super) fn state(hub: &record::Hub) -> State<'_> {
    State { message: &hub.message }
}

pub(super) fn profile(profile: &record::Profile) -> Profile<'_> {
    Profile {
        hub: &profile.hub_name,
        namespace: &profile.namespace,
        name: &profile.name,
        control_plane_healthy: &profile.health,
        message: profile.hindrance.as_deref(),
        gone_at: profile.gone_ms.map(time::format),
        decisions: &profile.decisions,
    }
}
