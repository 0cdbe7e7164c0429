//! What a runnable asks for and has beside its objects: values of pools, and locks.

use serde::Serialize;
use tallyman_model::record::{self, WhenHeld};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted<'a> {
    name: &'a str,
    pool: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    align: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix_length: Option<u8>,
}

pub(super) fn wanted(wanted: &record::WantedAllocation) -> Wanted<'_> {
    let record::WantedAllocation { name, pool, wanted } = wanted;
    let record::WantedValue { value, size, align, prefix_length } = wanted;
    let (size, align, prefix_length) = (*size, *align, *prefix_length);
    Wanted { name, pool, value: value.as_deref(), size, align, prefix_length }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WantedLock<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permits: Option<u32>,
    when_held: &'static str,
}

pub(super) fn wanted_lock(wanted: &record::WantedLock) -> WantedLock<'_> {
    let when_held = match wanted.when_held {
        WhenHeld::Wait => "Wait",
        WhenHeld::Refuse => "Refuse",
    };
    let name = wanted.name.as_str();
    match wanted.is_key {
        true => WantedLock { key: Some(name), name: None, permits: None, when_held },
        false => WantedLock { key: None, name: Some(name), permits: Some(wanted.permits), when_held },
    }
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
