//! One line to one event.

use super::Reading;
use crate::api::WatchEvent;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Deserialize)]
struct Versioned {
    metadata: Version,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    resource_version: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: u16,
    reason: String,
    message: String,
    details: Option<Details>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Details {
    retry_after_seconds: Option<u32>,
}

/// `None` if the line is no event.
pub(super) fn decode(reading: &Reading, line: &[u8]) -> Option<WatchEvent> {
    let line: Line<'_> = serde_json::from_slice(line).ok()?;
    let object = line.object.get();
    match line.kind {
        "ADDED" | "MODIFIED" => Some(seen(reading, object, false)?),
        "DELETED" => Some(seen(reading, object, true)?),
        "BOOKMARK" => Some(WatchEvent::Bookmark { resource_version: version(object)? }),
        "ERROR" => {
            let status: Status = serde_json::from_str(object).ok()?;
            let retry_after_s = status.details.and_then(|details| details.retry_after_seconds);
            Some(WatchEvent::Error {
                code: status.code,
                reason: status.reason,
                message: status.message,
                retry_after_s,
            })
        }
        _ => None,
    }
}

fn seen(reading: &Reading, object: &str, gone: bool) -> Option<WatchEvent> {
    let value: Value = serde_json::from_str(object).ok()?;
    let Some(mut item) = reading.form.project(&reading.rules.borrow(), &reading.kind, &value) else {
        return Some(WatchEvent::Skipped { resource_version: version(object)? });
    };
    item.gone = gone;
    Some(if gone { WatchEvent::Deleted(item) } else { WatchEvent::Seen(item) })
}

fn version(object: &str) -> Option<String> {
    Some(serde_json::from_str::<Versioned>(object).ok()?.metadata.resource_version)
}
