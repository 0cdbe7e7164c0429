//! What a runnable asks for and has beside its objects: values of pools, and locks.

use serde::Serialize;
use tallyman_model::record::{self, WhenHeld};

#[derive(Serialize)]
pub(super) struct Wanted<'a> {
    name: &'a str,
    pool: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
}

pub(super) fn wanted(wanted: &record::WantedAllocation) -> Wanted<'_> {
    Wanted { name: &wanted.name, pool: &wanted.pool, value: wanted.value.as_deref() }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WantedLock<'a> {
    name: &'a str,
    permits: u32,
    when_held: &'static str,
}

pub(super) fn wanted_lock(wanted: &record::WantedLock) -> WantedLock<'_> {
    let when_held = match wanted.when_held {
        WhenHeld::Wait => "Wait",
        WhenHeld::Refuse => "Refuse",
    };
    WantedLock { name: &wanted.name, permits: wanted.permits, when_held }
}

#[derive(Serialize)]
pub(super) struct Given<'a> {
    name: &'a str,
    pool: &'a str,
    value: &'a str,
    held: bool,
}

pub(super) fn given(given: &record::Given) -> Given<'_> {
    Given { name: &given.name, pool: &given.pool, value: &given.value, held: given.allocation.is_some() }
}

#[derive(Serialize)]
pub(super) struct Held<'a> {
    name: &'a str,
    permits: u32,
    token: u64,
}

pub(super) fn held(held: &record::Held) -> Held<'_> {
    Held { name: &held.name, permits: held.permits, token: held.token.0 }
}
